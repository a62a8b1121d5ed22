"""The manifest: one row an image, and everything a benchmark needs to know about it.

    manifest = Manifest.build(root, rows)      # checks the columns, fills in the optional ones
    manifest.check_files()                     # every file is there, before hours of work
    manifest.split("train")                    # the rows of one split

A task is little more than a function from a folder to one of these.
"""

import collections
import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from biobench import clean
from biobench.data import box_columns, contents, knowledge
from biobench.data.picture_files import LeftOut, count_left_out, name_reason, show_name
from biobench.errors import BadInput

__all__ = ["Manifest", "read_table", "require_columns", "require_folder", "require_plain"]

REQUIRED = ("image", "example", "split", "label")
OPTIONAL = ("subtask", "group")
RESERVED = ("y_true", "y_pred", "score", "top_labels", "top_scores", "train_count")
RESERVED += ("position", "positions", "row")
DOWNLOADS = ".download"
"""folder in a task's data folder that `biobench download` keeps."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A table of images below `root`; the columns are listed in docs/architecture.md."""

    root: pathlib.Path
    table: pl.DataFrame
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    """rows and files that the task left out, counted by reason."""
    left_out: tuple[LeftOut, ...] = ()
    """the files among them, one by one."""
    notes: tuple[str, ...] = ()
    """what a reader of the results should know of how the data was read, one sentence each."""

    @classmethod
    def build(
        cls,
        root: pathlib.Path,
        table: pl.DataFrame,
        *,
        source: str,
        splits: Sequence[str] = ("train", "test"),
        clips: bool = False,
        dropped: dict[str, int] | None = None,
        left_out: Sequence[LeftOut] = (),
        notes: Sequence[str] = (),
    ) -> "Manifest":
        """Check `table` and bring it into the manifest's form.

        source: the file or folder the rows came from, named in errors.
        splits: the splits that must not be empty.
        clips: an example may have many images; else each example has one row a subtask.
        dropped, left_out: rows left out, by reason, and files, which are counted with them.
        Further columns of lists, structs or bytes are left out but for `box`, those with a name
        that predictions need are renamed; a note says so. What a picture knows is brought into its
        form (`biobench.data.knowledge`).
        Raises BadInput on a missing column, an empty value, an empty split, a repeated id, or an
        example that stands in two splits, under two labels or in two groups.
        """
        require_columns(table, REQUIRED, source)
        require_plain(table, [*REQUIRED, *OPTIONAL], source)
        table, renamed = _keep_plain(table)
        table, unread = knowledge.bring_into_form(table)
        table = table.with_columns(
            pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in table.columns
        )
        names = [*REQUIRED, *OPTIONAL]
        table = table.select(
            *(pl.col(name).cast(pl.String) for name in names),
            *(pl.col(name) for name in table.columns if name not in names),
        )
        _check_values(table, source)
        _check_examples(table, source, clips)
        for split in splits:
            if not (table["split"] == split).any():
                found = ", ".join(sorted(table["split"].unique())) or "none"
                raise BadInput(
                    f"{source}: the split '{split}' is empty (splits found: {found}); "
                    "check that the whole data set was extracted."
                )
        counts = count_left_out(left_out)
        for reason, n in (dropped or {}).items():
            counts[reason] = counts.get(reason, 0) + n
        return cls(pathlib.Path(root), table, counts, tuple(left_out), (*notes, *renamed, *unread))

    def split(self, *names: str) -> pl.DataFrame:
        """The rows of the named splits, in order."""
        return self.table.filter(pl.col("split").is_in(names))

    def describe(self) -> str:
        """What was found and what was left out, by reason with the first names, in one line."""
        n_images, n_classes = self.table["image"].n_unique(), self.table["label"].n_unique()
        text = (
            f"{n_images:,} picture{'s' * (n_images != 1)} in {n_classes:,} "
            f"class{'es' * (n_classes != 1)}"
        )
        names = collections.defaultdict(list)
        for out in self.left_out:
            names[out.reason].append(show_name(out.path))
        parts = []
        for reason, n in self.dropped.items():
            shown = ", ".join(names[reason][:2]) + (", …" if len(names[reason]) > 2 else "")
            parts.append(f"{n:,} {name_reason(reason, n)}" + (f" ({shown})" if shown else ""))
        if not parts:
            return f"{text}; nothing left out"
        return f"{text}; {sum(self.dropped.values()):,} left out: {', '.join(parts)}"

    def images(self) -> list[str]:
        """Every image once, in order of first appearance."""
        return list(self._images)

    @functools.cached_property
    def _images(self) -> tuple[str, ...]:
        return tuple(self.table["image"].unique(maintain_order=True).to_list())

    def check_files(self, known: contents.Known | None = None) -> None:
        """Raise BadInput naming the first missing files, if any is missing.

        known: what is known of these and maybe other pictures, where they were listed already.
        """
        names = self.images()
        absent = (known or contents.lookup(self.root, names)).missing
        missing = [name for name in names if name in absent] if absent else []
        if missing:
            example = self.table.filter(pl.col("image") == missing[0])["example"][0]
            shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise BadInput(
                f"{self.root}: {len(missing):,} of {len(names):,} pictures are missing ({shown}; "
                f"the first belongs to example '{example}'); extract the data set again, or point "
                "--data at the right folder."
            )

    def digest(self, hashes: pl.Series | None = None) -> str:
        """A hex string over every value of the table and the content of every file.

        hashes: of `images()`, in order (Binary; null where a file cannot be read), as
        `biobench.data.contents` makes them; without, files that are not known are read for it.
        Equal data have equal digests wherever they lie; other labels, rows or contents change it.
        """
        if hashes is None:
            hashes = contents.hash_files(self.root, self.images())
        ordered = self.table.select(sorted(self.table.columns))
        if "box" in ordered.columns:
            # A CSV file has no lists.
            ordered = ordered.with_columns(pl.col("box").cast(pl.List(pl.String)).list.join(" "))
        header = "\x1f".join(f"{name}:{dtype}" for name, dtype in ordered.schema.items())
        body = ordered.write_csv(None, include_header=False, null_value="\x00")
        digest = hashlib.sha256(f"{header}\n{body}\n".encode())
        digest.update(_mark(hashes))
        return digest.hexdigest()


