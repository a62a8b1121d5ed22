"""Does a general benchmark foretell it? Any task against any other, over the models of both."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from biobench import clean, stats
from biobench.report.site.charts import SERIES, Figure, draw, name_axis
from biobench.report.site.pages import File, Kind, Page
from biobench.report.site.subject import Subject

__all__ = ["KIND"]

LEAST_MODELS = 3
"""models that two tasks need to have in common."""

GENERAL = ("imagenet1k", "ImageNet-1k")
"""what a benchmark of everyday pictures is called; without one, any task is the reference."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two tasks, and how alike they order the models."""

    a: str
    b: str
    """headings."""
    found: stats.RankCorrelation

    @property
    def words(self) -> str:
        """What the correlation says, no more than its interval allows."""
        if self.found.low is None or self.found.high is None:
            return "too few models to say"
        if self.found.low > 0.8:
            return "foretells it closely"
        if self.found.low > 0:
            return "foretells it in part"
        return (
            "the reverse order"
            if self.found.high < 0
            else "does not foretell it, or cannot be told"
        )


@dataclasses.dataclass(frozen=True)
class Predict:
    """The page."""

    reference: str
    """heading of the task that is drawn against the others."""
    figures: Sequence[Figure]
    pairs: Sequence[Pair]
    tasks: Sequence[str]
    """headings, for the figure that a reader chooses."""
    least: int
    """models that an interval needs."""


def _make(subject: Subject) -> Iterator[Page | File]:
    board = subject.board
    scores = {
        task: {cell.model: _turn(subject, task) * cell.score for cell in subject.rank_cells(task)}
        for task in board.tasks
    }
    pairs = {}
    for a, b in itertools.combinations(board.tasks, 2):
        models = [model for model in scores[a] if model in scores[b]]
        if len(models) >= LEAST_MODELS:
            values = (np.array([scores[task][m] for m in models], dtype=float) for task in (a, b))
            found = stats.rank_correlation(*values)
            if not math.isnan(found.r):
                pairs[a, b] = Pair(board.head(a), board.head(b), found)
    if not pairs:
        return
    general = [task for task in board.tasks if subject.columns[task].base in GENERAL]
    reference = (general or sorted(board.tasks, key=lambda task: -_count_pairs(pairs, task)))[0]
    of_reference = [(key, pair) for key, pair in pairs.items() if reference in key]
    figures = [
        _draw(subject, reference, next(t for t in key if t != reference), pair, i)
        for i, (key, pair) in enumerate(of_reference)
    ]
    ordered = sorted(pairs.values(), key=lambda pair: -pair.found.r)
    view = Predict(
        board.head(reference),
        figures,
        ordered,
        [board.head(task) for task in board.tasks],
        stats.LEAST_MODELS,
    )
    yield Page("predict.html", "Does one task foretell another?", "predict.html.j2", view)
    yield File("data/scores.js", f"window.scores = {clean.to_json(_list_scores(subject))};\n")
    yield File("data/correlations.csv", _to_csv(ordered))


def _turn(subject: Subject, task: str) -> int:
    """What makes the higher number the better one."""
    return subject.board.signs.get(task) or 1


def _count_pairs(pairs: dict[tuple[str, str], Pair], task: str) -> int:
    return sum(task in key for key in pairs)


def _draw(subject: Subject, a: str, b: str, pair: Pair, number: int) -> Figure:
    shared = [
        (subject.cells[model, a], subject.cells[model, b])
        for model in subject.board.models
        if (model, a) in subject.cells and (model, b) in subject.cells
    ]
    values = [
        {
            "x": one.score,
            "y": other.score,
            "tip": f"{one.model}: {one.score:.3f}, {other.score:.3f}",
        }
        for one, other in shared
    ]
    scale = {"zero": False}
    x, y = (
        name_axis(subject.board.head(task), scale=scale, axis={"tickCount": 4, "grid": False})
        for task in (a, b)
    )
    data = {"values": values}
    dot = {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "description": {"field": "tip"}}
    figure = draw(
        [
            {
                "data": data,
                "mark": {"type": "point", "filled": True, "size": 45, "color": SERIES[0]},
                "encoding": dot,
            },
        ],
        id=f"foretell-{number}",
        label=f"{pair.a} against {pair.b}: {say_correlation(pair.found)}",
        caption=f"{pair.b if pair.a == subject.board.head(a) else pair.a}: "
        f"{say_correlation(pair.found)}",
        width=230,
        height=200,
    )
    return figure


def say_correlation(found: stats.RankCorrelation) -> str:
    """A correlation with its interval and count."""
    if found.low is None:
        return f"ρ = {found.r:.2f}, {found.n} models, too few for an interval"
    return f"ρ = {found.r:.2f} ({found.low:.2f} to {found.high:.2f}), {found.n} models"


def _list_scores(subject: Subject) -> dict[str, object]:
    """Scores by heading, in the order of the models."""
    return {
        "models": list(subject.board.models),
        "tasks": {
            subject.board.head(task): [
                None if cell is None else [cell.score, *(cell.ci or [cell.score, cell.score])]
                for cell in (subject.cells.get((m, task)) for m in subject.board.models)
            ]
            for task in subject.board.tasks
        },
    }


def _to_csv(pairs: Sequence[Pair]) -> str:
    rows = [
        {
            "task_a": pair.a,
            "task_b": pair.b,
            "spearman": pair.found.r,
            "ci_low": pair.found.low,
            "ci_high": pair.found.high,
            "models": pair.found.n,
        }
        for pair in pairs
    ]
    schema = {"ci_low": pl.Float64, "ci_high": pl.Float64}
    table = pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)
    return clean.csv_table(table).write_csv(float_precision=6)


KIND = Kind("predict", "Foretelling", _make)
