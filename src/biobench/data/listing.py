"""What the filesystem says of many files, at the price of a listing.

files, missing = list_files(root, ["a/1.jpg", "a/2.jpg"])
"""

import collections
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import polars as pl

__all__ = ["STAMP", "list_files", "to_int64"]

STAMP = ("size", "mtime", "ctime", "inode")
"""what must be as it was for a file to be taken for unchanged: bytes, nanoseconds (of the content's
last change; of the last change of anything, which no program can set), number of the inode."""

ABSENT = (-1, -1, -1, -1)


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
    stamps: list[tuple[int, int, int, int]] = [ABSENT] * len(names)
    missing: dict[int, str] = {}
    for folder, bases in wanted.items():
        _list_folder(os.path.join(root, folder), bases, stamps, missing)
    table = pl.DataFrame(_to_array(stamps), schema=dict.fromkeys(STAMP, pl.Int64))
    paths = pl.Series("path", names, dtype=pl.String)
    reasons = {names[position]: missing[position] for position in sorted(missing)}
    return table.insert_column(0, paths), reasons


def to_int64(value: int) -> int:
    """`value` (an inode or a time, which may be any number of 64 bits) as one of 63."""
    return value & 0x7FFF_FFFF_FFFF_FFFF


def _list_folder(
    folder: str,
    bases: dict[str, int],
    stamps: list[tuple[int, int, int, int]],
    missing: dict[int, str],
) -> None:
    # Listing a folder once beats opening each path by far on network disks; from its descriptor,
    # because then the path to it is not walked again for each file.
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as err:
        missing.update(dict.fromkeys(bases.values(), _explain(err)))
        return
    found = 0
    try:
        with os.scandir(handle) as entries:
            for entry in entries:
                position = bases.get(entry.name)
                if position is None:
                    continue
                found += 1
                try:
                    status = entry.stat()
                except OSError as err:
                    missing[position] = _explain(err)
                    continue
                stamps[position] = (
                    status.st_size,
                    status.st_mtime_ns,
                    status.st_ctime_ns,
                    status.st_ino,
                )
    except OSError as err:
        missing.update((p, _explain(err)) for p in bases.values() if stamps[p] is ABSENT)
        return
    finally:
        os.close(handle)
    if found < len(bases):
        absent = (p for p in bases.values() if stamps[p] is ABSENT and p not in missing)
        missing.update(dict.fromkeys(absent, "no such file"))


def _to_array(stamps: list[tuple[int, int, int, int]]) -> np.ndarray:
    try:
        return np.array(stamps, np.int64).reshape(-1, len(STAMP))
    except OverflowError:
        clean = [row if row is ABSENT else tuple(map(to_int64, row)) for row in stamps]
        return np.array(clean, np.int64).reshape(-1, len(STAMP))


def _explain(err: OSError) -> str:
    if isinstance(err, FileNotFoundError | NotADirectoryError):
        return "no such file"
    return f"cannot be read: {err.strerror}"
