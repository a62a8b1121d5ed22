"""Floors that need no weights: what every trained backbone should beat.

    backbone = Baseline("color-hog")      # a colour histogram and a histogram of oriented gradients
    backbone = Baseline("random-vit")     # a vision transformer that was never trained

Both are the same on every machine: the handcrafted features are functions of the picture alone, the
random weights come from numpy's PCG64 with a fixed seed.
"""

import math
import typing

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from biobench.errors import BadInput
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.third_party_models import weights

__all__ = ["Baseline"]

_KNOWN = ("color-hog", "color-hist", "hog", "random-vit")
_HANDCRAFTED_SIZE = 128
_VIT_SIZE = 112
_SEED = 42


class Baseline(VisionBackbone):
    """A backbone without training: `color-hog`, `color-hist`, `hog` or `random-vit`.

    - `color-hist`: joint histogram of hue, saturation and value (8 x 4 x 4 bins), square root
      (Hellinger), unit length; 128 values.
    - `hog`: histogram of oriented gradients (Dalal and Triggs, CVPR 2005) as scikit-image computes
      it, 9 orientations, cells of 16 pixels, blocks of 2 x 2 cells, unit length; 1,764 values.
    - `color-hog`: both, one after the other; 1,892 values.
    - `random-vit`: timm's `vit_tiny_patch16_224` at 112 pixels with seeded random weights; mean of
      the patch tokens, 192 values.

    Raises BadInput (a ValueError) that names the known ones for another checkpoint.
    """

    description = "floors without training: handcrafted features and a random network"
    example_ckpts = _KNOWN
    weights_source = "nowhere: it has none that were trained"

    def __init__(self, ckpt: str):
        super().__init__()
        self.check_ckpt(ckpt)
        self.ckpt = ckpt
        self.vit: typing.Any = _make_random_vit() if ckpt == "random-vit" else None
        weights.freeze(self)

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Features [batch, dim]; patch features [batch, 49, 192] of `random-vit`, else None."""
        if self.vit is not None:
            patches = self.vit.forward_features(batch)[:, self.vit.num_prefix_tokens :]
            return EncodedImgBatch(patches.mean(dim=1), patches)
        images = batch.detach().float().permute(0, 2, 3, 1).cpu().numpy()
        features = np.stack([self._describe(image) for image in images])
        return EncodedImgBatch(torch.from_numpy(features).to(batch.device), None)

    def make_img_transform(self):
        """Resizing (the whole picture, squeezed, for handcrafted features) and scaling."""
        from torchvision.transforms import v2

        if self.vit is None:
            resize = [v2.Resize((_HANDCRAFTED_SIZE, _HANDCRAFTED_SIZE), antialias=True)]
            scale = []
        else:
            resize = [v2.Resize(_VIT_SIZE, antialias=True), v2.CenterCrop(_VIT_SIZE)]
            scale = [v2.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))]
        convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        return v2.Compose([*resize, *convert, *scale])

    def data_config(self) -> dict[str, object]:
        """`input_size` (channels, height, width), `mean` and `std`."""
        size = _HANDCRAFTED_SIZE if self.vit is None else _VIT_SIZE
        middle = 0.0 if self.vit is None else 0.5
        spread = 1.0 if self.vit is None else 0.5
        return {"input_size": (3, size, size), "mean": (middle,) * 3, "std": (spread,) * 3}

    def cache_identity(self) -> str:
        """The kind of feature: the handcrafted ones have no weights to tell them apart."""
        return self.ckpt

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where there is no such baseline."""
        if ckpt not in _KNOWN:
            hint = weights.did_you_mean(ckpt, _KNOWN)
            raise BadInput(f"There is no baseline '{ckpt}'; known: {', '.join(_KNOWN)}.{hint}")

    def _describe(self, image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, " dim"]:
        parts = []
        if self.ckpt in ("color-hog", "color-hist"):
            parts.append(_color_histogram(image))
        if self.ckpt in ("color-hog", "hog"):
            parts.append(_oriented_gradients(image))
        return np.concatenate(parts).astype(np.float32)


def _color_histogram(image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, " dim"]:
    from skimage.color import rgb2hsv

    bins = ((0, 1),) * 3
    hsv = rgb2hsv(np.clip(image, 0, 1)).reshape(-1, 3)
    counts, _ = np.histogramdd(hsv, bins=(8, 4, 4), range=bins)
    # The square root of a histogram that sums to one has unit length.
    return np.sqrt(counts.ravel() / counts.sum())


def _oriented_gradients(image: Float[np.ndarray, "height width 3"]) -> Float[np.ndarray, " dim"]:
    from skimage.feature import hog

    found = hog(
        image,
        orientations=9,
        pixels_per_cell=(16, 16),
        cells_per_block=(2, 2),
        block_norm="L2-Hys",
        channel_axis=-1,
    )
    # A picture of one colour has no gradients at all.
    return found / max(float(np.linalg.norm(found)), 1e-12)


def _make_random_vit() -> torch.nn.Module:
    import timm

    # timm draws weights of its own first, and must not move the program's random numbers.
    with torch.random.fork_rng(devices=[]):
        model = timm.create_model("vit_tiny_patch16_224", img_size=_VIT_SIZE, num_classes=0)
    rng = np.random.default_rng(_SEED)
    for name, parameter in sorted(model.named_parameters()):
        if parameter.ndim < 2:
            parameter.data.fill_(0.0 if name.endswith("bias") else 1.0)  # biases and norms
            continue
        # Uniform, because its bits are the same everywhere; timm's own spread of 0.02.
        values = rng.random(tuple(parameter.shape), dtype=np.float32) * 2 - 1
        parameter.data = torch.from_numpy(values * np.float32(0.02 * math.sqrt(3)))
    return model
