"""The image models of transformers (Wolf et al., 2020; https://github.com/huggingface/transformers).

    backbone = Hf("facebook/dinov2-base")              # a repository of the Hugging Face hub
    backbone = Hf("facebook/dinov2-base@f9e44c8")      # at a revision
    backbone = Hf("runs/my-model")                     # a folder of save_pretrained

Which class of transformers reads a repository, and which of its outputs is the picture's vector, is
in the table of poolings (`biobench/pooling_table.toml`, rows `hf`). The transform is the
repository's own image processor. Code that a repository brings is only run where `trust` names it.
"""

import dataclasses
import json
import pathlib
import typing
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from biobench._backbone import Pooling
from biobench.errors import BadInput, require_extra
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.pooling_table import WORDS
from biobench.third_party_models import hf_files, hf_processing, hf_text, weights
from biobench.third_party_models.timm_pooling import choose_pooling, patch_tokens, pool_features

__all__ = ["Hf"]

MAX_FRAMES = 16
"""of a clip that repeats one picture."""


class Hf(VisionBackbone):
    """An image model of transformers: `img_features` is what its authors evaluate.

    `patch_features` are the tokens of the last layer without class and register tokens (of Hiera in
    the order of its mask units, of V-JEPA 2 frame after frame), or the last feature map row by row.
    ckpt: `ORG/REPO`, `ORG/REPO@REVISION` or a folder. pool, image_size, trust: as a run's flags.
    Raises BadInput where the checkpoint does not exist, is of no class in the table, its weights
    cannot be found or do not fit tensor for tensor, or it cannot be pooled or sized so.
    """

    model: typing.Any  # torch would have it that every attribute may be a tensor
    description = "image models of transformers: repositories of the Hugging Face hub, and folders"
    example_ckpts = ("facebook/dinov2-with-registers-base", "google/siglip2-base-patch16-224")
    choices = ("pool", "image_size", "trust")

    def __init__(
        self,
        ckpt: str,
        *,
        pool: str = "default",
        image_size: int = 0,
        trust: Sequence[str] = (),
    ):
        super().__init__()
        self.check_ckpt(ckpt)
        found = hf_files.find(ckpt, trust)
        self.model = hf_files.load_model(ckpt, found)
        self._row = row = hf_files.settle_head(found.row, self.model.config)
        self._identity = found.code
        self._transform = hf_processing.make_transform(ckpt, found.folder, self.model.config, row)
        if image_size:
            self._transform = self._transform.resize(ckpt, image_size)
        self.weights_source = weights.say_source(ckpt, found.source)
        self._is_sized = bool(image_size) and hf_files.takes(self.model, "interpolate_pos_encoding")
        self._how, self._pooling = self._choose_pooling(ckpt, pool)
        weights.freeze(self)
        if image_size:
            weights.check_size(self, ckpt, image_size)

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """Features [batch, dim] and patch features [batch, n_patches, width]."""
        output = self._forward(batch)
        features = output.last_hidden_state
        if self._row.model == "TimmWrapperModel":
            model = self.model.timm_model
            return EncodedImgBatch(
                pool_features(model, features, self._how), patch_tokens(model, features)
            )
        tokens = _to_tokens(features, self._row.layout)
        patches = tokens[:, self._n_cls + self._n_registers :]
        if self._how == "own":
            return EncodedImgBatch(getattr(output, self._row.output).flatten(1), patches)
        poolings = {"mean": lambda: patches.mean(dim=1), "max": lambda: patches.amax(dim=1)}
        vector = tokens[:, 0] if self._how == "cls" else poolings[self._how]()
        return EncodedImgBatch(vector, patches)

    def make_img_transform(self):
        """The repository's own image processor."""
        return self._transform

    def data_config(self) -> dict[str, object]:
        """`input_size` (channels, height, width), `mean` and `std` of the repository."""
        return self._transform.describe_data()

    def cache_identity(self) -> str:
        """The configuration, which weights do not show, and the code that was trusted."""
        config = self.model.config.to_dict()
        kept = {key: config[key] for key in config if key not in hf_files.NOT_DECIDING}
        text = json.dumps(kept, sort_keys=True, default=str)
        return f"{text} {self._identity} {self._is_sized}"

    def describe_pooling(self) -> object:
        """The output, or how its tokens are pooled."""
        return self._row.output if self._how == "own" else self._how

    def get_pooling(self) -> Pooling:
        """Which vector this is."""
        return self._pooling

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where no repository or folder is called so; loads no weights."""
        require_extra("transformers", "transformers", f"hf:{ckpt}")
        hf_files.check_name(ckpt)

    @classmethod
    def has_text_tower(cls, ckpt: str) -> bool:
        """Whether the configuration has one, which is fetched if it must be.

        Raises BadInput where it cannot be had, and where the model reads, but `img_features` do not
        lie in the space of its texts (CLIP, Meta CLIP 2).
        """
        cls.check_ckpt(ckpt)
        config = hf_text.read_config(ckpt, hf_files.find_config(ckpt, ckpt))
        if "text_config" not in config:
            return False
        hf_text.check_pictures(ckpt, config)
        return True

    @classmethod
    def load_text_tower(cls, ckpt: str) -> hf_text.HfText:
        """The text tower of a checkpoint, with its tokenizer; errors as above."""
        if not cls.has_text_tower(ckpt):
            raise BadInput(f"hf:{ckpt} has no text tower.")
        found = hf_files.find(ckpt, ())
        folder = found.folder
        if not pathlib.Path(ckpt).is_dir():
            repo = f"{ckpt.partition('@')[0]}@{folder.name}"
            hf_text.fetch_tokenizer(ckpt, repo, folder, hf_files.cache_dir())
        tokenizer = hf_text.load_tokenizer(ckpt, folder)
        kind = hf_text.MODELS[hf_text.read_config(ckpt, folder)["model_type"]]
        row = dataclasses.replace(found.row, model=kind)
        model = hf_files.load_model(ckpt, dataclasses.replace(found, row=row))
        source = weights.say_source(ckpt, found.source)
        return hf_text.HfText(model, tokenizer, folder, source)

    @property
    def _n_cls(self) -> int:
        return _count(self.model.config, self._row.cls)

    @property
    def _n_registers(self) -> int:
        return _count(self.model.config, self._row.registers)

    def _choose_pooling(self, ckpt: str, asked: str) -> tuple[str, Pooling]:
        row = self._row
        if row.model == "TimmWrapperModel":
            return choose_pooling(self.model.timm_model, ckpt, asked)
        if asked in ("default", row.pool):
            how = "own" if row.output else row.pool
            source = row.source if asked == "default" else "--pool"
            return how, Pooling(row.pool, row.describe(), source)
        if asked == "map" or (asked == "cls" and not self._n_cls):
            lack = "class token" if asked == "cls" else "attention-pooling head"
            raise BadInput(
                f"'{ckpt}' has no {lack}; leave --pool {asked} out, or ask for mean or max."
            )
        return asked, Pooling(asked, f"{WORDS[asked]} of the last hidden state", "--pool")

    def _forward(self, batch: Float[Tensor, "batch 3 width height"]) -> typing.Any:
        options = {"interpolate_pos_encoding": True} if self._is_sized else {}
        match self._row.model:
            case "VJEPA2Model":
                config = self.model.config
                n_frames = max(min(MAX_FRAMES, config.frames_per_clip), config.tubelet_size)
                clip = batch[:, None].expand(-1, n_frames, -1, -1, -1)
                return self.model(pixel_values_videos=clip, skip_predictor=True)
            case "ViTMAEModel":
                # Even where nothing is masked it would shuffle the patches.
                n_patches = (batch.shape[-1] // self.model.config.patch_size) ** 2
                order = torch.arange(n_patches, device=batch.device, dtype=batch.dtype)
                noise = order.expand(len(batch), -1)
                return self.model(pixel_values=batch, noise=noise, **options)
            case "Siglip2VisionModel":
                return self.model(**hf_processing.to_patches(batch, self.model.config.patch_size))
            case _:
                return self.model(pixel_values=batch, **options)


def _count(config: typing.Any, said: int | str) -> int:
    return said if isinstance(said, int) else int(getattr(config, said))


def _to_tokens(features: Tensor, layout: str) -> Float[Tensor, "batch n dim"]:
    if features.ndim == 3:
        return features
    # A feature map, row by row.
    if layout == "NHWC":
        return features.flatten(1, 2)
    return features.flatten(2).transpose(1, 2)
