"""What is known here of the published leaderboard: tasks, names of models, scores that are wrong.

map_task("Pl@ntNet")                    # Task("plantnet", "Pl@ntNet", "macro-f1", True)
map_model("ViT-B-32/openai")            # ("open-clip", "ViT-B-32/openai")
map_model("dinov2_vitb14_reg")          # ("published", "dinov2_vitb14_reg")
"""

import dataclasses
import re
import tomllib
from pathlib import Path

__all__ = ["OTHER", "PRESET", "WRONG", "Task", "map_model", "map_task"]

_FACTS = tomllib.loads((Path(__file__).parent / "facts.toml").read_text(encoding="utf-8"))

PRESET: str = _FACTS["preset"]
"""the protocol preset whose probes the leaderboard used."""

WRONG: dict[str, str] = _FACTS["wrong"]
"""task -> why its published scores are known to be wrong."""

OTHER = "published"
"""organisation of a model that none of our adapters names."""

OURS = ("open-clip", "timm", "timm-vit", "torchvision", "baseline", "hf")
"""organisations of a database that mean here what they mean there."""

_TIMM = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+|vit_\w*_patch\d+_\d+")
_HUGGING_FACE = re.compile(r"[a-z0-9][\w.-]*/[\w.-]+")


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of the leaderboard, as it is called here."""

    name: str
    """as on the command line."""
    title: str
    """of its reports."""
    metric: str | None
    """what the leaderboard scores it by; None where that is not known."""
    is_known: bool


def map_task(name: str) -> Task:
    """The task that the leaderboard calls `name`; one that is not known keeps its name."""
    plain = name.strip().lower()
    plain = _FACTS["spellings"].get(plain, plain)
    known = _FACTS["tasks"].get(plain)
    if known is None:
        return Task(name, name, None, False)
    return Task(plain, known["name"], known["metric"], True)


def map_model(ckpt: str, org: str = "") -> tuple[str, str]:
    """(ORG, CKPT) of a published model; CKPT is always the published one, so no two meet.

    org: the database's. One that is ours stays. Else the form of the name decides: hf-hub:ORG/REPO
    is open_clip's, or timm's for a few organisations; ARCH/WEIGHTS open_clip's; NAME.TAG and
    vit_…_patchN_SIZE timm's; org/repo Hugging Face's. Any other keeps its name under `published`.
    """
    if org in OURS:
        return org, ckpt
    names = _FACTS["names"]
    if ckpt.startswith("hf-hub:"):
        owner = ckpt.removeprefix("hf-hub:").partition("/")[0]
        return "timm" if owner in names["timm_repositories"] else "open-clip", ckpt
    arch, slash, weights = ckpt.partition("/")
    if slash and weights and "/" not in weights and arch.startswith(tuple(names["open_clip"])):
        return "open-clip", ckpt
    if _TIMM.fullmatch(ckpt):
        return "timm", ckpt
    return "hf" if _HUGGING_FACE.fullmatch(ckpt) else OTHER, ckpt
