"""`biobench completion`: what a shell needs to complete every command and option."""

import argparse
import dataclasses
import types
import typing
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench.commands.explaining import Known

__all__ = ["Completion"]


@dataclasses.dataclass(frozen=True)
class Completion:
    """Print the script by which a shell completes biobench's commands and options.

    For bash: eval "$(biobench completion bash)", in ~/.bashrc to have it always. For zsh: write it
    to a file _biobench in a folder of $fpath. For tcsh: source it.
    """

    shell: tyro.conf.Positional[
        Annotated[Literal["bash", "zsh", "tcsh"], tyro.conf.arg(metavar="bash|zsh|tcsh")]
    ]
    """the shell."""

    def main(self) -> int:
        import shtab

        from biobench.commands import COMMANDS, load_command
        from biobench.screen import say

        root = argparse.ArgumentParser(prog="biobench")
        root.add_argument("--version", action="store_true")
        commands = root.add_subparsers()
        for name, (_, text) in COMMANDS.items():
            parser = commands.add_parser(name, help=text, description=text)
            for field, hint in _list_fields(load_command(name)):
                _add(parser, field, hint)
        say(shtab.complete(root, self.shell))
        return 0


def _list_fields(command: type) -> list[tuple[dataclasses.Field, typing.Any]]:
    hints = typing.get_type_hints(command, include_extras=True)
    return [(field, hints[field.name]) for field in dataclasses.fields(command)]


def _add(parser: argparse.ArgumentParser, field: dataclasses.Field, hint: typing.Any) -> None:
    import shtab

    marks, kinds = _take_apart(hint)
    choices = [item for kind in kinds for item in _choices(kind)]
    known = [name for mark in marks if isinstance(mark, Known) for name in mark.names()]
    name = field.name.replace("_", "-")
    if kinds == [bool]:
        parser.add_argument(f"--{name}", f"--no-{name}", action="store_true")
        return
    many = any(typing.get_origin(kind) in (list, tuple) for kind in kinds)
    options: dict[str, typing.Any] = {"choices": choices} if choices and len(kinds) == 1 else {}
    if many:
        options["nargs"] = "*"
    if known:
        # NAME:ARGUMENT is completed by whoever knows the argument.
        options["choices"] = [name for name in known if ":" not in name]
    action = parser.add_argument(
        name if typing.get_args(tyro.conf.Positional[int])[1] in marks else f"--{name}", **options
    )
    if Path in kinds:
        vars(action)["complete"] = shtab.FILE


def _take_apart(hint: typing.Any) -> tuple[list[typing.Any], list[typing.Any]]:
    """What an annotation carries beside its types, and its types without None."""
    marks = []
    while typing.get_origin(hint) is Annotated:
        hint, *own = typing.get_args(hint)
        marks += own
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [_take_apart(arg) for arg in typing.get_args(hint) if arg is not types.NoneType]
        return marks + [m for own, _ in parts for m in own], [k for _, own in parts for k in own]
    return marks, [hint]


def _choices(kind: typing.Any) -> list[str]:
    return [str(a) for a in typing.get_args(kind)] if typing.get_origin(kind) is Literal else []
