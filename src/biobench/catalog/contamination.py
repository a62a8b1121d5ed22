"""What pretraining has seen of a task, by rule from the data sets that a checkpoint names.

    judge(("imagenet-22k", "treeoflife-10m"), "inat21").status     # "train"
    list_contents(("treeoflife-10m",))      # what is in it: data sets, and sources of pictures

datasets.toml says of each data set what it holds, and of each task where its pictures come from,
every claim with its source. A checkpoint has seen what any of its data sets has seen; what one of
them leaves open is unknown.
"""

import dataclasses
import functools
import tomllib
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path

from biobench.errors import BadInput, did_you_mean

__all__ = [
    "SEEN",
    "STATUSES",
    "DataSet",
    "Finding",
    "find_dataset",
    "find_task",
    "judge",
    "list_contents",
    "list_datasets",
    "list_known",
    "list_tasks",
]

SEEN = {
    "test": "pictures that the task tests on",
    "train": "the task's own training pictures",
    "source": "pictures of where the task's come from",
}
"""what pretraining may hold of a task, the worst first."""

STATUSES = (*SEEN, "unknown", "none")
"""every status of a finding; of several data sets the first of theirs."""

MAX_REASONS = 3


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set that checkpoints were trained on. Its fields are those of datasets.toml."""

    title: str
    source: str
    holds: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    is_complete: bool = False
    closed: int | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """Where a task's pictures come from. Its fields are those of datasets.toml."""

    because: str
    sources: tuple[str, ...] = ()
    since: int | None = None


@dataclasses.dataclass(frozen=True)
class Finding:
    """What pretraining has seen of a task, and how that is known."""

    status: str
    """of `STATUSES`."""
    because: str

    @property
    def is_seen(self) -> bool:
        """Whether pretraining holds the task's pictures, or others of their source."""
        return self.status in SEEN


def list_tasks() -> list[str]:
    """The tasks of which something is known."""
    return list(_read()["tasks"])


def list_datasets() -> list[str]:
    """The keys of all data sets."""
    return list(_read()["datasets"])


def find_task(name: str) -> Task:
    """Where the pictures of a task of `list_tasks` come from."""
    return Task(**_freeze(_read()["tasks"][name]))


def find_dataset(key: str) -> DataSet:
    """The data set of that key; raises BadInput, naming the closest, where there is none."""
    try:
        return DataSet(**_freeze(_read()["datasets"][key]))
    except KeyError:
        hint = did_you_mean(key, _read()["datasets"])
        raise BadInput(f"datasets.toml has no data set '{key}'.{hint}") from None


def list_known() -> list[str]:
    """Every name that something can be said of: tasks, data sets and sources of pictures."""
    return [*_read()["tasks"], *_read()["datasets"], *_read()["sources"]]


def list_contents(data: Sequence[str]) -> list[str]:
    """The data sets, those that they are made of, and the sources whose pictures they hold."""
    found: dict[str, None] = {}
    for key in data:
        one = find_dataset(key)
        held = [name for name in one.holds if name in _read()["sources"]]
        found |= dict.fromkeys([key, *list_contents(one.parts), *held])
    return [*found]


@functools.cache
def judge(data: Sequence[str], task: str) -> Finding:
    """What a checkpoint that was trained on these data sets has seen of a task of `list_tasks`."""
    about = find_task(task)
    found = [one for key in data for one in _judge_one(key, about, task)]
    status = min((one.status for one in found), key=STATUSES.index)
    reasons = dict.fromkeys(one.because for one in found if one.status == status)
    more = len(reasons) - MAX_REASONS
    text = "; ".join([*reasons][:MAX_REASONS]) + (f"; and {more} more" if more > 0 else "")
    return Finding(status, text)


def _judge_one(key: str, task: Task, name: str, within: str = "") -> Iterator[Finding]:
    """What a data set has of a task, and what each of its parts has."""
    one = find_dataset(key)
    title = f"{one.title}, a part of {within}," if within else one.title
    for part in one.parts:
        yield from _judge_one(part, task, name, within or one.title)
    shared = [source for source in task.sources if _reach(source) & {*one.holds}]
    split = next((split for split in ("test", "train") if f"{name}:{split}" in one.holds), None)
    if split is not None:
        yield Finding(split, f"{title} holds {SEEN[split]} [{one.source}]")
    elif shared:
        titles = ", ".join(_read()["sources"][source]["title"] for source in shared)
        yield Finding("source", f"{title} holds pictures of {titles} [{one.source}]")
    elif one.closed is not None and task.since is not None and one.closed < task.since:
        why = f"{title} has no picture from after {one.closed}, the task none from before"
        yield Finding("none", f"{why} {task.since} [{one.source}]")
    elif one.is_complete and one.parts and not one.holds:
        return  # its parts have said all
    elif one.is_complete and task.sources:
        yield Finding("none", f"{title} holds no pictures of the task's sources [{one.source}]")
    else:
        yield Finding("unknown", f"{title} is not known to the last picture [{one.source}]")


def _reach(source: str) -> set[str]:
    """A source and those that pass its pictures on."""
    return {source, *_read()["sources"][source].get("through", ())}


@functools.cache
def _read() -> dict[str, typing.Any]:
    text = Path(__file__).with_name("datasets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _freeze(row: dict[str, typing.Any]) -> dict[str, typing.Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
