"""What a site is about: the leaderboard and everything of its runs, read once.

subject = gather(Path("results"))
subject.board, subject.cells, subject.runs, subject.models
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

from biobench import results
from biobench.report.board import Leaderboard, leaderboard
from biobench.report.notes import MEAN
from biobench.report.site.addresses import address
from biobench.report.site.backbones import Backbone, describe_backbone
from biobench.report.site.protocols import Column, describe_column
from biobench.report.views import CellView, view_cells

__all__ = ["Choice", "Run", "Subject", "gather"]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which runs were asked for, and how models are called."""

    tasks: Sequence[str] = ()
    where: Mapping[str, str] = dataclasses.field(default_factory=dict)
    aliases: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is shown, with its report."""

    task: str
    model: str
    path: Path
    place: str
    """its folder below the results folder, with slashes."""
    report: dict


@dataclasses.dataclass(frozen=True)
class Subject:
    """What every page is made from."""

    root: Path
    """the results folder."""
    board: Leaderboard
    cells: Mapping[tuple[str, str], CellView]
    """by (model, task), the mean's among them."""
    runs: Sequence[Run]
    """all that the scores were made of, by task and model, the newest of a cell first."""
    backbones: Mapping[str, Backbone]
    """what is known of each model."""
    columns: Mapping[str, Column]
    """what each task was run with."""
    images: Path | None = None
    """where the pictures lie; None where they are not at hand."""
    choice: Choice = dataclasses.field(default_factory=Choice)
    """of which runs further statistics are made."""

    def list_runs(self, *, task: str = "", model: str = "") -> list[Run]:
        """The runs of a task, of a model, or of one cell."""
        key = (model, task) if model and task else task or model
        return self._index.get(key, [])

    @functools.cached_property
    def _index(self) -> dict[object, list[Run]]:
        found: dict[object, list[Run]] = {}
        for run in self.runs:
            for key in ((run.model, run.task), run.task, run.model):
                found.setdefault(key, []).append(run)
        return found

    def rank_cells(self, task: str) -> list[CellView]:
        """A task's cells, the best first."""
        sign = self.board.signs.get(task) or 1
        found = [cell for (_, of), cell in self.cells.items() if of == task]
        return sorted(found, key=lambda cell: (-sign * cell.score, cell.model))

    @property
    def headline(self) -> str:
        """The column that says most of all: the mean, else the only task, else none ("")."""
        if self.board.has_mean:
            return MEAN
        return self.board.tasks[0] if len(self.board.tasks) == 1 else ""

    def name_column(self, column: str) -> str:
        """What a column is called in a sentence."""
        if column == MEAN:
            return f"the mean over {len(self.board.tasks):,} tasks"
        return self.board.head(column)

    def address_model(self, model: str) -> str:
        """The page of a model."""
        return address("models", model)

    def address_task(self, task: str) -> str:
        """The page of a task."""
        return address("tasks", task)


def gather(
    root: Path,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    aliases: Sequence[str] = (),
    images: Path | None = None,
) -> Subject:
    """Read what a site is made from; arguments as `leaderboard`, and where the pictures lie.

    Raises BadInput where there is nothing to show.
    """
    board = leaderboard(root, tasks=tasks, models=models, where=where, aliases=aliases)
    runs = [
        Run(row["task"], row["model"], Path(run), _place(root, run), results.read_report(Path(run)))
        for row in board.table.sort("task", "model").iter_rows(named=True)
        for run in row["runs"] or []
    ]
    by_model: dict[str, list[dict]] = {}
    by_task: dict[str, list[dict]] = {}
    for run in runs:
        by_model.setdefault(run.model, []).append(run.report)
        by_task.setdefault(run.task, []).append(run.report)
    return Subject(
        root=root,
        board=board,
        cells=view_cells(board.table, board.signs),
        runs=runs,
        backbones={model: describe_backbone(reports) for model, reports in by_model.items()},
        columns={
            task: describe_column(task, board.head(task), reports)
            for task, reports in by_task.items()
        },
        images=images,
        choice=Choice(tasks, where or {}, aliases),
    )


def _place(root: Path, run: str) -> str:
    """A page that is sent to a colleague has no use for where the results lay."""
    try:
        return Path(run).relative_to(root).as_posix()
    except ValueError:
        return Path(run).name
