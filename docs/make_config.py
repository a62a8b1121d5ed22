"""Writes the tables of docs/config.md and docs/identity.md from the fields that are options.

    python docs/make_config.py      # a test holds both pages equal to what it makes

A table stands between <!-- NAME --> and <!-- end -->; the rest of a page is written by hand.
"""

import dataclasses
import json
import pathlib
import re
import typing
from collections.abc import Iterable

from biobench import registry
from biobench.args import Args, PictureArgs
from biobench.fields import describe_type, get_fields, get_text, list_flags, list_options
from biobench.launch.config import Settings, SlurmSettings, TaskTable, list_keys

PAGES = [pathlib.Path(__file__).with_name(name) for name in ("config.md", "identity.md")]

DECIDED = {
    "data": "the data, by the digest of the manifest",
    "features": "the features, by the backbone's digest",
    "parts": "the part of a picture that a vector is made of, by the vector's own key",
    "protocol": "the protocol",
}


def make_page(text: str) -> str:
    """A page with its tables as they should be."""

    def fill(match: re.Match) -> str:
        table = "\n".join(TABLES[match[1]]())
        return f"<!-- {match[1]} -->\n{table}\n<!-- end -->"

    return re.sub(r"<!-- (\S+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def _list_top() -> Iterable[str]:
    return _list_keys(Settings, list_options(Settings))


def _list_common() -> Iterable[str]:
    return _list_keys(Args, list_flags(Args))


def _list_table() -> Iterable[str]:
    own = [name for name, said in list_options(PictureArgs).items() if said.own]
    rows = [*_list_keys(TaskTable, list_options(TaskTable))]
    return [*rows, *list(_list_keys(PictureArgs, own))[2:]]


def _list_tasks() -> Iterable[str]:
    yield from _head("task", "key", "type", "default", "meaning")
    for task in registry.list_tasks():
        cls = registry.load_task(task).Args
        for name in list_keys(cls):
            if name not in get_fields(Args):
                yield _row(f"`{task}`", *_describe(cls, name))


def _list_slurm() -> Iterable[str]:
    return _list_keys(SlurmSettings, get_fields(SlurmSettings))


def _list_decided() -> Iterable[str]:
    yield from _head("option", "what it decides")
    for name, said in list_options(PictureArgs).items():
        decided = " and ".join(DECIDED[what] for what in said.decides) or "nothing"
        yield _row(f"`{said.plan or name}`", decided)


TABLES = {
    "top": _list_top,
    "common": _list_common,
    "table": _list_table,
    "tasks": _list_tasks,
    "slurm": _list_slurm,
    "decided": _list_decided,
}


def _list_keys(cls: type, names: Iterable[str]) -> Iterable[str]:
    yield from _head("key", "type", "default", "meaning")
    for name in names:
        yield _row(*_describe(cls, name))


def _describe(cls: type, name: str) -> tuple[str, str, str, str]:
    said = list_options(cls).get(name)
    is_path = said is not None and said.path
    kind = get_fields(cls)[name]
    words = describe_type(kind)
    words = re.sub(r"\b(an?) ", "", words)
    words = re.sub(r"'([^']*)'", r'`"\1"`', words)
    if is_path:
        words = "table of paths" if typing.get_origin(kind) is dict else "path"
    (field,) = (field for field in dataclasses.fields(cls) if field.name == name)
    default = field.default
    if default is dataclasses.MISSING:
        default = field.default_factory()
    shown = f"`{json.dumps(default)}`" if default not in ("", None) else ""
    if said is not None and said.usual:
        shown = said.usual
    text = get_text(cls, name).rstrip(".")
    return f"`{name}`", words, shown, text


def _head(*cells: str) -> list[str]:
    return [_row(*cells), "|" + "---|" * len(cells)]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(make_page(page.read_text(encoding="utf-8")), encoding="utf-8")
