"""Counts what each listed checkpoint costs: python docs/measure_models.py [NAME…]

Writes src/biobench/catalog/measured.json: of every checkpoint, or of those named and those that it
lacks. Each is built by its own library on torch's meta device, where tensors have shapes and no
numbers, so that nothing is downloaded and no memory filled. Counted is what the adapter keeps: the
image tower of a CLIP model with its projection, any other network without its classifier. One
GFLOP is 10^9 operations of one picture, a multiplication with its addition two of them, as
`biobench doctor` counts; most papers' "GFLOPs" count the pair once and are half of ours.
"""

import dataclasses
import functools
import json
import sys
import typing
import urllib.parse
from collections.abc import Callable

import torch

from biobench.catalog import MEASURED, Checkpoint, read_checkpoints
from biobench.features.cost import count_gflops

NUMBERS = ("params", "gflops", "image_size", "dim")


@dataclasses.dataclass(frozen=True)
class Built:
    """A network on the meta device."""

    network: torch.nn.Module
    encode: Callable[[torch.Tensor], typing.Any]
    image_size: int
    licence: str | None = None
    is_default: bool = False
    """whether its library means it when the tag is left out."""
    n_frames: int = 0
    """of a network of videos: what one picture is repeated to."""


def build(arch: str, image_size: int | None = None) -> Built:
    """The network of ORG:CONFIGURATION without weights; KeyError of an unknown organisation.

    image_size: of the pictures, where it is not the configuration's own.
    """
    org, _, name = arch.partition(":")
    builders = {
        "timm": lambda name: _build_timm(name, image_size),
        "timm-vit": lambda name: _build_timm(name, image_size, tokens=True),
        "open-clip": _build_open_clip,
        "torchvision": _build_torchvision,
        "transformers": _build_transformers,
    }
    with torch.device("meta"):
        built = builders[org](name)
    return dataclasses.replace(built, image_size=image_size or built.image_size)


@functools.cache
def measure(arch: str, image_size: int | None = None) -> dict[str, typing.Any]:
    """params, gflops, image_size and dim of a configuration, licence where its library says it."""
    if arch.startswith("open-clip:") and "/" in arch:
        # Weights of one architecture differ in no number that is counted here.
        return measure(arch.rpartition("/")[0], image_size)
    built = build(arch, image_size)
    built.network.requires_grad_(False)
    shape = [1, 3, built.image_size, built.image_size]
    if built.n_frames:
        shape.insert(1, built.n_frames)
    widths = []

    def encode(batch: torch.Tensor) -> None:
        widths.append(built.encode(batch).shape[-1])

    with torch.device("meta"):
        gflops = count_gflops(encode, torch.empty(shape))
    row: dict[str, typing.Any] = {
        "params": sum(parameter.numel() for parameter in built.network.parameters()),
        "gflops": float(f"{gflops:.4g}"),
        "image_size": built.image_size,
        "dim": widths[-1],
    }
    if built.licence:
        row["licence"] = built.licence
    return row | ({"is_default": True} if built.is_default else {})


def count(one: Checkpoint) -> dict[str, typing.Any]:
    """What measured.json is to have of a checkpoint."""
    if one.arch == one.name:
        return measure(one.arch)
    # Of a configuration that it shares only the numbers are its own.
    row = measure(one.arch, one.image_size)
    return {key: row[key] for key in NUMBERS}


def _build_timm(name: str, image_size: int | None, *, tokens: bool = False) -> Built:
    import timm
    import timm.data

    # Position embeddings are kept as they are in the weights, and resampled for another size.
    sized = {"dynamic_img_size": True} if image_size and name.startswith("vit_") else {}
    model: typing.Any = timm.create_model(name, num_classes=0, **sized).eval()
    cfg = timm.models.get_pretrained_cfg(name)
    default = timm.models.get_pretrained_cfg(name.partition(".")[0])
    is_default = bool(cfg and default and "." in name and cfg.tag == default.tag)
    size = timm.data.resolve_model_data_config(model)["input_size"][-1]
    encode = model.forward_features if tokens else model
    return Built(model, encode, size, cfg.license if cfg else None, is_default)


def _build_open_clip(name: str) -> Built:
    import open_clip

    visual: typing.Any = open_clip.create_model(name, pretrained=None, device="meta").visual.eval()
    size = visual.image_size
    return Built(visual, visual, size[0] if isinstance(size, tuple) else size)


def _build_torchvision(name: str) -> Built:
    from torchvision import models

    arch, _, weights = name.partition(".")
    network = models.get_model(arch, weights=None).eval()
    network.fc = torch.nn.Identity()
    preset = models.get_model_weights(arch)[weights].transforms()
    return Built(network, network, preset.crop_size[0])


def _build_transformers(name: str) -> Built:
    import transformers

    name, _, given = name.partition("?")
    values = {key: json.loads(value) for key, value in urllib.parse.parse_qsl(given)}
    config = getattr(transformers, name)(**values)
    encoder = transformers.AutoModel.from_config(config).eval().encoder
    return Built(
        encoder,
        lambda video: encoder(video).last_hidden_state,
        config.crop_size,
        n_frames=config.tubelet_size,
    )


def main(names: list[str]) -> None:
    known = json.loads(MEASURED.read_text(encoding="utf-8")) if names else {}
    rows = {}
    for one in read_checkpoints():
        if one.arch and (not names or one.name in names or one.name not in known):
            rows[one.name] = count(one)
            print(one.name, rows[one.name], file=sys.stderr)
        elif one.name in known:
            rows[one.name] = known[one.name]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    MEASURED.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
