"""What a task is, whose its data are, and what to cite: from the task's own module.

facts = describe_task("iwildcam")
facts.summary, facts.sources
"""

import dataclasses
import functools

from biobench import registry
from biobench.errors import BadInput

__all__ = ["DataSource", "TaskFacts", "describe_task"]


@dataclasses.dataclass(frozen=True)
class DataSource:
    """Whose data they are; files of one origin are one source."""

    citation: str
    licence: str
    files: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class TaskFacts:
    """A task as its module describes it."""

    summary: str
    """one sentence; empty where the task is not installed here."""
    sources: tuple[DataSource, ...]
    """none for one's own pictures."""


@functools.cache
def describe_task(kind: str) -> TaskFacts:
    """The facts of a task by its name; empty ones of a name that is not known here."""
    try:
        module = registry.load_task(kind)
    except BadInput:
        return TaskFacts("", ())
    found: dict[tuple[str, str], list[str]] = {}
    for source in getattr(module, "SOURCES", ()):
        found.setdefault((source.citation, source.licence), []).append(source.name)
    sources = [DataSource(*key, tuple(files)) for key, files in found.items()]
    summary = (module.__doc__ or "").strip().partition("\n")[0]
    return TaskFacts(summary, tuple(sources))
