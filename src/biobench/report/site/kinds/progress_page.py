"""Scores over release dates: what was the best when it came."""

import dataclasses
from collections.abc import Iterator, Sequence

from biobench.report.site.charts import SERIES, Figure, draw, name_axis, points
from biobench.report.site.fronts import find_front
from biobench.report.site.kinds.cost_page import choose_column
from biobench.report.site.pages import Kind, Page
from biobench.report.site.subject import Subject
from biobench.report.views import CellView

__all__ = ["KIND"]

LEAST_MODELS = 2


@dataclasses.dataclass(frozen=True)
class Row:
    """A model with a known date."""

    model: str
    address: str
    cell: CellView
    released: str
    was_best: bool


@dataclasses.dataclass(frozen=True)
class Progress:
    """The page."""

    column: str
    figure: Figure
    rows: Sequence[Row]
    """earliest first."""
    n_undated: int


def _make(subject: Subject) -> Iterator[Page]:
    column = choose_column(subject)
    cells = [cell for cell in subject.rank_cells(column) if cell.ci is not None]
    dated = [cell for cell in cells if subject.backbones[cell.model].released]
    if len({subject.backbones[cell.model].released for cell in dated}) < LEAST_MODELS:
        return
    dates = [subject.backbones[cell.model].released for cell in dated]
    sign = subject.board.signs.get(column) or 1
    records = find_front(
        [(date, sign * cell.score) for date, cell in zip(dates, dated, strict=True)]
    )
    rows = [
        Row(cell.model, subject.address_model(cell.model), cell, date, i in records)
        for i, (cell, date) in enumerate(zip(dated, dates, strict=True))
    ]
    figure = _draw(subject, column, rows, [rows[i] for i in records])
    rows.sort(key=lambda row: (row.released, row.model))
    view = Progress(subject.name_column(column), figure, rows, len(cells) - len(dated))
    yield Page("progress.html", "Progress", "progress.html.j2", view)


def _draw(subject: Subject, column: str, rows: Sequence[Row], records: Sequence[Row]) -> Figure:
    x = {"type": "temporal", "title": "released", "axis": {"grid": False, "format": "%Y"}}
    y = name_axis(f"score, {subject.name_column(column)}", scale={"zero": False})
    best = [_make_point(row) for row in records]
    encoding = {"x": {"field": "x", **x}, "y": {"field": "y", **y}}
    line = {
        "data": {"values": best},
        "mark": {"type": "line", "color": SERIES[1], "interpolate": "step-after", "opacity": 0.8},
        "encoding": encoding,
    }
    names = {
        "data": {"values": best},
        "mark": {"type": "text", "align": "left", "dx": 7, "dy": -7, "fontSize": 11, "limit": 230},
        "encoding": encoding | {"text": {"field": "name"}},
    }
    return draw(
        [line, *points(x, y, [_make_point(row) for row in rows]), names],
        id="progress",
        label="Score against the date of release; the table below has the numbers",
        caption="The line joins the models that had the highest score when they came, among those "
        "that were run here; upright lines are 95% intervals.",
    )


def _make_point(row: Row) -> dict[str, object]:
    low, high = row.cell.ci or (row.cell.score, row.cell.score)
    tip = f"{row.model}: {row.cell.score:.3f} ({low:.3f}–{high:.3f}), {row.released}"
    # A year alone is drawn at its middle, a month at its beginning.
    date = f"{row.released}-07-01" if len(row.released) == 4 else row.released
    return {
        "x": date,
        "y": row.cell.score,
        "ci_low": low,
        "ci_high": high,
        "name": row.model,
        "tip": tip,
    }


KIND = Kind("progress", "Progress", _make)
