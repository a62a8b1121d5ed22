"""The checkpoints that the field uses, from three files of data beside this one.

    find_checkpoint("timm:resnet50.a1_in1k").params
    [one.name for one in read_checkpoints() if one.judge("inat21").is_seen]

checkpoints.toml holds what people wrote down, measured.json what `docs/measure_models.py` counted,
published.toml the names and numbers of the public leaderboard. Nothing here needs torch.
"""

import dataclasses
import functools
import json
import tomllib
import typing
from pathlib import Path

from biobench import pooling_table
from biobench.catalog.contamination import Finding, judge, list_contents, list_tasks

__all__ = [
    "MEASURED",
    "Checkpoint",
    "Published",
    "find_checkpoint",
    "judge_by_name",
    "read_checkpoints",
]

_HERE = Path(__file__).parent
MEASURED = _HERE / "measured.json"
"""what `docs/measure_models.py` writes."""

UNKNOWN = "unknown"


@dataclasses.dataclass(frozen=True)
class Published:
    """A checkpoint as the public leaderboard has it."""

    ckpt: str
    params: int
    image_size: int
    classes: int = 0
    """of the classifier that is counted there and not here."""
    differs: str = ""
    """why the parameters are more than 2% apart all the same; empty where they are not."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """One checkpoint. Of a CLIP model all numbers are of the image tower alone."""

    name: str
    """ORG:CKPT."""
    family: str
    organisation: str
    year: int
    data: tuple[str, ...]
    """what it was trained on, the weights that it started from included: keys of datasets.toml."""
    source: str
    licence: str = UNKNOWN
    is_gated: bool = False
    """whether its weights are given only to those who asked for them."""
    arch: str = ""
    """the configuration that was counted, ORG:NAME; empty where no library has it."""
    model_type: str = ""
    """hf: of its config.json."""
    params: int | None = None
    gflops: float | None = None
    """10^9 operations a picture; a multiplication with its addition is two."""
    image_size: int | None = None
    """pixels a side."""
    dim: int | None = None
    """of the image features."""
    published: Published | None = None
    is_default: bool = False
    """whether its library means it when the tag is left out."""

    @property
    def gmacs(self) -> float | None:
        """10^9 multiplications with their additions: what many papers call GFLOPs."""
        return None if self.gflops is None else self.gflops / 2

    @property
    def pooling(self) -> pooling_table.Row | None:
        """Which vector is benchmarked unless `--pool` asks for another, and who says so; None
        where no adapter of ours has the checkpoint."""
        org, _, ckpt = self.name.partition(":")
        if org == "hf":
            return pooling_table.find_row(org, self.model_type)
        # As its adapter asks for it: a repository's own configuration says the architecture.
        return pooling_table.find_row(org, ckpt.removeprefix("hf-hub:").rpartition("/")[2], ckpt)

    @property
    def seen(self) -> list[str]:
        """The tasks whose pictures, or others of their source, pretraining is known to hold."""
        return [task for task in list_tasks() if self.judge(task).is_seen]

    @property
    def contents(self) -> list[str]:
        """The data sets of its pretraining, their parts, and the sources of their pictures."""
        return list_contents(self.data)

    def judge(self, task: str) -> Finding:
        """What pretraining has seen of a task."""
        return judge(self.data, task)

    def to_dict(self) -> dict[str, typing.Any]:
        """Plain JSON types: the row of `biobench models --format json`."""
        paper = self.published
        findings = {task: self.judge(task) for task in list_tasks()}
        return {
            "name": self.name,
            "family": self.family,
            "organisation": self.organisation,
            "year": self.year,
            "params": self.params,
            "gflops": self.gflops,
            "gmacs": self.gmacs,
            "image_size": self.image_size,
            "dim": self.dim,
            "pooling": _describe_pooling(self.pooling),
            "licence": self.licence,
            "gated": self.is_gated,
            "data": list(self.data),
            "contents": self.contents,
            "seen": self.seen,
            "contamination": {task: one.status for task, one in findings.items()},
            "because": {t: one.because for t, one in findings.items() if one.status != UNKNOWN},
            "source": self.source,
            "counted_on": self.arch or None,
            "published": dataclasses.asdict(paper) if paper is not None else None,
        }


def _describe_pooling(row: pooling_table.Row | None) -> dict[str, str] | None:
    if row is None:
        return None
    return {"pool": row.pool, "vector": row.describe(), "source": row.source}


def find_checkpoint(name: str) -> Checkpoint | None:
    """The checkpoint that ORG:CKPT means; None where the list has none.

    The adapters `timm` and `timm-vit` share their checkpoints; so do a name of timm's registry
    and its repository on the hub, a name without its tag and that of the library's choice, and
    OpenCLIP's names with and without -quickgelu.
    """
    names = _index()
    org, _, ckpt = name.partition(":")
    ckpt = ckpt.removeprefix("hf-hub:timm/") if f"{org}:{ckpt}" not in names else ckpt
    ckpt = ckpt.replace("-quickgelu/", "/") if org == "open-clip" else ckpt
    org = "timm" if org == "timm-vit" else org
    return names.get(f"{org}:{ckpt}")


def judge_by_name(name: str, task: str) -> str | None:
    """What pretraining of ORG:CKPT has seen of a task, of `STATUSES`; None where the list lacks
    the checkpoint, or nothing is known of the task."""
    found = find_checkpoint(name)
    if found is None or task not in list_tasks():
        return None
    return found.judge(task).status


@functools.cache
def read_checkpoints() -> tuple[Checkpoint, ...]:
    """Every checkpoint of the list, series by series."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8"))
    published = {
        row.pop("name"): Published(ckpt, **row)
        for ckpt, row in _read("published.toml")["models"].items()
    }
    found = []
    for series in _read("checkpoints.toml")["series"]:
        shared = {key: value for key, value in series.items() if key != "checkpoints"}
        for one in series["checkpoints"]:
            own = dict(one) if isinstance(one, dict) else {"name": one}
            given = {"arch": own["name"]} | measured.get(own["name"], {}) | shared | own
            given |= {"is_gated": given.pop("gated", False), "data": tuple(given["data"])}
            paper = published.get(own["name"])
            if not given["arch"] and paper is not None:
                given |= {"params": paper.params, "image_size": paper.image_size}
            found.append(Checkpoint(**given, published=paper))
    return tuple(found)


@functools.cache
def _index() -> dict[str, Checkpoint]:
    """Checkpoints by every name, that of the adapter `timm-vit` written as `timm`."""
    names = {}
    table = _read("published.toml")
    for one in read_checkpoints():
        org, _, ckpt = one.name.partition(":")
        org = "timm" if org == "timm-vit" else org
        names[f"{org}:{ckpt}"] = one
        if one.is_default:
            names[f"{org}:{ckpt.partition('.')[0]}"] = one
    for one in read_checkpoints():
        if one.published is not None:
            names = {f"{org}:{one.published.ckpt}": one for org in table["orgs"]} | names
    return names


def _read(file: str) -> dict[str, typing.Any]:
    return tomllib.loads((_HERE / file).read_text(encoding="utf-8"))
