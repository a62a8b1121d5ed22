"""Vectors computed elsewhere, from a Parquet file, in place of a backbone.

    source = FileSource("vectors.parquet", "my-model")
    features = source(root, ["a.jpg", "b.jpg"])

The file has a column `path` or `id` with the images' paths below the data folder, as the task's
manifest writes them, and a column `feature` with lists of numbers of one length.
"""

import functools
import hashlib
import json
import pathlib
import time
import types
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float32, Int64

from biobench.data.crops import Crop
from biobench.errors import BadInput
from biobench.features.origins import stamp_files
from biobench.features.vectors import Features

__all__ = ["FileSource"]

BLOCK_ROWS = 4096
BUFFER_BYTES = 2**20
SETTLED = 2_000_000_000
"""nanoseconds after which no further change can have the same time, on any filesystem."""


class FileSource:
    """A feature source that reads `path`; `name` stands for the model in results."""

    def __init__(self, path: pathlib.Path | str, name: str):
        self.path = pathlib.Path(path)
        self.name = name
        self.files = stamp_files([self.path])
        self._file = _open(self.path, self.files)

    def __call__(
        self,
        root: pathlib.Path,
        images: Sequence[str],
        crops: Mapping[str, Crop] = types.MappingProxyType({}),
    ) -> Features:
        """The vectors of `images`, parts of pictures under their names among them.

        Raises BadInput naming those that the file lacks.
        """
        start = time.perf_counter()
        rows = self._file.find_rows(images)
        stages = {"scan": time.perf_counter() - start}
        counts = {"known": len(images), "recognised": 0, "embedded": 0, "failed": 0}
        return Features(self._file.dim, rows, self._file.store, stages=stages, counts=counts)

    def describe(self) -> dict[str, object]:
        """digest (of the ids and vectors), dim, and null for what a file cannot know."""
        return {
            "digest": self._file.digest,
            "n_parameters": None,
            "image_size": None,
            "dim": self._file.dim,
            "precision": None,
            "name": self.name,
            "files": self.files,
        }


class _VectorFile:
    """What is in a file of vectors: its ids are held, its vectors are not."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.ids = _read_ids(path)
        self.store = _ParquetStore(path)

    def find_rows(self, images: Sequence[str]) -> Int64[np.ndarray, " n"]:
        """The row of each image, by the id column that covers most of them."""
        wanted = pl.DataFrame({"id": pl.Series(images, dtype=pl.String)})
        found = {column: _look_up(wanted["id"], ids) for column, ids in self.ids.items()}
        column = min(found, key=lambda column: (found[column].null_count(), column))
        missing = wanted.filter(found[column].is_null())["id"]
        if len(missing):
            shown = ", ".join(missing.head(3)) + (", …" if len(missing) > 3 else "")
            raise BadInput(
                f"{self.path}: {len(missing):,} of {len(images):,} images have no vector "
                f"({shown}); column {column} must hold their paths below the data folder, as the "
                "task writes them."
            )
        return found[column].to_numpy()

    @functools.cached_property
    def dim(self) -> int:
        """Numbers in a vector."""
        for _, block in self.store.blocks(np.zeros(1, np.int64)):
            return block.shape[1]
        raise BadInput(f"{self.path}: the file has no rows; write one an image.")

    @functools.cached_property
    def digest(self) -> str:
        """Of the ids and vectors."""
        digest = hashlib.sha256()
        for column, ids in sorted(self.ids.items()):
            digest.update(column.encode())
            for first in range(0, len(ids), BLOCK_ROWS):
                some = ids[first : first + BLOCK_ROWS]
                digest.update("".join(f"\x1f{value}" for value in some).encode())
        n_rows = len(next(iter(self.ids.values())))
        for _, block in self.store.blocks(np.arange(n_rows)):
            digest.update(np.ascontiguousarray(block).data)
        return digest.hexdigest()


def _open(path: pathlib.Path, stamps: list[dict[str, object]]) -> _VectorFile:
    """The file, as it was read before where its stamps are the same."""
    key = json.dumps(stamps)
    if key not in _known:
        file = _VectorFile(path)
        ctime = stamps[0].get("ctime")
        if not isinstance(ctime, int) or time.time_ns() - ctime < SETTLED:
            # What changed just now could change again unseen.
            return file
        # Cells of one file run one after the other.
        _known.clear()
        _known[key] = file
    return _known[key]


_known: dict[str, _VectorFile] = {}


class _ParquetStore:
    """Rows of a Parquet file's `feature` column, read in blocks."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    def blocks(
        self, wanted: Int64[np.ndarray, " n"]
    ) -> Iterator[tuple[int, Float32[np.ndarray, "k dim"]]]:
        first, dim = 0, None
        # Else Arrow holds every row group that was read, or the whole file where it has one.
        options = {"pre_buffer": False, "buffer_size": BUFFER_BYTES}
        with pq.ParquetFile(self.path, **options) as file:
            for batch in file.iter_batches(BLOCK_ROWS, columns=["feature"]):
                low, high = np.searchsorted(wanted, [first, first + len(batch)])
                if high > low:
                    block = self._to_array(batch.column(0), first, dim)
                    dim = block.shape[1]
                    yield first, block
                first += len(batch)

    def _to_array(
        self, column: pa.Array, first: int, dim: int | None
    ) -> Float32[np.ndarray, "k dim"]:
        if column.null_count:
            raise BadInput(f"{self.path}: a feature among rows {first + 1:,} … is empty; fill it.")
        lengths = set(pc.list_value_length(column).unique().to_pylist()) | ({dim} if dim else set())
        if len(lengths) > 1 or lengths == {0}:
            raise BadInput(
                f"{self.path}: features of different lengths ({sorted(lengths)}); all rows must "
                "come from one model."
            )
        values = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        block = values.reshape(len(column), -1)
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
        if len(bad):
            raise BadInput(
                f"{self.path}: row {first + bad[0] + 1:,} has a feature that is not finite "
                "(column feature); compute it again or remove the row."
            )
        return block


