"""The feature source that runs a backbone, through the cache.

source = BackboneSource(backbone, EmbedOptions(device="auto"), name="open-clip:ViT-B-16/openai")
features = source(root, ["a.jpg", "b.jpg"])
"""

import contextlib
import dataclasses
import functools
import hashlib
import pathlib
import types
import typing
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from biobench.data.crops import Crop
from biobench.features.cache import open_generation, read_meta, write_meta
from biobench.features.code import digest_code
from biobench.features.digest import backbone_digest, make_trial_picture
from biobench.features.loop import embed
from biobench.features.network import Network
from biobench.features.options import (
    EmbedOptions,
    cache_root,
    require_precision,
    resolve_device,
    resolve_precision,
)
from biobench.features.text import TextSource
from biobench.features.vectors import Features
from biobench.fields import get_decided
from biobench.interfaces import VisionBackbone

__all__ = ["BackboneSource"]


class BackboneSource:
    """A feature source: call it with a folder and unique image paths below it.

    name: ORG:CKPT, shown by `biobench cache ls`; it is not part of the cache's key.
    files: stamps of the files that the backbone was made from (`biobench.features.origins`).
    text: the other half of the model, where what it makes of texts decides numbers, too.
    Raises BadInput if the device asked for is not there; when called, if it would have to run the
    backbone in a precision that the device lacks.
    """

    def __init__(
        self,
        backbone: VisionBackbone,
        options: EmbedOptions | None = None,
        *,
        name: str = "",
        files: Sequence[dict[str, object]] = (),
        text: TextSource | None = None,
    ):
        self.backbone = backbone
        self.text = text
        self.files = list(files)
        self.options = options or EmbedOptions()
        self.name = name
        self.device = resolve_device(self.options.device)
        self.precision = resolve_precision(self.options.precision, self.device)
        self.decided: dict[str, typing.Any] = get_decided(self.options, "features") | {
            "precision": self.precision
        }
        """the options that decide the features, but for later ones at their default."""
        self._fresh = not self.options.resume
        self._network: Network | None = None

    def __call__(
        self,
        root: pathlib.Path,
        images: Sequence[str],
        crops: Mapping[str, Crop] = types.MappingProxyType({}),
    ) -> Features:
        """Features of the images; raises CellFailed where the run cannot be finished.

        crops: those of `images` that are a part of a picture, by name.
        """
        folder = self._root / self.digest
        # A clean start is made once, not for every task of this source.
        cache = open_generation(self._root, self.digest, fresh=self._fresh)
        self._fresh = False
        with _as_current(self.device):
            features = embed(
                self._get_network,
                self._transform,
                tuple(self._trial.shape),
                pathlib.Path(root),
                images,
                cache,
                self.options,
                crops,
            )
        if features.dim:
            write_meta(folder, self._make_meta(features.dim))
        return features

    def describe(self) -> dict[str, object]:
        """digest (of all that decides the features, those of texts included), n_parameters,
        image_size, dim, precision, what it was made from."""
        dim = read_meta(self._root / self.digest).get("dim") or self._get_network().dim
        pooling = self.backbone.get_pooling()
        choices = self.options.get_choices()
        described: dict[str, object] = {
            "digest": self.digest,
            "n_parameters": sum(tensor.numel() for tensor in self.backbone.parameters()),
            "image_size": self.image_size,
            "dim": dim,
            "precision": self.precision,
            "device": str(self.device),
            "adapter": type(self.backbone).__qualname__,
            "name": self.name,
            "files": self.files,
            "code": digest_code(type(self.backbone)),
            "weights": str(self.backbone.weights_source),
            **({"pooling": dataclasses.asdict(pooling)} if pooling else {}),
            **({"choices": choices} if choices else {}),
        }
        if self.text is not None:
            both = hashlib.sha256(f"{self.digest} {self.text.digest}".encode()).hexdigest()
            described |= {"digest": both, "text": self.text.describe()}
        return described

    @functools.cached_property
    def digest(self) -> str:
        return backbone_digest(self.backbone, **self.decided)

    @property
    def image_size(self) -> list[int]:
        """Height and width of what the transform makes."""
        return list(self._trial.shape[-2:])

    @functools.cached_property
    def _transform(self) -> Callable:
        return self.backbone.make_img_transform()

    @functools.cached_property
    def _trial(self) -> Shaped[Tensor, "channels width height"]:
        return torch.as_tensor(self._transform(make_trial_picture()))

    @property
    def _root(self) -> pathlib.Path:
        return self.options.cache_root or cache_root()

    def _get_network(self) -> Network:
        if self._network is None:
            require_precision(self.precision, self.device)
            self._network = Network(
                self.backbone,
                self.device,
                self._trial,
                precision=self.precision,
                batch_size=self.options.batch_size,
                compile=self.options.compile,
            )
        return self._network

    def _make_meta(self, dim: int) -> dict[str, object]:
        return {
            "models": [self.name] if self.name else [],
            "adapter": type(self.backbone).__qualname__,
            "dim": dim,
            "precision": self.precision,
            "image_size": self.image_size,
            "exif": self.options.exif,
        }


def _as_current(device: torch.device) -> contextlib.AbstractContextManager:
    # What pins memory does so for the current GPU, and would take up room on the first one.
    if device.type == "cuda":
        return torch.cuda.device(device)
    return contextlib.nullcontext()
