"""What the filesystem says of many files, at the price of a listing.

    found = list_files(root, ["a/1.jpg", "a/2.jpg"])
    found.files, found.missing
    look_at(root, found.folders).digest == found.digest     # nothing in these folders has changed

Within `with once():` no folder is listed a second time: what one step learned serves the next.
"""

import collections
import concurrent.futures
import contextlib
import contextvars
import dataclasses
import hashlib
import itertools
import operator
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from jaxtyping import Int64

from biobench.data import packed

__all__ = ["STAMP", "Listing", "State", "list_files", "look_at", "once", "to_int64"]

STAMP = ("size", "mtime", "ctime", "inode")
"""what must be as it was for a file to be taken for unchanged: bytes, nanoseconds (of the content's
last change; of the last change of anything, which no program can set), number of the inode."""

N_LISTERS = 2
"""threads: the kernel looks at one folder while Python takes in another. More only wait."""
MIN_FOLDERS = 4
"""folders that are worth threads."""
SECOND = 1_000_000_000

_get_stamp = operator.attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
_get_name = operator.attrgetter("name")


@dataclasses.dataclass(frozen=True)
class Listing:
    """Files asked for, as they are."""

    files: pl.DataFrame
    """columns path, size, mtime, ctime, inode: one row a name, in order, -1 where there is none."""
    missing: dict[str, str]
    """name -> why there is no file."""
    folders: tuple[str, ...] = ()
    """below the root, in which the names are."""
    digest: str = ""
    """of everything in these folders; empty where not everything was looked at."""


@dataclasses.dataclass(frozen=True)
class State:
    """Some folders at one moment."""

    digest: str
    """hex string over the names and stamps of everything in them, in the order that the filesystem
    tells them in; empty if a folder cannot be listed."""
    newest: int
    """the last change of anything, in nanoseconds since 1970."""
    is_timed: bool
    """whether some change time is finer than a second, so that times are measured here, not set."""


@dataclasses.dataclass(frozen=True)
class _Folder:
    names: list[str]
    stamps: Int64[np.ndarray, "n 4"]
    """-1 where the entry is `missing`."""
    missing: dict[str, str]
    """entry -> why it cannot be looked at."""
    is_whole: bool
    """whether every entry was looked at."""
    reason: str = "no such file"
    """why what is not among the names is missing."""


_kept: contextvars.ContextVar[dict[str, _Folder] | None] = contextvars.ContextVar(
    "listed folders", default=None
)


@contextlib.contextmanager
def once() -> Iterator[None]:
    """List no folder twice in the body: what is found is the state at the first look."""
    token = _kept.set({}) if _kept.get() is None else None
    try:
        yield
    finally:
        if token:
            _kept.reset(token)


def list_files(root: pathlib.Path | str, names: Sequence[str]) -> Listing:
    """The files `names` below `root`. Links are followed."""
    wanted: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for position, name in enumerate(names):
        folder, _, base = name.rpartition("/")
        # A path from the root keeps its slash.
        folder = folder or "/" * name.startswith("/")
        wanted[folder][base] = position
    columns = np.full((len(names), len(STAMP)), -1, np.int64)
    missing: dict[int, str] = {}
    listed = _list_folders(root, list(wanted), list(wanted.values()))
    for found, bases in zip(listed, wanted.values(), strict=True):
        positions = map(bases.get, found.names, itertools.repeat(-1))
        where = np.fromiter(positions, np.int64, len(found.names))
        columns[where[where >= 0]] = found.stamps[where >= 0]
        if (where >= 0).sum() < len(bases):
            absent = set(bases.values()) - set(where.tolist())
            missing.update(dict.fromkeys(absent, found.reason))
        reasons = [(bases.get(name), reason) for name, reason in found.missing.items()]
        missing.update((at, reason) for at, reason in reasons if at is not None)
    table = pl.DataFrame(columns, schema=dict.fromkeys(STAMP, pl.Int64))
    paths = pl.Series("path", names, dtype=pl.String)
    is_whole = all(found.is_whole for found in listed)
    return Listing(
        files=table.insert_column(0, paths),
        missing={names[position]: missing[position] for position in sorted(missing)},
        folders=tuple(wanted),
        digest=_digest(wanted, listed) if is_whole else "",
    )


