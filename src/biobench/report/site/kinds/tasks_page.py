"""The page of each task: what it is, how every model does on it, and where they fail."""

import dataclasses
from collections.abc import Iterator, Sequence

from biobench.errors import BadInput
from biobench.report.run_data import TestedData, look_at
from biobench.report.site.bars import Scale
from biobench.report.site.breakdowns import LEAST_OF_CLASS, Parts, break_down_for_page
from biobench.report.site.calibration_figures import draw_calibration
from biobench.report.site.charts import Figure
from biobench.report.site.few_shot_curves import Curve, draw_curve
from biobench.report.site.pages import Kind, Page
from biobench.report.site.protocols import Column
from biobench.report.site.run_facts import Facts, find_shared
from biobench.report.site.subject import Run, Subject
from biobench.report.site.task_facts import TaskFacts, describe_task
from biobench.report.views import CellView

__all__ = ["KIND"]

MAX_SPLIT = 20
"""models, best first, whose sub-scores are shown; `biobench export --table splits` has all."""


@dataclasses.dataclass(frozen=True)
class Row:
    """A model on the task."""

    model: str
    address: str
    cell: CellView
    bar: str


@dataclasses.dataclass(frozen=True)
class Listed:
    """A task in the list of tasks."""

    heading: str
    address: str
    column: Column
    n_models: int
    best: CellView | None


@dataclasses.dataclass(frozen=True)
class TaskList:
    """The page of all tasks."""

    tasks: Sequence[Listed]


@dataclasses.dataclass(frozen=True)
class Task:
    """The page of one task."""

    heading: str
    column: Column
    facts: TaskFacts
    data: TestedData | None
    found: Sequence[str]
    """what `biobench check` found of the data, a sentence each."""
    rows: Sequence[Row]
    splits: Sequence[tuple[str, Sequence[float | None]]]
    """sub-scores, one a row of `rows`."""
    curve: Curve | None
    calibration: Sequence[Figure]
    parts: Sequence[Parts]
    least: int
    """examples (groups) that a part needs to be judged."""
    shared: Facts
    """what all its runs have in common."""


def _make(subject: Subject) -> Iterator[Page]:
    yield Page("tasks.html", "Tasks", "tasks.html.j2", TaskList(_list_tasks(subject)))
    for task in subject.board.tasks:
        view = _make_task(subject, task)
        yield Page(subject.address_task(task), view.heading, "task.html.j2", view)


def _list_tasks(subject: Subject) -> list[Listed]:
    found = []
    for task in subject.board.tasks:
        cells = subject.rank_cells(task)
        best = cells[0] if cells and cells[0].ci is not None else None
        heading = subject.board.head(task)
        column = subject.columns[task]
        found.append(Listed(heading, subject.address_task(task), column, len(cells), best))
    return found


def _make_task(subject: Subject, task: str) -> Task:
    cells = subject.rank_cells(task)
    scale = Scale.of(cells)
    runs = subject.list_runs(task=task)
    names = sorted({name for run in runs for name in run.report["splits"]})
    shown = [cell.model for cell in cells][:MAX_SPLIT]
    return Task(
        heading=subject.board.head(task),
        column=subject.columns[task],
        facts=describe_task(subject.columns[task].kind),
        data=_look(subject, task),
        found=_list_findings(runs),
        rows=[
            Row(cell.model, subject.address_model(cell.model), cell, scale.draw(cell))
            for cell in cells
        ],
        splits=[(name, [_get_split(subject, task, m, name) for m in shown]) for name in names],
        curve=draw_curve(subject, task),
        calibration=draw_calibration(subject, task),
        parts=break_down_for_page(subject, task),
        least=LEAST_OF_CLASS,
        shared=find_shared([run.report for run in runs]),
    )


def _look(subject: Subject, task: str) -> TestedData | None:
    for run in subject.list_runs(task=task):
        try:
            return look_at(run.path, run.report)
        except BadInput:
            continue
    return None


def _list_findings(runs: Sequence[Run]) -> list[str]:
    said = []
    for run in runs:
        findings = run.report["provenance"].get("checked", {}).get("findings") or []
        said += [str(one.get("sentence", "")) for one in findings if isinstance(one, dict)]
    return [text for text in dict.fromkeys(said) if text]


def _get_split(subject: Subject, task: str, model: str, name: str) -> float | None:
    """A sub-score, on average over the runs that have it."""
    found = [run.report["splits"].get(name) for run in subject.list_runs(task=task, model=model)]
    scores = [score for score in found if score is not None]
    return sum(scores) / len(scores) if scores else None


KIND = Kind("task", "Tasks", _make)
