"""How a command's help reads: what each option takes, and its default where it has one.

    tyro.cli(explain(Run), prog="biobench run", description=wrap(Run.__doc__))
    tidy(text)      # what tyro printed, its usage as wide as the rest

The commands are plain dataclasses; what stands behind an option (`N|auto`, `DIR`, `NAME…`) follows
from the field's type, unless the field says it itself. What an option is for is the text below its
field; a `Known` mark adds the names that can be given.
"""

import dataclasses
import inspect
import shutil
import textwrap
import types
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import tyro

from biobench.fields import get_text

__all__ = ["METRICS", "PROBES", "TEXT", "Imports", "Known", "explain", "tidy", "wrap"]

TEXT = "text"
"""key of a field's metadata: what it is for, where no text stands below it."""

Imports = Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODULE…", help_behavior_hint="")]
"""modules or .py files that register backbones, tasks, probes or metrics, imported first."""

# A test holds them equal to what there is; asking would cost the import of numpy and scikit-learn.
PROBES = (
    *("adamw-head", "knn", "linear", "logistic-search", "mlp", "openset", "ridge"),
    *("simpleshot", "svc", "svm", "zero-shot"),
)
METRICS = (
    *("accuracy", "auroc:CLASS", "average-precision:CLASS", "brier", "cost-score", "ece"),
    "expected-cost:FILE",
    *("macro-accuracy", "macro-auroc", "macro-f1", "mean-average-precision", "mean-score"),
    *("open-set-auroc", "open-set-tnr95", "rank-accuracy:RANK", "recall-at-1"),
    *("recall-at-1-apart", "retrieval-map", "retrieval-map-apart", "taxonomic-distance"),
    *("taxonomic-distance:RANK,RANK", "top-accuracy:K", "top5-accuracy"),
)

_NAMES = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


@dataclasses.dataclass(frozen=True)
class Known:
    """Marks a field whose values are names: those that there are stand in its help."""

    names: Callable[[], Sequence[str]]
    more: str = ""
    """what to add, as a command that says more."""


def explain(command: type) -> type:
    """The same dataclass, each of its fields saying what it takes and what its default is."""
    hints = typing.get_type_hints(command, include_extras=True)
    for field in dataclasses.fields(command):
        text = field.metadata.get(TEXT) or get_text(command, field.name)
        hint = _annotate(hints[field.name], field, text)
        field.type = command.__annotations__[field.name] = hint
    return command


def tidy(text: str) -> str:
    """A command's help as tyro prints it, its usage wrapped to the terminal's width."""
    usage, blank, rest = text.partition("\n\n")
    # An option and its value stay on one line.
    kept, depth = "", 0
    for char in " ".join(usage.split()):
        depth += (char == "[") - (char == "]")
        kept += "\N{NO-BREAK SPACE}" if char == " " and depth else char
    wrapped = textwrap.fill(
        kept,
        _get_width(),
        subsequent_indent=" " * 8,
        break_on_hyphens=False,
        break_long_words=False,
    )
    about, box, options = rest.partition("╭")
    about = "\n".join(line.strip() for line in about.split("\n"))
    return (wrapped.replace("\N{NO-BREAK SPACE}", " ") + blank + about + box + options).rstrip()


def wrap(text: str | None) -> str:
    """A docstring as wide as the terminal (COLUMNS in a pipe), its paragraphs kept."""
    width = _get_width()
    paragraphs = inspect.cleandoc(text or "").split("\n\n")
    # An indented line is one that tyro does not join to the line before; `tidy` takes it back.
    return "\n\n".join(
        textwrap.fill(" ".join(part.split()), width, subsequent_indent=" ") for part in paragraphs
    )


def _get_width() -> int:
    return min(shutil.get_terminal_size().columns, 100)


def _annotate(hint: typing.Any, field: dataclasses.Field, text: str) -> typing.Any:
    marks = _list_marks(hint)
    own = [part for part in marks if hasattr(part, "metavar")]
    metavar = own[0].metavar if own else None
    name = metavar or _describe(_strip(hint))
    for known in marks:
        if isinstance(known, Known):
            text += f" Known: {', '.join(known.names())}{known.more}."
    said = next((part.help_behavior_hint for part in own if part.help_behavior_hint), None)
    said = _say_default(field) if said is None else str(said)
    return typing.Annotated[hint, tyro.conf.arg(metavar=name, help=text, help_behavior_hint=said)]


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
