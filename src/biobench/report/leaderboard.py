"""The leaderboard: every model's score on every task, with what may be concluded from it.

board = leaderboard(results)
board.table        # one row a (model, task); the suite's mean is the task "mean"
board.models       # rows of the printed table, best first
board.tasks        # its columns
board.notes        # what a reader has to know, one sentence each
"""

import concurrent.futures
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from biobench import metrics, results, stats
from biobench.errors import BadInput
from biobench.report.notes import MEAN, explain
from biobench.report.selection import select

__all__ = ["MEAN", "Leaderboard", "leaderboard"]

MAX_CELLS = 2_000
"""cells up to which ties and ranks, which need every prediction, are computed unasked."""

_SCHEMA = {
    "model": pl.String(),
    "task": pl.String(),
    "score": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n": pl.Int64(),
    "rank": pl.Int64(),
    "rank_low": pl.Int64(),
    "rank_high": pl.Int64(),
    "tied_with_best": pl.Boolean(),
    "n_groups": pl.Int64(),
    "run": pl.String(),
}
_STATISTICS = ["rank", "rank_low", "rank_high", "tied_with_best"]

COLUMNS = ["example", "subtask", "group", "y_true", "y_pred", "score"]
"""of the predictions, what statistics need."""

N_READERS = 8


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """A table of scores. `table` has the columns model, task, score, low, high (the interval over
    groups where there are groups), n, rank, rank_low, rank_high, tied_with_best, n_groups (null
    where examples were resampled) and run (null for the mean)."""

    table: pl.DataFrame
    models: list[str]
    """best first."""
    tasks: list[str]
    """without the mean."""
    notes: list[str]
    """what a reader has to know, one sentence each."""
    problems: list[results.Problem]
    """folders that could not be read."""

    @property
    def has_mean(self) -> bool:
        """Whether any model has every task, and each task one protocol."""
        return bool((self.table["task"] == MEAN).any())


def leaderboard(
    root: Path,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    full: bool = False,
) -> Leaderboard:
    """The leaderboard of a results folder.

    tasks, models, where: see `selection.select`. full: compute ties and ranks however many cells
    there are. Raises BadInput where there is nothing to show.
    """
    selection = select(root, tasks=tasks, models=models, where=where)
    runs, problems = selection.runs, list(selection.problems)
    table, notes = _get_stored(runs), []
    scorable = runs.filter(
        pl.col("has_predictions") & pl.col("metric").is_in(metrics.list_metrics())
    )
    if scorable.height > MAX_CELLS and not full:
        notes.append(
            f"Ties, ranks and the mean need the predictions of all {scorable.height:,} cells and "
            "are left out; ask for them with --full, or for fewer cells with --tasks, --models or "
            "--where."
        )
    elif scorable.height and hasattr(stats, "leaderboard"):
        cells, unreadable = _read_cells(scorable)
        problems += unreadable
        gone = [str(problem.path) for problem in unreadable]
        table = table.filter(pl.col("run").is_null() | ~pl.col("run").is_in(gone))
        table = _merge(table, _compute(cells, scorable))
    if selection.split or runs["column"].n_unique() < 2:
        table = table.filter(pl.col("task") != MEAN)
    notes += explain(table, selection, problems)
    return Leaderboard(table, _order(table), sorted(runs["column"].unique()), notes, problems)


def _get_stored(runs: pl.DataFrame) -> pl.DataFrame:
    """The scores and intervals that the runs were written with; no ties and ranks."""
    return runs.select(
        pl.col("row").alias("model"),
        pl.col("column").alias("task"),
        "score",
        pl.coalesce("group_low", "low").alias("low"),
        pl.coalesce("group_high", "high").alias("high"),
        "n",
        *(pl.lit(None, _SCHEMA[name]).alias(name) for name in _STATISTICS),
        "n_groups",
        "run",
    ).sort("task", "model")


def _read_cells(
    runs: pl.DataFrame,
) -> tuple[dict[tuple[str, str], pl.DataFrame], list[results.Problem]]:
    """The predictions of every run by (model, task), and the runs whose file is damaged."""

    def read(run: str) -> pl.DataFrame | results.Problem:
        try:
            return results.read_predictions(Path(run), COLUMNS)
        except BadInput as err:
            return results.Problem(Path(run), str(err))

    with concurrent.futures.ThreadPoolExecutor(N_READERS) as pool:
        tables = list(pool.map(read, runs["run"]))
    keys = runs.select("row", "column").rows()
    cells = {k: t for k, t in zip(keys, tables, strict=True) if isinstance(t, pl.DataFrame)}
    return cells, [table for table in tables if isinstance(table, results.Problem)]


def _compute(cells: dict[tuple[str, str], pl.DataFrame], runs: pl.DataFrame) -> pl.DataFrame:
    names = dict(runs.select("column", "metric").rows())
    by_task = {task: metrics.get_metric(names[task]) for task in {task for _, task in cells}}
    return stats.leaderboard(cells, by_task)


def _merge(stored: pl.DataFrame, computed: pl.DataFrame) -> pl.DataFrame:
    """Put ties and ranks to the stored rows, and add the mean's rows."""
    statistics = computed.select("model", "task", *_STATISTICS)
    table = stored.drop(_STATISTICS).join(statistics, on=["model", "task"], how="left")
    means = computed.filter(pl.col("task") == MEAN).select(
        pl.lit(None, dtype).alias(name)
        if name in ("run", "n_groups")
        else pl.col({"low": "ci_low", "high": "ci_high"}.get(name, name)).cast(dtype).alias(name)
        for name, dtype in _SCHEMA.items()
    )
    return pl.concat([table.select(_SCHEMA).cast(_SCHEMA), means])


def _order(table: pl.DataFrame) -> list[str]:
    """Models with every task first, by their mean; then by how they stand on what they have."""
    standing = table.with_columns(
        pl.col("score").rank("average", descending=True).over("task").alias("place")
    )
    means = dict(table.filter(pl.col("task") == MEAN).select("model", "score").rows())
    places = dict(standing.group_by("model").agg(pl.col("place").mean()).rows())
    return sorted(places, key=lambda m: (m not in means, -means.get(m, 0.0), places[m], m))
