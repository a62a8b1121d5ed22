"""The leaderboard: every model's score on every task, with what may be concluded from it.

board = leaderboard(results)
board.table        # one row a (model, task); the suite's mean is the task "mean"
board.order        # how sure the order of the means is
board.models       # rows of the printed table, best first
board.tasks        # its columns
board.notes        # what a reader has to know, one sentence each
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from biobench import results, stats
from biobench.errors import BadInput
from biobench.metrics import get_metric, is_better_low, is_known
from biobench.report.alarms import name_alarms
from biobench.report.aliases import rename
from biobench.report.board_table import Leaderboard
from biobench.report.cells import Cells, Unreadable, get_metrics, get_scorable, read_cells
from biobench.report.contaminating import add_seen, explain_seen
from biobench.report.notes import MEAN, explain, name_some
from biobench.report.presets import join_boards, name_mean, split_presets
from biobench.report.published_notes import add_means, explain_means, explain_published
from biobench.report.reconciling import name_doubts, reconcile
from biobench.report.replicates import pool_runs
from biobench.report.rescoring import describe_rescoring, rescore
from biobench.report.selection import Selection, select
from biobench.report.views import Note

__all__ = ["Leaderboard", "leaderboard"]

MAX_CELLS = 1_200
"""cells up to which ties and ranks, which need every prediction, are computed unasked."""

_SCHEMA = {
    "model": pl.String(),
    "task": pl.String(),
    "score": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
    "n": pl.Int64(),
    "rank": pl.Int64(),
    "rank_low": pl.Int64(),
    "rank_high": pl.Int64(),
    "tied_with_best": pl.Boolean(),
    "n_groups": pl.Int64(),
    "run": pl.String(),
    "warnings": pl.List(pl.String()),
    "runs": pl.List(pl.String()),
    "seeds": pl.List(pl.String()),
    "published": pl.Boolean(),
    "doubts": pl.List(pl.String()),
}


_NO_ROWS = pl.DataFrame(schema=["model", "task", "score", "ci_low", "ci_high", "n"])


def leaderboard(
    root: Path,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    full: bool = False,
    metric: str = "",
    aliases: Sequence[str] = (),
    max_cells: int | None = None,
) -> Leaderboard:
    """The leaderboard of a results folder.

    tasks, models, where: see `selection.select`. full: compute ties and ranks even of more than
    max_cells (1,200) cells. metric: score every run's predictions anew by this one instead of
    each task's own. aliases: names for models, each ORG:CKPT=Name.
    Raises BadInput where there is nothing to show.
    """
    selection = rename(select(root, tasks=tasks, models=models, where=where), aliases)
    most = None if full else MAX_CELLS if max_cells is None else max_cells
    parts = split_presets(selection)
    return join_boards([_make(root, one, preset, metric, most) for preset, one in parts.items()])


def _make(
    root: Path, selection: Selection, preset: str, metric: str, max_cells: int | None
) -> Leaderboard:
    """The board of one preset's runs; max_cells: None computes ties and ranks of any number."""
    stored = get_scorable(selection.runs)
    if metric:
        selection = rescore(selection, metric)
    problems, suite = list(selection.problems), None
    notes: list[Note] = []
    runs, scorable = selection.runs, get_scorable(selection.runs)
    unknown = results.describe_unknown(runs)
    notes += [Note(lost) for lost in unknown]
    is_large = max_cells is not None and scorable.height > max_cells
    if is_large:
        notes.append(
            Note(
                f"Ties, ranks and the mean need the predictions of all {scorable.height:,} cells "
                "and are left out, and scores were not computed again; ask for that with --full, "
                "or for fewer cells with --tasks, --models or --where."
            )
        )
    elif scorable.height:
        suite, unreadable, refused = _compute(scorable)
        problems += unreadable
        if refused:
            notes.append(Note(f"Not compared: {name_some(refused)}"))
        gone = [str(problem.path) for problem in unreadable]
        runs = runs.filter(~pl.col("run").is_in(gone))
    table, unreadable = pool_runs(runs, _SCHEMA)
    problems += unreadable
    if metric:
        # Scores are computed from predictions already; the stored ones are another metric's.
        doubts = name_doubts(stored)
    else:
        computed = None if is_large else _NO_ROWS if suite is None else suite.leaderboard
        table, doubts, unscored = reconcile(table, computed, selection.runs)
        problems += unscored
    notes += [Note(doubt, "Warning") for doubt in doubts]
    if not table.height:
        raise BadInput(f"No run in {root} can be shown: {problems[-1].reason}")
    if suite is not None:
        shown, computed = set(table["task"]), set(suite.leaderboard["task"]) - {MEAN}
        if shown > computed and not selection.split:
            without = name_some(sorted(selection.headings[one] for one in shown - computed))
            notes.append(
                Note(
                    f"No mean over tasks, and no ties and ranks in {without}: their scores cannot "
                    "be computed from predictions here."
                )
            )
        has_mean = shown == computed and not selection.split and len(shown) > 1
        table = _merge(table, suite.leaderboard, has_mean)
    signs = _find_signs(selection.runs)
    if not selection.split:
        table = add_means(table, signs)
    table = add_seen(table, selection)
    shown, named = table, selection
    if set(selection.headings) != set(selection.headings.values()):
        shown = table.with_columns(pl.col("task").replace(selection.headings))
        named = selection.with_headings()
    alarms = name_alarms(shown, named, problems, doubts, notes)
    if metric:
        notes.append(Note(describe_rescoring(metric)))
    notes += explain_published(shown, named.runs)
    notes += [] if selection.split else explain_means(shown)
    notes += explain_seen(shown)
    notes += explain(shown, named, problems)
    return Leaderboard(
        table=table,
        models=_sort_models(table, signs),
        tasks=sorted(set(table["task"]) - {MEAN}),
        order=_get_order(table, suite),
        left_out=_get_left_out(table, suite),
        notes=notes,
        problems=problems,
        doubts=doubts,
        unknown=unknown,
        metric=metric,
        signs=signs,
        headings=selection.headings | ({MEAN: name_mean(preset)} if preset else {}),
        preset=preset,
        alarms=alarms,
    )


