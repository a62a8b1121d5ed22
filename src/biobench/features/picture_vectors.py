"""Vectors of any pictures as one Parquet file, for those who want the vectors only.

table = read_pictures(Path("photos"))                  # columns id, path; and their folder
features = source(table.root, table.images)            # and table.crops, where some are parts
n_written = write_vectors(table, features, Path("photos.parquet"))
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from biobench import atomic
from biobench.data import LeftOut, list_pictures, read_picture_table
from biobench.data.crops import Crop, Views, list_views
from biobench.errors import BadInput
from biobench.features.vectors import Features

__all__ = ["PictureTable", "check_target", "read_pictures", "write_vectors"]

BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class PictureTable:
    """Pictures to embed: `ids` name `paths` below `root`; a path may have several ids."""

    root: pathlib.Path
    ids: list[str]
    paths: list[str]
    """of whole pictures; of parts, what they are called."""
    notes: tuple[str, ...] = ()
    """what was guessed of a table, one sentence each."""
    left_out: tuple[LeftOut, ...] = ()
    """files of a folder that are not embedded, with the reason."""
    crops: Mapping[str, Crop] = dataclasses.field(default_factory=dict)
    """those of `paths` that are a part of a picture."""

    @property
    def images(self) -> list[str]:
        """Every path once."""
        return list(dict.fromkeys(self.paths))


def read_pictures(source: pathlib.Path, *, crop: str = "none", margin: float = 0.0) -> PictureTable:
    """The pictures of a folder, or of a table that lists them (docs/folders.md says how).

    A table's column `id`, if it tells its rows apart, names them. crop, margin: the part of each
    (`biobench.data.crops`). Raises BadInput without any picture, or without boxes to crop.
    """
    if source.is_dir():
        if crop != "none":
            raise BadInput(f"{source}: a folder names no boxes to crop; give --images a table.")
        found = list_pictures(source)
        if not found.names:
            raise BadInput(
                f"{source}: no pictures in this folder ({len(found.left_out):,} other files)."
            )
        return PictureTable(source, found.names, found.names, left_out=tuple(found.left_out))
    if not source.is_file():
        raise BadInput(f"{source}: no such folder or file; give --images a folder or a table.")
    read = read_picture_table(source, needs=("path",))
    if not read.table.height:
        raise BadInput(f"{source}: the table has no rows; write one a picture.")
    views = Views(read.table["path"].to_list(), read.table["path"])
    if crop != "none":
        views = list_views(read.table.rename({"path": "image"}), crop, margin)
    paths = views.of_row.to_list()
    ids = read.table["id"].to_list() if "id" in read.table.columns else paths
    notes = (*read.notes, *views.warnings)
    return PictureTable(read.root, ids, paths, notes, read.left_out, views.crops)


def check_target(out: pathlib.Path) -> None:
    """Raise BadInput where `out` cannot be a new Parquet file, before any picture is embedded."""
    if out.suffix.lower() != ".parquet":
        raise BadInput(f"{out}: vectors are written as Parquet; name a file that ends in .parquet.")
    # A dangling link is there, too.
    if os.path.lexists(out):
        raise BadInput(f"{out} is there already; name another file, or remove it.")


def write_vectors(table: PictureTable, features: Features, out: pathlib.Path) -> int:
    """Write columns id, path, feature (list of float32), and return the number of rows.

    features: of `table.images`. Rows without a vector are left out (`features.failures` has them).
    Raises BadInput where `out` is there already, is no .parquet or cannot be written.
    """
    check_target(out)
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
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with (
            atomic.replacing(out) as partial,
            pq.ParquetWriter(partial, schema, compression="zstd") as writer,
        ):
            for start in range(0, len(rows), BLOCK_ROWS):
                part = rows[start : start + BLOCK_ROWS]
                flat = pa.array(features.take(index[part]).reshape(-1))
                columns = [
                    pa.array([table.ids[row] for row in part], pa.string()),
                    pa.array([table.paths[row] for row in part], pa.string()),
                    pa.FixedSizeListArray.from_arrays(flat, features.dim),
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    except OSError as err:
        raise BadInput(f"{out} cannot be written ({err.strerror or err}); choose another.") from err
    return len(rows)
