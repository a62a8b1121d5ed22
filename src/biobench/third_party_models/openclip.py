"""The image towers of OpenCLIP (Ilharco et al., 2021; https://github.com/mlfoundations/open_clip).

    backbone = OpenClip("ViT-B-16/openai")                 # architecture and tag of its registry
    backbone = OpenClip("hf-hub:imageomics/bioclip")       # a repository in OpenCLIP's format
    backbone = OpenClip("local-dir:run/exported")          # a folder in that format
    backbone = OpenClip("local:ViT-B-16/run/epoch_3.pt")   # your own weights of an architecture

Only the image tower is kept; `OpenClip.load_text_tower` gives the other half. Weights are cached in
the first set of BIOBENCH_CACHE, HF_HOME and HF_HUB_CACHE. The transform is the checkpoint's own.
"""

import os
import pathlib
import tempfile
import typing
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from biobench._backbone import Pooling
from biobench.errors import BadInput, did_you_mean
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.pooling_table import WORDS, find_row
from biobench.third_party_models import checkpoints, openclip_text, weights
from biobench.third_party_models.timm_pooling import name_own, patch_tokens

__all__ = ["OpenClip"]

_HUB_FILES = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
_PREPROCESS = {
    "mean": "image_mean",
    "std": "image_std",
    "interpolation": "image_interpolation",
    "resize_mode": "image_resize_mode",
}


