"""A repository's own image processor as a transform: a PIL image in, a tensor [3, h, w] out."""

import dataclasses
import functools
import json
import logging
import pathlib
import typing
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from biobench.errors import BadInput
from biobench.pooling_table import Row
from biobench.third_party_models.weights import first_line

__all__ = ["HfTransform", "make_transform", "to_patches"]

_logger = logging.getLogger("biobench")


@dataclasses.dataclass(frozen=True)
class HfTransform:
    """An image processor of transformers, for one picture at a time."""

    processor: typing.Any
    folder: pathlib.Path
    kind: typing.Literal["image", "video", "patches"] = "image"
    """video: for the frames of clips; patches: gives flattened patches of a square."""
    side: int = 0
    """patches: height and width of the square."""

    def __call__(self, image: Image.Image) -> Float[Tensor, "3 height width"]:
        image = image.convert("RGB")
        if self.kind == "video":
            frame = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None]
            return self.processor(frame, return_tensors="pt")["pixel_values_videos"][0, 0]
        if self.kind == "patches":
            image = image.resize((self.side, self.side), Image.Resampling.BILINEAR)
            size = self.processor.patch_size
            options = {"max_num_patches": (self.side // size) ** 2, "return_tensors": "pt"}
            patches = self.processor(images=image, **options)["pixel_values"][0]
            return _from_patches(patches, self.side, size)
        return self.processor(images=image, return_tensors="pt")["pixel_values"][0]

    def __repr__(self) -> str:
        said = json.dumps(self.processor.to_dict(), sort_keys=True, default=str)
        return f"HfTransform({type(self.processor).__name__} {said} {self.kind} {self.side})"

    def resize(self, ckpt: str, size: int) -> "HfTransform":
        """The same for pictures of `size` pixels; raises BadInput where it has no size to set."""
        if self.kind == "patches":
            return dataclasses.replace(self, side=size)
        before, crop = _get(self.processor, "size"), _get(self.processor, "crop_size")
        if not isinstance(before, dict):
            raise BadInput(
                f"'{ckpt}' has no size that --image-size could set; a timm model takes it as "
                f"timm:hf-hub:{ckpt}."
            )
        is_cropped = bool(_get(self.processor, "do_center_crop")) and isinstance(crop, dict)
        # The margin around a crop stays the share that it is.
        outer = {
            k: round(size * v / crop["height"]) if is_cropped else size
            for k, v in before.items()
            if v
        }
        changed = {"size": outer}
        if is_cropped:
            changed["crop_size"] = {"height": size, "width": size}
        processor = type(self.processor).from_pretrained(self.folder, **changed)
        return dataclasses.replace(self, processor=processor)

    def describe_data(self) -> dict[str, object]:
        """`input_size`, `mean` and `std` as the processor's configuration has them."""
        config = vars(self.processor).get("data_config")
        if isinstance(config, dict):
            return {key: config[key] for key in ("input_size", "mean", "std")}
        shape = tuple(self(Image.new("RGB", (64, 64))).shape)
        normalises = bool(_get(self.processor, "do_normalize"))
        mean = tuple(_get(self.processor, "image_mean")) if normalises else (0.0,) * 3
        std = tuple(_get(self.processor, "image_std")) if normalises else (1.0,) * 3
        return {"input_size": shape, "mean": mean, "std": std}


def make_transform(ckpt: str, folder: pathlib.Path, config: typing.Any, row: Row) -> HfTransform:
    """The transform of a repository; raises BadInput where it brings no image processor."""
    kinds = {"VJEPA2Model": "video", "Siglip2VisionModel": "patches"}
    kind: typing.Any = kinds.get(row.model, "image")
    load = functools.partial(_load_processor, ckpt, folder, kind)
    found = HfTransform(load("pil"), folder, kind)
    if kind == "patches":
        found = dataclasses.replace(found, side=_find_side(found.processor, config))
    if kind == "image":
        found = _choose_faster(found, load)
    if row.pixels == "raw" and _get(found.processor, "do_normalize"):
        _logger.warning(
            "%s: its image processor normalises pixels that the model wants from 0 to 1; that step "
            "is left out",
            ckpt,
        )
        found.processor.do_normalize = False
    return found


def to_patches(batch: Float[Tensor, "batch 3 height width"], size: int) -> dict[str, Tensor]:
    """What SigLIP 2's tower takes: flattened patches, their mask and the grid that they make."""
    n, _, height, width = batch.shape
    rows, columns = height // size, width // size
    patches = batch.reshape(n, 3, rows, size, columns, size).permute(0, 2, 4, 3, 5, 1)
    return {
        "pixel_values": patches.reshape(n, rows * columns, size * size * 3),
        "pixel_attention_mask": torch.ones(
            n, rows * columns, dtype=torch.int32, device=batch.device
        ),
        "spatial_shapes": torch.tensor([[rows, columns]] * n, device=batch.device),
    }


def _from_patches(patches: Tensor, side: int, size: int) -> Float[Tensor, "3 side side"]:
    n = side // size
    pixels = patches.reshape(n, n, size, size, 3).permute(4, 0, 2, 1, 3)
    return pixels.reshape(3, side, side)


def _find_side(processor: typing.Any, config: typing.Any) -> int:
    """The side of a square of as many patches as a checkpoint was trained with."""
    return int(config.num_patches**0.5) * int(processor.patch_size)


def _choose_faster(found: HfTransform, load: Callable) -> HfTransform:
    """The processor on torchvision where it makes the same bits, else that on Pillow."""
    rng = np.random.default_rng(0)
    shapes = [(90, 120), (311, 207)]
    trials = [Image.fromarray(rng.integers(0, 256, (*s, 3), dtype=np.uint8)) for s in shapes]
    other = HfTransform(load("torchvision"), found.folder, found.kind)
    if type(other.processor) is type(found.processor):
        return found
    same = all(torch.equal(found(trial), other(trial)) for trial in trials)
    return other if same else found


def _load_processor(ckpt: str, folder: pathlib.Path, kind: str, backend: str) -> typing.Any:
    import transformers

    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        if kind == "video":
            return transformers.AutoVideoProcessor.from_pretrained(folder, **options)
        return transformers.AutoImageProcessor.from_pretrained(folder, backend=backend, **options)
    except (OSError, ValueError, ImportError) as err:
        raise BadInput(
            f"'{ckpt}' brings no image processor that can be used ({first_line(err)[:160]}): "
            "without its preprocessor_config.json nobody knows which pixels it wants."
        ) from err


def _get(processor: typing.Any, name: str) -> typing.Any:
    value = getattr(processor, name, None)
    # Sizes are objects, which have a field for every way of giving one.
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: side for key, side in vars(value).items() if side is not None}
    return value