def look_at(root: pathlib.Path | str, folders: Sequence[str]) -> State:
    """Everything in `folders` below `root`, as it is now."""
    listed = _list_folders(root, folders, [None] * len(folders))
    digest = _digest(folders, listed) if all(found.is_whole for found in listed) else ""
    changes = [found.stamps[:, STAMP.index("ctime")] for found in listed]
    times = np.concatenate([np.zeros(1, np.int64), *changes])
    return State(digest, int(times.max()), bool((times % SECOND).any()))


def to_int64(value: int) -> int:
    """`value` (an inode or a time, which may be any number of 64 bits) as one of 63."""
    return value & 0x7FFF_FFFF_FFFF_FFFF


def _digest(folders: Sequence[str] | dict, listed: Sequence[_Folder]) -> str:
    digest = hashlib.sha256()
    for folder, found in zip(folders, listed, strict=True):
        # No name holds a null, and no folder a name that is empty.
        names = "\0".join([folder, *found.names, "", ""])
        digest.update(names.encode(errors="surrogateescape"))
        digest.update(found.stamps.data)
    return digest.hexdigest()


def _list_folders(
    root: pathlib.Path | str,
    folders: Sequence[str],
    wanted: Sequence[dict[str, int] | None],
) -> list[_Folder]:
    kept = _kept.get()

    def work(folder: str, names: dict[str, int] | None) -> _Folder:
        path = os.path.join(root, folder)
        found = kept.get(path) if kept is not None else None
        if found is None or not found.is_whole:
            found = _list_folder(path, names)
            if kept is not None:
                kept[path] = found
        return found

    if len(folders) < MIN_FOLDERS:
        return list(map(work, folders, wanted))
    with concurrent.futures.ThreadPoolExecutor(N_LISTERS) as pool:
        return list(pool.map(work, folders, wanted))


def _list_folder(folder: str, wanted: dict[str, int] | None) -> _Folder:
    """The entries of a folder; only those `wanted`, where that are few of them."""
    none = np.empty((0, len(STAMP)), np.int64)
    # Listing a folder once beats opening each path by far on network disks; from its descriptor,
    # because then the path to it is not walked again for each file.
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except NotADirectoryError:
        return _list_packed(folder)
    except OSError as err:
        return _Folder([], none, {}, False, _explain(err))
    try:
        with os.scandir(handle) as found:
            entries = list(found)
        is_whole = wanted is None or len(entries) <= 2 * len(wanted)
        if not is_whole:
            entries = [entry for entry in entries if entry.name in (wanted or {})]
        stamps, missing = _look_at(entries)
    except OSError as err:
        return _Folder([], none, {}, False, _explain(err))
    finally:
        os.close(handle)
    return _Folder(list(map(_get_name, entries)), stamps, missing, is_whole)


def _look_at(entries: Sequence[os.DirEntry]) -> tuple[Int64[np.ndarray, "n 4"], dict[str, str]]:
    """`STAMP` of each entry, and why some have none."""
    size = len(entries) * len(STAMP)
    try:
        stamps = map(_get_stamp, map(os.DirEntry.stat, entries))
        flat = np.fromiter(itertools.chain.from_iterable(stamps), np.int64, size)
        return flat.reshape(-1, len(STAMP)), {}
    except (OSError, OverflowError):
        pass
    rows, missing = np.full((len(entries), len(STAMP)), -1, np.int64), {}
    for row, entry in zip(rows, entries, strict=True):
        try:
            row[:] = [to_int64(value) for value in _get_stamp(entry.stat())]
        except OSError as err:
            missing[entry.name] = _explain(err)
    return rows, missing


def _list_packed(path: str) -> _Folder:
    """The pictures inside a Parquet file, each of which changes when the file does."""
    try:
        stamp = [to_int64(value) for value in _get_stamp(os.stat(path))]
        n = packed.count_packed(path)
    except OSError:
        n, stamp = 0, [-1] * len(STAMP)
    stamps = np.tile(np.array(stamp, np.int64), (n, 1))
    return _Folder(list(map(str, range(n))), stamps, {}, n > 0)


def _explain(err: OSError) -> str:
    if isinstance(err, FileNotFoundError | NotADirectoryError):
        return "no such file"
    return f"cannot be read: {err.strerror}"
