"""What every format of exports is made of: how it is recognised, and what its reader hands on.

    FORMAT = Format("Camtrap DP package", find=find, read=read)

    place = Place.of(path)              # a folder's text and JSON files, or the one that was named
    main = FORMAT.find(place)           # the file that makes it one, or None: by content
    rows = FORMAT.read(main, options)   # one row a file and what it is said to show

A reader only says what the export says. Which rows are used, and where their files lie, is decided
for all formats alike (`biobench.data.exports.assembling`).
"""

import dataclasses
import functools
import json
import pathlib
import re
import typing
from collections.abc import Callable, Iterable, Mapping

import msgspec
import polars as pl

from biobench.data.knowledge import RANKS
from biobench.data.picture_table import ROLES
from biobench.data.plaintext import TEXT_SUFFIXES, read_any_table, read_names
from biobench.errors import BadInput

__all__ = [
    "BLANK",
    "BOX",
    "HUMAN",
    "MISSING",
    "NOT_NAMED",
    "RANKS",
    "REMOTE",
    "SCHEMA",
    "UNCLASSIFIED",
    "UNKNOWN",
    "VEHICLE",
    "VIDEO",
    "Format",
    "Options",
    "Place",
    "Rows",
    "Table",
    "decode_json",
    "plain",
    "read_text",
]

BLANK = "pictures that are blank"
HUMAN = "pictures of people"
VEHICLE = "pictures of vehicles"
UNKNOWN = "pictures of something that nobody could name"
UNCLASSIFIED = "pictures that are not classified"
VIDEO = "videos"
MISSING = "pictures that are not there"
REMOTE = "pictures that are named by an address only"
NOT_NAMED = "observations that belong to no single picture"

BOX = pl.List(pl.Float64)

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "key": pl.String,  # what tells the export's media apart
    "shown": pl.String,  # the name under which a row is listed where it is left out
    "paths": pl.List(pl.String),  # names that the file may have, the likeliest first
    "ids": pl.List(pl.String),  # what the file may be called where it has none of those
    "gone": pl.String,  # why there is no file, where none is found
    "why": pl.String,  # why the row is left out, if it is
    "box": BOX,  # x y width height, and the width and height of the picture that they are of
}
"""columns of `Rows.table`, besides those of the export."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What a reader is told."""

    label: str = ""
    """the column that was asked for as the label, as it was written."""


@dataclasses.dataclass(frozen=True)
class Rows:
    """What an export says: one row a file and one thing that it shows."""

    table: pl.DataFrame
    """the columns of `SCHEMA`, those that manifests have names for (docs/architecture.md), and
    further ones of the export."""
    label: str
    """the column that is the label unless another is asked for."""
    group: tuple[str, ...]
    """columns that may be the group, the first that parts the pictures is."""
    own: tuple[pathlib.Path, ...]
    """the files that the export consists of."""
    everything: str = ""
    """the label with which, where it is asked for, blanks, people and vehicles are classes."""
    notes: tuple[str, ...] = ()
    """what was guessed, one sentence each."""


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of export."""

    name: str
    """as it stands in "read as a …"."""
    find: Callable[["Place"], pathlib.Path | None]
    """the file by which a place is one, or None; looks at content."""
    read: Callable[[pathlib.Path, Options], Rows]
    """raises BadInput naming the file on what cannot be understood."""


class Place:
    """The files among which an export is looked for, and what each begins with."""

    def __init__(self, files: Iterable[pathlib.Path]):
        self.files = tuple(files)
        self._names: dict[pathlib.Path, frozenset[str]] = {}
        self._keys: dict[pathlib.Path, Mapping[str, msgspec.Raw]] = {}

    @classmethod
    def of(cls, path: pathlib.Path) -> "Place":
        """Of a folder (not of those in it), or of one file."""
        if path.is_file():
            return cls([path])
        suffixes = (*TEXT_SUFFIXES, ".json", ".xml")
        found = (entry for entry in path.iterdir() if not entry.name.startswith("."))
        return cls(sorted(f for f in found if f.suffix.lower() in suffixes and f.is_file()))

    def find_table(self, *needed: str) -> pathlib.Path | None:
        """The first table whose header has all these names, in any spelling."""
        wanted = set(map(plain, needed))
        return next((path for path in self.files if wanted <= self.get_names(path)), None)

    def find_list_of_addresses(self, *needed: str) -> pathlib.Path | None:
        """The same, but a table that has paths of pictures is somebody's own (`picture_table`)."""
        own = set(map(plain, ROLES["path"]))
        files = [path for path in self.files if not own & self.get_names(path)]
        return Place(files).find_table(*needed)

    def find_json(self, **needed: str) -> pathlib.Path | None:
        """The first JSON file whose object has these keys with values that begin so ("[", "{")."""
        for path in self.files:
            keys = self.get_keys(path)
            if all(bytes(keys.get(k, b""))[:1] == start.encode() for k, start in needed.items()):
                return path
        return None

    def get_names(self, path: pathlib.Path) -> frozenset[str]:
        """The names in a table's header, in their plain spelling; none where it is no table."""
        if path.suffix.lower() not in TEXT_SUFFIXES:
            return frozenset()
        if path not in self._names:
            try:
                self._names[path] = frozenset(map(plain, read_names(path)))
            except (BadInput, OSError):
                self._names[path] = frozenset()
        return self._names[path]

    def get_keys(self, path: pathlib.Path) -> Mapping[str, msgspec.Raw]:
        """The keys of a JSON object; none where the file is none."""
        if path.suffix.lower() != ".json":
            return {}
        if path not in self._keys:
            try:
                self._keys[path] = decode_json(path, dict[str, msgspec.Raw])
            except BadInput:
                self._keys[path] = {}
        return self._keys[path]


