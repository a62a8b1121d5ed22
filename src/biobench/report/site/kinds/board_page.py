"""The leaderboard: every model on every task.

One table for each protocol preset and number of training examples: such are never mixed in one.
"""

import dataclasses
from collections.abc import Iterator, Sequence

from biobench import clean
from biobench.report.board import Leaderboard
from biobench.report.formats import to_rows, to_text
from biobench.report.notes import MEAN
from biobench.report.site.backbones import Backbone
from biobench.report.site.bars import Scale
from biobench.report.site.facets import Facet, list_facets
from biobench.report.site.pages import File, Kind, Page
from biobench.report.site.protocols import Column
from biobench.report.site.subject import Subject
from biobench.report.views import MARKS, CellView, Mark, Note

__all__ = ["KIND"]

_TOLD_ELSEWHERE = ("runs", "seeds", "heading")

GUIDE = "Below each score its 95% interval, as numbers and as a line."


@dataclasses.dataclass(frozen=True)
class Head:
    """A column of scores."""

    key: str
    """its name in the address."""
    task: str
    heading: str
    address: str
    """its page; empty for the mean."""
    column: Column | None
    """None for the mean."""
    is_low_good: bool


@dataclasses.dataclass(frozen=True)
class Entry:
    """A cell with its bar; a mark says whether it is best, tied or cannot be verified."""

    cell: CellView
    bar: str


@dataclasses.dataclass(frozen=True)
class Row:
    """A model."""

    model: str
    address: str
    backbone: Backbone
    facets: dict[str, str]
    entries: Sequence[Entry | None]
    """one a column; None where there is no run."""
    rank: CellView | None
    """the cell whose rank the table shows."""


@dataclasses.dataclass(frozen=True)
class Table:
    """The tasks of one protocol preset and one number of training examples."""

    key: str
    """its id on the page, and the beginning of its names in the address."""
    title: str
    heads: Sequence[Head]
    rows: Sequence[Row]
    facets: Sequence[Facet]
    has_rank: bool


@dataclasses.dataclass(frozen=True)
class Order:
    """How sure the order of one preset's means is."""

    title: str
    rows: Sequence[dict]
    """of `Leaderboard.order`."""
    left_out: Sequence[tuple[str, Sequence[dict | None]]]
    """of each model its mean and rank without each task."""
    tasks: Sequence[str]
    """headings of the tasks that are left out."""


@dataclasses.dataclass(frozen=True)
class Board:
    """The page."""

    tables: Sequence[Table]
    marks: Sequence[Mark]
    """those that some cell has."""
    guide: str
    orders: Sequence[Order]
    """of each preset of which several models have a mean."""
    notes: Sequence[Note]


def _make(subject: Subject) -> Iterator[Page | File]:
    board = subject.board
    parts = board.parts or [board]
    names = [
        (part, shots)
        for part in parts
        for shots in dict.fromkeys(subject.columns[task].shots for task in part.tasks)
    ]
    tables = [_make_table(subject, part, i, shots) for i, (part, shots) in enumerate(names)]
    held = {mark for cell in subject.cells.values() for mark in cell.marks}
    view = Board(
        tables=tables,
        marks=[mark for mark in MARKS if mark in held],
        guide=GUIDE,
        orders=[_make_order(part) for part in parts if part.order.height > 1],
        notes=board.notes,
    )
    yield Page("leaderboard.html", "Leaderboard", "board.html.j2", view)
    yield File("data/leaderboard.json", clean.to_json(list_rows(subject)))
    yield File("data/leaderboard.csv", f"{to_text(_without_runs(board), 'csv')}\n")


def list_rows(subject: Subject) -> list[dict[str, object]]:
    """The rows of `leaderboard --format json`, each run named below the results folder.

    Of what a score is the mean of, the pages of the models tell.
    """
    places = {str(run.path): run.place for run in subject.runs}
    rows = []
    for row in to_rows(subject.board):
        kept = {key: value for key, value in row.items() if key not in _TOLD_ELSEWHERE}
        rows.append(kept | {"run": places.get(str(row["run"]), row["run"])})
    return rows


def _without_runs(board: Leaderboard) -> Leaderboard:
    """A page that is sent to a colleague has no use for where the results lay."""
    return dataclasses.replace(board, table=board.table.with_columns(run=None))


def _make_order(board: Leaderboard) -> Order:
    title = f" [{board.preset}]" if board.preset else ""
    tasks = [board.head(task) for task in board.tasks]
    return Order(title, board.order.to_dicts(), _list_left_out(board), tasks)


def _make_table(subject: Subject, board: Leaderboard, number: int, shots: str) -> Table:
    # Where there are several presets, the mean of each has a name of its own.
    mean = board.head(MEAN) if subject.board.parts else MEAN
    tasks = [task for task in board.tasks if subject.columns[task].shots == shots]
    # There is a mean only where each task has one protocol, and so one table.
    columns = [mean, *tasks] if board.has_mean else tasks
    heads = [
        Head(
            key=f"c{i}",
            task=task,
            heading=board.head(MEAN) if task == mean else board.head(task),
            address="" if task == mean else subject.address_task(task),
            column=subject.columns.get(task),
            is_low_good=board.signs.get(task, 0) < 0,
        )
        for i, task in enumerate(columns)
    ]
    models = [m for m in board.models if any((m, task) in subject.cells for task in columns)]
    scales = {
        task: Scale.of(cell for (_, of), cell in subject.cells.items() if of == task)
        for task in columns
    }
    ranked = mean if board.has_mean else tasks[0] if len(tasks) == 1 else ""
    facets = list_facets(
        [subject.backbones[model] for model in models if model in subject.backbones]
    )
    rows = []
    for model in models:
        cells = [subject.cells.get((model, task)) for task in columns]
        backbone = subject.backbones[model]
        rows.append(
            Row(
                model=model,
                address=subject.address_model(model),
                backbone=backbone,
                facets={facet.key: facet.find(backbone) for facet in facets},
                entries=[cell and Entry(cell, scales[cell.task].draw(cell)) for cell in cells],
                rank=subject.cells.get((model, ranked)),
            )
        )
    has_rank = any(row.rank is not None and row.rank.rank is not None for row in rows)
    title = shots[0].upper() + shots[1:] + (f" [{board.preset}]" if board.preset else "")
    return Table(f"t{number}", title, heads, rows, facets, has_rank)


def _list_left_out(board: Leaderboard) -> list[tuple[str, list[dict | None]]]:
    found = {(r["left_out"], r["model"]): r for r in board.left_out.iter_rows(named=True)}
    if not found:
        return []
    return [
        (model, [found.get((task, model)) for task in board.tasks])
        for model in board.order["model"]
    ]


KIND = Kind("board", "Leaderboard", _make)
