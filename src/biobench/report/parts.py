"""Where the models of a leaderboard are good and where not: scores by class, rarity, any column.

    for part in break_down(board, "rarity"):
        part.task, part.table       # one row a (part, model), with interval and count

`by` is "class", "rarity" (training examples of the true class, in decades) or a column of the
predictions: subtask, group, or what a task knows of its examples (camera, organ, time of day); of
numbers and dates also by ranges, as latitude:5, place:10, date:year and date:month.
"""

import dataclasses
import typing
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from biobench import metrics, results, stats
from biobench.errors import BadInput
from biobench.report.board import Leaderboard
from biobench.report.cells import COLUMNS
from biobench.report.notes import MEAN

__all__ = ["UNEVEN", "Breakdown", "break_down", "break_down_task", "list_columns"]

_COLUMNS = {"rarity": "train_count", "class": "y_true"}

_RANGES = ("date:year", "date:month", "place:10")
"""ranges that are offered where a task knows of dates and places."""

MAX_PARTS = 50
"""different values up to which a column is offered for a breakdown."""


UNEVEN = "Each model is scored on all examples of a part that it has, and not all have the same."
"""what is said where models of a breakdown were not tested on the same examples."""


@dataclasses.dataclass(frozen=True)
class Breakdown:
    """Scores on parts of a task's test examples. `table` has the columns task, value (which part),
    model, score, ci_low, ci_high (95% interval), n, n_groups."""

    task: str
    by: str
    models: list[str]
    """best first."""
    table: pl.DataFrame
    heading: str = ""
    """what the task is called for people."""

    @property
    def values(self) -> list[str]:
        """The parts, in order."""
        return self.table["value"].unique(maintain_order=True).to_list()

    @property
    def is_uneven(self) -> bool:
        """Whether the models have different numbers of examples of some part."""
        counts = self.table.group_by("value").agg(n=pl.col("n").n_unique(), models=pl.len())
        n_models = self.table["model"].n_unique()
        return bool(((counts["n"] > 1) | (counts["models"] < n_models)).any())


def break_down(board: Leaderboard, by: str) -> list[Breakdown]:
    """A breakdown of every task that knows `by`; if none does, BadInput names what there is."""
    found = [break_down_task(board, task, by) for task in board.tasks]
    made = [part for part in found if part is not None]
    if not made:
        if not any(_get_scored(board, task) for task in board.tasks):
            raise BadInput("No run here has predictions that could be broken down.")
        known = dict.fromkeys(name for task in board.tasks for name in list_columns(board, task))
        raise BadInput(f"No task knows '{by}' of its examples; known: {', '.join(known)}.")
    return made


def break_down_task(
    board: Leaderboard, task: str, by: str, *, n_models: int | None = None
) -> Breakdown | None:
    """The breakdown of the best `n_models` of a task; None where its examples do not know `by`."""
    rows = _get_scored(board, task)[:n_models]
    parts = []
    for row in rows:
        runs = dict(zip(row["seeds"], map(Path, row["runs"]), strict=True))
        name = (
            board.metric
            or results.read_report(Path(row["run"]))["provenance"]["protocol"]["metric"]
        )
        there = [_read_columns(run) for run in runs.values()]
        columns = stats.list_columns_of(by, sorted(there[0]))
        if not all(known.issuperset(columns) for known in there):
            continue
        metric, names = metrics.get_metric(name), [*COLUMNS, *columns]
        table = stats.join_seeds(
            {seed: results.read_for_metric(run, metric, names) for seed, run in runs.items()}
        )
        if any(table[column].null_count() == table.height for column in columns):
            continue
        part = stats.breakdown(table, metric, by)
        parts.append(part.with_columns(model=pl.lit(row["model"]), task=pl.lit(task)))
    if not parts:
        return None
    order = ["task", "value", "model", "score", "ci_low", "ci_high", "n", "n_groups"]
    models = [row["model"] for row in rows]
    return Breakdown(task, by, models, pl.concat(parts).select(order), board.head(task))


def _read_columns(run: Path) -> set[str]:
    # A path would be taken for a pattern, where a folder's name has brackets.
    with open(run / "predictions.parquet", "rb") as file:
        return set(pl.read_parquet_schema(file))


def list_columns(board: Leaderboard, task: str) -> list[str]:
    """What a task's scores can be broken down by; of columns, those with 2 to 50 values."""
    rows = _get_scored(board, task)
    if not rows:
        return []
    table = results.read_predictions(Path(rows[0]["run"]))
    names = [by for by, column in _COLUMNS.items() if table[column].null_count() < table.height]
    # One group alone has no interval, so groups are broken down only where they are asked for.
    further = [name for name in table.columns if name not in results.KNOWN_COLUMNS]
    names += [
        "rank:class" if name == "class" else name
        for name in ("subtask", *further)
        if not table[name].dtype.is_nested() and 2 <= table[name].n_unique() <= MAX_PARTS
    ]
    return names + [by for by in _RANGES if _count_parts(table, by) in range(2, MAX_PARTS + 1)]


def _count_parts(table: pl.DataFrame, by: str) -> int:
    if not set(stats.list_columns_of(by, table.columns)) <= set(table.columns):
        return 0
    return len(stats.find_bins(table, by).texts)


def _get_scored(board: Leaderboard, task: str) -> Sequence[dict[str, typing.Any]]:
    """The rows of a task whose predictions are known, best first."""
    table = board.table.filter(pl.col("task") == task, pl.col("rank").is_not_null())
    return table.filter(pl.col("task") != MEAN).sort("rank", "model").to_dicts()
