"""The feature cache: one folder a key, of append-only Arrow files that never change.

    cache = open_generation(root, key)
    rows, by_hash = cache.lookup(folder, images)      # what is known, without reading a picture
    rows = cache.append(folder, records, vectors)     # one more shard, whole or not at all

    ROOT/<key>/meta.json                          names, sizes: for people
    ROOT/<key>/<generation>/<sha256>.arrow        features: hash, path, size, mtime, feature
    ROOT/<key>/<generation>/<sha256>.paths.arrow  further paths of known content: no feature column

A file is named by the SHA-256 of its bytes, so any damage shows, and is renamed into place when it
is whole, so any number of processes may write and read one key without a lock.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Float32, Int64

from biobench.errors import BadInput, CellFailed

__all__ = [
    "DAMAGED_SUFFIX",
    "TEMPORARY_PREFIX",
    "Generation",
    "Record",
    "Shard",
    "generations",
    "open_generation",
    "open_shard",
    "read_meta",
    "write_meta",
]

SIDE_COLUMNS = ("hash", "path", "size", "mtime")
SUFFIX = ".arrow"
PATHS_SUFFIX = ".paths.arrow"
DAMAGED_SUFFIX = ".damaged"
TEMPORARY_PREFIX = ".tmp-"
INDEX_SCHEMA = {
    "hash": pl.Binary,
    "path": pl.String,
    "size": pl.Int64,
    "mtime": pl.Int64,
    "root": pl.String,
    "row": pl.Int64,
}


@dataclasses.dataclass(frozen=True)
class Record:
    """A picture as it was when it was read."""

    hash: bytes
    """first 16 bytes of the SHA-256 of its content."""
    path: str
    """below the folder of images."""
    size: int
    """bytes."""
    mtime: int
    """nanoseconds."""


class Generation:
    """The features of one key since its last clean start: a growing list of shards.

    Rows are numbered through the shards in the order in which this object met them.
    """

    def __init__(self, folder: pathlib.Path, key: str):
        self.folder = folder
        self.key = key
        self.damaged: list[str] = []
        """what was put aside, one sentence each."""
        self._shards: list[Shard] = []
        self._starts = [0]
        self._index: dict[Shard, pl.DataFrame] = {}
        self._verified: set[Shard] = set()
        self._met: set[str] = set()

    @property
    def n_rows(self) -> int:
        return self._starts[-1]

    def load(self) -> None:
        """Meet the shards that other processes have written meanwhile."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path.name not in self._met:
                self._meet(path)

    def lookup(
        self, folder: str, images: pl.DataFrame
    ) -> tuple[Int64[np.ndarray, " n"], dict[bytes, int]]:
        """Find images of `folder` by path, size and mtime; and tell what content is known.

        images: columns path, size, mtime.
        Returns each image's row (-1: not known) and, if any is not known, the row of every
        content hash. Damaged shards are put aside: every shard referred to has been verified.
        """
        while True:
            index = self._read_index()
            rows = _match(images, index.filter(pl.col("root") == folder))
            if (rows >= 0).all():
                used, by_hash = self._numbers(np.unique(rows)), {}
            else:
                used = range(len(self._shards))
                by_hash = dict(index.select("hash", "row").iter_rows())
            if not self._put_damaged_aside(used):
                return rows, by_hash

    def append(
        self,
        folder: str,
        records: Sequence[Record],
        vectors: Float32[np.ndarray, "n dim"] | None,
    ) -> Int64[np.ndarray, " n"]:
        """Write one shard and return its rows; without vectors, only further paths (no rows).

        Raises CellFailed if it cannot be written; the cache is then as it was.
        """
        data = _serialise(self.key, folder, records, vectors)
        suffix = PATHS_SUFFIX if vectors is None else SUFFIX
        path = self.folder / f"{hashlib.sha256(data).hexdigest()}{suffix}"
        _write_atomically(path, data)
        first = self.n_rows
        self._verified.add(self._meet(path))
        return np.arange(first, self.n_rows)

    def blocks(
        self, wanted: Int64[np.ndarray, " n"]
    ) -> Iterator[tuple[int, Float32[np.ndarray, "k dim"]]]:
        """See `biobench.features.vectors.Store`; a shard is mapped only while it is used."""
        for number in self._numbers(wanted):
            yield self._starts[number], self._shards[number].read_vectors()

    def read_dim(self) -> int | None:
        """The width of the vectors; None while there are none."""
        for shard in self._index:
            if shard.has_vectors:
                return shard.read_vectors().shape[1]
        return None

    def _meet(self, path: pathlib.Path) -> "Shard | None":
        self._met.add(path.name)
        try:
            shard = open_shard(path)
            if shard.key != self.key:
                raise ValueError(f"it belongs to the key {shard.key[:12]}")
            side = shard.read_side()
        except FileNotFoundError:
            # Another process put it aside.
            return None
        except (OSError, ValueError, KeyError, pa.ArrowException) as err:
            self._put_aside(path, str(err))
            return None
        frame = pl.DataFrame(pl.from_arrow(side)).with_columns(pl.lit(shard.root).alias("root"))
        if shard.has_vectors:
            row = pl.int_range(self.n_rows, self.n_rows + shard.n_rows, dtype=pl.Int64)
            frame = frame.with_columns(row.alias("row"))
            self._shards.append(shard)
            self._starts.append(self.n_rows + shard.n_rows)
        self._index[shard] = frame
        return shard

    def _read_index(self) -> pl.DataFrame:
        """One row a known path: INDEX_SCHEMA."""
        vectors = [frame for shard, frame in self._index.items() if shard.has_vectors]
        index = pl.concat([pl.DataFrame(schema=INDEX_SCHEMA), *vectors])
        paths = [frame for shard, frame in self._index.items() if not shard.has_vectors]
        if not paths:
            return index
        by_hash = index.select("hash", "row").unique("hash", keep="last")
        return pl.concat([index, pl.concat(paths).join(by_hash, on="hash")], how="vertical")

    def _numbers(self, rows: Int64[np.ndarray, " n"]) -> list[int]:
        """The shards in which these rows are, in order."""
        found = np.searchsorted(self._starts, rows[rows >= 0], side="right") - 1
        return np.unique(found).tolist()

    def _put_damaged_aside(self, numbers: Iterable[int]) -> bool:
        paths_only = [shard for shard in self._index if not shard.has_vectors]
        shards = [self._shards[number] for number in numbers]
        unverified = [
            shard
            for shard in (*shards, *paths_only)
            if shard in self._index and shard not in self._verified
        ]
        damaged = [shard for shard in unverified if not shard.is_intact()]
        for shard in damaged:
            del self._index[shard]
            self._put_aside(shard.path, "its bytes are not those that were written")
        self._verified.update(unverified)
        return bool(damaged)

    def _put_aside(self, path: pathlib.Path, why: str) -> None:
        # Its name ends so that nothing loads it again; a read-only cache just reports it again.
        with contextlib.suppress(OSError):
            path.rename(path.with_name(path.name + DAMAGED_SUFFIX))
        self.damaged.append(
            f"Feature cache: {path} was damaged ({why}); its images are embedded again."
        )


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of the cache."""

    path: pathlib.Path
    key: str
    root: str
    """the folder of images below which the paths are."""
    n_rows: int
    has_vectors: bool

    def is_intact(self) -> bool:
        """Whether the bytes are those that were written."""
        # Read, not mapped: mapped pages would count as this process's memory.
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return False
        return self.path.name.startswith(digest)

    def read_side(self) -> pa.Table:
        """Columns hash, path, size, mtime."""
        # Taking copies: an index that referred to a mapped column would keep the shard mapped.
        return _read_table(self.path).select(SIDE_COLUMNS).take(pa.array(range(self.n_rows)))

    def read_vectors(self) -> Float32[np.ndarray, "n dim"]:
        """The features, as a view of the mapped file."""
        column = _read_table(self.path).column("feature").chunk(0)
        return column.flatten().to_numpy(zero_copy_only=True).reshape(len(column), -1)


def open_shard(path: pathlib.Path) -> Shard:
    """Read what a shard says about itself; raises OSError, ValueError or KeyError if damaged."""
    table = _read_table(path)
    metadata = table.schema.metadata or {}
    return Shard(
        path=path,
        key=metadata[b"biobench.key"].decode(),
        root=metadata[b"biobench.root"].decode(),
        n_rows=table.num_rows,
        has_vectors="feature" in table.column_names,
    )


def open_generation(root: pathlib.Path, key: str, *, fresh: bool = False) -> Generation:
    """Open the newest generation of a key, or with `fresh` a new empty one.

    Raises BadInput if the folder cannot be made.
    """
    folder = root / key
    try:
        newest = max((int(path.name) for path in generations(folder)), default=-1)
        path = folder / f"{max(newest, 0):04d}"
        path.mkdir(parents=True, exist_ok=True)
        while fresh and any(path.iterdir()):
            newest += 1
            path = folder / f"{newest:04d}"
            with contextlib.suppress(FileExistsError):
                path.mkdir()
    except OSError as err:
        raise BadInput(
            f"The feature cache {root} cannot be written ({err.strerror}); set BIOBENCH_CACHE to a "
            "folder of yours."
        ) from err
    generation = Generation(path, key)
    generation.load()
    return generation


def generations(folder: pathlib.Path) -> list[pathlib.Path]:
    """The generations of a key's folder, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.name.isdigit() and path.is_dir())


