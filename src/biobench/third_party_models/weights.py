"""Where a checkpoint's weights lie: in a file, the local hub cache, or the Hugging Face hub.

    path = find_on_hub("resnet18", "timm/resnet18.a1_in1k", ("model.safetensors",))

Nothing here invents weights: what cannot be found is None or a `BadInput`, and the wait for a hub
that cannot be reached is bounded.
"""

import contextlib
import functools
import logging
import os
import pathlib
import re
from collections.abc import Iterator, Sequence

import torch

from biobench._backbone import VisionBackbone
from biobench.errors import BadInput
from biobench.third_party_models.checkpoints import explain_unreadable, is_unreadable

__all__ = [
    "cache_dir",
    "check_repo",
    "check_size",
    "describe_repo",
    "describe_structure",
    "find_on_hub",
    "find_snapshot",
    "first_line",
    "freeze",
    "get_commit",
    "is_reachable",
    "parse_local",
    "refuse_mismatch",
    "say_missing",
    "say_size",
    "say_source",
]

_REACH_SECONDS = 5.0
_logger = logging.getLogger("biobench")


def cache_dir() -> str | None:
    """Where weights are kept: the first set of BIOBENCH_CACHE, HF_HOME, HF_HUB_CACHE, else None."""
    names = ("BIOBENCH_CACHE", "HF_HOME", "HF_HUB_CACHE")
    return next((os.environ[name] for name in names if os.environ.get(name)), None)


