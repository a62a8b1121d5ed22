"""What is known of files' contents: a hash for every file that is as it was when it was read.

    known = lookup(root, images)           # costs a listing; known.hashes: null where not known
    hashes = read(root, images)            # image -> hex; reads only the files that are not known
    remember(root, records)                # of files that were read for another reason

A file is known by its path, size, times and inode. The change time (ctime) is the one that counts:
the kernel sets it whenever content, name or times change, and no program can set it back. Three
things keep a known hash from being wrong (docs/identity.md has the reasons):

- a file that changed so recently that it could change again within one tick of the clock is waited
  for, or not remembered;
- a folder whose files share one whole second as their only time (a reproducible archive on a
  filesystem without change times of its own) is not trusted, and hashed whenever it is asked for;
- one stamp with two hashes is trusted for neither.

What is known is kept by `biobench.data.content_index`.
"""

import concurrent.futures
import contextlib
import contextvars
import dataclasses
import hashlib
import io
import os
import pathlib
import stat
import time
import typing
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from jaxtyping import Int64

from biobench import progress
from biobench.data import content_index, packed
from biobench.data.content_index import cache_home, contents_root
from biobench.data.images import MAX_BYTES, UndecodableImage, open_picture
from biobench.data.listing import STAMP, list_files, look_at, to_int64

__all__ = [
    "HASH_BYTES",
    "Known",
    "Record",
    "cache_home",
    "contents_root",
    "given",
    "hash_file",
    "hash_files",
    "lookup",
    "read",
    "read_file",
    "read_packed",
    "read_picture",
    "remember",
]

HASH_BYTES = 16
"""of the SHA-256 of a content, the first so many are kept."""

SECOND = 1_000_000_000
FINE_TICK = 50_000_000
"""nanoseconds in which two changes may get one time; kernels tick every 1 to 10 ms."""
COARSE_TICK = 2 * SECOND
"""the same on filesystems that keep whole seconds (FAT: every other one)."""

MIN_RECOGNISED = 1000
"""files from which on a set of them is worth recognising as a whole."""
CHUNK = 64
N_READERS = 8
FLUSH_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Record:
    """A file as it was when it was read."""

    hash: bytes
    """first 16 bytes of the SHA-256 of its content."""
    path: str
    """below the folder of images."""
    size: int
    """bytes."""
    mtime: int
    """nanoseconds."""
    ctime: int = -1
    """nanoseconds; -1 where the file may change again without it showing."""
    inode: int = -1


@dataclasses.dataclass(frozen=True)
class Known:
    """What is known of some files without reading them."""

    files: pl.DataFrame
    """one row a name, in order: path, size, mtime, ctime, inode (-1 where there is no file) and
    hash (null where it is not known)."""
    missing: dict[str, str]
    """name -> why there is no file."""
    warnings: list[str]
    """what of the index was damaged, one sentence each."""
    digest: str = ""
    """of the listing in which all were known; empty where they were looked at one by one."""

    @property
    def hashes(self) -> pl.Series:
        """Binary, 16 bytes a name; null where it is not known."""
        return self.files["hash"]

    @property
    def unknown(self) -> list[str]:
        """The files that are there and must be read to know their contents."""
        rows = self.files.filter(pl.col("hash").is_null() & (pl.col("size") >= 0))
        return rows["path"].to_list()


_given: contextvars.ContextVar[tuple[str, Known] | None] = contextvars.ContextVar(
    "given contents", default=None
)


@contextlib.contextmanager
def given(root: pathlib.Path | str, known: Known) -> Iterator[None]:
    """Take `known` for what is known of its files in the body, where that is everything.

    What changes meanwhile is found by those that read it: the hash of what was read counts.
    """
    complete = not known.missing and not known.unknown
    token = _given.set((os.path.realpath(root), known) if complete else None)
    try:
        yield
    finally:
        _given.reset(token)


