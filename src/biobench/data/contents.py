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

    ROOT/<digest of the folder>/<sha256>.arrow     columns path, size, mtime, ctime, inode, hash

Files are named by the SHA-256 of their bytes, renamed into place when whole and never changed, so
any number of processes may write without a lock. Losing one costs reading, never a wrong answer.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import io
import os
import pathlib
import stat
import time
import uuid
from collections.abc import Sequence

import numpy as np
import platformdirs
import polars as pl
import pyarrow as pa
from jaxtyping import Int64

from biobench import progress
from biobench.data import packed
from biobench.data.images import MAX_BYTES
from biobench.data.listing import STAMP, list_files, to_int64

__all__ = [
    "HASH_BYTES",
    "Known",
    "Record",
    "cache_home",
    "contents_root",
    "hash_file",
    "hash_files",
    "lookup",
    "read",
    "read_file",
    "read_packed",
    "remember",
]

HASH_BYTES = 16
"""of the SHA-256 of a content, the first so many are kept."""

SUFFIX = ".arrow"
DAMAGED_SUFFIX = ".damaged"
TEMPORARY_PREFIX = ".tmp-"
SCHEMA = {"path": pl.String, **dict.fromkeys(STAMP, pl.Int64), "hash": pl.Binary}

SECOND = 1_000_000_000
FINE_TICK = 50_000_000
"""nanoseconds in which two changes may get one time; kernels tick every 1 to 10 ms."""
COARSE_TICK = 2 * SECOND
"""the same on filesystems that keep whole seconds (FAT: every other one)."""

MAX_FILES = 32
"""files of one folder's index beyond which they are made into one."""
STALE_SECONDS = 3600.0
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

    @property
    def hashes(self) -> pl.Series:
        """Binary, 16 bytes a name; null where it is not known."""
        return self.files["hash"]

    @property
    def unknown(self) -> list[str]:
        """The files that are there and must be read to know their contents."""
        rows = self.files.filter(pl.col("hash").is_null() & (pl.col("size") >= 0))
        return rows["path"].to_list()


def cache_home() -> pathlib.Path:
    """Where biobench keeps what it can make again: `$BIOBENCH_CACHE`, else the user's cache."""
    home = os.environ.get("BIOBENCH_CACHE") or platformdirs.user_cache_dir("biobench")
    return pathlib.Path(home).expanduser()


def contents_root() -> pathlib.Path:
    """The index of known contents: `$BIOBENCH_CONTENTS`, else `contents/` of the cache."""
    root = os.environ.get("BIOBENCH_CONTENTS")
    return pathlib.Path(root).expanduser() if root else cache_home() / "contents"


def lookup(root: pathlib.Path | str, images: Sequence[str]) -> Known:
    """What is known of `images` (unique paths below `root`); reads none of them."""
    files, missing = list_files(root, images)
    index, warnings = _read_index(_get_folder(root))
    rows = _match(files, index)
    hashes = index["hash"].gather(pl.Series(np.maximum(rows, 0))) if index.height else None
    known = pl.Series(rows >= 0) & ~_share_one_time(files)
    column = pl.lit(None, pl.Binary) if hashes is None else pl.when(known).then(hashes)
    return Known(files.with_columns(column.alias("hash")), missing, warnings)


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
    folder = _get_folder(root)
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder, table)
        _compact(folder)


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


def hash_file(file: io.IOBase, path: str) -> Record:
    """The record of a file that was just opened, of any size."""
    stamp = _take_stamp(file)
    digest = hashlib.file_digest(file, "sha256").digest()
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


def _get_folder(root: pathlib.Path | str) -> pathlib.Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
    return contents_root() / name


def _read_index(folder: pathlib.Path) -> tuple[pl.DataFrame, list[str]]:
    """Everything that is known below one folder of images, newest last; and what was damaged."""
    tables, damaged = [], []
    for path in _list_index(folder):
        try:
            tables.append(_read_file(path))
        except FileNotFoundError:
            # Another process has made several files into one; what we lose is read again.
            continue
        except (OSError, ValueError, pa.ArrowException, pl.exceptions.PolarsError) as err:
            with contextlib.suppress(OSError):
                path.rename(path.with_name(path.name + DAMAGED_SUFFIX))
            damaged.append(
                f"Index of file contents: {path} was damaged ({err}); its files are hashed again."
            )
    index = pl.concat([pl.DataFrame(schema=SCHEMA), *tables])
    return (_drop_contradictions(index) if len(tables) > 1 else index), damaged


def _list_index(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        with os.scandir(folder) as entries:
            found = [(e.stat().st_mtime_ns, e.name) for e in entries if e.name.endswith(SUFFIX)]
    except OSError:
        return []
    return [folder / name for _, name in sorted(found)]


def _read_file(path: pathlib.Path) -> pl.DataFrame:
    data = path.read_bytes()
    if path.name.removesuffix(SUFFIX) != hashlib.sha256(data).hexdigest():
        raise ValueError("its bytes are not those that were written")
    with pa.ipc.open_file(pa.py_buffer(data)) as reader:
        return pl.DataFrame(pl.from_arrow(reader.read_all())).select(
            pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
        )


def _drop_contradictions(index: pl.DataFrame) -> pl.DataFrame:
    distinct = index.unique(keep="last", maintain_order=True)
    return distinct.unique(["path", *STAMP], keep="none", maintain_order=True)


def _write(folder: pathlib.Path, table: pl.DataFrame) -> pathlib.Path:
    sink = pa.BufferOutputStream()
    arrow = table.to_arrow()
    with pa.ipc.new_file(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    data = sink.getvalue()
    path = folder / f"{hashlib.sha256(data).hexdigest()}{SUFFIX}"
    temporary = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex}"
    try:
        temporary.write_bytes(data)
        temporary.rename(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return path


def _compact(folder: pathlib.Path) -> None:
    """Make one file of many; what others write meanwhile stays beside it."""
    paths = _list_index(folder)
    if len(paths) <= MAX_FILES:
        return
    index, _ = _read_index(folder)
    whole = _write(folder, index.unique("path", keep="last", maintain_order=True))
    for path in paths:
        if path != whole:
            path.unlink(missing_ok=True)
    for path in folder.glob(f"{TEMPORARY_PREFIX}*"):
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink(missing_ok=True)


def _match(files: pl.DataFrame, index: pl.DataFrame) -> Int64[np.ndarray, " n"]:
    """The newest row of `index` with each file's path and stamp; -1 where there is none.

    Does what a join does, in a third of the memory, which counts at half a million images.
    """
    rows = np.full(files.height, -1, np.int64)
    if not index.height:
        return rows
    columns = ["path", *STAMP]
    digests = index.select(columns).hash_rows().to_numpy()
    order = np.argsort(digests, kind="stable")
    wanted = files.select(columns).hash_rows().to_numpy()
    position = np.searchsorted(digests[order], wanted, side="right") - 1
    candidate = order[np.maximum(position, 0)]
    found = index[candidate]
    # Hashes may collide.
    same = pl.select(pl.all_horizontal(files[name].eq(found[name]) for name in columns))
    same = same.to_series().to_numpy() & (files["size"] >= 0).to_numpy()
    rows[same] = candidate[same]
    return rows
