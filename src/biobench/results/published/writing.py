"""A published score as a run folder: what both files of the leaderboard have in common."""

import collections
import dataclasses
import datetime
import hashlib
import json
import typing
from collections.abc import Iterable
from pathlib import Path

from biobench import metrics
from biobench.errors import BadInput
from biobench.interfaces import Example, Provenance, TaskReport
from biobench.results.published.judging import KINDS
from biobench.results.published.known_facts import OTHER, PRESET, Task, map_model
from biobench.results.store import describe, make_run_id
from biobench.results.validation import MAX_TIME

__all__ = ["ORIGIN", "Source", "Tally", "build", "get_time", "make_id", "name_some", "to_date"]

ORIGIN = "published"
"""how the reports of such runs say where they came from."""

MAX_NAMED = 6


@dataclasses.dataclass(frozen=True)
class Source:
    """The file that was read."""

    file: str
    sha256: str
    kind: typing.Literal["json", "sqlite"]
    about: dict[str, object] = dataclasses.field(default_factory=dict)
    """what it says of itself."""

    @classmethod
    def read(cls, path: Path, kind: typing.Literal["json", "sqlite"], **about: object) -> "Source":
        """Of a file of any size."""
        with open(path, "rb") as file:
            return cls(path.name, hashlib.file_digest(file, "sha256").hexdigest(), kind, about)


class Tally:
    """What an import met, for its notes."""

    def __init__(self) -> None:
        self.doubts: dict[str, collections.Counter[str]] = collections.defaultdict(
            collections.Counter
        )
        self.orgs: dict[tuple[str, str], str] = {}
        self.unknown: collections.Counter[str] = collections.Counter()

    def add(self, task: Task, org: str, ckpt: str, doubts: Iterable[str]) -> str:
        """Count a score, and return the organisation under which its model stands here."""
        ours = map_model(ckpt, org)[0]
        self.orgs[org, ckpt] = ours
        if not task.is_known:
            self.unknown[task.name] += 1
        for kind in doubts:
            self.doubts[kind][task.name] += 1
        return ours

    def notes(self) -> list[str]:
        """One sentence each."""
        found = []
        if self.orgs:
            orgs = collections.Counter(self.orgs.values())
            named = ", ".join(f"{n:,} {org}" for org, n in sorted(orgs.items()))
            kept = f"; {OTHER}: is for names that no adapter here has" if OTHER in orgs else ""
            found.append(f"Models by their names ({len(self.orgs):,}): {named}{kept}.")
        if self.unknown:
            named = name_some([f"{task} ({n:,})" for task, n in sorted(self.unknown.items())])
            found.append(f"Tasks that biobench does not have, kept under their names: {named}.")
        for kind in KINDS:
            if counts := self.doubts.get(kind):
                named = ", ".join(f"{task} {n:,}" for task, n in sorted(counts.items()))
                found.append(f"{_SAID[kind]} ({counts.total():,}): {named}.")
        return found


_SAID = {
    "outside": "Scores outside their own interval, marked !",
    "swapped": "Intervals whose ends are swapped, not shown, their scores marked !",
    "no interval": "Scores without an interval, marked !",
    "wrong": "Scores known to be wrong, marked x",
    "repeated": "Scores that stand in the file again with other numbers",
}


def build(
    source: Source,
    task: Task,
    model: tuple[str, str],
    *,
    published: dict[str, object],
    run: str,
    posix_time: float,
    metric: str | None,
    examples: list[Example] | None = None,
    protocol: dict[str, object] | None = None,
    **fields: typing.Any,
) -> tuple[dict[str, object], TaskReport]:
    """The fields of a report that do not hang on examples, and the report.

    published: what the file says, for the provenance. run: its id (`make_id`). fields: further ones
    of the report (argv, commit, …).
    """
    facts = {name: value for name, value in published.items() if value is not None}
    said = typing.cast(dict[str, str], published["doubts"])
    report = TaskReport(
        name=task.title,
        examples=examples or [],
        splits={},
        calc_mean_score=metrics.get_metric(metric or "mean-score"),
        posix_time=posix_time,
        **{"argv": [], "commit": "unknown", "gpu_name": "unknown", "hostname": "unknown"} | fields,
        provenance=Provenance(
            protocol={"preset": PRESET, "imported": ORIGIN, "n_train": -1}
            | ({"metric": metric} if metric else {})
            | (protocol or {}),
            backbone={"org": model[0], "ckpt": model[1]},
            warnings=list(said.values()),
            published={"source": dataclasses.asdict(source), **facts},
        ),
    )
    described = describe(task.name, model, report, ORIGIN)
    return described | {"run": run, "has_log": False, "config": None}, report


def make_id(posix_time: float, identity: object) -> str:
    """The id of a run: the same content makes the same run, whatever file it comes from.

    identity: what makes the run what it is, in plain JSON types.
    """
    text = json.dumps(identity, sort_keys=True, default=str)
    unique = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return make_run_id(posix_time, unique)


def get_time(value: object) -> float:
    """Seconds since 1970; BadInput where it is no time."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TIME:
        raise BadInput(f"{value!r} is no time in seconds since 1970")
    return float(value)


def to_date(milliseconds: object) -> str | None:
    """An ISO 8601 date of milliseconds since 1970; None where it is none."""
    try:
        seconds = get_time(typing.cast(float, milliseconds) / 1000)
    except (TypeError, OverflowError, BadInput):
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).date().isoformat()


def name_some(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED:,} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