def require_folder(path: pathlib.Path, what: str, remedy: str, task: str = "") -> pathlib.Path:
    """Return `path` if it is a folder; raise BadInput saying `remedy` if not.

    task: the name of a task with published sources, where `path` is its data folder.
    """
    # `download` makes the folder of the task's name.
    root = path.parent if path.name == task else pathlib.Path("ROOT")
    command = clean.shell(["biobench", "download", task, "--data", str(root)])
    if not path.is_dir():
        remedy = f"{remedy.rstrip('.')}; {command} fetches it." if task else remedy
        raise BadInput(f"{what} not found: there is no folder {path}; {remedy}")
    if task and (half := sorted(path.glob(f"{DOWNLOADS}/*.unpacking"))):
        raise BadInput(
            f"{path} is not whole: {half[0].stem} was being unpacked; {command} goes on with it "
            f"(remove {half[0]} if it is whole all the same)."
        )
    return path


def require_columns(table: pl.DataFrame, names: Iterable[str], source: str | pathlib.Path) -> None:
    """Raise BadInput naming the columns that `table` lacks."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise BadInput(
            f"{source}: missing column{'s' * (len(missing) > 1)} {', '.join(missing)} "
            f"(found: {', '.join(table.columns)}); this is not the published layout."
        )


def require_values(
    table: pl.DataFrame,
    right: Mapping[str, pl.Expr | Collection[str]],
    source: str | pathlib.Path,
) -> None:
    """Raise BadInput naming the first line with a value that is not right, and how many there are.

    table: a published file as `read_table` gives it, whose first row is the file's second line.
    right: by column, the values there may be, or an expression that is true of a right one.
    """
    lines = table.with_row_index("line", 2)
    for column, rule in right.items():
        is_right = rule if isinstance(rule, pl.Expr) else pl.col(column).is_in(list(rule))
        wrong = lines.filter(~is_right.fill_null(False))
        if wrong.height:
            known = "" if isinstance(rule, pl.Expr) else f" (known: {', '.join(rule)})"
            raise BadInput(
                f"{source}: line {wrong['line'][0]} has {column} '{wrong[column][0]}', which is "
                f"unknown{known}; {wrong.height:,} such line{'s' * (wrong.height > 1)}; restore "
                "the published file."
            )


def require_plain(table: pl.DataFrame, names: Iterable[str], source: str) -> None:
    """Raise BadInput for one of the columns that are there that holds lists, structs or bytes."""
    for name in names:
        if name in table.columns and not _is_plain(table[name]):
            raise BadInput(
                f"{source}: column {name} holds {_describe(table[name])}; it must hold one "
                "text or number a row."
            )


def read_table(path: pathlib.Path, columns: Iterable[str], **options: Any) -> pl.DataFrame:
    """Read a CSV (every column as text) or Parquet file that must have `columns`.

    options: for `polars.read_csv`. Raises BadInput where the file is not there, is not a table or
    lacks a column.
    """
    if not path.is_file():
        raise BadInput(f"{path} not found; extract the data set again, or correct the path.")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            table = pl.read_parquet(path, glob=False)
        else:
            table = pl.read_csv(path, infer_schema=False, glob=False, **options)
    except (pl.exceptions.PolarsError, OSError) as err:
        raise BadInput(f"{path} cannot be read as a table: {err}.") from err
    require_columns(table, columns, path)
    return table


def _mark(hashes: pl.Series) -> bytes | memoryview:
    """The hashes, each with a byte before it that says that there is one."""
    arrow = hashes.cast(pl.Binary).to_arrow().cast(pa.large_binary())
    size = contents.HASH_BYTES
    _, ends, data = arrow.buffers()
    wanted = np.arange(len(arrow) + 1) * size
    if arrow.null_count or not np.array_equal(np.frombuffer(ends, np.int64), wanted):
        return b"".join(b"\x00" if one is None else b"\x01" + one for one in hashes.to_list())
    # In one piece, because half a million small ones take as long as listing their files.
    marked = np.ones((len(arrow), 1 + size), np.uint8)
    marked[:, 1:] = np.frombuffer(data, np.uint8, size * len(arrow)).reshape(-1, size)
    return marked.data


def _keep_plain(table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The table as predictions can carry it, and what was changed."""
    notes = []
    taken: list[str] = list(RESERVED)
    for column in table:
        if column.name == "box":
            try:
                found, note = box_columns.bring_into_form(column)
                table, notes = table.with_columns(found), [*notes, note] if note else notes
                continue
            except TypeError:
                taken.append("box")
        if not _is_plain(column):
            table = table.drop(column.name)
            notes.append(f"The column '{column.name}' holds {_describe(column)} and is left out.")
    for name in [name for name in taken if name in table.columns]:
        new = f"{name}_"
        while new in table.columns:
            new += "_"
        table = table.rename({name: new})
        why = "it holds no boxes" if name == "box" else "predictions need the name"
        notes.append(f"The column '{name}' is kept as '{new}': {why}.")
    return table, notes


