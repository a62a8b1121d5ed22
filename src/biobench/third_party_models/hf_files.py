"""Finds the files of a repository or folder in transformers' format, and loads its model.

found = find("facebook/dinov2-base", trust=())
model = load_model("facebook/dinov2-base", found)
"""

import dataclasses
import inspect
import json
import os
import pathlib
import re
import typing
from collections.abc import Sequence

import torch

from biobench.errors import BadInput, did_you_mean
from biobench.pooling_table import Row, find_row, list_rows
from biobench.third_party_models import weights
from biobench.third_party_models.checkpoints import is_unreadable

__all__ = [
    "NOT_DECIDING",
    "Found",
    "cache_dir",
    "check_name",
    "find",
    "find_config",
    "load_model",
    "settle_head",
    "takes",
]

NOT_DECIDING = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures")
"""of a configuration, what changes no feature."""
_REPO = r"[\w.-]+/[\w.-]+"
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_PROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json")


@dataclasses.dataclass(frozen=True)
class Found:
    """A model's folder, its row in the table, and where it came from."""

    folder: pathlib.Path
    row: Row
    source: str
    code: str = ""
    """the repository and commit whose own code makes the model; "" where it is transformers'."""


def check_name(ckpt: str) -> None:
    """Raise BadInput where `ckpt` is no folder of save_pretrained and not ORG/REPO[@REVISION]."""
    path = pathlib.Path(ckpt)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BadInput(f"The folder '{ckpt}' has no config.json: name one of save_pretrained.")
    elif ckpt.startswith((".", "/", "~")) or not re.fullmatch(f"{_REPO}(@[\\w./-]+)?", ckpt):
        raise BadInput(
            f"'{ckpt}' is neither a folder nor written hf:ORG/REPO, as in hf:facebook/dinov2-base."
        )


def find(ckpt: str, trust: Sequence[str]) -> Found:
    """The folder of a checkpoint, fetched if it must be; raises BadInput where it cannot be had, or
    is of no class that is in the table."""
    trusted = _read_trust(trust)
    if pathlib.Path(ckpt).is_dir():
        folder, source, code = pathlib.Path(ckpt), f"the folder {ckpt}", ""
        row = _find_row(ckpt, folder)
    else:
        repo, _, revision = ckpt.partition("@")
        if pinned := trusted.get(repo, ""):
            if revision and not pinned.startswith(revision):
                raise BadInput(f"--trust {repo}@{pinned} is of another revision than hf:{ckpt}.")
            revision = pinned
        folder = find_config(f"{repo}@{revision}", ckpt)
        code = f"{repo}@{pinned}" if pinned else ""
        row = _find_row(ckpt, folder, code)
        if row.model != "AutoModel":
            code = ""
        _fetch(ckpt, f"{repo}@{weights.get_commit(folder)}", code)
        source = weights.describe_repo(repo, folder)
    return Found(folder, row, f"{source}{', by its own code' if code else ''}", code)


def find_config(name: str, ckpt: str) -> pathlib.Path:
    """The folder with the config.json of `name`, a folder or ORG/REPO[@REVISION], fetched if it
    must be; raises BadInput where it cannot be had. ckpt: as the user wrote it."""
    if pathlib.Path(name).is_dir():
        return pathlib.Path(name)
    path = weights.find_on_hub(ckpt, name, ("config.json",), cache_dir())
    if path is None:
        raise weights.say_missing(f"hf:{ckpt}", weights.describe_repo(name.partition("@")[0]))
    return path.parent


def load_model(ckpt: str, found: Found) -> typing.Any:
    """The model with its weights in fp32, in transformers' own class; raises BadInput where they
    are damaged or do not fit, tensor for tensor."""
    import transformers

    kind: typing.Any = getattr(transformers, found.row.model, None)
    if kind is None:
        raise BadInput(
            f"'{ckpt}' is a {found.row.model}, which transformers {transformers.__version__} does "
            "not have: install a newer one."
        )
    options = dict(found.row.options)
    if found.code:
        options["trust_remote_code"] = True
    with _quiet(), weights.refuse_mismatch(ckpt, found.source):
        try:
            model, info = kind.from_pretrained(
                found.folder,
                dtype=torch.float32,
                local_files_only=True,
                output_loading_info=True,
                **options,
            )
        except (OSError, ValueError, ImportError) as err:
            if is_unreadable(err):
                raise
            raise BadInput(
                f"'{ckpt}' cannot be loaded from {found.source}: {weights.first_line(err)}"
            ) from err
    _check_tensors(ckpt, found, model, info)
    if hasattr(model.config, "mask_ratio"):
        model.config.mask_ratio = 0.0
    return model