class Table:
    """A table of an export: columns by name in any spelling, texts without spaces around them."""

    def __init__(self, table: pl.DataFrame):
        self.table = table
        self._names = {plain(name): name for name in reversed(table.columns)}

    def __contains__(self, name: str) -> bool:
        return plain(name) in self._names

    def get(self, *names: str) -> pl.Series:
        """The first of the columns that is there, empty values as null; else all null."""
        found = next((self._names[plain(n)] for n in names if n in self), None)
        if found is None:
            return pl.Series(names[0], [None] * self.table.height, dtype=pl.String)
        values = self.table[found].cast(pl.String).str.strip_chars()
        return pl.select(pl.when(values != "").then(values).alias(names[0])).to_series()

    def require(self, name: str, path: pathlib.Path) -> pl.Series:
        """A column that must be there; raises BadInput naming the file."""
        if name not in self:
            raise BadInput(
                f"{path}: there is no column {name} (found: {', '.join(self.table.columns[:12])}); "
                "export it again."
            )
        return self.get(name)

    def get_rest(self, *taken: str) -> dict[str, pl.Series]:
        """The columns of other names than those `taken`, if they hold anything."""
        plains = set(map(plain, taken))
        rest = {own: self.get(own) for key, own in self._names.items() if key not in plains}
        return {name: values for name, values in rest.items() if values.null_count() < len(values)}


def read_text(path: pathlib.Path, *wanted: str) -> tuple[Table, tuple[str, ...]]:
    """A CSV, TSV or Parquet file of an export, and what was guessed.

    wanted: names of columns by which the delimiter and the header are found.
    """
    plains = frozenset(map(plain, wanted))
    found = read_any_table(path, lambda names: len(plains & set(map(plain, names))))
    return Table(found.table), found.notes


def decode_json(path: pathlib.Path, kind: typing.Any) -> typing.Any:
    """A JSON file as `kind` (msgspec); raises BadInput naming the file and what is wrong."""
    try:
        data = path.read_bytes()
    except OSError as err:
        raise BadInput(f"{path} cannot be read ({err.strerror}).") from err
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        if any(word in data for word in (b"NaN", b"Infinity")):
            # Python writes them though JSON has none; as null they are what they mean.
            data = msgspec.json.encode(json.loads(data))
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.DecodeError, ValueError) as err:
        raise BadInput(f"{path} cannot be understood ({err}); export it again.") from err


@functools.lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """A column's name without case, spaces and marks: scientificName is scientific_name."""
    return re.sub(r"[\W_]+", "", name).lower()
