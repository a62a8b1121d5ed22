"""Prints the list of checkpoints into models.md and contamination.md: python docs/make_models.py

Two tests hold the pages equal. What checkpoints cost is counted by measure_models.py.
"""

import itertools
import pathlib
from collections.abc import Iterator

from biobench import catalog

HERE = pathlib.Path(__file__).parent
MODELS, CONTAMINATION = HERE / "models.md", HERE / "contamination.md"


def make_models(page: str) -> str:
    """docs/models.md as it should be."""
    page = _fill(page, "exceptions", list_exceptions())
    return _fill(page, "checkpoints", list_checkpoints())


def make_contamination(page: str) -> str:
    """docs/contamination.md as it should be."""
    return _fill(page, "sets", [*list_tasks(), "", *list_sets()])


def list_exceptions() -> Iterator[str]:
    """Checkpoints whose published parameters are more than 2% off ours."""
    yield "| checkpoint | parameters here | published | why |"
    yield "|---|---|---|---|"
    for one in catalog.read_checkpoints():
        paper = one.published
        if paper is None or one.params is None or abs(one.params / paper.params - 1) <= 0.02:
            continue
        why = f"with a classifier of {paper.classes:,} classes" if paper.classes else ""
        why = paper.differs or why
        yield f"| `{one.name}` | {one.params:,} | {paper.params:,} | {why} |"


def list_checkpoints() -> Iterator[str]:
    """A table a family."""
    every = catalog.read_checkpoints()
    yield f"## The list ({len(every)})"
    for family, some in itertools.groupby(every, lambda one: one.family):
        yield f"\n### {family}\n"
        yield "| checkpoint | year | params | GFLOPs | px | dim | licence | trained on | seen |"
        yield "|---|---|---|---|---|---|---|---|---|"
        for one in some:
            numbers = (one.params, one.gflops, one.image_size, one.dim)
            shown = ["–" if value is None else f"{value:,}" for value in numbers]
            licence = one.licence + ", gated" * one.is_gated
            data = ", ".join(catalog.find_dataset(key).title for key in one.data)
            row = [f"`{one.name}`", str(one.year), *shown, licence, data, ", ".join(one.seen)]
            yield f"| {' | '.join(row)} |"


def list_tasks() -> Iterator[str]:
    """Where each task's pictures come from."""
    yield "## Where the tasks' pictures come from\n"
    yield "| task | |"
    yield "|---|---|"
    for task in catalog.list_tasks():
        yield f"| `{task}` | {catalog.find_task(task).because} |"


def list_sets() -> Iterator[str]:
    """What each data set holds, by whose word."""
    used = dict.fromkeys(key for one in catalog.read_checkpoints() for key in one.contents)
    yield "## The data sets\n"
    yield "| data set | holds | made of | known whole | source |"
    yield "|---|---|---|---|---|"
    for key in used:
        if key not in catalog.list_datasets():
            continue
        one = catalog.find_dataset(key)
        parts = ", ".join(catalog.find_dataset(part).title for part in one.parts)
        whole = "yes" if one.is_complete else f"none after {one.closed}" if one.closed else ""
        row = [f"{one.title} (`{key}`)", ", ".join(one.holds), parts, whole, one.source]
        yield f"| {' | '.join(row)} |"


def _fill(page: str, name: str, lines) -> str:
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    text = "\n".join(["", *lines, ""])
    return f"{before}{begin}{text}\n{end}{after}"


if __name__ == "__main__":
    for path, make in ((MODELS, make_models), (CONTAMINATION, make_contamination)):
        path.write_text(make(path.read_text(encoding="utf-8")), encoding="utf-8")
