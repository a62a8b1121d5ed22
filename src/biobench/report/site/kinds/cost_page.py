"""What a score costs: against parameters, operations and measured speed, with the Pareto front."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from biobench.report.site.backbones import Backbone
from biobench.report.site.charts import SERIES, Figure, draw, name_axis, points
from biobench.report.site.fronts import find_front
from biobench.report.site.pages import Kind, Page
from biobench.report.site.subject import Subject
from biobench.report.views import CellView

__all__ = ["KIND"]

LEAST_MODELS = 2
"""models with a known cost that a figure needs."""


@dataclasses.dataclass(frozen=True)
class Measure:
    """One kind of cost."""

    key: str
    label: str
    """of the axis."""
    find: Callable[[Backbone], float | None]
    is_high_good: bool
    about: str


_MEASURES = (
    Measure(
        "parameters",
        "parameters (millions, logarithmic)",
        lambda backbone: backbone.n_parameters and backbone.n_parameters / 1e6,
        False,
        "Parameters say how much memory the weights take, not how long a picture takes.",
    ),
    Measure(
        "gflops",
        "GFLOPs a picture (logarithmic)",
        lambda backbone: backbone.gflops,
        False,
        "10⁹ floating-point operations a picture; a multiplication with addition is two.",
    ),
    Measure(
        "speed",
        "pictures a second (logarithmic)",
        lambda backbone: backbone.images_per_second,
        True,
        "Measured in these runs, of the network's forward pass alone, without reading and "
        "decoding: compare only what was measured on the same machine.",
    ),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """A model with its costs."""

    model: str
    address: str
    cell: CellView
    backbone: Backbone
    on_front: Sequence[str]
    """labels of the figures in which no other model beats it."""


@dataclasses.dataclass(frozen=True)
class Cost:
    """The page."""

    column: str
    """what the score is, for people."""
    figures: Sequence[Figure]
    rows: Sequence[Row]
    devices: Sequence[str]
    n_known: int
    """models of which any cost is known."""


def choose_column(subject: Subject) -> str:
    """The mean, the only task, or else the task that most models have."""
    if subject.headline:
        return subject.headline
    return max(subject.board.tasks, key=lambda task: len(subject.rank_cells(task)))


def _make(subject: Subject) -> Iterator[Page]:
    column = choose_column(subject)
    cells = [cell for cell in subject.rank_cells(column) if cell.ci is not None]
    figures: list[Figure] = []
    fronts: dict[str, list[str]] = {}
    for measure in _MEASURES:
        found = [(measure.find(subject.backbones[cell.model]), cell) for cell in cells]
        known = [(cost, cell) for cost, cell in found if cost]
        if len(known) >= LEAST_MODELS:
            figure, front = _draw(subject, column, measure, known)
            figures.append(figure)
            for model in front:
                fronts.setdefault(model, []).append(measure.key)
    if not figures:
        return
    rows = [
        Row(
            cell.model,
            subject.address_model(cell.model),
            cell,
            subject.backbones[cell.model],
            fronts.get(cell.model, []),
        )
        for cell in cells
    ]
    devices = sorted({device for row in rows for device in row.backbone.devices})
    n_known = sum(any(one.find(row.backbone) for one in _MEASURES) for row in rows)
    view = Cost(subject.name_column(column), figures, rows, devices, n_known)
    yield Page("cost.html", "Cost", "cost.html.j2", view)


def _draw(
    subject: Subject, column: str, measure: Measure, known: Sequence[tuple[float, CellView]]
) -> tuple[Figure, list[str]]:
    sign = subject.board.signs.get(column) or 1
    direction = -1 if measure.is_high_good else 1
    front = find_front([(direction * cost, sign * cell.score) for cost, cell in known])
    values = [_make_point(cost, cell) for cost, cell in known]
    x = name_axis(
        measure.label, scale={"type": "log", "nice": False, "padding": 30}, axis={"grid": False}
    )
    y = name_axis(f"score, {subject.name_column(column)}", scale={"zero": False})
    line = {
        "data": {"values": [values[i] for i in front]},
        "mark": {"type": "line", "color": SERIES[1], "interpolate": "step-after", "opacity": 0.8},
        "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}},
    }
    if measure.is_high_good:
        line["mark"] |= {"interpolate": "step-before"}
    names = {
        "data": {"values": [values[i] for i in front]},
        "mark": {"type": "text", "align": "left", "dx": 7, "dy": -7, "fontSize": 11, "limit": 230},
        "encoding": {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "text": {"field": "name"}},
    }
    best = [known[i][1].model for i in front]
    figure = draw(
        [line, *points(x, y, values), names],
        id=f"cost-{measure.key}",
        label=f"Score against {measure.label}; the table below has the numbers",
        caption=f"{measure.about} The line joins the models that no other beats in both score and "
        "cost (the Pareto front), by their scores alone; upright lines are 95% intervals.",
    )
    return figure, best


def _make_point(cost: float, cell: CellView) -> dict[str, object]:
    low, high = cell.ci or (cell.score, cell.score)
    tip = f"{cell.model}: {cell.score:.3f} ({low:.3f}–{high:.3f}), {cost:,.4g}"
    return {
        "x": cost,
        "y": cell.score,
        "ci_low": low,
        "ci_high": high,
        "name": cell.model,
        "tip": tip,
    }


KIND = Kind("cost", "Cost", _make)
