"""The sentences under a leaderboard: how to read it, what is missing, what to be careful about."""

import collections
from collections.abc import Sequence

import polars as pl

from biobench import results
from biobench.report.selection import Selection
from biobench.report.views import BEST, TIED, UNVERIFIED, Note
from biobench.stats.ranking import LEAST_TASKS

__all__ = ["MEAN", "count", "explain", "explain_seeds", "name_some", "sort_warnings"]

MEAN = "mean"
"""the task under which the suite's mean stands."""

MAX_NAMED = 4
MAX_WARNINGS = 6

_SEVERE = (
    ("contradict", "is in training", "in training and in test", "are not in training"),
    ("are all zeros", "vectors are equal"),
    ("Few groups", "Few test examples", "however large it is"),
    ("Classes in one group", "Classes with a single"),
    ("missing value", "differ from another", "same number as another"),
)
"""what a warning says, the worst first; what says something else comes after it."""


def explain(
    table: pl.DataFrame, selection: Selection, problems: Sequence[results.Problem]
) -> list[Note]:
    """What a reader of the table has to know, one sentence each."""
    return [
        *_explain_intervals(table),
        *explain_seeds(table, selection),
        *_explain_marks(table),
        *_explain_columns(table, selection),
        *_explain_runs(table, selection),
        *_explain_warnings(table),
        *_explain_problems(problems),
    ]


def _explain_intervals(table: pl.DataFrame) -> list[Note]:
    notes = [
        Note(
            "Below each score its 95% interval: where the expected score on a fresh test set of "
            "the same size lies."
        )
    ]
    grouped = table.filter(pl.col("n_groups").is_not_null())
    if grouped.height:
        counts = grouped.group_by("task").agg(pl.col("n_groups").max()).sort("task").rows()
        named = ", ".join(f"{task} ({n:,} groups)" for task, n in counts)
        notes.append(
            Note(
                f"Intervals of {named} resample whole groups of examples that belong together (one "
                "camera, video or specimen); the others resample single examples."
            )
        )
    return notes


def explain_seeds(table: pl.DataFrame, selection: Selection) -> list[Note]:
    """What the scores of several training draws mean, and what those of one do not.

    table: with the columns model, task and seeds.
    """
    cells = table.filter(pl.col("seeds").list.len() > 0).select(
        "model", "task", pl.col("seeds").list.sort()
    )
    notes = []
    counts = cells.group_by("task").agg(pl.col("seeds").list.len().max()).sort("task").rows()
    pooled = [f"{task} ({n} seeds)" for task, n in counts if n > 1]
    if pooled:
        notes.append(
            Note(
                f"Scores of {name_some(pooled)} are means over training seeds, and their intervals "
                "are over fresh test sets and fresh training draws; models are paired by seed."
            )
        )
    for task, rows in cells.sort("task", "model").group_by("task", maintain_order=True):
        if rows["seeds"].n_unique() > 1:
            named = [f"{model} {_name_seeds(seeds)}" for model, _, seeds in rows.rows()]
            notes.append(
                Note(
                    f"Not all models have the same seeds of {task[0]}: {name_some(named)}; each "
                    "score is of a model's own seeds, and two models are compared on those that "
                    "both have."
                )
            )
    few_shot = selection.runs.filter("few_shot").select(
        pl.col("row").alias("model"), pl.col("column").alias("task")
    )
    alone = cells.filter(pl.col("seeds").list.len() == 1)
    alone = alone.join(few_shot.unique(), on=["model", "task"], how="semi")
    names = alone.group_by("task").agg(pl.col("model").n_unique()).sort("task").rows()
    if names:
        named = [f"{task} ({count(n, 'model')})" for task, n in names]
        notes.append(
            Note(
                f"For this training draw only: {name_some(named)}. With n_train set and one seed, "
                "interval, marks and ranks do not allow for another draw of training examples; run "
                "five or so with --seeds."
            )
        )
    return notes


def _name_seeds(seeds: Sequence[str]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(seeds)}"


def _explain_marks(table: pl.DataFrame) -> list[Note]:
    if not table["rank"].count() or table["model"].n_unique() < 2:
        return []
    notes = [
        Note(
            f"{BEST.sign} best; {TIED.sign} may be the best: no model is shown to be better at 5%. "
            "All pairs of a task's models are tested at once, paired by example or group, and ties "
            "and ranks come from the same test, so that 5% holds for all that is claimed of one "
            "task; across tasks nothing is corrected.",
            is_of_marks=True,
        )
    ]
    if table.filter(task=MEAN).height > 1:
        notes += [
            Note("Mean: unweighted over the tasks; its models are one more family of pairs."),
            Note(
                "Rank: by the mean, with its 95% interval over fresh test sets of these tasks, and "
                "over other tasks like these; one task left out: the lowest and the highest rank "
                "then; ahead of next: the probability that its expected mean is higher than that "
                "of the model below.",
                is_of_marks=True,
            ),
        ]
        n_tasks = table.filter(pl.col("task") != MEAN)["task"].n_unique()
        few = f"Too few tasks to rank over others ({n_tasks}; it takes {LEAST_TASKS})."
        over_others = (
            "Ranks over other tasks (Student's t over the tasks, Bonferroni's correction for all "
            "pairs of models) take the tasks for draws of one kind, which tasks of different "
            "metrics or of one family are not."
        )
        notes.append(Note(few) if n_tasks < LEAST_TASKS else Note(over_others, is_of_marks=True))
    return notes


