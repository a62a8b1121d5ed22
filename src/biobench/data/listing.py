"""What the filesystem says of many files, at the price of a listing.

files, missing = list_files(root, ["a/1.jpg", "a/2.jpg"])
"""

import array
import collections
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import polars as pl

from biobench.data import packed

__all__ = ["STAMP", "list_files", "to_int64"]

STAMP = ("size", "mtime", "ctime", "inode")
"""what must be as it was for a file to be taken for unchanged: bytes, nanoseconds (of the content's
last change; of the last change of anything, which no program can set), number of the inode."""


def list_files(
    root: pathlib.Path | str, names: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Columns path, size, mtime, ctime, inode: one row a name, in order, -1 where there is no file.

    Links are followed. Also returns the names that are missing, with the reason.
    """
    wanted: dict[str, dict[str, int]] = collections.defaultdict(dict)
    for position, name in enumerate(names):
        folder, _, base = name.rpartition("/")
        # A path from the root keeps its slash.
        folder = folder or "/" * name.startswith("/")
        wanted[folder][base] = position
    # Flat arrays, because Python's collector would go through a million tuples again and again.
    found, stamps = array.array("q"), array.array("q")
    missing: dict[int, str] = {}
    for folder, bases in wanted.items():
        _list_folder(os.path.join(root, folder), bases, found, stamps, missing)
    columns = np.full((len(names), len(STAMP)), -1, np.int64)
    columns[np.array(found, np.int64)] = np.array(stamps, np.int64).reshape(-1, len(STAMP))
    table = pl.DataFrame(columns, schema=dict.fromkeys(STAMP, pl.Int64))
    paths = pl.Series("path", names, dtype=pl.String)
    reasons = {names[position]: missing[position] for position in sorted(missing)}
    return table.insert_column(0, paths), reasons


def to_int64(value: int) -> int:
    """`value` (an inode or a time, which may be any number of 64 bits) as one of 63."""
    return value & 0x7FFF_FFFF_FFFF_FFFF


def _list_folder(
    folder: str,
    bases: dict[str, int],
    found: array.array,
    stamps: array.array,
    missing: dict[int, str],
) -> None:
    """Add the positions and stamps of the files `bases`, and why others are missing."""
    # Listing a folder once beats opening each path by far on network disks; from its descriptor,
    # because then the path to it is not walked again for each file.
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except NotADirectoryError:
        _list_packed(folder, bases, found, stamps, missing)
        return
    except OSError as err:
        missing.update(dict.fromkeys(bases.values(), _explain(err)))
        return
    first, reason = len(found), "no such file"
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                position = bases.get(entry.name)
                if position is None:
                    continue
                try:
                    s = entry.stat()
                except OSError as err:
                    missing[position] = _explain(err)
                    continue
                stamp = (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)
                try:
                    stamps.extend(stamp)
                except OverflowError:
                    del stamps[len(found) * len(STAMP) :]
                    stamps.extend(map(to_int64, stamp))
                found.append(position)
    except OSError as err:
        reason = _explain(err)
    finally:
        os.close(handle)
    if len(found) - first < len(bases):
        absent = set(bases.values()) - set(found[first:]) - missing.keys()
        missing.update(dict.fromkeys(absent, reason))


def _list_packed(
    path: str,
    bases: dict[str, int],
    found: array.array,
    stamps: array.array,
    missing: dict[int, str],
) -> None:
    """The same for the pictures inside a Parquet file, each of which changes when the file does."""
    n = 0
    try:
        s = os.stat(path)
        n = packed.count_packed(path)
    except OSError:
        pass
    for base, position in bases.items():
        if not base.isdecimal() or int(base) >= n:
            missing[position] = "no such file"
            continue
        stamps.extend(map(to_int64, (s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino)))
        found.append(position)


def _explain(err: OSError) -> str:
    if isinstance(err, FileNotFoundError | NotADirectoryError):
        return "no such file"
    return f"cannot be read: {err.strerror}"