class OpenClip(VisionBackbone):
    """The image tower of a CLIP model: `img_features` is its output, projection included.

    `patch_features` are the patch tokens where the tower gives them (ViT), before the projection;
    None for residual networks and attention-pooled (CoCa) towers.
    ckpt: `ARCH/PRETRAINED`, `hf-hub:ORG/REPO`, `local-dir:DIR` or `local:ARCH/PATH`; of further
    arguments `pool` (as `--pool`) and `image_size` (pixels) are the adapter's, the others go to
    `open_clip.create_model_and_transforms`.
    Raises BadInput where the checkpoint does not exist, or its weights cannot be found or do not
    fit. Weights are never left random.
    """

    tower: typing.Any  # torch would have it that every attribute may be a tensor
    description = "image towers of CLIP models in OpenCLIP's format"
    choices = ("pool", "image_size")
    example_ckpts = ("ViT-B-16/openai", "hf-hub:imageomics/bioclip", "local:ARCH/PATH")

    def __init__(self, ckpt: str, **kwargs: typing.Any):
        super().__init__()
        self.check_ckpt(ckpt)
        pool, size = kwargs.pop("pool", "default"), kwargs.pop("image_size", 0)
        if size:
            kwargs["force_image_size"] = size
        model, self._transform, self.weights_source = _create(ckpt, kwargs)
        self.tower = model.visual
        # Only OpenCLIP's own ViT has the switch; in one that pools by attention the tokens are
        # queries of the pooling, not patches.
        self._has_tokens = hasattr(self.tower, "output_tokens")
        self._gives_patches = self._has_tokens and self.tower.attn_pool is None
        if self._has_tokens:
            self.tower.output_tokens = self._gives_patches
        self._how, self._pooling = self._choose_pooling(ckpt, pool)
        weights.freeze(self)
        if size:
            weights.check_size(self, ckpt, size)

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Features [batch, dim], projected by default, and patch tokens [batch, n_patches, width]
        or None."""
        own = self._encode(batch)
        if self._how == "own" or own.patch_features is None:
            return own
        patches = own.patch_features
        vector = patches.mean(dim=1) if self._how == "mean" else patches.amax(dim=1)
        return EncodedImgBatch(vector, patches)

    def _encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        if self._gives_patches:
            return EncodedImgBatch(*self.tower(batch))
        trunk = getattr(self.tower, "trunk", None)
        if trunk is None:
            return EncodedImgBatch(self.tower(batch), None)
        tokens = trunk.forward_features(batch)
        pooled = self.tower.head(trunk.forward_head(tokens))
        return EncodedImgBatch(pooled, patch_tokens(trunk, tokens))

    def make_img_transform(self):
        """The checkpoint's own evaluation transform, as OpenCLIP makes it."""
        return self._transform

    def data_config(self) -> dict[str, object]:
        """`input_size` (channels, height, width), `mean` and `std` of the checkpoint."""
        config = self.tower.preprocess_cfg
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else size
        return {"input_size": (3, height, width), "mean": config["mean"], "std": config["std"]}

    def describe_pooling(self) -> object:
        """The pooling that the user asked for, if it is not the tower's own."""
        return None if self._how == "own" else self._how

    def get_pooling(self) -> Pooling:
        """Which vector this is."""
        return self._pooling

    def _choose_pooling(self, ckpt: str, asked: str) -> tuple[str, Pooling]:
        row = find_row("open-clip", ckpt)
        assert row is not None, "the last row matches all"
        own = _name_own(self.tower)
        if asked in ("default", own):
            return "own", Pooling(own, f"{WORDS[own]}, projected", row.source)
        has_patches = self._gives_patches or getattr(self.tower, "trunk", None) is not None
        if asked in ("mean", "max") and has_patches:
            return asked, Pooling(asked, f"{WORDS[asked]}, not projected", "--pool")
        known = f"default, {own}" if own != "own" else "default"
        raise BadInput(
            f"--pool {asked} cannot be had of '{ckpt}', whose tower projects {WORDS[own]}: use "
            f"{known}{', mean or max' * has_patches}."
        )

    def cache_identity(self) -> str:
        """The numbers of heads, the pooling and the like, which weights do not show."""
        return weights.describe_structure(self.tower)

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where OpenCLIP knows no such checkpoint; loads no weights."""
        if ckpt.startswith("hf-hub:"):
            weights.check_repo(ckpt)
        elif ckpt.startswith("local-dir:"):
            _check_folder(ckpt)
        elif ckpt.startswith("local:"):
            _check_arch(weights.parse_local(ckpt)[0], ckpt)
        else:
            _split(ckpt)

    @classmethod
    def has_text_tower(cls, ckpt: str) -> bool:
        """Every model of OpenCLIP has one."""
        return True

    @classmethod
    def load_text_tower(cls, ckpt: str, **kwargs: typing.Any) -> openclip_text.OpenClipText:
        """The text tower of a checkpoint, with its tokenizer; arguments and errors as above."""
        cls.check_ckpt(ckpt)
        model, _, source = _create(ckpt, kwargs)
        if ckpt.startswith("hf-hub:"):
            folder = _find_folder(ckpt)
            openclip_text.fetch_tokenizer(ckpt, folder)
            name = f"local-dir:{folder}"
        else:
            name = ckpt.removeprefix("local:").partition("/")[0]
        return openclip_text.OpenClipText(model, openclip_text.load_tokenizer(ckpt, name), source)


def _name_own(tower: typing.Any) -> str:
    """What a tower projects, in the words of `--pool`."""
    trunk = getattr(tower, "trunk", None)
    if trunk is not None:
        return name_own(trunk)
    if getattr(tower, "attn_pool", None) is not None or hasattr(tower, "attnpool"):
        return "map"
    return {"tok": "cls", "avg": "mean"}.get(getattr(tower, "pool_type", ""), "own")


def _check_folder(ckpt: str) -> pathlib.Path:
    """The folder of `local-dir:DIR`, which must be as a repository in OpenCLIP's format."""
    folder = pathlib.Path(ckpt.removeprefix("local-dir:"))
    if not (folder / "open_clip_config.json").is_file():
        raise BadInput(f"'{ckpt}' must name a folder with open_clip_config.json and weights.")
    if not any((folder / name).is_file() for name in _HUB_FILES):
        raise BadInput(f"'{folder}' has no weights: OpenCLIP calls them {_HUB_FILES[0]}.")
    return folder


def _check_arch(arch: str, ckpt: str) -> None:
    import open_clip

    if arch not in open_clip.list_models():
        hint = did_you_mean(arch, open_clip.list_models())
        raise BadInput(f"OpenCLIP knows no architecture '{arch}' (in '{ckpt}').{hint}")


def _split(ckpt: str) -> tuple[str, str]:
    """ARCH and PRETRAINED of a checkpoint that OpenCLIP's registry has."""
    import open_clip

    arch, slash, tag = ckpt.partition("/")
    if not slash:
        raise BadInput(
            f"'{ckpt}' must be written ARCH/PRETRAINED, hf-hub:ORG/REPO, local-dir:DIR or "
            "local:ARCH/PATH, as in ViT-B-16/openai."
        )
    _check_arch(arch, ckpt)
    tags = open_clip.list_pretrained_tags_by_model(arch)
    if tag not in tags:
        known = f"known: {', '.join(tags)}" if tags else f"none are; use local:{arch}/PATH"
        raise BadInput(f"OpenCLIP knows no weights '{tag}' of '{arch}'; {known}.")
    return arch, tag


