"""The sentences under a leaderboard: how to read it, what is missing, what to be careful about."""

import collections
from collections.abc import Sequence

import polars as pl

from biobench import results
from biobench.report.selection import Selection

__all__ = ["MEAN", "count", "explain", "name_some"]

MEAN = "mean"
"""the task under which the suite's mean stands."""

MAX_NAMED = 4
MAX_WARNINGS = 6


def explain(
    table: pl.DataFrame, selection: Selection, problems: Sequence[results.Problem]
) -> list[str]:
    """What a reader of the table has to know, one sentence each."""
    return [
        *_explain_intervals(table),
        *_explain_marks(table),
        *_explain_columns(table, selection),
        *_explain_runs(table, selection),
        *_explain_warnings(table),
        *_explain_problems(problems),
    ]


def _explain_intervals(table: pl.DataFrame) -> list[str]:
    notes = [
        "Below each score its 95% interval: where the expected score on a fresh test set of the "
        "same size lies."
    ]
    grouped = table.filter(pl.col("n_groups").is_not_null())
    if grouped.height:
        counts = grouped.group_by("task").agg(pl.col("n_groups").max()).sort("task").rows()
        named = ", ".join(f"{task} ({n:,} groups)" for task, n in counts)
        notes.append(
            f"Intervals of {named} resample whole groups of examples that belong together (one "
            "camera, video or specimen); the others resample single examples."
        )
    return notes


def _explain_marks(table: pl.DataFrame) -> list[str]:
    if not table["rank"].count() or table["model"].n_unique() < 2:
        return []
    notes = [
        "* best; = not distinguishable from the best at 5% (paired permutation test, Holm's "
        "correction over the models of a task)."
    ]
    if table.filter(task=MEAN).height > 1:
        notes += [
            "Mean: unweighted over the tasks.",
            "Rank: by the mean, with its 95% interval over fresh test sets of these tasks, and "
            "over other tasks like these; one task left out: the lowest and the highest rank then; "
            "ahead of next: the probability that its expected mean is higher than that of the "
            "model below.",
        ]
    return notes


def _explain_columns(table: pl.DataFrame, selection: Selection) -> list[str]:
    notes = []
    if selection.split:
        notes.append(
            f"No mean over tasks, because of several protocols or versions of the data: "
            f"{', '.join(selection.split)}; keep one with --where KEY=VALUE."
        )
    cells = table.filter(pl.col("task") != MEAN).select("model", "task")
    every = cells.select("model").unique().join(cells.select("task").unique(), how="cross")
    missing = every.join(cells, on=["model", "task"], how="anti").sort("task", "model").rows()
    if missing:
        names = [f"{task} of {model}" for model, task in missing]
        end = "" if selection.split else "; a model without every task has no mean and no rank"
        notes.append(f"Not run: {name_some(names)}{end}.")
    unsure = table.filter(pl.col("low").is_null()).sort("task", "model")
    if unsure.height:
        names = [f"{task} of {model}" for model, task in unsure.select("model", "task").rows()]
        notes.append(
            f"? imported without its predictions, so that neither score nor interval can be "
            f"verified: {name_some(names)}."
        )
    return notes


def _explain_runs(table: pl.DataFrame, selection: Selection) -> list[str]:
    runs = selection.runs
    notes = []
    alone = runs.join(table.select("run", n_shown="n"), on="run").filter(
        pl.col("n_shown") < pl.col("n")
    )
    for task, n in alone.group_by("column").agg(pl.col("n_shown").min()).sort("column").rows():
        notes.append(
            f"Scores on {task} are over the {n:,} examples that every model has; by itself (run, "
            "status, export, --by) a run is scored on all that it has, and may differ."
        )
    if selection.n_older:
        notes.append(f"{count(selection.n_older, 'older run')} of the same cells not shown.")
    skipped = int(runs["n_skipped"].sum())
    if skipped:
        n_runs = int((runs["n_skipped"] > 0).sum())
        notes.append(
            f"{count(skipped, 'picture')} in {count(n_runs, 'run')} could not be read: wrong "
            "where tested, left out where trained on."
        )
    return notes


def _explain_warnings(table: pl.DataFrame) -> list[str]:
    where = collections.defaultdict(list)
    for model, task, warnings in table.select("model", "task", "warnings").rows():
        for warning in warnings or []:
            where[warning].append(task if task == MEAN else f"{task} of {model}")
    notes = [f"Warning ({name_some(names, 2)}): {text}" for text, names in where.items()]
    more = len(notes) - MAX_WARNINGS
    if more <= 0:
        return notes
    return [*notes[:MAX_WARNINGS], f"Warnings: {more:,} more, in report.json of the runs."]


def _explain_problems(problems: Sequence[results.Problem]) -> list[str]:
    if not problems:
        return []
    reasons = " ".join(problem.reason for problem in problems[:MAX_NAMED])
    return [f"{count(len(problems), 'run')} left out as unreadable: {reasons}"]


def count(n: int, what: str) -> str:
    """`n` things in words: "1 run", "2 runs"."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def name_some(names: Sequence[str], limit: int = MAX_NAMED) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