def _is_plain(column: pl.Series) -> bool:
    return not (column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object))


def _describe(column: pl.Series) -> str:
    names = {pl.Binary: "bytes", pl.Struct: "structs", pl.Object: "objects"}
    return names.get(column.dtype.base_type(), "lists")


def _check_values(table: pl.DataFrame, source: str) -> None:
    for name in REQUIRED:
        empty = table.with_row_index("row").filter(
            pl.col(name).is_null() | (pl.col(name).str.len_chars() == 0)
        )
        if empty.height:
            rows = ", ".join(str(row + 1) for row in empty["row"].head(3))
            raise BadInput(
                f"{source}: column {name} is empty in {empty.height:,} rows (first: row {rows}); "
                "fill it in or remove the rows."
            )


def _check_examples(table: pl.DataFrame, source: str, clips: bool) -> None:
    if not clips:
        twice = table.filter(pl.struct("subtask", "example").is_duplicated())
        if twice.height:
            raise BadInput(
                f"{source}: the id '{twice['example'][0]}' stands in more than one row "
                f"({twice['example'].n_unique():,} such ids); give every picture an id of its own."
            )
    for name in ("split", "label", "group"):
        torn = (
            table.group_by("subtask", "example")
            .agg(pl.col(name).n_unique().alias("n"), pl.col(name).first())
            .filter(pl.col("n") > 1)
            .sort("example")
        )
        if torn.height:
            raise BadInput(
                f"{source}: example '{torn['example'][0]}' has more than one {name} "
                f"({torn.height:,} such examples); an id must name one thing."
            )
