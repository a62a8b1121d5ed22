"""What a dataclass's field says of itself: an option is written once, as a field.

    @dataclasses.dataclass(frozen=True)
    class Args(TaskArgs):
        exif: bool = option(False, decides=("features", "protocol"))
        \"\"\"rotate pictures as their EXIF tag says.\"\"\"

    list_options(Args)["exif"].decides      # ("features", "protocol")
    get_text(Args, "exif")                  # "rotate pictures as their EXIF tag says."
    get_decided(args, "features")           # {"exif": True, …}: what goes into a feature's key

Flags (`biobench.commands.flags`), keys of a config file (`biobench.launch.config`), the options of
embedding, a cell's protocol, a feature's key, the command that `reproduce` prints and the tables of
docs/config.md are made from it. A class that gives a field another default or text need not repeat
what it inherits.
"""

import ast
import dataclasses
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable

__all__ = [
    "Option",
    "describe_type",
    "fits",
    "get_decided",
    "get_fields",
    "get_text",
    "list_flags",
    "list_options",
    "option",
]

Decided = typing.Literal["data", "features", "parts", "protocol"]
"""data: which pictures with which labels, which the manifest's digest holds. features: the vectors,
through the key of the cache. parts: which part of a picture a vector is made of, which its own key
in the cache holds. protocol: what is made of them, as a part of a cell's identity."""


@dataclasses.dataclass(frozen=True)
class Option:
    """What a field is besides its name, type, default and text."""

    default: object = dataclasses.MISSING
    """that of the class which declares it first, whatever its descendants make of it."""
    decides: tuple[Decided, ...] = ()
    """what other values change; nothing, where they change only how long it takes."""
    always: bool = False
    """whether it stands in what it decides even at its default. So do the first options; a later
    one stands there only where it is set, so that runs made before it stay the cells they are."""
    plan: str = ""
    """the field of `launch.Settings` that sets it; it then is no flag or key of its own."""
    own: bool = False
    """whether each task has its own: it then is a key of a task's table only, and no flag."""
    metavar: str = ""
    """what stands behind the flag; else its type says it."""
    known: str = ""
    """"tasks", "probes" or "metrics": the kind of thing whose names it takes."""
    path: bool = False
    """whether it is a path: relative to the config file, or to where the command is called."""
    usual: str = ""
    """in words, what it is where it is not given, if the default does not say it."""
    refused: bool = False
    """whether a task that does not have it refuses it, instead of passing over it."""


def option(
    default: typing.Any = dataclasses.MISSING,
    *,
    factory: Callable[[], typing.Any] | None = None,
    **said: typing.Any,
) -> typing.Any:
    """A field that is an option. said: fields of `Option`; factory: makes a mutable default."""
    if factory is not None:
        made = Option(default=factory(), **said)
        return dataclasses.field(default_factory=factory, metadata={Option: made})
    return dataclasses.field(default=default, metadata={Option: Option(default=default, **said)})


def list_options(cls: type) -> dict[str, Option]:
    """The options among a dataclass's fields, in order."""
    found = {field.name: _find_option(cls, field.name) for field in dataclasses.fields(cls)}
    return {name: said for name, said in found.items() if said is not None}


def list_flags(cls: type) -> dict[str, Option]:
    """The options that are flags: neither set by the plan nor each task's own."""
    return {name: said for name, said in list_options(cls).items() if not (said.plan or said.own)}


def get_decided(args: typing.Any, what: Decided) -> dict[str, object]:
    """The values of what decides `what` among the options of `args`, later ones only where set."""
    values = {
        name: (said, getattr(args, name))
        for name, said in list_options(type(args)).items()
        if what in said.decides
    }
    return {n: value for n, (said, value) in values.items() if said.always or value != said.default}


def get_fields(cls: type) -> dict[str, typing.Any]:
    """A dataclass's fields and their annotations, resolved."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def get_text(cls: type, name: str) -> str:
    """The text below a field, in one line; that of the nearest class that has one."""
    return next((texts[name] for base in cls.__mro__ if name in (texts := _read_texts(base))), "")


def fits(value: object, kind: typing.Any) -> bool:
    """Whether a value as TOML and JSON have them fits a field's annotation."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, arg) for arg in args)
    if origin is typing.Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin in (list, tuple):
        return isinstance(value, list) and all(fits(item, args[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(v, args[1]) for v in value.values())
    if kind is float:
        return type(value) in (int, float)
    if kind in (object, typing.Any):
        return True
    return type(value) is kind


def describe_type(kind: typing.Any) -> str:
    """A field's annotation in words."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    names = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
    plurals = {int: "integers", float: "numbers", str: "texts"}
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe_type(arg) for arg in args if arg is not type(None))
    if origin is typing.Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin in (list, tuple):
        return f"a list of {plurals.get(args[0], 'values')}"
    if origin is dict or dataclasses.is_dataclass(kind):
        return "a table"
    return names.get(kind, str(kind))


def _find_option(cls: type, name: str) -> Option | None:
    fields = [vars(base).get("__dataclass_fields__", {}).get(name) for base in cls.__mro__]
    found = [field.metadata[Option] for field in fields if field and Option in field.metadata]
    if not found:
        return None
    # A descendant may give it another default and other words, but no other meaning.
    first = found[-1]
    return dataclasses.replace(
        found[0], default=first.default, decides=first.decides, always=first.always
    )


@functools.cache
def _read_texts(cls: type) -> dict[str, str]:
    """The text below each of a class's own fields, in one line."""
    try:
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError):  # built in, or typed at a prompt
        return {}
    if not isinstance(body, ast.ClassDef):
        return {}
    texts = {}
    for node, below in zip(body.body, body.body[1:], strict=False):
        match node, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                texts[name] = " ".join(str(text).split())
    return texts
