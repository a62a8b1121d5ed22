"""The backbone half of the contract, apart from `interfaces` so that readers need no torch."""

import dataclasses
import typing
from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["EncodedImgBatch", "Link", "Pooling", "TextTower", "VisionBackbone"]

Link = typing.Literal["softmax", "sigmoid"]
"""what makes probabilities of a model's logits: CLIP's softmax over the classes, or SigLIP's
sigmoid of each."""


@dataclasses.dataclass(frozen=True)
class EncodedImgBatch:
    """What a backbone makes of a batch of images.

    img_features: one vector an image.
    patch_features: one vector a patch; None where the model has no patches. `patch_dim` may differ
        from `img_dim`.
    """

    img_features: Float[Tensor, "batch img_dim"]
    patch_features: Float[Tensor, "batch n_patches patch_dim"] | None


@dataclasses.dataclass(frozen=True)
class Pooling:
    """What of a network's output a backbone's `img_features` are, and who says so."""

    pool: str
    """`cls`, `mean`, `max`, `map` (attention pooling), or `own`: what the network gives as one."""
    what: str
    """in words."""
    source: str = ""
    """a paper, a library's configuration, or the user's choice."""
    advice: str = ""
    """where its authors evaluate another vector: which, and how to get it."""


class VisionBackbone(torch.nn.Module):
    """A frozen image model. Subclass it, fill in both methods, register the class.

    The constructor of a registered class is called with one argument, the checkpoint's name; and
    with those of `choices` by name that the user has made.
    `img_encode` and `make_img_transform` must be given; all else has a default.
    """

    adapter_version: str = "1"
    """part of the feature cache's key: raise it when `img_encode` changes what it computes from the
    same weights."""
    description: str = ""
    """one line for `biobench models`; empty: the first of the class's docstring."""
    example_ckpts: Sequence[str] = ()
    """checkpoints that `biobench models` gives as examples."""
    weights_source: str = ""
    """where this backbone's weights came from, in words: in reports and in the doctor's answer."""
    choices: Collection[str] = ()
    """what a user may choose of its checkpoints, of `pool`, `image_size` and `trust`: keyword
    arguments of the constructor, which is given none that was not chosen."""

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise `biobench.errors.BadInput` where no checkpoint can have that name, so that a plan
        fails before hours of work; loads no weights. By default every name may exist."""
        return None

    def cache_identity(self) -> str | None:
        """What decides the features and is in neither the weights, the transform nor `repr(self)`;
        part of the feature cache's key. None where there is nothing of the kind."""
        return None

    def describe_pooling(self) -> object:
        """What makes one vector of several; its repr is part of the feature cache's key. By default
        the attribute `pooling`, where the backbone has one."""
        # Not an attribute with a default, which would hide a module of that name.
        return getattr(self, "pooling", None)

    def get_pooling(self) -> Pooling | None:
        """Which vector this is, for reports and the doctor; None where that is not said."""
        return None

    def data_config(self) -> dict[str, object] | None:
        """`input_size` (channels, height, width), `mean` and `std` that the checkpoint asks for,
        which the doctor holds the transform to; None where that is not known."""
        return None

    @classmethod
    def has_text_tower(cls, ckpt: str) -> bool:
        """Whether `load_text_tower` gives one for this checkpoint; loads no weights. By default no
        checkpoint has one."""
        return False

    @classmethod
    def load_text_tower(cls, ckpt: str) -> "TextTower":
        """The half of the checkpoint that reads, for classes that are only named (zero-shot).

        Its vectors lie in the space of `img_features`. Loaded apart from the backbone, so that who
        only embeds pictures neither holds nor hashes it. Raises NotImplementedError here.
        """
        raise NotImplementedError(f"{cls.__name__} has no text tower.")

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Encode a batch that `make_img_transform` prepared; raises NotImplementedError here."""
        raise NotImplementedError(f"{type(self).__name__} must implement img_encode().")

    def make_img_transform(self):  # pyright: ignore[reportUnknownParameterType] - as published
        """Return the function from a PIL image to a tensor [3, width, height] that fits the model.

        Raises NotImplementedError here.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement make_img_transform().")


class TextTower(torch.nn.Module):
    """The frozen half of a model that reads: texts as vectors in the space of its pictures'.

    Subclass it, fill in `txt_encode`, and return one from a backbone's `load_text_tower`. A picture
    fits a text by `logit_scale` x cosine + `logit_bias`.
    """

    adapter_version: str = "1"
    """part of the text cache's key: raise it when `txt_encode` changes what it computes from the
    same weights."""
    logit_scale: float = 100.0
    """as it multiplies the cosine: the exponential of what CLIP and SigLIP learn."""
    logit_bias: float = 0.0
    """SigLIP's; 0 for CLIP, whose softmax does not see it."""
    link: Link = "softmax"
    """what makes probabilities of the logits."""
    weights_source: str = ""
    """where the weights came from, in words."""

    def cache_identity(self) -> str | None:
        """What decides the vectors and is not in the weights or `repr(self)`: the tokenizer, above
        all; part of the text cache's key."""
        return None

    def txt_encode(self, prompts: Sequence[str]) -> Float[Tensor, "n dim"]:
        """Encode texts, tokenized as the model was trained; raises NotImplementedError here."""
        raise NotImplementedError(f"{type(self).__name__} must implement txt_encode().")
