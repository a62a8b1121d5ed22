"""The first screen: one verdict in words, what it stands on, what was left out, what is next."""

import dataclasses
from collections.abc import Iterator, Sequence

from biobench.errors import BadInput
from biobench.report.notes import name_some
from biobench.report.run_data import LEAST_OF_CLASS, TestedData, look_at
from biobench.report.site.bars import Scale
from biobench.report.site.pages import Kind, Page
from biobench.report.site.subject import Subject
from biobench.report.site.verdict import Verdict, judge
from biobench.report.views import CellView

__all__ = ["KIND"]

MAX_MODELS = 10
MAX_ALARMS = 4
MAX_CLASSES = 6


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What one task was tested on."""

    heading: str
    address: str
    data: TestedData | None
    """None where the run cannot be read or has no predictions."""

    @property
    def too_small(self) -> str:
        """The classes that cannot be judged one by one, in words; empty where there are none."""
        if self.data is None or not self.data.small:
            return ""
        unit = self.data.unit
        if self.data.are_all_small:
            return f"no class has {LEAST_OF_CLASS} {unit}"
        small = [f"{name} ({n})" for name, n in self.data.small.items()]
        return f"{name_some(small, MAX_CLASSES)}: under {LEAST_OF_CLASS} {unit}"

    @property
    def lost(self) -> str:
        """What was not used, counted by reason."""
        if self.data is None:
            return ""
        parts = [f"{reason} ({len(names):,})" for reason, names in self.data.left_out.items()]
        parts += [f"{what} ({n:,})" for what, n in self.data.also.items()]
        parts += [
            f"not readable, {why} ({len(names):,})" for why, names in self.data.unread.items()
        ]
        return "; ".join(parts)


@dataclasses.dataclass(frozen=True)
class Row:
    """A model among the first."""

    model: str
    address: str
    cell: CellView
    bar: str


@dataclasses.dataclass(frozen=True)
class Overview:
    """The first page."""

    verdict: Verdict
    n_models: int
    n_tasks: int
    n_runs: int
    n_examples: int
    """test examples of all tasks."""
    n_classes: int
    n_groups: int
    column: str
    """what the first models are ordered by, for people; empty where there is no order."""
    rows: Sequence[Row]
    n_more: int
    data_sets: Sequence[DataSet]
    alarms: Sequence[str]
    n_notes: int


def _make(subject: Subject) -> Iterator[Page]:
    board, column = subject.board, subject.headline
    sets = [_describe(subject, task) for task in board.tasks]
    data = [one.data for one in sets if one.data]
    cells = subject.rank_cells(column) if column else []
    scale = Scale.of(cells)
    rows = [
        Row(cell.model, subject.address_model(cell.model), cell, scale.draw(cell))
        for cell in cells[:MAX_MODELS]
    ]
    view = Overview(
        verdict=judge(subject),
        n_models=len(board.models),
        n_tasks=len(board.tasks),
        n_runs=len(subject.runs),
        n_examples=sum(one.n_test or 0 for one in data),
        n_classes=sum(len(one.classes) for one in data),
        n_groups=sum(one.n_groups for one in data),
        column=board.head(column) if column else "",
        rows=rows,
        n_more=max(0, len(cells) - len(rows)),
        data_sets=sets,
        alarms=board.alarms[:MAX_ALARMS],
        n_notes=len(board.notes),
    )
    yield Page("index.html", "Results", "overview.html.j2", view)


def _describe(subject: Subject, task: str) -> DataSet:
    heading, where = subject.board.head(task), subject.address_task(task)
    for run in subject.list_runs(task=task):
        if run.report["has_predictions"]:
            try:
                return DataSet(heading, where, look_at(run.path, run.report))
            except BadInput:
                continue
    return DataSet(heading, where, None)


KIND = Kind("overview", "Results", _make)