def _compute(runs: pl.DataFrame) -> tuple[stats.Suite | None, list[results.Problem], list[str]]:
    """The statistics, the runs that turned out to be damaged, and why tasks were refused."""
    cells, problems = read_cells(runs)
    refused: list[str] = []
    while cells:
        try:
            return _make_suite(cells, runs), problems, refused
        except Unreadable as err:
            problems.append(err.problem)
            cells = cells.without(err.problem.path)
        except BadInput:
            # Some task's models cannot be compared; the others still can.
            fits, refused = _find_fitting(cells, runs)
            cells = cells.keep_tasks(fits)
    return None, problems, refused


def _find_fitting(cells: Cells, runs: pl.DataFrame) -> tuple[list[str], list[str]]:
    fits, refused = [], []
    for task in dict.fromkeys(task for _, task in cells):
        try:
            _make_suite(cells.keep_tasks([task]), runs)
            fits.append(task)
        except Unreadable:
            fits.append(task)
        except BadInput as err:
            refused.append(str(err))
    return fits, refused


def _make_suite(cells: Cells, runs: pl.DataFrame) -> stats.Suite:
    return stats.suite(cells, get_metrics(runs, {task for _, task in cells}))


def _merge(stored: pl.DataFrame, computed: pl.DataFrame, has_mean: bool) -> pl.DataFrame:
    """Put ties and ranks to the stored rows, and add the mean's rows.

    A run's own score and interval stay, so that they do not depend on which other models are
    there; but where some models lack examples, those over the common ones are shown.
    """
    computed = computed.with_columns(
        pl.when(resampled="groups").then("n_groups").alias("n_groups"),
        *(pl.lit(None).alias(name) for name in ("run", "runs", "seeds", "doubts")),
        pl.lit(False).alias("published"),
    )
    computed = computed.select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())
    joined = stored.join(computed, on=["model", "task"], how="left", suffix=":new")
    common = pl.col("n:new") < pl.col("n")
    table = joined.select(
        "model",
        "task",
        *(
            pl.when(common).then(f"{name}:new").otherwise(name).alias(name)
            for name in ("score", "ci_low", "ci_high", "n")
        ),
        *(
            pl.col(f"{name}:new").alias(name)
            for name in ("rank", "rank_low", "rank_high", "tied_with_best")
        ),
        pl.when(common).then("n_groups:new").otherwise("n_groups").alias("n_groups"),
        "run",
        pl.concat_list("warnings", pl.col("warnings:new").fill_null([]))
        .list.unique(maintain_order=True)
        .alias("warnings"),
        "runs",
        "seeds",
        "published",
        "doubts",
    )
    means = computed.filter(task=MEAN).with_columns(n_groups=pl.lit(None, pl.Int64))
    return pl.concat([table.sort("task", "model"), means if has_mean else means.clear()])


