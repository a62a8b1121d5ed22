"""Turns pictures into vectors: the one loop that runs a network, and the cache that remembers.

    source = BackboneSource(backbone, EmbedOptions(device="cpu"))
    features = source(root, ["a.jpg", "b.jpg"])       # Features
    x = features.take(np.array([0, 1]))               # float32 [2, dim]

Names are loaded on first use, because running a network needs torch and reading vectors does not.
"""

import importlib
import typing

__all__ = [
    "BackboneSource",
    "EmbedOptions",
    "FeatureSource",
    "Features",
    "FileSource",
    "TextSource",
    "backbone_digest",
    "cache_root",
    "check_device_name",
    "resolve_device",
]

if typing.TYPE_CHECKING:
    from biobench.features.backbone_source import BackboneSource
    from biobench.features.digest import backbone_digest
    from biobench.features.options import (
        EmbedOptions,
        cache_root,
        check_device_name,
        resolve_device,
    )
    from biobench.features.text import TextSource
    from biobench.features.vector_file import FileSource
    from biobench.features.vectors import Features, FeatureSource

_HOMES = {
    "BackboneSource": "biobench.features.backbone_source",
    "EmbedOptions": "biobench.features.options",
    "Features": "biobench.features.vectors",
    "FeatureSource": "biobench.features.vectors",
    "FileSource": "biobench.features.vector_file",
    "TextSource": "biobench.features.text",
    "backbone_digest": "biobench.features.digest",
    "cache_root": "biobench.features.options",
    "check_device_name": "biobench.features.options",
    "resolve_device": "biobench.features.options",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