def read_meta(folder: pathlib.Path) -> dict[str, object]:
    """What a key's folder says about itself; empty if it says nothing readable."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def write_meta(folder: pathlib.Path, meta: dict[str, object]) -> None:
    """Note what is in a key's folder, and that it was used now."""
    before = read_meta(folder)
    models = sorted({*before.get("models", []), *meta.get("models", [])})
    now = {"created": time.time(), **before, **meta, "models": models}
    # For people only: a cache that cannot be written may still be read.
    with contextlib.suppress(OSError, CellFailed):
        if now != before:
            _write_atomically(folder / "meta.json", json.dumps(now, indent=1).encode())
        os.utime(folder / "meta.json")


def _match(images: pl.DataFrame, known: pl.DataFrame) -> Int64[np.ndarray, " n"]:
    """The newest row of `known` with each image's path, size and mtime; -1 where there is none.

    Does what a join does, in a third of the memory, which counts at half a million images.
    """
    columns = ["path", "size", "mtime"]
    digests = known.select(columns).hash_rows().to_numpy()
    order = np.argsort(digests, kind="stable")
    wanted = images.select(columns).hash_rows().to_numpy()
    position = np.searchsorted(digests[order], wanted, side="right") - 1
    rows = np.full(images.height, -1, np.int64)
    if not known.height:
        return rows
    candidate = order[np.maximum(position, 0)]
    found = known[candidate]
    # Hashes may collide.
    same = pl.select(
        pl.all_horizontal(images[name].eq_missing(found[name]) for name in columns)
    ).to_series()
    same = same.to_numpy()
    rows[same] = found["row"].to_numpy()[same]
    return rows


def _read_table(path: pathlib.Path) -> pa.Table:
    """The whole file, mapped."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _serialise(
    key: str,
    folder: str,
    records: Sequence[Record],
    vectors: Float32[np.ndarray, "n dim"] | None,
) -> pa.Buffer:
    columns = {
        "hash": pa.array([record.hash for record in records], pa.binary(16)),
        "path": pa.array([record.path for record in records], pa.string()),
        "size": pa.array([record.size for record in records], pa.int64()),
        "mtime": pa.array([record.mtime for record in records], pa.int64()),
    }
    if vectors is not None:
        flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
        columns["feature"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    metadata = {"biobench.key": key, "biobench.root": folder, "biobench.format": "1"}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _write_atomically(path: pathlib.Path, data: pa.Buffer | bytes) -> None:
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as err:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise CellFailed(
            f"The feature cache {path.parent} cannot be written ({err.strerror}); what it holds is "
            "kept: make room or set BIOBENCH_CACHE to another disk, and run again."
        ) from err


def _sync_folder(folder: pathlib.Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
