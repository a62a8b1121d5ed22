"""Vectors computed elsewhere, from a Parquet file, in place of a backbone.

    source = FileSource("vectors.parquet", "my-model")
    features = source(root, ["a.jpg", "b.jpg"])

The file has a column `path` or `id` with the images' paths below the data folder, as the task's
manifest writes them, and a column `feature` with lists of numbers of one length.
"""

import functools
import hashlib
import pathlib
import time
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float32, Int64

from biobench.errors import BadInput
from biobench.features.origins import stamp_files
from biobench.features.vectors import Features

__all__ = ["FileSource"]

BLOCK_ROWS = 4096


class FileSource:
    """A feature source that reads `path`; `name` stands for the model in results."""

    def __init__(self, path: pathlib.Path | str, name: str):
        self.path = pathlib.Path(path)
        self.name = name
        self.files = stamp_files([self.path])
        self._ids = _read_ids(self.path)
        self._store = _ParquetStore(self.path)

    def __call__(self, root: pathlib.Path, images: Sequence[str]) -> Features:
        """The vectors of `images`; raises BadInput naming those that the file lacks."""
        start = time.perf_counter()
        position = self._match(images)
        rows = np.fromiter((position[image] for image in images), np.int64, len(images))
        stages = {"scan": time.perf_counter() - start}
        counts = {"known": len(images), "recognised": 0, "embedded": 0, "failed": 0}
        return Features(self._dim, rows, self._store, stages=stages, counts=counts)

    def describe(self) -> dict[str, object]:
        """digest (of the ids and vectors), dim, and null for what a file cannot know."""
        return {
            "digest": self._digest,
            "n_parameters": None,
            "image_size": None,
            "dim": self._dim,
            "precision": None,
            "name": self.name,
            "files": self.files,
        }

    def _match(self, images: Sequence[str]) -> dict[str, int]:
        """Row by id, from the id column that covers most of `images`."""
        missing, column = min(
            ([image for image in images if image not in ids], column)
            for column, ids in self._ids.items()
        )
        if missing:
            shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
            raise BadInput(
                f"{self.path}: {len(missing):,} of {len(images):,} images have no vector "
                f"({shown}); column {column} must hold their paths below the data folder, as the "
                "task writes them."
            )
        return self._ids[column]

    @functools.cached_property
    def _dim(self) -> int:
        for _, block in self._store.blocks(np.zeros(1, np.int64)):
            return block.shape[1]
        raise BadInput(f"{self.path}: the file has no rows; write one an image.")

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for column, ids in sorted(self._ids.items()):
            digest.update("\x1f".join([column, *ids]).encode())
        n_rows = len(next(iter(self._ids.values())))
        for _, block in self._store.blocks(np.arange(n_rows)):
            digest.update(np.ascontiguousarray(block).data)
        return digest.hexdigest()


class _ParquetStore:
    """Rows of a Parquet file's `feature` column, read in blocks."""

    def __init__(self, path: pathlib.Path):
        self.path = path

    def blocks(
        self, wanted: Int64[np.ndarray, " n"]
    ) -> Iterator[tuple[int, Float32[np.ndarray, "k dim"]]]:
        first, dim = 0, None
        with pq.ParquetFile(self.path) as file:
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


def _read_ids(path: pathlib.Path) -> dict[str, dict[str, int]]:
    """Column -> id -> row, for the id columns that the file has."""
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
    by_column = {}
    for name in columns:
        ids = [str(value) for value in table.column(name).to_pylist()]
        by_column[name] = {value: row for row, value in enumerate(ids)}
        if len(by_column[name]) < len(ids):
            del by_column[name]
    if not by_column:
        raise BadInput(f"{path}: an image stands twice in column {columns[0]}; keep one row each.")
    _check_agreement(path, by_column)
    return by_column


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)


def _check_agreement(path: pathlib.Path, by_column: dict[str, dict[str, int]]) -> None:
    """Refuse a file in which one name means two vectors."""
    if len(by_column) < 2:
        return
    paths, ids = by_column["path"], by_column["id"]
    torn = [name for name, row in paths.items() if ids.get(name, row) != row]
    if torn:
        first = torn[0]
        raise BadInput(
            f"{path}: the columns path and id disagree on {len(torn):,} images: '{first}' is the "
            f"path in row {paths[first] + 1:,} and the id in row {ids[first] + 1:,}; correct one "
            "column or remove it."
        )


def _is_fixed(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind)