def find_on_hub(
    ckpt: str, repo: str, filenames: Sequence[str], cache_dir: str | None = None
) -> pathlib.Path | None:
    """The local path of the first of `filenames` that `repo` has, fetched if it must be.

    ckpt: the model as the user wrote it, for messages.
    repo: ORG/NAME or ORG/NAME@REVISION.
    The cache is asked first, so that known weights need no network; then the hub, if it answers.
    Returns None where the hub cannot be reached or has none of them; raises BadInput where it
    refuses (gated, renamed, mistyped).
    """
    import huggingface_hub
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def fetch(filename: str, *, local_files_only: bool) -> pathlib.Path:
        name, _, revision = repo.partition("@")
        path = huggingface_hub.hf_hub_download(
            name,
            filename,
            revision=revision or None,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        return pathlib.Path(path)

    for filename in filenames:
        with contextlib.suppress(OSError, ValueError):
            return fetch(filename, local_files_only=True)
    if not is_reachable():
        return None
    for filename in filenames:
        try:
            return fetch(filename, local_files_only=False)
        except EntryNotFoundError:
            continue
        except GatedRepoError as err:
            name = repo.partition("@")[0]
            raise BadInput(
                f"The weights of '{ckpt}' are only for those who accept their terms: do so at "
                f"{huggingface_hub.constants.ENDPOINT}/{name}, and run `hf auth login` here."
            ) from err
        except RepositoryNotFoundError as err:
            raise BadInput(
                f"There is no repository {repo.partition('@')[0]} (for '{ckpt}') on the Hugging "
                "Face hub, or it is private: look the name up there, or run `hf auth login`."
            ) from err
        except RevisionNotFoundError as err:
            name, _, revision = repo.partition("@")
            raise BadInput(
                f"The repository {name} (for '{ckpt}') has no revision '{revision}': name a "
                "branch, a tag or a commit that it has."
            ) from err
        except (OSError, ValueError) as err:
            raise BadInput(
                f"The weights of '{ckpt}' cannot be downloaded from {repo}: {first_line(err)}"
            ) from err
    return None


def find_snapshot(
    ckpt: str, filenames: Sequence[str], config: str, cache_dir: str | None = None
) -> pathlib.Path:
    """The local folder with the weights and the `config` of `hf-hub:ORG/REPO[@REVISION]`.

    Raises BadInput where the weights cannot be had, or the repository lacks the config.
    """
    repo = ckpt.removeprefix("hf-hub:")
    path = find_on_hub(ckpt, repo, filenames, cache_dir)
    if path is None:
        raise say_missing(ckpt, describe_repo(repo))
    revision = f"{repo.partition('@')[0]}@{path.parent.name}"
    if find_on_hub(ckpt, revision, (config,), cache_dir) is None:
        raise BadInput(f"'{ckpt}' has no {config}, so this adapter cannot read it; try another.")
    return path.parent


def describe_repo(repo: str, path: pathlib.Path | None = None) -> str:
    """How messages and reports call a repository of the hub; with a file of it, at which commit."""
    commit = get_commit(path) if path else ""
    return f"the Hugging Face hub's {repo.partition('@')[0]}" + f" at commit {commit}" * bool(
        commit
    )


def get_commit(path: pathlib.Path) -> str:
    """The commit of a file in the hub's cache, whose folders are called so; "" elsewhere."""
    names = [name for name in path.parts if re.fullmatch("[0-9a-f]{40}", name)]
    return names[-1] if "snapshots" in path.parts and names else ""


def first_line(err: Exception) -> str:
    """The first line of an error's message, or its kind where it has none."""
    return next(iter(str(err).strip().splitlines()), type(err).__name__)


def is_reachable(url: str = "") -> bool:
    """Whether `url` (default: the Hugging Face hub) answers within seconds; asked once a process.

    False in offline mode (HF_HUB_OFFLINE) without asking.
    """
    from huggingface_hub import constants

    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return not (offline or constants.HF_HUB_OFFLINE) and _answers(url)


@functools.cache
def _answers(url: str) -> bool:
    import huggingface_hub
    from huggingface_hub import constants

    try:
        huggingface_hub.get_session().head(url or constants.ENDPOINT, timeout=_REACH_SECONDS)
    except Exception:  # each HTTP library has its own family of errors
        return False
    return True


def parse_local(ckpt: str) -> tuple[str, pathlib.Path]:
    """Split `local:ARCH/PATH` into the architecture and an existing file.

    Raises BadInput where either part is missing.
    """
    arch, _, path = ckpt.removeprefix("local:").partition("/")
    if not arch or not path:
        raise BadInput(f"'{ckpt}' must be written local:ARCH/PATH, as in local:ARCH/weights.pt.")
    if not pathlib.Path(path).is_file():
        raise BadInput(
            f"'{ckpt}' names the weights file '{path}', which does not exist; a relative path "
            f"counts from the working directory, an absolute one is written local:{arch}//DIR/FILE."
        )
    return arch, pathlib.Path(path)


def check_repo(ckpt: str) -> None:
    """Raise BadInput where `hf-hub:ORG/REPO[@REVISION]` is not written so."""
    if not re.fullmatch(r"hf-hub:[\w.-]+/[\w.-]+(@[\w./-]+)?", ckpt):
        raise BadInput(
            f"'{ckpt}' must be written hf-hub:ORG/REPO, as in hf-hub:imageomics/bioclip."
        )


def say_missing(model: str, where: str) -> BadInput:
    """The error for weights that are neither here nor to be had."""
    return BadInput(
        f"The weights of '{model}' ({where}) are not in the local cache and cannot be downloaded "
        "(no network, or HF_HUB_OFFLINE is set): run `biobench doctor` with this model once where "
        "there is a network, or name a file you have as local:ARCH/PATH."
    )


def say_source(model: str, source: str) -> str:
    """Log where the weights of `model` came from, and return it."""
    _logger.info("%s: weights from %s", model, source)
    return source


@contextlib.contextmanager
def refuse_mismatch(model: str, source: str) -> Iterator[None]:
    """Turn what torch and timm raise on weights that are damaged or do not fit into a sentence."""
    try:
        yield
    except Exception as err:
        if is_unreadable(err):
            raise BadInput(
                f"The weights of '{model}' from {source} cannot be read: {explain_unreadable(err)}"
            ) from err
        if not isinstance(err, RuntimeError | KeyError | AttributeError):
            raise
        lines = [line.strip() for line in str(err).splitlines() if line.strip()]
        # torch's first line only says that there were errors; the tensors follow.
        problems = lines[1:3] if len(lines) > 1 else lines
        text = "; ".join(line[:160].rstrip(". ") for line in problems)
        raise BadInput(
            f"The weights of '{model}' from {source} do not fit its architecture, tensor for "
            f"tensor ({text}); check that the file belongs to that architecture."
        ) from err


def describe_structure(module: torch.nn.Module) -> str:
    """What decides a network's output beside its tensors: numbers of heads, pooling, switches.

    `repr` leaves these out, so two networks could look alike and compute different features.
    """
    plain = (bool, int, float, str, type(None))
    lines = []
    for name, part in module.named_modules():
        values = {key: value for key, value in vars(part).items() if isinstance(value, plain)}
        # torch's own bookkeeping, which changes with hooks and modes.
        public = {key for key in values if not key.startswith("_")} - {"training"}
        lines.append(f"{name} {[(key, values[key]) for key in sorted(public)]}")
    return "\n".join(lines)


def say_size(ckpt: str, size: int, err: Exception) -> BadInput:
    """The error for a checkpoint that cannot be given pictures of `size` pixels."""
    return BadInput(
        f"'{ckpt}' cannot be given pictures of {size} x {size} pixels ({first_line(err)[:160]}); "
        "choose another --image-size, such as a multiple of its patches, or leave it out."
    )


def check_size(backbone: VisionBackbone, ckpt: str, size: int) -> None:
    """Raise BadInput where a backbone fails on a picture of the size that was asked for."""
    try:
        with torch.inference_mode():
            backbone.img_encode(torch.zeros(1, 3, size, size))
    except Exception as err:  # each library has its own
        raise say_size(ckpt, size, err) from err


def freeze(module: torch.nn.Module) -> None:
    """Put `module` in evaluation mode, without gradients."""
    module.eval()
    module.requires_grad_(False)