def settle_head(row: Row, config: typing.Any) -> Row:
    """The row for a configuration that has, or has not, the attention-pooling head."""
    if not row.head:
        return row
    if getattr(config, row.head, True):
        return dataclasses.replace(row, pool="map", output="pooler_output")
    return dataclasses.replace(row, pool="mean", output="")


def takes(model: typing.Any, name: str) -> bool:
    """Whether a model's forward has an argument of that name."""
    return name in inspect.signature(model.forward).parameters


def _check_tensors(ckpt: str, found: Found, model: typing.Any, info: dict) -> None:
    """Refuse weights that leave a tensor as it was drawn at random, or have one too many."""
    mismatching = [
        str(item[0] if isinstance(item, tuple) else item) for item in info["mismatched_keys"]
    ]
    missing = sorted({*info["missing_keys"], *mismatching})
    own = {name for name, _ in model.named_children()}
    # What stands beside the image tower (a text tower, a decoder, a classifier) is not ours.
    extra = sorted(key for key in info["unexpected_keys"] if key.partition(".")[0] in own)
    if missing or extra:
        lacks = f"missing: {missing[0]}" if missing else "none missing"
        more = f"unexpected: {extra[0]}" if extra else "none unexpected"
        raise BadInput(
            f"The weights of '{ckpt}' from {found.source} do not fit {type(model).__name__}, "
            f"tensor for tensor ({len(missing)} {lacks}; {len(extra)} {more}); check that "
            "config.json and weights belong together."
        )


def _find_row(ckpt: str, folder: pathlib.Path, code: str = "") -> Row:
    """The row of the table for what config.json says; of trusted code one for any model."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = str(config.get("model_type") or ("timm_wrapper" if "architecture" in config else ""))
    except (OSError, ValueError, AttributeError) as err:
        raise BadInput(f"The config.json of '{ckpt}' cannot be read: {err}.") from err
    row = find_row("hf", kind)
    if row is not None:
        return row
    if "AutoModel" not in config.get("auto_map", {}):
        known = sorted(name for one in list_rows() if one.adapter == "hf" for name in one.match)
        hint = did_you_mean(kind, known)
        raise BadInput(
            f"'{ckpt}' is of the model_type '{kind}', whose picture's vector nobody has stated; "
            f"known: {', '.join(known)}.{hint}"
        )
    if not code:
        raise BadInput(
            f"'{ckpt}' (model_type '{kind}') runs code of its own: read it, and allow it with "
            f"--trust {ckpt.partition('@')[0]}@COMMIT, or use a model that transformers has."
        )
    if "--" in str(config["auto_map"]["AutoModel"]):
        raise BadInput(
            f"'{ckpt}' takes its code from another repository "
            f"({str(config['auto_map']['AutoModel']).partition('--')[0]}), which --trust does not "
            "cover; copy both into one repository."
        )
    source = f"the code of {code}"
    return Row("hf", (kind,), "own", source, model="AutoModel", output="pooler_output")


def _fetch(ckpt: str, repo: str, code: str) -> None:
    """Have weights, processors and trusted code in the snapshot's folder, or raise BadInput."""
    cache = cache_dir()
    path = weights.find_on_hub(ckpt, repo, (*_WEIGHTS, *_PICKLED), cache)
    if path is None:
        raise weights.say_missing(f"hf:{ckpt}", weights.describe_repo(repo))
    if path.suffix == ".json":
        index = json.loads(path.read_text(encoding="utf-8"))
        for shard in sorted(set(index["weight_map"].values())):
            if weights.find_on_hub(ckpt, repo, (shard,), cache) is None:
                raise weights.say_missing(f"hf:{ckpt}", f"{shard} of {weights.describe_repo(repo)}")
    for name in _PROCESSORS:
        weights.find_on_hub(ckpt, repo, (name,), cache)
    if code:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
        for module in {str(name).partition(".")[0] for name in config["auto_map"].values()}:
            weights.find_on_hub(ckpt, repo, (f"{module}.py",), cache)


def _read_trust(trust: Sequence[str]) -> dict[str, str]:
    """Commit by repository; raises BadInput where it is not pinned to one."""
    for one in trust:
        if not re.fullmatch(f"{_REPO}@[0-9a-f]{{40}}", one):
            raise BadInput(
                f"--trust '{one}' must name a repository and the commit that you have read, as "
                "ORG/REPO@ with its 40 hexadecimal digits: a branch could change tomorrow."
            )
    return dict(one.split("@") for one in trust)


def cache_dir() -> str | None:
    """As for timm: the hub's usual place unless one was chosen for biobench."""
    return os.environ.get("BIOBENCH_CACHE") or None


class _quiet:
    """Without transformers' bars and its table of tensors, which are said in one sentence here."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._level, self._bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        from transformers.utils import logging

        logging.set_verbosity(self._level)
        if self._bars:
            logging.enable_progress_bar()
