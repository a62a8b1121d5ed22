"""Vectors of any pictures as one Parquet file, for those who want the vectors only.

table = read_pictures(Path("photos"))                  # columns id, path; and their folder
features = source(table.root, table.images)
n_written = write_vectors(table, features, Path("photos.parquet"))
"""

import dataclasses
import os
import pathlib

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from biobench.data import list_pictures, read_table
from biobench.errors import BadInput
from biobench.features.vectors import Features

__all__ = ["PictureTable", "read_pictures", "write_vectors"]

BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class PictureTable:
    """Pictures to embed: `ids` name `paths` below `root`; a path may have several ids."""

    root: pathlib.Path
    ids: list[str]
    paths: list[str]

    @property
    def images(self) -> list[str]:
        """Every path once."""
        return list(dict.fromkeys(self.paths))


def read_pictures(source: pathlib.Path) -> PictureTable:
    """The pictures of a folder, or of a CSV or Parquet file with a column `path` or `image`.

    A file's paths are relative to its own folder; its column `id`, if any, names the rows.
    Raises BadInput if there are none.
    """
    if source.is_dir():
        found = list_pictures(source)
        if not found.names:
            raise BadInput(
                f"{source}: no pictures in this folder ({len(found.left_out):,} other files)."
            )
        return PictureTable(source, found.names, found.names)
    if not source.is_file():
        raise BadInput(f"{source}: no such folder or file; give --images a folder or a table.")
    table = read_table(source, [])
    column = next((name for name in ("path", "image") if name in table.columns), None)
    if column is None:
        raise BadInput(
            f"{source}: no column path or image (found: {', '.join(table.columns)}); name the "
            "column with the pictures' paths so."
        )
    if not table.height:
        raise BadInput(f"{source}: the table has no rows; write one a picture.")
    names = [column, "id" if "id" in table.columns else column]
    paths, ids = (table[name].cast(pl.String).to_list() for name in names)
    for row, (path, id) in enumerate(zip(paths, ids, strict=True), start=1):
        if not path or not id:
            raise BadInput(f"{source}: row {row:,} has no {'id' if path else column}; fill it in.")
    return PictureTable(source.parent, ids, paths)


def write_vectors(table: PictureTable, features: Features, out: pathlib.Path) -> int:
    """Write columns id, path, feature (list of float32), and return the number of rows.

    features: of `table.images`. Rows without a vector are left out (`features.failures` has them).
    """
    position = {image: number for number, image in enumerate(table.images)}
    index = np.array([position[path] for path in table.paths], np.int64)
    rows = np.flatnonzero(features.rows[index] >= 0)
    schema = pa.schema(
        {
            "id": pa.string(),
            "path": pa.string(),
            "feature": pa.list_(pa.float32(), features.dim),
        }
    )
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for start in range(0, len(rows), BLOCK_ROWS):
                part = rows[start : start + BLOCK_ROWS]
                flat = pa.array(features.take(index[part]).reshape(-1))
                columns = [
                    pa.array([table.ids[row] for row in part], pa.string()),
                    pa.array([table.paths[row] for row in part], pa.string()),
                    pa.FixedSizeListArray.from_arrays(flat, features.dim),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
        temporary.replace(out)
    except OSError as err:
        temporary.unlink(missing_ok=True)
        raise BadInput(f"{out} cannot be written ({err.strerror or err}); choose another.") from err
    return len(rows)
