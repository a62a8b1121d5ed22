"""The text towers of OpenCLIP, with the tokenizers that they were trained with.

    tower = OpenClipText(model, load_tokenizer("ViT-B-16/openai", "ViT-B-16"))
    tower.txt_encode(["a photo of a red fox."])         # [1, dim]

A model with a bias of its logits was trained with SigLIP's loss (Zhai et al., "Sigmoid loss for
language image pre-training", ICCV 2023), and its probabilities are sigmoids; the others were with
CLIP's (Radford et al., ICML 2021).
"""

import hashlib
import json
import pathlib
import typing
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from biobench.errors import BadInput
from biobench.interfaces import TextTower
from biobench.third_party_models import weights

__all__ = ["OpenClipText", "describe_tokenizer", "fetch_tokenizer", "load_tokenizer"]

CONFIG = "open_clip_config.json"
_TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"),
    *("vocab.json", "merges.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"),
)
_ITSELF = ("tokenizer.json", "vocab.txt", "vocab.json", *_TOKENIZER_FILES[-3:])
"""of which one is a tokenizer; the others say how it is used."""


class OpenClipText(TextTower):
    """The text tower of a CLIP model of OpenCLIP; its image tower is let go.

    tokenizer: texts -> token ids [n, context]; longer texts are cut off, as in training.
    """

    model: typing.Any  # torch would have it that every attribute may be a tensor

    def __init__(self, model: torch.nn.Module, tokenizer: Callable, source: str = ""):
        super().__init__()
        clip: typing.Any = model
        self.logit_scale = float(clip.logit_scale.detach().exp())
        bias = getattr(clip, "logit_bias", None)
        self.logit_bias = 0.0 if bias is None else float(bias.detach())
        self.link = "softmax" if bias is None else "sigmoid"
        # A caption's decoder (CoCa) is no use here, either.
        for part in ("visual", "text_decoder"):
            if hasattr(clip, part):
                setattr(clip, part, None)
        self.model = clip
        self.weights_source = source
        self._tokenizer = tokenizer
        # Before its first use, which sets its padding.
        self._described = describe_tokenizer(tokenizer)
        weights.freeze(self)

    def txt_encode(self, prompts: Sequence[str]) -> Float[Tensor, "n dim"]:
        """Projected features, not normalised."""
        device = next(self.parameters()).device
        return self.model.encode_text(self._tokenizer(list(prompts)).to(device), normalize=False)

    def cache_identity(self) -> str:
        """The tokenizer, and what weights do not show."""
        return f"{self._described}\n{weights.describe_structure(self.model)}"


def load_tokenizer(ckpt: str, name: str) -> Callable:
    """The tokenizer of a model; name: an architecture of OpenCLIP, or `local-dir:FOLDER`.

    ckpt: the model as the user wrote it, for messages. Raises BadInput where it cannot be had.
    """
    import open_clip

    try:
        return open_clip.get_tokenizer(name, cache_dir=weights.cache_dir())
    except ImportError as err:
        raise BadInput(
            f"The tokenizer of '{ckpt}' needs a package that is not installed "
            f"({weights.first_line(err)}); pip install transformers."
        ) from err
    except (OSError, ValueError) as err:
        raise BadInput(
            f"The tokenizer of '{ckpt}', which zero-shot needs, is not in the local cache and "
            f"cannot be downloaded ({weights.first_line(err)}): run once where there is a network."
        ) from err


def fetch_tokenizer(ckpt: str, folder: pathlib.Path) -> None:
    """Fetch the tokenizer's files of `hf-hub:ORG/REPO` beside its weights in `folder`.

    Raises BadInput where the model needs a tokenizer of its own and has none.
    """
    config = json.loads((folder / CONFIG).read_text())
    if not config.get("model_cfg", {}).get("text_cfg", {}).get("hf_tokenizer_name"):
        return
    repo = f"{ckpt.removeprefix('hf-hub:').partition('@')[0]}@{folder.name}"
    for name in _TOKENIZER_FILES:
        if not (folder / name).is_file():
            weights.find_on_hub(ckpt, repo, (name,), weights.cache_dir())
    if not any((folder / name).is_file() for name in _ITSELF):
        raise BadInput(
            f"The tokenizer of '{ckpt}', which zero-shot needs, is neither in the local cache nor "
            f"to be had from {weights.describe_repo(repo.partition('@')[0])}: run once where there "
            "is a network."
        )


def describe_tokenizer(tokenizer: typing.Any) -> str:
    """What decides the tokens of a text: OpenCLIP's own tokenizer, or one of transformers."""
    inner = getattr(tokenizer, "tokenizer", tokenizer)
    backend = getattr(inner, "backend_tokenizer", None)
    if backend is not None:
        table = json.loads(backend.to_str())
        # The last call's, not the tokenizer's.
        table = {key: table[key] for key in table if key not in ("truncation", "padding")}
    elif hasattr(inner, "get_vocab"):
        table = inner.get_vocab()
    else:
        table = getattr(inner, "encoder", {})
    plain = (bool, int, float, str, type(None))
    settings = {key: value for key, value in vars(tokenizer).items() if isinstance(value, plain)}
    cleaned = getattr(getattr(tokenizer, "clean_fn", None), "__name__", "")
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
    return f"{type(tokenizer).__name__} {sorted(settings.items())} {cleaned} {digest}"
