"""The data of each task: what `biobench check` and the runs found, files by name."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from biobench import clean
from biobench.errors import BadInput
from biobench.report.run_data import LEAST_OF_CLASS, TestedData, look_at
from biobench.report.site.pages import Kind, Page
from biobench.report.site.subject import Run, Subject

__all__ = ["KIND"]

MAX_FILES = 60
"""named of one reason."""

MAX_CLASSES = 60
"""named of those that cannot be judged one by one."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What a check found."""

    kind: str
    n: int
    sentence: str
    is_trouble: bool


@dataclasses.dataclass(frozen=True)
class Files:
    """Files of which the same is to be said."""

    what: str
    names: Sequence[str]
    n: int
    """all of them, named or not."""

    @property
    def n_more(self) -> int:
        """How many are not named."""
        return self.n - len(self.names)


@dataclasses.dataclass(frozen=True)
class Checked:
    """What is known of one task's data."""

    heading: str
    address: str
    id: str
    findings: Sequence[Finding]
    was_checked: bool
    files: Sequence[Files]
    also: Mapping[str, int]
    rare: Sequence[tuple[str, int]]
    """classes that cannot be judged one by one, fewest first, and what each was tested on."""
    n_rare: int
    n_classes: int
    unit: str
    command: str

    @property
    def n_troubles(self) -> int:
        """Kinds of trouble that the check found."""
        return sum(one.is_trouble for one in self.findings)

    @property
    def n_files(self) -> int:
        """Files that were left out or could not be read."""
        return sum(one.n for one in self.files)


@dataclasses.dataclass(frozen=True)
class CheckPage:
    """The page of all tasks' data."""

    tasks: Sequence[Checked]
    least: int


def _make(subject: Subject) -> Iterator[Page]:
    found = [
        one
        for i, task in enumerate(subject.board.tasks)
        if (one := _look(subject, task, f"d{i}")) is not None
    ]
    if found:
        yield Page(
            "data-check.html", "Data check", "check.html.j2", CheckPage(found, LEAST_OF_CLASS)
        )


def _look(subject: Subject, task: str, key: str) -> Checked | None:
    runs = subject.list_runs(task=task)
    data = _read_first(runs)
    if data is None:
        return None
    findings = _list_findings(runs)
    rare = [(name, n) for name, n in data.small.items()]
    return Checked(
        heading=subject.board.head(task),
        address=subject.address_task(task),
        id=key,
        findings=findings,
        was_checked=any(run.report["provenance"].get("checked") for run in runs),
        files=[
            *(_name("left out", *one) for one in data.left_out.items()),
            *(_name("not readable", *one) for one in data.unread.items()),
        ],
        also=data.also,
        rare=rare[:MAX_CLASSES],
        n_rare=len(rare),
        n_classes=len(data.classes),
        unit=data.unit,
        command=clean.shell(["biobench", "check", str(runs[0].report["task"]), "--data", "ROOT"]),
    )


def _read_first(runs: Sequence[Run]) -> TestedData | None:
    """Of the first run that can be read and has looked at pictures itself."""
    for run in runs:
        try:
            if run.report["has_predictions"]:
                return look_at(run.path, run.report)
        except BadInput:
            continue
    return None


def _name(what: str, reason: str, names: Sequence[str]) -> Files:
    return Files(f"{what}: {reason}", names[:MAX_FILES], len(names))


def _list_findings(runs: Sequence[Run]) -> list[Finding]:
    """What was found of the data of any run, each sentence once, troubles first."""
    found: dict[str, Finding] = {}
    for run in runs:
        listed = run.report["provenance"].get("checked", {}).get("findings")
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and one.get("sentence"):
                n = one.get("n")
                found[str(one["sentence"])] = Finding(
                    str(one.get("kind") or ""),
                    n if isinstance(n, int) else 0,
                    str(one["sentence"]),
                    bool(one.get("is_trouble")),
                )
    return sorted(found.values(), key=lambda one: not one.is_trouble)


KIND = Kind("check", "Data check", _make)
