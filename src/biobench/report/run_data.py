"""What a plan's finished runs were made of, for the person who has just run it.

for line in describe_runs([results / state.run for state in states]): say(line)

Everything is read from the runs: the counts from their reports, the classes from their predictions.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from biobench import results
from biobench.errors import BadInput
from biobench.report.notes import count, name_some

__all__ = ["LEAST_OF_CLASS", "TestedData", "describe_runs", "look_at"]

LEAST_OF_CLASS = 10
"""test examples (groups, where there are groups) under which a class cannot be judged by itself:
even where all nine are right, the 95% interval (Wilson's) of its accuracy begins at 0.7."""

MAX_CLASSES = 8
MAX_FILES = 3


@dataclasses.dataclass(frozen=True)
class TestedData:
    """What a run was trained and tested on."""

    n_test: int | None
    n_train: int | None
    is_in_folds: bool
    """whether n_train is that of each fold."""
    classes: dict[str, int]
    """what each class was tested on, in `unit`, fewest first; empty where that is not known."""
    n_groups: int
    """0 where there are none."""
    n_subtasks: int
    left_out: dict[str, list[str]]
    """by reason, the files that were found and not used."""
    also: dict[str, int]
    """what else was counted, without names."""
    unread: dict[str, list[str]]
    """by reason, the pictures that could not be read."""

    @property
    def unit(self) -> str:
        """What classes are counted in."""
        return "cameras, videos or specimens" if self.n_groups else "test examples"

    @property
    def small(self) -> dict[str, int]:
        """The classes that cannot be judged one by one."""
        return {name: n for name, n in self.classes.items() if n < LEAST_OF_CLASS}

    @property
    def are_all_small(self) -> bool:
        """Whether no class can."""
        return bool(self.classes) and len(self.small) == len(self.classes)


def describe_runs(runs: Iterable[Path]) -> list[str]:
    """For every data set of the runs its test set, small classes, and what was left out.

    A run that cannot be read is passed over: the leaderboard names it.
    """
    seen: dict[tuple[str, ...], list[str]] = {}
    for run in runs:
        try:
            report = results.read_report(run)
            key = (report["task"], report["provenance"]["manifest"], *_list_trained(report))
            if key not in seen:
                seen[key] = _describe(run, report)
        except BadInput:
            continue
    return [line for lines in seen.values() for line in lines]


def _list_trained(report: dict) -> tuple[str, ...]:
    protocol, counts = report["provenance"]["protocol"], report["provenance"]["counts"]
    return str(counts.get("n_train")), str(protocol.get("folds_test", 0))


def look_at(run: Path, report: dict) -> TestedData:
    """What a run was trained and tested on; of a run without predictions its classes are not known.

    Raises BadInput where its predictions cannot be read.
    """
    made, counts = report["provenance"], report["provenance"]["counts"]
    names = ["subtask", "group", "y_true"]
    table = results.read_predictions(run, names) if report["has_predictions"] else None
    known = table if table is not None and table["y_true"].count() else None
    listed = {str(entry.get("reason")) for entry in made.get("left_out") or []}
    return TestedData(
        n_test=report["n"] if table is None else table.height,
        n_train=counts.get("n_train"),
        is_in_folds=bool(made["protocol"].get("folds_test")),
        classes={} if known is None else _count_classes(known),
        n_groups=0 if known is None else _count(known, "group"),
        n_subtasks=0 if known is None else _count(known, "subtask"),
        left_out=_group_by_reason(made.get("left_out") or [], "path"),
        also={
            what: n
            for what, n in counts.items()
            if n and not what.startswith("n_") and what not in listed
        },
        unread=_group_by_reason(made["skipped"], "image"),
    )


def _count(table: pl.DataFrame | None, column: str) -> int:
    return table[column].n_unique() if table is not None and table[column].count() else 0


def _describe(run: Path, report: dict) -> list[str]:
    data = look_at(run, report)
    text = "test examples" if data.n_test is None else f"{data.n_test:,} test examples"
    if data.n_train is not None:
        per_fold = " (at least, in each fold)" * data.is_in_folds
        text = f"{data.n_train:,} training examples{per_fold}, {text}"
    if not data.classes:
        return [f"{report['task']}: {text}", *_describe_lost(data)]
    within = f" in {count(data.n_groups, 'group')}" if data.n_groups else ""
    subtasks = f" in {data.n_subtasks:,} subtasks" if data.n_subtasks else ""
    n = len(data.classes)
    text += f"{within}, {n:,} class{'es' * (n != 1)}{subtasks}"
    return [f"{report['task']}: {text}", *_describe_small(data), *_describe_lost(data)]


def _count_classes(table: pl.DataFrame) -> dict[str, int]:
    """What each class was tested on: groups where there are any, else examples; fewest first."""
    has_groups = table["group"].count() > 0
    unit = pl.col("group").n_unique() if has_groups else pl.len()
    found = table.group_by("subtask", "y_true").agg(unit.alias("n")).sort("n", "subtask", "y_true")
    return {
        label if subtask is None else f"{subtask}: {label}": n for subtask, label, n in found.rows()
    }


def _describe_small(data: TestedData) -> list[str]:
    small = [f"{name} ({n})" for name, n in data.small.items()]
    if not small:
        return []
    share = "all classes" if data.are_all_small else f"{len(small):,} of {len(data.classes):,}"
    named = name_some(small, MAX_CLASSES)
    return [
        f"  too small to judge one by one, under {LEAST_OF_CLASS} {data.unit} ({share}): {named}"
    ]


def _describe_lost(data: TestedData) -> list[str]:
    """The files that were not used, what else was counted, and the pictures that were not read."""
    lines = [
        f"  left out, {reason} ({len(names):,}): {name_some(names, MAX_FILES)}"
        for reason, names in data.left_out.items()
    ]
    if data.also:
        others = ", ".join(f"{what} ({n:,})" for what, n in data.also.items())
        lines.append(f"  also counted: {others}")
    lines += [
        f"  not readable, {reason} ({len(names):,}): {name_some(names, MAX_FILES)}"
        for reason, names in data.unread.items()
    ]
    return lines


def _group_by_reason(entries: Sequence[dict], name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        found.setdefault(str(entry.get("reason")), []).append(str(entry.get(name)))
    return found