def _create(ckpt: str, kwargs: dict[str, typing.Any]) -> tuple[torch.nn.Module, Callable, str]:
    """The CLIP model with its weights, its evaluation transform, where the weights came from."""
    import open_clip

    if ckpt.startswith("local:"):
        name, path = weights.parse_local(ckpt)
        return _from_file(ckpt, name, path, kwargs)
    if ckpt.startswith("local-dir:"):
        folder = _check_folder(ckpt)
        name, source = f"local-dir:{folder}", f"the folder {folder}"
    elif ckpt.startswith("hf-hub:"):
        # From the snapshot's folder, because the library would ask the network once more.
        folder = _find_folder(ckpt)
        name = f"local-dir:{folder}"
        source = weights.describe_repo(ckpt.removeprefix("hf-hub:"), folder)
    else:
        name, tag = _split(ckpt)
        path, source = _find_tagged(ckpt, name, tag)
        kwargs = {"pretrained": str(path), **_tag_options(name, tag), **kwargs}
    with weights.refuse_mismatch(ckpt, source):
        model, _, transform = open_clip.create_model_and_transforms(name, **kwargs)
    return model, transform, weights.say_source(ckpt, source)


def _find_folder(ckpt: str) -> pathlib.Path:
    """The local folder of a repository with its weights and its config."""
    return weights.find_snapshot(ckpt, _HUB_FILES, openclip_text.CONFIG, weights.cache_dir())


def _from_file(
    ckpt: str, arch: str, path: pathlib.Path, kwargs: dict[str, typing.Any]
) -> tuple[torch.nn.Module, Callable, str]:
    import open_clip

    with torch.device("meta"):
        expected = open_clip.create_model(arch, device="meta").state_dict()
    readable = path.suffix not in (".npz", ".npy")  # SigLIP's arrays, which OpenCLIP converts
    found = checkpoints.read_checkpoint(path, expected) if readable else checkpoints.Checkpoint({})
    source = found.describe(path)
    with tempfile.TemporaryDirectory() as folder, weights.refuse_mismatch(ckpt, source):
        if found.notes:
            # OpenCLIP loads from files alone, and knows fewer of the ways in which trainers save.
            path = pathlib.Path(folder) / "unwrapped.pt"
            torch.save(found.state, path)
        options = {"pretrained": str(path), **kwargs}
        model, _, transform = open_clip.create_model_and_transforms(arch, **options)
    return model, transform, weights.say_source(ckpt, source)


def _find_tagged(ckpt: str, arch: str, tag: str) -> tuple[pathlib.Path, str]:
    """The file with the weights that OpenCLIP's registry calls `tag`, and a name for its place."""
    import open_clip

    cfg = open_clip.get_pretrained_cfg(arch, tag)
    repo, filename = os.path.split(cfg.get("hf_hub", ""))
    if "file" in cfg:
        return pathlib.Path(cfg["file"]), f"the file {cfg['file']}"
    if not repo:
        url, folder = cfg["url"], weights.cache_dir()
        cached = pathlib.Path(folder or "~/.cache/clip").expanduser() / os.path.basename(url)
        if not cached.is_file() and not weights.is_reachable(url):
            raise weights.say_missing(ckpt, url)
        return pathlib.Path(open_clip.download_pretrained(cfg, cache_dir=folder)), url
    source = weights.describe_repo(repo)
    filenames = (f"{filename.rpartition('.')[0]}.safetensors", filename) if filename else _HUB_FILES
    path = weights.find_on_hub(ckpt, repo, filenames, weights.cache_dir())
    if path is None:
        raise weights.say_missing(ckpt, source)
    return path, weights.describe_repo(repo, path)


def _tag_options(arch: str, tag: str) -> dict[str, typing.Any]:
    """What a tag says besides where its weights are: normalisation, resizing and activation.

    OpenCLIP applies these itself only when it is given the tag, and would then ask the network.
    """
    import open_clip

    cfg = open_clip.get_pretrained_cfg(arch, tag)
    options = {ours: cfg[key] for key, ours in _PREPROCESS.items() if cfg.get(key)}
    # Some weights (OpenAI's) were trained with QuickGELU under an architecture's plain name;
    # OpenCLIP only warns and computes something else.
    return {**options, "force_quick_gelu": bool(cfg.get("quick_gelu"))}