def lookup(root: pathlib.Path | str, images: Sequence[str], *, trusted: str = "") -> Known:
    """What is known of `images` (unique paths below `root`); reads none of them.

    trusted: `Known.digest` of an earlier look, which is taken for the state of now.
    """
    if (files := _take_given(root, images)) is not None:
        return Known(files, {}, [])
    is_large = len(images) >= MIN_RECOGNISED
    if is_large and (kept := _recognise(root, images, trusted)) is not None:
        return Known(kept.files, {}, [], kept.digest)
    found = list_files(root, images)
    files = found.files
    known, warnings = content_index.read(root)
    rows = _match(files, known)
    hashes = known["hash"].gather(pl.Series(np.maximum(rows, 0))) if known.height else None
    is_known = pl.Series(rows >= 0) & ~_share_one_time(files)
    column = pl.lit(None, pl.Binary) if hashes is None else pl.when(is_known).then(hashes)
    files = files.with_columns(column.alias("hash"))
    if not (is_large and found.digest and is_known.all()) or warnings:
        return Known(files, found.missing, warnings)
    with contextlib.suppress(OSError):
        content_index.keep_set(root, images, files, found.folders, found.digest)
    return Known(files, {}, [], found.digest)


def _recognise(
    root: pathlib.Path | str, images: Sequence[str], trusted: str
) -> content_index.KeptSet | None:
    """The images, where each was known before and no folder of theirs has changed since.

    Compares one digest of all names and stamps, in place of every file's own.
    """
    kept = content_index.find_set(root, images)
    if kept is None or (
        kept.digest != trusted and kept.digest != look_at(root, kept.folders).digest
    ):
        return None
    return kept


def _take_given(root: pathlib.Path | str, images: Sequence[str]) -> pl.DataFrame | None:
    """The rows of `images` in what was given, if they are all there."""
    place, known = _given.get() or ("", None)
    if known is None or place != os.path.realpath(root):
        return None
    wanted = pl.DataFrame({"path": images}, schema={"path": pl.String})
    files = wanted.join(known.files, on="path", how="left", maintain_order="left")
    return None if files["hash"].null_count() else files


def read(root: pathlib.Path | str, images: Sequence[str]) -> dict[str, str]:
    """Image -> hex hash (32 digits); what is not known is read and remembered.

    What cannot be read, is no regular file or too large for a picture is not in the answer.
    """
    hashes = hash_files(root, images)
    pairs = zip(images, hashes.to_list(), strict=True)
    return {image: content.hex() for image, content in pairs if content is not None}


def hash_files(
    root: pathlib.Path | str, images: Sequence[str], known: Known | None = None
) -> pl.Series:
    """The hashes of `images`, in order (Binary, 16 bytes; null where a file cannot be read).

    known: the answer of `lookup`, where that was asked already. Files that are not known are read
    in threads, each once, and remembered as it goes.
    """
    known = known or lookup(root, images)
    unknown = known.unknown
    if not unknown:
        return known.hashes
    found: dict[str, bytes] = {}
    waiting: list[Record] = []
    written = time.monotonic()
    base = os.fspath(root)
    chunks = [unknown[start : start + CHUNK] for start in range(0, len(unknown), CHUNK)]
    progress.report("hash", 0, len(unknown))
    done = 0
    with concurrent.futures.ThreadPoolExecutor(N_READERS) as pool:
        try:
            for chunk, records in zip(
                chunks, pool.map(lambda part: _read_all(base, part), chunks), strict=True
            ):
                waiting += records
                found.update((record.path, record.hash) for record in records)
                done += len(chunk)
                progress.report("hash", done, len(unknown))
                if time.monotonic() - written > FLUSH_SECONDS:
                    remember(root, waiting)
                    waiting, written = [], time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
            remember(root, waiting)
    new = pl.Series("hash", [found.get(image) for image in images], dtype=pl.Binary)
    return known.files.select(pl.coalesce("hash", new).alias("hash"))["hash"]


def remember(root: pathlib.Path | str, records: Sequence[Record]) -> None:
    """Add to the index what was read below `root`; a cache that cannot be written forgets it."""
    rows = [(r.path, r.size, r.mtime, r.ctime, r.inode, r.hash) for r in records if r.ctime >= 0]
    if not rows:
        return
    with contextlib.suppress(OSError):
        content_index.add(root, pl.DataFrame(rows, schema=content_index.SCHEMA, orient="row"))


def read_file(file: io.IOBase, path: str) -> tuple[bytes, Record]:
    """The bytes of a file that was just opened, and its record."""
    stamp = _take_stamp(file)
    data = file.read()
    return data, Record(hashlib.sha256(data).digest()[:HASH_BYTES], path, *stamp)