def _read_ids(path: pathlib.Path) -> dict[str, pl.Series]:
    """The id of each row, by column, for the id columns that the file has."""
    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file; give the Parquet file of your vectors.") from None
    except (OSError, pa.ArrowInvalid) as err:
        raise BadInput(f"{path}: not a Parquet file ({err}); write it as one.") from None
    found = ", ".join(schema.names)
    if "feature" not in schema.names:
        raise BadInput(f"{path}: no column feature (found: {found}); name the vectors so.")
    kind = schema.field("feature").type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or _is_fixed(kind)
    if not (is_list and _is_number(kind.value_type)):
        raise BadInput(f"{path}: column feature holds {kind}; it must hold lists of numbers.")
    columns = [name for name in ("path", "id") if name in schema.names]
    if not columns:
        raise BadInput(f"{path}: no column path or id (found: {found}); name the images so.")
    for name in columns:
        kind = schema.field(name).type
        if pa.types.is_nested(kind):
            raise BadInput(f"{path}: column {name} holds {kind}; it must hold one text a row.")
    table = pq.read_table(path, columns=columns)
    by_column = {name: _to_text(table.column(name)) for name in columns}
    by_column = {name: ids for name, ids in by_column.items() if ids.n_unique() == len(ids)}
    if not by_column:
        raise BadInput(f"{path}: an image stands twice in column {columns[0]}; keep one row each.")
    _check_agreement(path, by_column)
    return by_column


def _to_text(column: pa.ChunkedArray) -> pl.Series:
    kind = column.type
    if not (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)
    ):
        return pl.Series([str(value) for value in column.to_pylist()], dtype=pl.String)
    return pl.Series(column).cast(pl.String).fill_null(str(None))


def _look_up(wanted: pl.Series, ids: pl.Series) -> pl.Series:
    """The row of each name in a column of ids; null where it is not there."""
    rows = pl.DataFrame({"id": ids, "row": np.arange(len(ids))})
    names = pl.DataFrame({"id": wanted})
    return names.join(rows, on="id", how="left", maintain_order="left")["row"]


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)


def _check_agreement(path: pathlib.Path, by_column: dict[str, pl.Series]) -> None:
    """Refuse a file in which one name means two vectors."""
    if len(by_column) < 2:
        return
    as_id = _look_up(by_column["path"], by_column["id"])
    torn = (as_id != pl.Series(np.arange(len(as_id)))).fill_null(False).arg_true()
    if len(torn):
        row = torn[0]
        raise BadInput(
            f"{path}: the columns path and id disagree on {len(torn):,} images: "
            f"'{by_column['path'][row]}' is the path in row {row + 1:,} and the id in row "
            f"{as_id[row] + 1:,}; correct one column or remove it."
        )


def _is_fixed(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind)
