"""What a plan's finished runs were made of, for the person who has just run it.

for line in describe_runs([results / state.run for state in states]): say(line)

Everything is read from the runs: the counts from their reports, the classes from their predictions.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from biobench import results
from biobench.errors import BadInput
from biobench.report.notes import count, name_some

__all__ = ["LEAST_OF_CLASS", "describe_runs"]

LEAST_OF_CLASS = 10
"""test examples (groups, where there are groups) under which a class cannot be judged by itself:
even where all nine are right, the 95% interval (Wilson's) of its accuracy begins at 0.7."""

MAX_CLASSES = 8
MAX_FILES = 3


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


def _describe(run: Path, report: dict) -> list[str]:
    made, counts = report["provenance"], report["provenance"]["counts"]
    names = ["subtask", "group", "y_true"]
    table = results.read_predictions(run, names) if report["has_predictions"] else None
    text = f"{report['n']:,} test examples"
    if "n_train" in counts:
        per_fold = " (at least, in each fold)" * bool(made["protocol"].get("folds_test"))
        text = f"{counts['n_train']:,} training examples{per_fold}, {text}"
    if table is None or not table["y_true"].count():
        return [f"{report['task']}: {text}", *_describe_lost(made)]
    classes = _count_classes(table)
    groups = table["group"].n_unique() if table["group"].count() else 0
    within = f" in {count(groups, 'group')}" if groups else ""
    subtasks = f" in {table['subtask'].n_unique():,} subtasks" if table["subtask"].count() else ""
    n = len(classes)
    text += f"{within}, {n:,} class{'es' * (n != 1)}{subtasks}"
    lines = [f"{report['task']}: {text}", *_describe_small(classes, has_groups=groups > 0)]
    return lines + _describe_lost(made)


def _count_classes(table: pl.DataFrame) -> dict[str, int]:
    """What each class was tested on: groups where there are any, else examples; fewest first."""
    has_groups = table["group"].count() > 0
    unit = pl.col("group").n_unique() if has_groups else pl.len()
    found = table.group_by("subtask", "y_true").agg(unit.alias("n")).sort("n", "subtask", "y_true")
    return {
        label if subtask is None else f"{subtask}: {label}": n for subtask, label, n in found.rows()
    }


def _describe_small(classes: dict[str, int], *, has_groups: bool) -> list[str]:
    small = [f"{name} ({n})" for name, n in classes.items() if n < LEAST_OF_CLASS]
    if not small:
        return []
    unit = "cameras, videos or specimens" if has_groups else "test examples"
    share = "all classes" if len(small) == len(classes) else f"{len(small):,} of {len(classes):,}"
    named = name_some(small, MAX_CLASSES)
    return [f"  too small to judge one by one, under {LEAST_OF_CLASS} {unit} ({share}): {named}"]


def _describe_lost(made: dict) -> list[str]:
    """The files that were not used, what else was counted, and the pictures that were not read."""
    lines = []
    for reason, names in _group_by_reason(made.get("left_out") or [], "path").items():
        lines.append(f"  left out, {reason} ({len(names):,}): {name_some(names, MAX_FILES)}")
    listed = {str(entry.get("reason")) for entry in made.get("left_out") or []}
    others = [
        f"{what} ({n:,})"
        for what, n in made["counts"].items()
        if n and not what.startswith("n_") and what not in listed
    ]
    if others:
        lines.append(f"  also counted: {', '.join(others)}")
    for reason, names in _group_by_reason(made["skipped"], "image").items():
        lines.append(f"  not readable, {reason} ({len(names):,}): {name_some(names, MAX_FILES)}")
    return lines


def _group_by_reason(entries: Sequence[dict], name: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries:
        found.setdefault(str(entry.get("reason")), []).append(str(entry.get(name)))
    return found
