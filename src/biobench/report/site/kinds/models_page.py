"""The page of each model: what it is, what it costs, all its scores, what made them."""

import dataclasses
from collections.abc import Iterator, Sequence

from biobench.report.notes import MEAN
from biobench.report.site.backbones import Backbone
from biobench.report.site.bars import Scale
from biobench.report.site.pages import Kind, Page
from biobench.report.site.run_facts import Facts, find_shared, list_facts, subtract
from biobench.report.site.strengths import MAX_SHOWN, ClassScore, Field
from biobench.report.site.subject import Run, Subject
from biobench.report.views import CellView

__all__ = ["KIND"]


@dataclasses.dataclass(frozen=True)
class Row:
    """The model on a task."""

    heading: str
    address: str
    """empty for the mean."""
    cell: CellView
    bar: str
    n_models: int
    """that the rank is among."""


@dataclasses.dataclass(frozen=True)
class RunView:
    """What made one of its numbers, without what the task's page and this page say already."""

    heading: str
    address: str
    run: str
    """its id, which is its folder's name."""
    posix_time: float
    score: float
    n: int | None
    is_on_fewer: bool
    """whether the leaderboard's score is over fewer examples than the run's own."""
    seconds: float
    n_warnings: int
    facts: Facts


@dataclasses.dataclass(frozen=True)
class Extreme:
    """A class that a model is surely better or worse on than the others."""

    heading: str
    address: str
    score: ClassScore


@dataclasses.dataclass(frozen=True)
class Listed:
    """A model in the list of models."""

    model: str
    address: str
    backbone: Backbone
    cell: CellView | None
    n_tasks: int


@dataclasses.dataclass(frozen=True)
class ModelList:
    """The page of all models."""

    models: Sequence[Listed]
    column: str


@dataclasses.dataclass(frozen=True)
class Model:
    """The page of one model."""

    name: str
    backbone: Backbone
    rows: Sequence[Row]
    missing: Sequence[str]
    """headings of the tasks that it lacks."""
    extremes: Sequence[Extreme]
    """the strongest first, then the weakest."""
    shared: Facts
    runs: Sequence[RunView]


def _make(subject: Subject) -> Iterator[Page]:
    column = subject.headline
    listed = [
        Listed(
            model,
            subject.address_model(model),
            subject.backbones[model],
            subject.cells.get((model, column)),
            sum((model, task) in subject.cells for task in subject.board.tasks),
        )
        for model in subject.board.models
    ]
    head = subject.board.head(column) if column else ""
    yield Page("models.html", "Models", "models.html.j2", ModelList(listed, head))
    of_tasks = {
        task: find_shared([run.report for run in subject.list_runs(task=task)])
        for task in subject.board.tasks
    }
    found = [Field.of(subject, task) for task in subject.board.tasks]
    fields = [field for field in found if field is not None]
    for model in subject.board.models:
        view = _make_model(subject, model, of_tasks, fields)
        yield Page(subject.address_model(model), model, "model.html.j2", view)


def _make_model(
    subject: Subject, model: str, of_tasks: dict[str, dict[str, str]], fields: Sequence[Field]
) -> Model:
    board, runs = subject.board, subject.list_runs(model=model)
    rows = []
    for task in board.columns:
        cell = subject.cells.get((model, task))
        if cell is not None:
            others = subject.rank_cells(task)
            where = "" if task == MEAN else subject.address_task(task)
            bar = Scale.of(others).draw(cell)
            rows.append(Row(board.head(task), where, cell, bar, len(others)))
    shared = find_shared([run.report for run in runs])
    return Model(
        name=model,
        backbone=subject.backbones[model],
        rows=rows,
        missing=[board.head(task) for task in board.tasks if (model, task) not in subject.cells],
        extremes=_find_extremes(subject, fields, model),
        shared=shared,
        runs=[_view_run(subject, run, shared, of_tasks[run.task]) for run in runs],
    )


def _find_extremes(subject: Subject, fields: Sequence[Field], model: str) -> list[Extreme]:
    """Of all tasks together, so that a page of many tasks stays short."""
    found = [field.find_extremes(model) for field in fields]
    strong = sorted((one for best, _ in found for one in best), key=lambda one: -one.lead)
    weak = sorted((one for _, worst in found for one in worst), key=lambda one: one.lead)
    return [
        Extreme(subject.board.head(one.task), subject.address_task(one.task), one)
        for one in [*strong[:MAX_SHOWN], *weak[:MAX_SHOWN]]
    ]


def _view_run(subject: Subject, run: Run, of_model: Facts, of_task: Facts) -> RunView:
    report, cell = run.report, subject.cells[run.model, run.task]
    stages = report["provenance"]["stages"]
    return RunView(
        heading=subject.board.head(run.task),
        address=subject.address_task(run.task),
        run=run.place.rpartition("/")[2],
        posix_time=report["posix_time"],
        score=report["score"],
        n=report["n"],
        is_on_fewer=report["n"] is not None and cell.n != report["n"],
        seconds=sum(seconds for name, seconds in stages.items() if "/" not in name),
        n_warnings=len(report["warnings"]),
        facts=subtract(list_facts(report), of_model, of_task),
    )


KIND = Kind("model", "Models", _make)
