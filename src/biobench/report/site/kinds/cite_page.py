"""What to cite with these numbers: the data sets, the program, and how the numbers were made."""

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from biobench.report.site.pages import Kind, Page
from biobench.report.site.subject import Subject
from biobench.report.site.task_facts import DataSource, describe_task

__all__ = ["KIND"]


@dataclasses.dataclass(frozen=True)
class Cited:
    """A task and whose its data are."""

    heading: str
    address: str
    summary: str
    sources: Sequence[DataSource]


@dataclasses.dataclass(frozen=True)
class Cite:
    """The page."""

    software: str
    commits: Sequence[str]
    """of the runs shown."""
    first: str
    """when the runs were made, from and to."""
    last: str
    tasks: Sequence[Cited]
    metrics: Sequence[str]
    text: str
    """a paragraph to copy."""


def _make(subject: Subject) -> Iterator[Page]:
    reports = [run.report for run in subject.runs]
    versions = sorted(
        {str(r["provenance"]["versions"].get("biobench", "")) for r in reports} - {""}
    )
    software = f"biobench {', '.join(versions)}" if versions else "biobench"
    days = sorted(_get_day(report["posix_time"]) for report in reports)
    tasks, seen = [], set()
    for task in subject.board.tasks:
        column = subject.columns[task]
        if column.base not in seen:
            seen.add(column.base)
            facts = describe_task(column.kind)
            heading, where = column.base, subject.address_task(task)
            tasks.append(Cited(heading, where, facts.summary, facts.sources))
    view = Cite(
        software=software,
        commits=sorted({report["commit"] for report in reports}),
        first=days[0],
        last=days[-1],
        tasks=tasks,
        metrics=sorted({column.metric for column in subject.columns.values()}),
        text=_write_text(subject, software, tasks),
    )
    yield Page("cite.html", "Cite this", "cite.html.j2", view)


def _get_day(posix: float) -> str:
    return datetime.datetime.fromtimestamp(posix, datetime.UTC).date().isoformat()


def _write_text(subject: Subject, software: str, tasks: Sequence[Cited]) -> str:
    cited = [
        f"{task.heading} ({'; '.join(dict.fromkeys(one.citation for one in task.sources))})"
        if task.sources
        else task.heading
        for task in tasks
    ]
    n = len(subject.board.models)
    return (
        f"We evaluated {n:,} frozen image model{'s' * (n != 1)} with {software} on "
        f"{', '.join(cited)}. Scores are given with 95% intervals over fresh test sets; models are "
        "called better only where the difference is significant at 5%, all pairs of a task's "
        "models allowed for."
    )


KIND = Kind("cite", "Cite this", _make)
