"""Text from elsewhere (names, labels, warnings, causes of errors, paths), made safe to show.

    clean.line(name)            # a terminal: one line, nothing hidden, nothing obeyed
    clean.lines(log)            # the same, but its line breaks stay
    clean.sentence(str(err))    # a message that may have line breaks, on one line
    clean.markdown(name), clean.latex(name), clean.html(name), clean.to_json(rows)
    clean.csv_table(table).write_csv()
    clean.shell(words)          # a command to copy

One function for each kind of output, and every way to that output leads through it. What cannot be
seen is spelled, as `\\x1b` or `\\u202e`: control characters, with them a terminal's escapes;
characters that turn the direction of writing or have no width; line separators; halves of surrogate
pairs.
"""

import html as _html
import json
import math
import re
import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "csv",
    "csv_table",
    "html",
    "latex",
    "line",
    "lines",
    "markdown",
    "sentence",
    "shell",
    "to_json",
]

_HIDDEN = (
    # Unicode's categories Cc, Cf (but for signs that are drawn), Zl, Zp and Cs, and the letters
    # and marks that have no shape.
    r"\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff"
    r"\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_IN_LINE = re.compile(f"[{_HIDDEN}]")
_IN_LINES = re.compile(rf"(?![\n\t])[{_HIDDEN}]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NAMED = {"\n": r"\n", "\t": r"\t", "\r": r"\r"}


def line(text: str) -> str:
    """`text` on one line of a terminal."""
    return _IN_LINE.sub(_spell, text)


def lines(text: str) -> str:
    """`text` for a terminal, with its own line breaks and tabs."""
    return _IN_LINES.sub(_spell, text)


def sentence(text: str) -> str:
    """A message on one line of a terminal; its line breaks become blanks."""
    return line(re.sub(r"\s*[\r\n]\s*", " ", text.strip()))


def _spell(match: re.Match[str]) -> str:
    char = match[0]
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    # Python keeps the bytes of a file name that are not UTF-8 as such halves of pairs.
    if code < 0x80 or 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def html(text: str) -> str:
    """`text` for HTML and SVG, in attributes, too."""
    return _html.escape(lines(text))


def markdown(text: str) -> str:
    """`text` so that Markdown, GitHub's too, shows it as it is: no markup, no link, no HTML."""
    shown = re.sub(r"([\\|*_\[\]<>`~&$#])", r"\\\1", line(text).strip())
    # What some dialects make a link of by themselves.
    shown = re.sub(r"(?i)://|www\.|@", lambda found: f"{found[0][:-1]}\\{found[0][-1]}", shown)
    # What would begin a list or a heading.
    return re.sub(r"^(\d*)([-+=.)])(?=\s|$|[-=\s]+$)", r"\1\\\2", shown)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",
    '"': r"\symbol{34}",
    "–": "--",
    "−": "$-$",
    # After \\ and \midrule a bracket or a star would be taken for their argument.
    **{char: f"{{{char}}}" for char in "[]*"},
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def latex(text: str) -> str:
    """`text` so that LaTeX shows it as it is; on one line, so that it may stand in a comment."""
    shown = "".join(_LATEX.get(char, char) for char in re.sub("-(?=-)", "-\0", line(text)))
    return shown.replace("\0", "{}")


_FORMULA = r"['\s]*[=+\-@＝＋－＠\t\r\n]"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def csv(text: str) -> str:
    """`text` as a cell of a CSV file: no spreadsheet takes it for a formula.

    What begins like one (`=`, `+`, `-`, `@`, a tab or a line break, after any blanks and
    apostrophes) gets an apostrophe in front, unless it is a number. To undo it, take the first
    character away where a cell is an apostrophe before such a beginning.
    """
    shown = lines(text)
    if re.match(_FORMULA, shown) and not _NUMBER.fullmatch(shown):
        return f"'{shown}"
    return shown


def csv_table(table: "pl.DataFrame") -> "pl.DataFrame":
    """The table with every text made safe for a CSV file; numbers stay numbers."""
    import polars as pl

    may_change = rf"^(?:{_FORMULA})|[^\P{{C}}\n\t]|[\p{{Zl}}\p{{Zp}}\u034F\u115F\u1160\u17B4\u17B5"
    may_change += r"\u180B-\u180F\u3164\uFFA0\x{E0000}-\x{E0FFF}]"
    columns = []
    for column in table.select(pl.col(pl.String)):
        found = column.filter(column.str.contains(may_change).fill_null(False)).unique().to_list()
        columns.append(column.replace(found, [csv(value) for value in found]))
    return table.with_columns(columns)


def to_json(value: object, *, indent: int | None = None) -> str:
    """`value` as JSON in ASCII that every reader takes.

    A number that is none becomes null; what JSON has no type for (a date, a path) becomes text.
    """
    return json.dumps(_to_plain(value), indent=indent, allow_nan=False, default=str)


def _to_plain(value: object) -> object:
    if isinstance(value, str):
        return _SURROGATE.sub(_spell, value)
    if isinstance(value, dict):
        return {_to_plain(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def shell(words: Iterable[str]) -> str:
    """A command line to copy, each word quoted, what is hidden spelled as Bash reads it."""
    return " ".join(map(_quote, words))


def _quote(word: str) -> str:
    if not _IN_LINE.search(word):
        return shlex.quote(word)
    spelled = re.sub(r"[\\']", r"\\\g<0>", word)
    return f"$'{line(spelled)}'"
