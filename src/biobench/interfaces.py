"""The contract between backbones, tasks and everything that reads their results.

    >>> from biobench.interfaces import Example, TaskReport
    >>> from biobench.metrics import MeanScore
    >>> examples = [Example("img-1", 1.0, {}), Example("img-2", 0.0, {})]
    >>> TaskReport("Coin", examples, {}, MeanScore()).get_mean_score()
    0.5

The public face of the contract. What every room below needs of it is in `biobench.contract`; a
report stands above the statistics that it calls. `VisionBackbone` and its like are loaded on
first use, because they need torch and readers of results do not.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import platform
import socket
import subprocess
import sys
import time
import typing
from collections.abc import Callable, Sequence

from biobench.contract import Example, ModelArgs, TaskArgs

if typing.TYPE_CHECKING:
    from biobench._backbone import EncodedImgBatch, TextTower, VisionBackbone

__all__ = [
    "EncodedImgBatch",
    "Example",
    "ModelArgs",
    "Provenance",
    "TaskArgs",
    "TaskReport",
    "TextTower",
    "VisionBackbone",
    "get_git_hash",
]


def __getattr__(name: str) -> object:
    if name in ("EncodedImgBatch", "TextTower", "VisionBackbone"):
        from biobench import _backbone

        return getattr(_backbone, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What made a report: everything needed to make it again, in plain JSON types."""

    protocol: dict[str, object] = dataclasses.field(default_factory=dict[str, object])
    """everything besides data and backbone that decides the numbers."""
    manifest: str = ""
    """digest of the manifest."""
    backbone: dict[str, object] = dataclasses.field(default_factory=dict[str, object])
    """org, ckpt, digest, n_parameters, image_size, dim."""
    stages: dict[str, float] = dataclasses.field(default_factory=dict[str, float])
    """seconds spent in each stage."""
    skipped: list[dict[str, str]] = dataclasses.field(default_factory=list[dict[str, str]])
    """one entry an image without a feature: image, split, reason."""
    counts: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    """n_train, n_test, n_images, and what the task left out, by reason."""
    warnings: list[str] = dataclasses.field(default_factory=list[str])
    versions: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    """Python and package versions."""
    fitted: dict[str, dict[str, object]] = dataclasses.field(
        default_factory=dict[str, dict[str, object]]
    )
    """what each probe chose (a penalty, a kernel), by subtask; "" where there is no subtask."""
    left_out: list[dict[str, str]] = dataclasses.field(default_factory=list[dict[str, str]])
    """one entry a file that the task found but does not use: path, reason."""
    manifest_of: str = ""
    """"contents" where the manifest's digest holds what is in the files; empty in reports of
    earlier versions, whose digest holds their sizes only."""
    imports: list[dict[str, str]] = dataclasses.field(default_factory=list[dict[str, str]])
    """one entry a task, backbone, probe or metric that is not biobench's own: kind, name, and
    imports (what `--imports` must be given to find it) or package (the one that offers it)."""
    checked: dict[str, object] = dataclasses.field(default_factory=dict[str, object])
    """what `biobench check` found of these data: n_pictures, n_read, and findings (kind, n,
    sentence, is_trouble); empty where they were not checked."""
    published: dict[str, object] = dataclasses.field(default_factory=dict[str, object])
    """of a score taken over from a published leaderboard: source (file, sha256, kind, about),
    model, task, score, ci_low, ci_high and more as they stand there, doubts (kind: sentence), and
    whether it is recomputable; empty for a run of ours (docs/importing.md)."""

    def protocol_digest(self) -> str:
        """Hex string over protocol and data: runs are comparable where it is equal."""
        text = json.dumps([self.manifest, _to_json_types(self.protocol)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _get_argv() -> list[str]:
    return list(sys.argv)


@functools.cache
def _get_gpu_name() -> str:
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return platform.processor() or "cpu"


@functools.cache
def get_git_hash() -> str:
    """The commit that the running code was built from.

    In a checkout that is git's HEAD; in an installed wheel the commit recorded when it was built;
    else "unknown". Never raises.
    """
    package = pathlib.Path(__file__).resolve().parent
    checkout = package.parents[1]
    # A package inside somebody else's repository must not report that repository's commit.
    if package.parent.name == "src" and (checkout / ".git").exists():
        command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            return "unknown"
        return done.stdout.strip()
    record = package / "_commit.txt"
    return record.read_text().strip() if record.is_file() else "unknown"


@dataclasses.dataclass(frozen=True)
class TaskReport:
    """One model's result on one task: every scored example, and how to score them."""

    name: str
    examples: list[Example]
    splits: dict[str, float]
    """named sub-scores, whatever the task finds useful."""
    calc_mean_score: Callable[[list[Example]], float]
    """examples -> the task's score."""
    argv: list[str] = dataclasses.field(default_factory=_get_argv)
    commit: str = dataclasses.field(default_factory=get_git_hash)
    posix_time: float = dataclasses.field(default_factory=time.time)
    gpu_name: str = dataclasses.field(default_factory=_get_gpu_name)
    hostname: str = dataclasses.field(default_factory=socket.gethostname)
    provenance: Provenance = dataclasses.field(default_factory=Provenance)

    def get_confidence_interval(
        self,
        statistic="mean",  # pyright: ignore[reportMissingParameterType] - the contract's signature
        confidence: float = 95,
        n_resamples: int = 500,
        seed: int = 42,
    ) -> tuple[float, float]:
        """Interval of the score that is expected on a fresh test set of the same size.

        statistic: "mean" for the report's own score, or any function from examples to a float.
        confidence: in percent.
        Returns (low, high), which always contain the score. See `biobench.stats`.
        """
        # Late, because polars is slow to load and most reports are never asked.
        from biobench import stats

        metric = typing.cast(
            Callable[[Sequence[Example]], float],
            self.calc_mean_score if statistic == "mean" else statistic,
        )
        return stats.confidence_interval(
            self.examples, metric, confidence=confidence, n_resamples=n_resamples, seed=seed
        )

    def get_mean_score(self) -> float:
        """The task's score over all examples."""
        return float(self.calc_mean_score(self.examples))

    def to_dict(self) -> dict[str, object]:
        """Every field but the callable, in plain JSON types."""
        dct = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "calc_mean_score"
        }
        dct["examples"] = [dataclasses.asdict(example) for example in self.examples]
        dct["provenance"] = dataclasses.asdict(self.provenance)
        return _to_json_types(dct)


def _to_json_types(value: typing.Any) -> typing.Any:
    if isinstance(value, dict):
        items = typing.cast(dict[object, object], value)
        return {str(key): _to_json_types(item) for key, item in items.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_json_types(item) for item in typing.cast(list[object], value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    # numpy scalars and arrays, torch scalars
    if hasattr(value, "tolist"):
        return _to_json_types(value.tolist())
    return str(value)
