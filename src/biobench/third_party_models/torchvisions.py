"""The classifiers of torchvision (https://github.com/pytorch/vision), without their last layer.

backbone = TorchVision("resnet50")                   # the weights that torchvision calls best
backbone = TorchVision("resnet50.IMAGENET1K_V1")     # those of that name
backbone = TorchVision("local:resnet50/run/best.pt")  # your own, with any number of classes
"""

import os
import pathlib
import typing

import torch
from jaxtyping import Float
from torch import Tensor

from biobench._backbone import Pooling
from biobench.errors import BadInput, did_you_mean
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.pooling_table import find_row
from biobench.third_party_models import weights
from biobench.third_party_models.checkpoints import read_checkpoint

if typing.TYPE_CHECKING:
    from torchvision.models import WeightsEnum

__all__ = ["TorchVision"]


class TorchVision(VisionBackbone):
    """An image classifier of torchvision: `img_features` is what its last linear layer is given.

    `patch_features` is None. ckpt: as in the module's docstring. The transform is the checkpoint's
    own; for a file of your own it is that of torchvision's weights of the same architecture.
    Raises BadInput where the checkpoint does not exist, or its weights cannot be found or do not
    fit. Weights are never left random.
    """

    description = "classifiers of torchvision: the last layer's input"
    example_ckpts = ("resnet50", "convnext_tiny.IMAGENET1K_V1", "local:ARCH/PATH")

    def __init__(self, ckpt: str):
        super().__init__()
        self.check_ckpt(ckpt)
        self._preset = _find_weights(ckpt).transforms()
        self.model, self.weights_source = _create(ckpt)
        weights.freeze(self)

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Features [batch, dim] before the last layer; no patch features."""
        return EncodedImgBatch(self.model(batch), None)

    def make_img_transform(self):
        """The checkpoint's own evaluation transform, as torchvision makes it."""
        return self._preset

    def data_config(self) -> dict[str, object]:
        """`input_size` (channels, height, width), `mean` and `std` of the checkpoint."""
        (size,) = self._preset.crop_size
        return {
            "input_size": (3, size, size),
            "mean": tuple(self._preset.mean),
            "std": tuple(self._preset.std),
        }

    def get_pooling(self) -> Pooling:
        """Which vector this is."""
        row = find_row("torchvision", "*")
        assert row is not None, "the last row matches all"
        return Pooling(row.pool, row.note, row.source)

    def cache_identity(self) -> str:
        """The switches and numbers of the layers, which weights do not show."""
        return weights.describe_structure(self.model)

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where torchvision knows no such checkpoint; loads no weights."""
        _find_weights(ckpt)


def _find_weights(ckpt: str) -> "WeightsEnum":
    """The published weights of a checkpoint's name; of a local file, those of its architecture."""
    from torchvision import models

    is_local = ckpt.startswith("local:")
    arch, _, tag = (weights.parse_local(ckpt)[0] if is_local else ckpt).partition(".")
    known = models.list_models(module=models)
    if arch not in known:
        hint = did_you_mean(arch, known)
        raise BadInput(f"torchvision knows no architecture '{arch}' (in '{ckpt}').{hint}")
    if arch.startswith("squeezenet"):
        raise BadInput(f"'{ckpt}' has no linear layer whose input could be taken; use another.")
    published: typing.Any = models.get_model_weights(arch)
    if tag and tag not in published.__members__:
        tags = ", ".join(published.__members__)
        raise BadInput(f"torchvision knows no weights '{tag}' of '{arch}'; known: {tags}.")
    return published[tag] if tag else published.DEFAULT


def _create(ckpt: str) -> tuple[torch.nn.Module, str]:
    """The classifier with its weights but without its last layer, and where they came from."""
    from torchvision import models

    if ckpt.startswith("local:"):
        arch, path = weights.parse_local(ckpt)
        model, source = _from_file(ckpt, arch, path)
        return model, weights.say_source(ckpt, source)
    chosen = _find_weights(ckpt)
    cached = os.path.join(torch.hub.get_dir(), "checkpoints", os.path.basename(chosen.url))
    if not os.path.isfile(cached) and not weights.is_reachable(chosen.url):
        raise weights.say_missing(ckpt, chosen.url)
    with weights.refuse_mismatch(ckpt, chosen.url):
        model = models.get_model(ckpt.partition(".")[0], weights=chosen, progress=False)
    _replace(model, _find_last_layer(model)[0], torch.nn.Identity())
    return model, weights.say_source(ckpt, f"{chosen.url} ({chosen.name})")


def _from_file(ckpt: str, arch: str, path: pathlib.Path) -> tuple[torch.nn.Module, str]:
    from torchvision import models

    model = models.get_model(arch, weights=None)
    found = read_checkpoint(path, model.state_dict())
    name, last = _find_last_layer(model)
    head = found.state.get(f"{name}.weight")
    if head is None:
        _replace(model, name, torch.nn.Identity())
    elif head.ndim == 2 and len(head) != last.out_features:
        _replace(model, name, torch.nn.Linear(last.in_features, len(head)))
    source = found.describe(path)
    with weights.refuse_mismatch(ckpt, source):
        model.load_state_dict(found.state)
    _replace(model, name, torch.nn.Identity())
    return model, source


def _find_last_layer(model: torch.nn.Module) -> tuple[str, torch.nn.Linear]:
    linear = [(n, part) for n, part in model.named_modules() if isinstance(part, torch.nn.Linear)]
    return linear[-1]


def _replace(model: torch.nn.Module, name: str, layer: torch.nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, layer)
