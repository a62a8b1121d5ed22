"""Plain lines to a terminal, a pipe or a log, whatever its encoding and whoever named the models.

    say(f"{model}: done")                   # standard output
    say(f"biobench: {err}", error=True)

Nothing that is said can move the cursor, and a character that the stream's encoding lacks becomes
one that it has. Tables for people go through `biobench.console`, to the same end.
"""

import codecs
import io
import os
import sys
import traceback
import types
import typing

from biobench import clean

__all__ = ["is_terminal", "make_tolerant", "say", "show_exception"]

_HANDLER = "biobench"
"""name of the handler of encoding errors."""

_PLAIN = {"…": "...", "×": "x", "†": "+", "·": "-", "•": "-", **dict.fromkeys("‐‑‒–—−", "-")}
_PLAIN |= dict.fromkeys("‘’", "'") | dict.fromkeys("“”", '"')
_PLAIN |= dict.fromkeys("─━┄┅┈┉╌╍═╴╶╸╺╼╾", "-") | dict.fromkeys("│┃┆┇┊┋╎╏║╵╷╹╻╽╿", "|")
_PLAIN |= {chr(code): "+" for code in range(0x2500, 0x2580) if chr(code) not in _PLAIN}
_PLAIN |= {chr(code): "#" for code in range(0x2580, 0x25A0)}


def say(text: str, *, error: bool = False) -> None:
    """Print lines of text, on the error stream if `error`."""
    stream = sys.stderr if error else sys.stdout
    make_tolerant(stream)
    print(clean.lines(text), file=stream, flush=True)


def is_terminal(stream: typing.TextIO | io.TextIOBase | None) -> bool:
    """Whether a stream is a terminal on which lines can be drawn anew."""
    can_move = os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
    return can_move and stream is not None and stream.isatty()


def make_tolerant(*streams: object) -> None:
    """Let streams write characters that their encoding lacks as others that it has."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and stream.errors != _HANDLER:
            stream.reconfigure(errors=_HANDLER)


def show_exception(
    kind: type[BaseException], err: BaseException, trace: types.TracebackType | None
) -> None:
    """What Python prints of an error that nobody expected (`sys.excepthook`)."""
    say("".join(traceback.format_exception(kind, err, trace)).rstrip("\n"), error=True)


def _replace(err: UnicodeError) -> tuple[str, int]:
    if not isinstance(err, UnicodeEncodeError):
        raise err
    return "".join(map(_make_plain, err.object[err.start : err.end])), err.end


def _make_plain(char: str) -> str:
    spelled = _PLAIN.get(char, clean.line(char))
    return spelled.encode("ascii", "backslashreplace").decode()


codecs.register_error(_HANDLER, _replace)
