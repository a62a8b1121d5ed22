"""The files that a model is made of, and whether they are those of an earlier run.

    files = stamp_files(list_files("local:resnet18/weights.pt"))     # before they are read
    files == report["provenance"]["backbone"]["files"]               # then nothing was exchanged

Dates alone would not tell: a link may be turned and a folder swapped, and each file be older than
the run.
"""

import os
import pathlib
from collections.abc import Iterable

__all__ = ["list_files", "stamp_files"]

MAX_FILES = 1000
"""files of a checkpoint that is a folder."""


def list_files(ckpt: str) -> list[pathlib.Path]:
    """The files that a checkpoint's name tells of: `local:ARCH/PATH`, `local-dir:DIR`, or a path by
    itself.

    Weights from a hub are not among them; they are known by their digest once they are loaded.
    """
    name = ckpt.removeprefix("local-dir:")
    if ckpt.startswith("local:"):
        name = ckpt.removeprefix("local:").partition("/")[2]
    path = pathlib.Path(name)
    try:
        if path.is_dir():
            return [file for file in sorted(path.rglob("*"))[:MAX_FILES] if file.is_file()]
        return [path] if path.is_file() else []
    except (OSError, ValueError):
        return []


def stamp_files(paths: Iterable[pathlib.Path]) -> list[dict[str, object]]:
    """What must be equal for files to be the same: name, real path, inode, size and times.

    In plain JSON types; a file that is not there has its name only.
    """
    stamps: list[dict[str, object]] = []
    for path in paths:
        stamp: dict[str, object] = {"path": str(path), "real": os.path.realpath(path)}
        try:
            status = path.stat()
        except OSError:
            stamps.append(stamp)
            continue
        stamp |= {"inode": status.st_ino, "size": status.st_size}
        stamps.append(stamp | {"mtime": status.st_mtime_ns, "ctime": status.st_ctime_ns})
    return stamps
