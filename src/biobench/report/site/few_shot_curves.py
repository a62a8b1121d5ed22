"""Few-shot curves: a task's scores by the number of training examples, and where they level off.

curve = draw_curve(subject, task)
curve.figure, curve.sentences
"""

import dataclasses
from collections.abc import Sequence

from biobench.report.site.charts import SERIES, Figure, draw, name_axis
from biobench.report.site.subject import Subject
from biobench.report.views import CellView

__all__ = ["Curve", "draw_curve", "find_plateau"]

MAX_MODELS = 6


@dataclasses.dataclass(frozen=True)
class Curve:
    """How scores grow with training examples."""

    figure: Figure
    sentences: Sequence[str]
    """one a model."""


def draw_curve(subject: Subject, task: str) -> Curve | None:
    """The curve of a task over its columns that differ in the number of training examples alone;
    None where there are fewer than two."""
    here = subject.columns[task]
    alike = [
        (column.n_train, name)
        for name, column in subject.columns.items()
        if (column.base, column.metric, column.probe, column.n_train_unit, column.preset)
        == (here.base, here.metric, here.probe, here.n_train_unit, here.preset)
    ]
    sizes = sorted(alike, key=lambda one: (one[0] < 0, one[0]))
    if len({n for n, _ in sizes}) < 2 or len({n for n, _ in sizes}) != len(sizes):
        return None
    steps = [(_name_size(subject, name), name) for _, name in sizes]
    models = [cell.model for cell in subject.rank_cells(steps[-1][1])][:MAX_MODELS]
    sign = subject.board.signs.get(task) or 1
    curves = {}
    for model in models:
        found = [(label, subject.cells.get((model, name))) for label, name in steps]
        points = [(label, cell) for label, cell in found if cell is not None and cell.ci]
        if len(points) > 1:
            curves[model] = points
    if not curves:
        return None
    order = [label for label, _ in steps]
    sentences = [say_plateau(model, points, sign) for model, points in curves.items()]
    return Curve(_draw(here.base, order, curves), sentences)


def _name_size(subject: Subject, name: str) -> str:
    column = subject.columns[name]
    return "all" if column.n_train < 0 else f"{column.n_train:,}"


def find_plateau(points: Sequence[CellView], sign: int) -> int | None:
    """From which point on the scores lie within the interval of the last one; None where only the
    last does, so that it is not seen to level off."""
    low, high = points[-1].ci or (points[-1].score, points[-1].score)
    bound = low if sign > 0 else -high
    first = len(points) - 1
    while first and sign * points[first - 1].score >= bound:
        first -= 1
    return first if first < len(points) - 1 else None


def say_plateau(model: str, points: Sequence[tuple[str, CellView]], sign: int) -> str:
    """Where a model's curve levels off, in words."""
    first = find_plateau([cell for _, cell in points], sign)
    last, end = points[-1]
    if first is None:
        before, previous = points[-2]
        change = end.score - previous.score
        return (
            f"{model} is still changing at {last}: {change:+.3f} from {before} to {last}; more "
            "labels may help."
        )
    label, cell = points[first]
    return (
        f"{model} levels off at {label} ({cell.score:.3f}): what more brings up to {last} "
        f"({end.score:.3f}) is within the interval of the last score."
    )


def _draw(task: str, order: Sequence[str], curves: dict[str, list[tuple[str, CellView]]]) -> Figure:
    values = [
        {
            "x": label,
            "y": cell.score,
            "ci_low": (cell.ci or [cell.score])[0],
            "ci_high": (cell.ci or [cell.score])[-1],
            "model": model,
            "tip": f"{model}, {label}: {cell.score:.3f}",
        }
        for model, points in curves.items()
        for label, cell in points
    ]
    x = {"field": "x", "type": "ordinal", "sort": list(order), "title": "training examples"}
    x |= {"axis": {"labelAngle": 0}}
    y = name_axis("score", scale={"zero": False})
    color = {
        "field": "model",
        "type": "nominal",
        "sort": list(curves),
        "title": None,
        "scale": {"domain": list(curves), "range": list(SERIES[: len(curves)])},
        "legend": {"orient": "bottom", "columns": 2},
    }
    data = {"values": values}
    return draw(
        [
            {
                "data": data,
                "mark": {"type": "errorband", "opacity": 0.13},
                "encoding": {
                    "x": x,
                    "y": {"field": "ci_low", **y},
                    "y2": {"field": "ci_high"},
                    "color": color,
                },
            },
            {
                "data": data,
                "mark": {"type": "line"},
                "encoding": {"x": x, "y": {"field": "y", **y}, "color": color},
            },
            {
                "data": data,
                "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                "encoding": {
                    "x": x,
                    "y": {"field": "y", **y},
                    "color": color,
                    "description": {"field": "tip"},
                },
            },
        ],
        id="curve",
        label=f"Scores on {task} by the number of training examples",
        caption="The best models of the largest size; bands are 95% intervals.",
        height=300,
    )