def _find_signs(runs: pl.DataFrame) -> dict[str, int]:
    names = runs.select("column", "metric").unique().rows()
    known = {task: get_metric(name) for task, name in names if name and is_known(name)}
    signs = {task: 0 for task, _ in names}
    signs |= {task: -1 if is_better_low(metric) else 1 for task, metric in known.items()}
    every = set(signs.values())
    return {**signs, MEAN: every.pop() if len(every) == 1 else 0}


def _sort_models(table: pl.DataFrame, signs: Mapping[str, int]) -> list[str]:
    """Models with every task first, by their mean; then by how they stand on what they have."""
    low = [task for task, sign in signs.items() if sign < 0]
    score = pl.col("score")
    table = table.with_columns(pl.when(pl.col("task").is_in(low)).then(-score).otherwise(score))
    is_wrong = pl.col("doubts").list.contains("wrong").fill_null(False)
    standing = table.with_columns(
        # What is known to be wrong says nothing of a model, unless there is nothing else.
        pl.when(is_wrong).then(None).otherwise("score").alias("score")
    ).with_columns(pl.col("score").rank("average", descending=True).over("task").alias("place"))
    means = dict(table.filter(task=MEAN).select("model", "score").rows())
    last = float(table.height)
    places = dict(standing.group_by("model").agg(pl.col("place").mean().fill_null(last)).rows())
    return sorted(places, key=lambda m: (m not in means, -means.get(m, 0.0), places[m], m))


def _get_left_out(table: pl.DataFrame, suite: stats.Suite | None) -> pl.DataFrame:
    schema = {"left_out": pl.String, "model": pl.String, "score": pl.Float64, "rank": pl.Int64}
    if suite is None or not table.filter(pl.col("rank").is_not_null(), task=MEAN).height:
        return pl.DataFrame(schema=schema)
    return suite.leave_one_out.select(*schema)


def _get_order(table: pl.DataFrame, suite: stats.Suite | None) -> pl.DataFrame:
    means = table.filter(pl.col("rank").is_not_null(), task=MEAN).sort("rank", "model")
    order = means.select("model", "rank", "rank_low", "rank_high")
    if suite is None:
        return order.clear()
    over_tasks = suite.rank_over_tasks.select(
        "model", pl.col("rank_low").alias("tasks_low"), pl.col("rank_high").alias("tasks_high")
    )
    left = suite.leave_one_out.group_by("model").agg(
        pl.col("rank").min().alias("left_low"), pl.col("rank").max().alias("left_high")
    )
    beats = suite.beats.rename({"a": "model", "b": "next", "probability": "beats_next"})
    return (
        order.with_columns(pl.col("model").shift(-1).alias("next"))
        .join(over_tasks, on="model", how="left", maintain_order="left")
        .join(left, on="model", how="left", maintain_order="left")
        .join(beats, on=["model", "next"], how="left", maintain_order="left")
        .drop("next")
    )
