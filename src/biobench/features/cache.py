"""The feature cache: one folder a key, of append-only Arrow files that never change.

    cache = open_generation(root, key)
    rows, by_hash = cache.lookup(hashes)              # whose vectors are here
    rows = cache.append(folder, records, vectors)     # one more shard, whole or not at all

    ROOT/<key>/meta.json                          names, sizes: for people
    ROOT/<key>/<generation>/<sha256>.arrow        features: hash, path, size, mtime, feature (part)

A vector belongs to a content, or to a part of one, whose `hash` is made of the content's and of
what is done to it (`biobench.data.crops`); the column `part` then says that in words. A content is
the same, whatever file it is in; which file has which content is known to
`biobench.data.contents`. A shard's paths are for people and other programs.

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
import typing
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Float32, Int64, Shaped

from biobench import atomic
from biobench.data.contents import HASH_BYTES, Record
from biobench.errors import BadInput, CellFailed

__all__ = [
    "DAMAGED_SUFFIX",
    "PATHS_SUFFIX",
    "Generation",
    "Shard",
    "generations",
    "open_generation",
    "open_shard",
    "read_meta",
    "write_meta",
]

SUFFIX = ".arrow"
PATHS_SUFFIX = ".paths.arrow"
"""of files that earlier versions wrote, and that nothing reads any more."""
DAMAGED_SUFFIX = ".damaged"
HASH_DTYPE = f"S{HASH_BYTES}"
"""numpy pads these texts with zeros, which changes no comparison of equally long ones."""


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
        self._index: dict[Shard, Shaped[np.ndarray, " n"]] = {}
        self._verified: set[Shard] = set()
        self._met: set[str] = set()

    @property
    def n_rows(self) -> int:
        return self._starts[-1]

    def load(self) -> None:
        """Meet the shards that other processes have written meanwhile."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path.name not in self._met and not path.name.endswith(PATHS_SUFFIX):
                self._meet(path)

    def lookup(self, hashes: pl.Series) -> tuple[Int64[np.ndarray, " n"], dict[bytes, int]]:
        """Find the vectors of contents; null is a content that is not known.

        Returns each one's row (-1: not here) and, if any is not here, the row of every content.
        Damaged shards are put aside: every shard referred to has been verified.
        """
        while True:
            known, numbers = self._read_index()
            rows = _match(hashes, known, numbers)
            if (rows >= 0).all():
                used, by_hash = self._numbers(np.unique(rows)), {}
            else:
                used = range(len(self._shards))
                # numpy drops zeros at a text's end.
                full = (content.ljust(HASH_BYTES, b"\0") for content in known.tolist())
                by_hash = dict(zip(full, numbers.tolist(), strict=True))
            if not self._put_damaged_aside(used):
                return rows, by_hash

    def append(
        self,
        folder: str,
        records: Sequence[Record],
        vectors: Float32[np.ndarray, "n dim"],
        parts: Sequence[str | None] = (),
    ) -> Int64[np.ndarray, " n"]:
        """Write one shard and return its rows; folder: where the records' paths begin.

        parts: of the records, which part of the picture each is, if some are parts.
        Raises CellFailed if it cannot be written; the cache is then as it was.
        """
        data = _serialise(self.key, folder, records, vectors, parts)
        path = self.folder / f"{hashlib.sha256(data).hexdigest()}{SUFFIX}"
        _write(path, data)
        first = self.n_rows
        met = self._meet(path)
        assert met is not None
        self._verified.add(met)
        return np.arange(first, self.n_rows)

    def blocks(
        self, wanted: Int64[np.ndarray, " n"]
    ) -> Iterator[tuple[int, Float32[np.ndarray, "k dim"]]]:
        """See `biobench.features.vectors.Store`; a shard is mapped only while it is used."""
        for number in self._numbers(wanted):
            yield self._starts[number], self._shards[number].read_vectors()

    def read_dim(self) -> int | None:
        """The width of the vectors; None while there are none."""
        return next((shard.read_vectors().shape[1] for shard in self._index), None)

    def _meet(self, path: pathlib.Path) -> "Shard | None":
        self._met.add(path.name)
        try:
            shard = open_shard(path)
            if shard.key != self.key:
                raise ValueError(f"it belongs to the key {shard.key[:12]}")
            hashes = shard.read_hashes()
        except FileNotFoundError:
            # Another process put it aside.
            return None
        except (OSError, ValueError, KeyError, pa.ArrowException) as err:
            self._put_aside(path, str(err))
            return None
        self._shards.append(shard)
        self._starts.append(self.n_rows + shard.n_rows)
        self._index[shard] = hashes
        return shard

    def _read_index(self) -> tuple[Shaped[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """The contents that are here, and their rows."""
        hashes, numbers = [np.empty(0, HASH_DTYPE)], [np.empty(0, np.int64)]
        for shard, start in zip(self._shards, self._starts, strict=False):
            if shard in self._index:
                hashes.append(self._index[shard])
                numbers.append(np.arange(start, start + shard.n_rows))
        return np.concatenate(hashes), np.concatenate(numbers)

    def _numbers(self, rows: Int64[np.ndarray, " n"]) -> list[int]:
        """The shards in which these rows are, in order."""
        found = np.searchsorted(self._starts, rows[rows >= 0], side="right") - 1
        return np.unique(found).tolist()

    def _put_damaged_aside(self, numbers: Iterable[int]) -> bool:
        shards = [self._shards[number] for number in numbers]
        unverified = [s for s in shards if s in self._index and s not in self._verified]
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

    def is_intact(self) -> bool:
        """Whether the bytes are those that were written."""
        # Read, not mapped: mapped pages would count as this process's memory.
        try:
            with self.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return False
        return self.path.name.startswith(digest)

    def read_hashes(self) -> Shaped[np.ndarray, " n"]:
        """The hashes of the contents, 16 bytes each, as a copy: a view would keep it mapped."""
        return _to_numpy(_read_table(self.path).column("hash").combine_chunks())

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


def read_meta(folder: pathlib.Path) -> dict[str, typing.Any]:
    """What a key's folder says about itself; empty if it says nothing readable."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def write_meta(folder: pathlib.Path, meta: dict[str, typing.Any]) -> None:
    """Note what is in a key's folder, and that it was used now."""
    before = read_meta(folder)
    models = sorted({*before.get("models", []), *meta.get("models", [])})
    now = {"created": time.time(), **before, **meta, "models": models}
    # For people only: a cache that cannot be written may still be read.
    with contextlib.suppress(OSError, CellFailed):
        if now != before:
            _write(folder / "meta.json", json.dumps(now, indent=1).encode())
        os.utime(folder / "meta.json")


def _match(
    wanted: pl.Series, known: Shaped[np.ndarray, " n"], numbers: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " m"]:
    """The last of `numbers` whose `known` hash is the wanted one; -1 where there is none."""
    rows = np.full(len(wanted), -1, np.int64)
    if not len(known):
        return rows
    hashes = _to_numpy(wanted.fill_null(bytes(HASH_BYTES)).to_arrow())
    order = np.argsort(known, kind="stable")
    position = np.searchsorted(known, hashes, side="right", sorter=order) - 1
    candidate = order[np.maximum(position, 0)]
    same = (known[candidate] == hashes) & wanted.is_not_null().to_numpy()
    rows[same] = numbers[candidate[same]]
    return rows


def _to_numpy(hashes: pa.Array) -> Shaped[np.ndarray, " n"]:
    if not len(hashes):
        return np.empty(0, HASH_DTYPE)
    fixed = hashes.cast(pa.binary(HASH_BYTES))
    start = fixed.offset * HASH_BYTES
    return np.frombuffer(fixed.buffers()[1], HASH_DTYPE, len(fixed), start).copy()


def _read_table(path: pathlib.Path) -> pa.Table:
    """The whole file, mapped."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _serialise(
    key: str,
    folder: str,
    records: Sequence[Record],
    vectors: Float32[np.ndarray, "n dim"],
    parts: Sequence[str | None],
) -> pa.Buffer:
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    columns = {
        "hash": pa.array([record.hash for record in records], pa.binary(HASH_BYTES)),
        "path": pa.array([record.path for record in records], pa.string()),
        "size": pa.array([record.size for record in records], pa.int64()),
        "mtime": pa.array([record.mtime for record in records], pa.int64()),
        "feature": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    if any(part is not None for part in parts):
        columns["part"] = pa.array(parts, pa.string())
    metadata = {"biobench.key": key, "biobench.root": folder, "biobench.format": "1"}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _write(path: pathlib.Path, data: pa.Buffer | bytes) -> None:
    try:
        atomic.write(path, memoryview(data), durable=True)
    except OSError as err:
        raise CellFailed(
            f"The feature cache {path.parent} cannot be written ({err.strerror}); what it holds is "
            "kept: make room or set BIOBENCH_CACHE to another disk, and run again."
        ) from err
