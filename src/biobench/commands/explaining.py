"""How a command's help reads: what each option takes, and its default where it has one.

    tyro.cli(explain(Run), prog="biobench run", description=wrap(Run.__doc__))

The commands are plain dataclasses; what stands behind an option (`N|auto`, `DIR`, `NAME…`) follows
from the field's type, unless the field says it itself.
"""

import dataclasses
import inspect
import shutil
import textwrap
import types
import typing
from pathlib import Path

import tyro

__all__ = ["explain", "wrap"]

_NAMES = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def explain(command: type) -> type:
    """The same dataclass, each of its fields saying what it takes and what its default is."""
    hints = typing.get_type_hints(command, include_extras=True)
    for field in dataclasses.fields(command):
        field.type = command.__annotations__[field.name] = _annotate(hints[field.name], field)
    return command


def wrap(text: str | None) -> str:
    """A docstring as wide as the terminal (COLUMNS in a pipe), its paragraphs kept."""
    width = min(shutil.get_terminal_size().columns, 100)
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    # An indented line is one that tyro does not join to the line before.
    return "\n\n".join(
        textwrap.fill(" ".join(part.split()), width, subsequent_indent=" ") for part in paragraphs
    )


def _annotate(hint: typing.Any, field: dataclasses.Field) -> typing.Any:
    own = [part for part in _list_marks(hint) if hasattr(part, "metavar")]
    metavar = own[0].metavar if own else None
    name = metavar or _describe(_strip(hint))
    said = _say_default(field)
    return typing.Annotated[hint, tyro.conf.arg(metavar=name, help_behavior_hint=said)]


def _say_default(field: dataclasses.Field) -> str:
    """The default in brackets; nothing where its absence says it, as of switches."""
    default = field.default
    if default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
        return "(required)"
    if default is dataclasses.MISSING or default is None or isinstance(default, bool | tuple):
        return ""
    return f"(default: {default})" if str(default) else ""


def _list_marks(hint: typing.Any) -> list[typing.Any]:
    """What an annotation carries beside its type, at any depth."""
    marks = list(getattr(hint, "__metadata__", ()))
    for inner in typing.get_args(hint):
        marks += _list_marks(inner)
    return marks


def _strip(hint: typing.Any) -> typing.Any:
    while typing.get_origin(hint) is typing.Annotated:
        hint = typing.get_args(hint)[0]
    return hint


def _describe(kind: typing.Any) -> str | None:
    """What an option takes, in the words of a usage line; None for a switch."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        parts = [_describe(_strip(arg)) for arg in args if arg is not types.NoneType]
        return "|".join(part for part in parts if part)
    if origin is typing.Literal:
        return "|".join(map(str, args))
    if origin in (list, tuple):
        return f"{_describe(_strip(args[0]))}…"
    return None if kind is bool else _NAMES.get(kind, "TEXT")
