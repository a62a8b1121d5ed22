"""The manifest: one row an image, and everything a benchmark needs to know about it.

    manifest = Manifest.build(root, rows)      # checks the columns, fills in the optional ones
    manifest.check_files()                     # every file is there, before hours of work
    manifest.split("train")                    # the rows of one split

A task is little more than a function from a folder to one of these.
"""

import collections
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from biobench.errors import BadInput

__all__ = ["Manifest", "read_table", "require_columns", "require_folder"]

REQUIRED = ("image", "example", "split", "label")
OPTIONAL = ("subtask", "group")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """A table of images below `root`; the columns are listed in docs/architecture.md."""

    root: pathlib.Path
    table: pl.DataFrame
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    """rows that the task left out, counted by reason."""

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
    ) -> "Manifest":
        """Check `table` and bring it into the manifest's form.

        source: the file or folder the rows came from, named in errors.
        splits: the splits that must not be empty.
        clips: an example may have many images; else each example has one row a subtask.
        Raises BadInput on a missing column, an empty value, an empty split, a repeated id, or an
        example that stands in two splits, under two labels or in two groups.
        """
        require_columns(table, REQUIRED, source)
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
        return cls(pathlib.Path(root), table, dict(dropped or {}))

    def split(self, *names: str) -> pl.DataFrame:
        """The rows of the named splits, in order."""
        return self.table.filter(pl.col("split").is_in(names))

    def images(self) -> list[str]:
        """Every image once, in order of first appearance."""
        return self.table["image"].unique(maintain_order=True).to_list()

    def check_files(self) -> None:
        """Raise BadInput naming the first missing files, if any is missing."""
        names = self.images()
        missing = [name for name, size in zip(names, self._sizes(), strict=True) if size is None]
        if missing:
            example = self.table.filter(pl.col("image") == missing[0])["example"][0]
            shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise BadInput(
                f"{self.root}: {len(missing):,} of {len(names):,} pictures are missing ({shown}; "
                f"the first belongs to example '{example}'); extract the data set again, or point "
                "--data at the right folder."
            )

    def digest(self) -> str:
        """A hex string over every value of the table and every file's size, in bytes.

        Equal data have equal digests wherever they lie; other labels, rows or files change it.
        """
        ordered = self.table.select(sorted(self.table.columns))
        header = "\x1f".join(f"{name}:{dtype}" for name, dtype in ordered.schema.items())
        body = ordered.write_csv(None, include_header=False, null_value="\x00")
        sizes = ",".join(map(str, self._sizes()))
        return hashlib.sha256(f"{header}\n{body}\n{sizes}".encode()).hexdigest()

    def _sizes(self) -> list[int | None]:
        # Listing a folder once beats opening each path by far on network disks.
        wanted = collections.defaultdict(list)
        names = self.images()
        for name in names:
            folder, _, base = name.rpartition("/")
            wanted[folder].append(base)
        sizes: dict[str, int] = {}
        for folder, bases in wanted.items():
            prefix = f"{folder}/" if folder else ""
            bases = set(bases)
            try:
                with os.scandir(self.root / folder) as entries:
                    sizes |= {
                        prefix + entry.name: entry.stat().st_size
                        for entry in entries
                        if entry.name in bases
                    }
            except (FileNotFoundError, NotADirectoryError):
                continue
        return [sizes.get(name) for name in names]


def require_folder(path: pathlib.Path, what: str, remedy: str) -> pathlib.Path:
    """Return `path` if it is a folder; raise BadInput saying `remedy` if not."""
    if not path.is_dir():
        raise BadInput(f"{what} not found: there is no folder {path}; {remedy}")
    return path


def require_columns(table: pl.DataFrame, names: Iterable[str], source: str | pathlib.Path) -> None:
    """Raise BadInput naming the columns that `table` lacks."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise BadInput(
            f"{source}: missing column{'s' * (len(missing) > 1)} {', '.join(missing)} "
            f"(found: {', '.join(table.columns)}); this is not the published layout."
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
