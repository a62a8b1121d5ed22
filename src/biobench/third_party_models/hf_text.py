"""The text towers of SigLIP in transformers' format, with the repository's own tokenizer.

    tower = HfText(model, load_tokenizer(ckpt, folder), folder)
    tower.txt_encode(["a photo of a red fox."])         # [1, dim]

SigLIP (Zhai et al., "Sigmoid loss for language image pre-training", ICCV 2023) and SigLIP 2
(Tschannen et al., 2025) read texts in lower case, filled up to the length of their context, and
attend to what fills them up.
"""

import hashlib
import json
import pathlib
import typing
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from biobench.errors import BadInput
from biobench.interfaces import TextTower
from biobench.third_party_models import hf_files, weights

__all__ = ["MODELS", "HfText", "check_pictures", "fetch_tokenizer", "load_tokenizer", "read_config"]

MODELS = {"siglip": "SiglipModel", "siglip2": "Siglip2Model"}
"""transformers' class with both towers, by `model_type`: those whose pictures' vector `hf:` gives
as it is compared with texts."""

_SETTINGS = "tokenizer_config.json"
_WORDS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
_FURTHER = ("merges.txt", "special_tokens_map.json", "added_tokens.json")


class HfText(TextTower):
    """The text tower of a SigLIP model of transformers; its image tower is let go.

    tokenizer: one of transformers; longer texts are cut off, as in training.
    folder: where the tokenizer's files are, whose bytes are part of the cache's key.
    """

    model: typing.Any  # torch would have it that every attribute may be a tensor

    def __init__(
        self, model: torch.nn.Module, tokenizer: typing.Any, folder: pathlib.Path, source: str = ""
    ):
        super().__init__()
        both: typing.Any = model
        self.logit_scale = float(both.logit_scale.detach().exp())
        bias = getattr(both, "logit_bias", None)
        self.logit_bias = 0.0 if bias is None else float(bias.detach())
        self.link = "softmax" if bias is None else "sigmoid"
        both.vision_model = None
        self.model = both
        self.weights_source = source
        self._tokenizer = tokenizer
        self._described = _describe_tokenizer(tokenizer, folder)
        weights.freeze(self)

    def txt_encode(self, prompts: Sequence[str]) -> Float[Tensor, "n dim"]:
        """The vectors that are compared with those of pictures, not normalised."""
        tokens = self._tokenizer(
            # Gemma's tokenizer, which SigLIP 2 has, leaves case and side to the caller.
            [prompt.lower() for prompt in prompts],
            padding="max_length",
            padding_side="right",
            truncation=True,
            max_length=self.model.config.text_config.max_position_embeddings,
            return_tensors="pt",
        )
        # Without the mask: in training what fills a text up was attended to.
        ids = tokens["input_ids"].to(next(self.parameters()).device)
        found = self.model.get_text_features(input_ids=ids)
        return getattr(found, "pooler_output", found)

    def cache_identity(self) -> str:
        """The tokenizer, and the configuration, which weights do not show."""
        config = self.model.config.text_config.to_dict()
        kept = {key: config[key] for key in config if key not in hf_files.NOT_DECIDING}
        return f"{self._described} {json.dumps(kept, sort_keys=True, default=str)}"


def read_config(ckpt: str, folder: pathlib.Path) -> dict[str, typing.Any]:
    """A repository's config.json; raises BadInput where it cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise BadInput(f"The config.json of '{ckpt}' cannot be read: {err}.") from err
    if not isinstance(config, dict):
        raise BadInput(f"The config.json of '{ckpt}' is not a table of settings.")
    return config


def check_pictures(ckpt: str, config: dict[str, typing.Any]) -> None:
    """Raise BadInput where hf: gives another vector of a picture than is compared with texts."""
    kind = config.get("model_type")
    if kind not in MODELS:
        raise BadInput(
            f"hf:{ckpt} (model_type '{kind}') has a text tower, but hf: does not give its "
            "pictures' vector in the space of its texts (of CLIP the one before the projection): "
            "use the same model in OpenCLIP's format, as open-clip:ViT-B-16/openai, or a SigLIP."
        )
    vision = config.get("vision_config") or {}
    if not vision.get("vision_use_head", True):
        raise BadInput(
            f"hf:{ckpt} lacks the attention-pooling head, whose output is compared with texts: use "
            "a SigLIP that has it, or one of open-clip:, as open-clip:ViT-B-16-SigLIP/webli."
        )


def fetch_tokenizer(ckpt: str, repo: str, folder: pathlib.Path, cache: str | None) -> None:
    """Fetch the tokenizer's files of `repo` (ORG/NAME@COMMIT) into its snapshot's folder."""
    for name in (_SETTINGS, *_WORDS, *_FURTHER):
        if not (folder / name).is_file():
            weights.find_on_hub(ckpt, repo, (name,), cache)


def load_tokenizer(ckpt: str, folder: pathlib.Path) -> typing.Any:
    """The tokenizer in a folder, never by code of its own.

    Raises BadInput where its files are not there, or a package that it needs is not.
    """
    import transformers

    if not (folder / _SETTINGS).is_file() or not any((folder / name).is_file() for name in _WORDS):
        raise BadInput(
            f"The tokenizer of 'hf:{ckpt}', which zero-shot needs, is not beside its weights "
            f"({_SETTINGS} and one of {', '.join(_WORDS[:3])}): for a repository run once where "
            "there is a network, for a folder save it there."
        )
    try:
        settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        asked = settings["tokenizer_class"]
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise BadInput(
            f"The {_SETTINGS} of 'hf:{ckpt}' does not say its tokenizer_class, so that texts "
            "cannot be read as in training; save the tokenizer there with save_pretrained."
        ) from err
    lacks = BadInput(
        f"The tokenizer of 'hf:{ckpt}' is a {asked}, which needs packages that are not installed; "
        "pip install sentencepiece protobuf."
    )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except ImportError as err:
        raise lacks from err
    except (OSError, ValueError) as err:
        raise BadInput(
            f"The tokenizer of 'hf:{ckpt}' cannot be loaded: {weights.first_line(err)}"
        ) from err
    # Where a package is missing, transformers may take another, which leaves punctuation in.
    if asked == "SiglipTokenizer" and type(tokenizer).__name__ != asked:
        raise lacks
    return tokenizer


def _describe_tokenizer(tokenizer: typing.Any, folder: pathlib.Path) -> str:
    """What decides the tokens of a text: the kind of tokenizer, and the bytes of its files."""
    digest = hashlib.sha256()
    for name in sorted((_SETTINGS, *_WORDS, *_FURTHER)):
        if (folder / name).is_file():
            content = (folder / name).read_bytes()
            digest.update(f"{name} {len(content)} ".encode() + content)
    return f"{type(tokenizer).__name__} {digest.hexdigest()}"
