"""Reads tables as other programs write them: any usual encoding, delimiter and line ending.

    found = read_any_table(path, is_wanted)     # every column as text
    found.table, found.notes                    # notes: what was guessed, in words

Excel, R, camera-trap programs and people write the same table in some twenty ways. What the bytes
say for sure (a byte-order mark, invalid UTF-8) decides; the delimiter is the one by which the
header has the columns that are wanted.
"""

import csv
import dataclasses
import io
import itertools
import pathlib
from collections.abc import Callable, Iterable, Sequence

import polars as pl

from biobench.errors import BadInput

__all__ = ["PARQUET_SUFFIXES", "TEXT_SUFFIXES", "AnyTable", "read_any_table", "read_names"]

PARQUET_SUFFIXES = (".parquet", ".pq")
TEXT_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
HEAD = 4096
BEGINNING = 65_536
"""bytes in which a header is looked for, where only that is wanted."""
MAX_BEFORE_HEADER = 10
"""lines among which a header is looked for, where the first line is none."""


@dataclasses.dataclass(frozen=True)
class AnyTable:
    """A table as it was read; its columns have the names that the file gives them."""

    table: pl.DataFrame
    notes: tuple[str, ...] = ()
    """what was guessed, one sentence each."""


def read_any_table(path: pathlib.Path, n_wanted: Callable[[Sequence[str]], int]) -> AnyTable:
    """Read a Parquet file, or a text file with one row a line; every value of the latter is text.

    n_wanted: how many of a header's names are columns that are looked for; by it the delimiter is
        found.
    Raises BadInput naming the file, and the line where one does not fit the header.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; correct the path.")
    if path.suffix.lower() in PARQUET_SUFFIXES:
        try:
            return AnyTable(pl.read_parquet(path))
        except (pl.exceptions.PolarsError, OSError) as err:
            raise BadInput(f"{path} cannot be read as a Parquet file: {err}.") from err
    try:
        data = path.read_bytes()
    except OSError as err:
        raise BadInput(f"{path} cannot be read ({err.strerror}).") from err
    text, encoding = _decode(data, path)
    if "\n" not in text:
        text = text.replace("\r", "\n")
    # Programs of MS-DOS descent end a text with Ctrl-Z.
    text, declared = _take_declaration(text.rstrip("\x1a"))
    if not text.strip():
        raise BadInput(f"{path} is empty; write a header and one row a picture.")
    n_before = 0 if declared else _count_lines_before_header(text, n_wanted)
    text = text.split("\n", n_before)[n_before]
    delimiter = declared or _find_delimiter(text, n_wanted)
    table = _parse(text, delimiter, path, n_before + bool(declared))
    notes = []
    if n_before:
        notes.append(f"The header of {path.name} is read from line {n_before + 1}.")
    if encoding:
        notes.append(f"{path.name} is read as {encoding}.")
    if delimiter not in (",", declared) and not (
        delimiter == "\t" and path.suffix.lower() in (".tsv", ".tab")
    ):
        notes.append(f"The columns of {path.name} are separated by {DELIMITERS[delimiter]}.")
    return AnyTable(table, tuple(notes))


def read_names(path: pathlib.Path) -> list[str]:
    """The names in the first line of a text file, by the delimiter that makes most of them.

    Reads no more than the file's beginning. Raises BadInput where that is no text.
    """
    with path.open("rb") as file:
        head = file.read(BEGINNING)
    # What was cut in the middle of a letter says nothing of the encoding.
    head = head[: len(head) - len(head) % 4]
    end = head.rfind(b"\n")
    if len(head) > HEAD and end > 0 and b"\x00" not in head[:HEAD]:
        head = head[:end]
    text, _ = _decode(head, path)
    text, declared = _take_declaration(text)
    delimiter = declared or _find_delimiter(text, lambda names: 0)
    return [name.strip() for name in _read_header(io.StringIO(text), delimiter)]


def _decode(data: bytes, path: pathlib.Path) -> tuple[str, str]:
    """The text, and its encoding where that is worth a word."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            try:
                return data.decode(encoding), "" if encoding == "utf-8-sig" else encoding.upper()
            except UnicodeDecodeError as err:
                raise BadInput(f"{path} is damaged: not {encoding.upper()} ({err}).") from err
    # Text without marks whose every other byte is 0 is UTF-16; no other encoding writes zeros.
    if b"\x00" in data[:HEAD]:
        even, odd = data[:HEAD:2].count(0), data[1:HEAD:2].count(0)
        try:
            return data.decode("utf-16-le" if odd > even else "utf-16-be"), "UTF-16"
        except UnicodeDecodeError:
            raise BadInput(f"{path} is no text; give a CSV or Parquet file.") from None
    try:
        return data.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), "Windows-1252 (Western European)"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1 (Western European)"


def _take_declaration(text: str) -> tuple[str, str]:
    """The text without Excel's first line `sep=;`, and the delimiter that it declares."""
    first, newline, rest = text.partition("\n")
    found = first.strip().lower()
    if newline and found.startswith("sep=") and found[4:] in DELIMITERS:
        return rest, found[4:]
    return text, ""


def _find_delimiter(text: str, n_wanted: Callable[[Sequence[str]], int]) -> str:
    def judge(delimiter: str) -> tuple[int, int]:
        header = _read_header(io.StringIO(text), delimiter)
        return n_wanted(header), len(header)

    # The first of equals: a comma, unless another explains more.
    return max(DELIMITERS, key=judge)


def _read_header(lines: Iterable[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        # The same will be found when all is read, which says where.
        return []


def _count_lines_before_header(text: str, n_wanted: Callable[[Sequence[str]], int]) -> int:
    """How many lines (a title, comments) stand before the first that names two wanted columns.

    0 where the first line names one, or none of the first few does.
    """

    def judge(line: str) -> int:
        return max(n_wanted(_read_header([line], delimiter)) for delimiter in DELIMITERS)

    first, *others = itertools.islice(io.StringIO(text), MAX_BEFORE_HEADER + 1)
    if judge(first):
        return 0
    return next((number for number, line in enumerate(others, 1) if judge(line) > 1), 0)


def _parse(text: str, delimiter: str, path: pathlib.Path, n_before: int) -> pl.DataFrame:
    rows = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(reader)]
        for row in reader:
            if not any(value.strip() for value in row):
                continue
            # Programs that end each line with a delimiter do not do so in the header, or do both.
            while len(row) > len(header) and not row[-1].strip():
                row.pop()
            if len(row) != len(header):
                what = f"quote values that contain the delimiter ({DELIMITERS[delimiter]})"
                raise BadInput(
                    f"{path}: line {n_before + reader.line_num} has {len(row)} values, but the "
                    f"header has {len(header)} names; "
                    f"{what if len(row) > len(header) else 'complete the line'}."
                )
            rows.append(row)
    except csv.Error as err:
        line = n_before + reader.line_num
        raise BadInput(f"{path}: line {line} cannot be read ({err}).") from err
    unnamed = {number for number, name in enumerate(header) if not name}
    names = [name or f"column_{number + 1}" for number, name in enumerate(header)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{path}: two columns are called '{twice}'; rename one.")
    columns = {name: [row[number] for row in rows] for number, name in enumerate(names)}
    table = pl.DataFrame(columns, schema=dict.fromkeys(names, pl.String))
    # A column without a name or a value is a delimiter too many; one with values is a row index.
    return table.drop(names[number] for number in unnamed)
