"""The backbone half of the contract, apart from `interfaces` so that readers need no torch."""

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["EncodedImgBatch", "VisionBackbone"]


@dataclasses.dataclass(frozen=True)
class EncodedImgBatch:
    """What a backbone makes of a batch of images.

    img_features: one vector an image.
    patch_features: one vector a patch; None where the model has no patches. `patch_dim` may differ
        from `img_dim`.
    """

    img_features: Float[Tensor, "batch img_dim"]
    patch_features: Float[Tensor, "batch n_patches patch_dim"] | None


class VisionBackbone(torch.nn.Module):
    """A frozen image model. Subclass it, fill in both methods, register the class.

    The constructor of a registered class is called with one argument, the checkpoint's name.
    `adapter_version` is part of the feature cache's key: raise it when `img_encode` changes what it
    computes from the same weights.
    """

    adapter_version: str = "1"

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Encode a batch that `make_img_transform` prepared; raises NotImplementedError here."""
        raise NotImplementedError(f"{type(self).__name__} must implement img_encode().")

    def make_img_transform(self):  # pyright: ignore[reportUnknownParameterType] - as published
        """Return the function from a PIL image to a tensor [3, width, height] that fits the model.

        Raises NotImplementedError here.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement make_img_transform().")