def read_packed(shard: str, row: int, path: str) -> tuple[bytes, Record]:
    """The same of the picture in a row of a Parquet file, whose times are the file's."""
    with open(shard, "rb") as file:
        stamp = _take_stamp(file)
    data = packed.read_packed(shard, row)
    return data, Record(hashlib.sha256(data).digest()[:HASH_BYTES], path, *stamp)


def read_picture(root: pathlib.Path, path: str) -> tuple[bytes, Record]:
    """The bytes and the record of a picture below `root`; raises UndecodableImage."""
    try:
        if inside := packed.split_name(os.path.join(root, path)):
            return read_packed(*inside, path)
        with open_picture(root / path) as file:
            return read_file(file, path)
    except OSError as err:
        raise UndecodableImage(f"cannot be read: {err.strerror or err}") from err


def hash_file(file: io.IOBase, path: str) -> Record:
    """The record of a file that was just opened, of any size."""
    stamp = _take_stamp(file)
    digest = hashlib.file_digest(typing.cast(io.BufferedReader, file), "sha256").digest()
    return Record(digest[:HASH_BYTES], path, *stamp)


def _take_stamp(file: io.IOBase) -> tuple[int, int, int, int]:
    """`STAMP` of an open file, before it is read; ctime -1 where it may change without it showing.

    Waits for the end of the clock's tick where the file has just changed: what is read afterwards
    cannot change without a new time.
    """
    # Of the open file: the name may point to another one by now.
    status = os.fstat(file.fileno())
    left = _get_tick(status) - _get_age(status)
    if 0 < left <= _get_tick(status):
        time.sleep(left / SECOND)
        status = os.fstat(file.fileno())
    settled = _get_age(status) >= _get_tick(status)
    times = to_int64(status.st_mtime_ns), to_int64(status.st_ctime_ns) if settled else -1
    return status.st_size, *times, to_int64(status.st_ino)


def _get_tick(status: os.stat_result) -> int:
    return FINE_TICK if status.st_ctime_ns % SECOND else COARSE_TICK


def _get_age(status: os.stat_result) -> int:
    return time.time_ns() - status.st_ctime_ns


def _read_all(base: str, names: Sequence[str]) -> list[Record]:
    records = []
    for name in names:
        with contextlib.suppress(OSError):
            if inside := packed.split_name(os.path.join(base, name)):
                records.append(read_packed(*inside, name)[1])
                continue
            # Without waiting: what looks like a picture may be a pipe that nobody writes to.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
            with open(os.open(os.path.join(base, name), flags), "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                # What is too large for a picture is not read for its hash either.
                if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES:
                    records.append(hash_file(file, name))
    return records


def _share_one_time(files: pl.DataFrame) -> pl.Series:
    """Whether a file's folder has one time only, a whole second that is the change time too.

    Such times were set, not measured (an archive made to be reproducible, on a filesystem that
    keeps no change time): a file with other content would have the same.
    """
    blind = (pl.col("ctime") == pl.col("mtime")) & (pl.col("ctime") % SECOND == 0)
    blind &= pl.col("size") >= 0
    flags = files.select(blind.alias("blind"))["blind"]
    if not flags.any():
        return flags
    folder = pl.col("path").str.replace(r"[^/]*$", "").alias("folder")
    there = pl.col("size") >= 0
    return (
        files.with_columns(folder, flags)
        .select(
            pl.col("blind")
            & (pl.col("blind") | ~there).all().over("folder")
            & (pl.col("mtime").filter(there).n_unique().over("folder") == 1)
        )
        .to_series()
    )


def _match(files: pl.DataFrame, known: pl.DataFrame) -> Int64[np.ndarray, " n"]:
    """The newest row of `known` with each file's path and stamp; -1 where there is none.

    Does what a join does, in a third of the memory, which counts at half a million images.
    """
    rows = np.full(files.height, -1, np.int64)
    if not known.height:
        return rows
    columns = ["path", *STAMP]
    digests = known.select(columns).hash_rows().to_numpy()
    order = np.argsort(digests, kind="stable")
    wanted = files.select(columns).hash_rows().to_numpy()
    position = np.searchsorted(digests[order], wanted, side="right") - 1
    candidate = order[np.maximum(position, 0)]
    found = known[candidate]
    # Hashes may collide.
    same = pl.select(pl.all_horizontal(files[name].eq(found[name]) for name in columns))
    same = same.to_series().to_numpy() & (files["size"] >= 0).to_numpy()
    rows[same] = candidate[same]
    return rows