def _explain_columns(table: pl.DataFrame, selection: Selection) -> list[Note]:
    notes = []
    if selection.split:
        notes.append(
            Note(
                f"No mean over tasks, because of several protocols or versions of the data: "
                f"{', '.join(selection.split)}; keep one with --where KEY=VALUE."
            )
        )
    cells = table.filter(pl.col("task") != MEAN).select("model", "task")
    every = cells.select("model").unique().join(cells.select("task").unique(), how="cross")
    missing = every.join(cells, on=["model", "task"], how="anti").sort("task", "model").rows()
    if missing:
        names = [f"{task} of {model}" for model, task in missing]
        end = "" if selection.split else "; a model without every task has no mean and no rank"
        notes.append(Note(f"Not run: {name_some(names)}{end}."))
    unsure = table.filter(pl.col("ci_low").is_null(), ~pl.col("published")).sort("task", "model")
    if unsure.height:
        names = [f"{task} of {model}" for model, task in unsure.select("model", "task").rows()]
        notes.append(
            Note(
                f"{UNVERIFIED.sign} imported without its predictions, so that neither score nor "
                f"interval can be verified: {name_some(names)}."
            )
        )
    return notes


def _explain_runs(table: pl.DataFrame, selection: Selection) -> list[Note]:
    runs = selection.runs
    notes = []
    alone = runs.join(table.select("run", n_shown="n"), on="run").filter(
        pl.col("n_shown") < pl.col("n")
    )
    for task, n in alone.group_by("column").agg(pl.col("n_shown").min()).sort("column").rows():
        notes.append(
            Note(
                f"Scores on {task} are over the {n:,} examples that every model has; by itself "
                "(run, status, export, --by) a run is scored on all that it has, and may differ."
            )
        )
    if selection.n_older:
        notes.append(Note(f"{count(selection.n_older, 'older run')} of the same cells not shown."))
    skipped = int(runs["n_skipped"].sum())
    if skipped:
        n_runs = int((runs["n_skipped"] > 0).sum())
        notes.append(
            Note(
                f"{count(skipped, 'picture')} in {count(n_runs, 'run')} could not be read: wrong "
                "where tested, left out where trained on."
            )
        )
    return notes


def _explain_warnings(table: pl.DataFrame) -> list[Note]:
    notes = [Note(text, f"Warning ({where})") for where, text in sort_warnings(table)]
    more = len(notes) - MAX_WARNINGS
    if more <= 0:
        return notes
    return [*notes[:MAX_WARNINGS], Note(f"{more:,} more, in report.json of the runs.", "Warnings")]


def sort_warnings(table: pl.DataFrame) -> list[tuple[str, str]]:
    """(where, text) of every warning of a leaderboard's table, the worst first.

    Of a task whose models all have it, where is the task alone.
    """
    found: dict[str, dict[str, list[str]]] = collections.defaultdict(dict)
    for model, task, warnings in table.select("model", "task", "warnings").rows():
        for text in warnings or []:
            found[text].setdefault(task, []).append(model)
    models = dict(table.group_by("task").agg(pl.col("model").n_unique()).rows())
    sorted_ = []
    for text, tasks in found.items():
        where = []
        for task, named in tasks.items():
            if task == MEAN and len(tasks) > 1:
                # The mean has what its tasks have.
                continue
            is_alone = task == MEAN or len(set(named)) == models[task]
            where += [task] if is_alone else [f"{task} of {model}" for model in named]
        sorted_.append((name_some(where, 2), text))
    return sorted(sorted_, key=lambda one: _rank(one[1]))


def _rank(warning: str) -> int:
    """How far down a warning stands: 0 for the worst."""
    places = (i for i, words in enumerate(_SEVERE) if any(word in warning for word in words))
    return next(places, len(_SEVERE))


def _explain_problems(problems: Sequence[results.Problem]) -> list[Note]:
    if not problems:
        return []
    reasons = " ".join(problem.reason for problem in problems[:MAX_NAMED])
    return [Note(f"{count(len(problems), 'run')} left out as unreadable: {reasons}")]


def count(n: int, what: str) -> str:
    """`n` things in words: "1 run", "2 runs"."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def name_some(names: Sequence[str], limit: int = MAX_NAMED) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - limit:,} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
