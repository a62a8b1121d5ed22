"""Flags from fields: what is an option of a dataclass becomes a field of a command.

    @dataclasses.dataclass(frozen=True)
    @take(Settings, PictureArgs, after="config")        # n_train: int = -1  ->  --n-train N…
    class Run:
        config: Path | None = None

    read(called, Settings)      # {"n_train": [5]}: what was given, in the types of Settings

With `only_given` (where a config file, or each task, has a value of its own) a flag that is not
given is None, empty or as the switch stands; else it has the field's own default. An option that
several of the classes have is that of the first.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import tyro

from biobench import registry
from biobench.commands.explaining import METRICS, PROBES, TEXT, Known
from biobench.fields import Option, get_fields, get_text, list_flags

__all__ = ["read", "take"]

_KNOWN = {
    "tasks": Known(registry.list_tasks, "; biobench tasks says what they are"),
    "probes": Known(lambda: PROBES),
    "metrics": Known(lambda: METRICS),
}


def take(
    *sources: type, after: str, only_given: bool = True, only: Collection[str] = ()
) -> Callable[[type], type]:
    """A class decorator, below `dataclass`: the options of `sources` as fields behind `after`.

    only: the names of those to take; without, all.
    """

    def add(command: type) -> type:
        own = dict(command.__annotations__)
        at = list(own).index(after) + 1
        made = {}
        for source in sources:
            for name, said in list_flags(source).items():
                if name not in made and name not in own and (not only or name in only):
                    made[name], default = _make_flag(source, name, said, only_given)
                    setattr(command, name, default)
        names = [*list(own)[:at], *made, *list(own)[at:]]
        command.__annotations__ = {name: {**own, **made}[name] for name in names}
        return command

    return add


def read(command: object, source: type) -> dict[str, typing.Any]:
    """The options of `source` that a command made by `take` has and was given, as its fields hold
    them.

    Paths are absolute texts, several values a list.
    """
    given = {}
    for name, said in list_flags(source).items():
        value = getattr(command, name, None)
        if isinstance(value, tuple):
            value = list(value) or None
        elif isinstance(value, bool) and value == said.default:
            value = None
        elif isinstance(value, Path):
            value = str(value.absolute())
        if value is not None:
            given[name] = value
    return given


def _make_flag(
    source: type, name: str, said: Option, only_given: bool
) -> tuple[typing.Any, typing.Any]:
    """The annotation and the default of a field of a command."""
    (field,) = (field for field in dataclasses.fields(source) if field.name == name)
    kind, default = get_fields(source)[name], field.default
    if default is dataclasses.MISSING:
        default = ()
    hint = ""
    if only_given:
        hint = _say_default(said, default)
        kind, default = _leave_open(kind, default, said)
    marks: dict[str, typing.Any] = {"help_behavior_hint": hint} if only_given else {}
    if said.metavar:
        marks["metavar"] = said.metavar
    flag: typing.Any = Annotated[kind, tyro.conf.arg(**marks)]
    if said.known:
        flag = Annotated[flag, _KNOWN[said.known]]
    text = get_text(source, name).replace("`", "")
    return flag, dataclasses.field(default=default, metadata={TEXT: text})


def _leave_open(kind: typing.Any, default: object, said: Option) -> tuple[typing.Any, object]:
    """A type of which one value says that nothing was given, and that value."""
    if kind is bool:
        return bool, default
    if said.path:
        return Path | None, None
    parts = typing.get_args(kind) if _is_union(kind) else (kind,)
    lists = [part for part in parts if typing.get_origin(part) in (list, tuple)]
    if lists:
        return tuple[typing.get_args(lists[0])[0], ...], ()
    return kind | None, None


def _is_union(kind: typing.Any) -> bool:
    return typing.get_origin(kind) in (typing.Union, types.UnionType)


def _say_default(said: Option, default: object) -> str:
    if not said.usual and (isinstance(default, bool | tuple) or not str(default)):
        return ""
    return f"(default: {said.usual or default})"
