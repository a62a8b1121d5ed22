"""Files that are there whole or not at all: others may read while they are written, without a lock.

write(path, data)                       # text or bytes; durable=True outlives a power cut
with replacing(path) as partial:        # for what writes by itself, to a path
    table.write_parquet(partial)
"""

import contextlib
import os
import pathlib
import uuid
from collections.abc import Iterator

__all__ = ["PREFIX", "replacing", "sync", "write"]

PREFIX = ".tmp-"
"""how the names of files begin that are not whole yet; a process that was killed leaves one."""


@contextlib.contextmanager
def replacing(path: pathlib.Path, *, durable: bool = False) -> Iterator[pathlib.Path]:
    """The path of a hidden file beside `path`, which takes its place when the block ends.

    Where the block or the writing fails, the hidden file is removed and `path` is as it was.
    durable: wait until the disk has the file, and then its name. Raises OSError.
    """
    partial = path.with_name(f"{PREFIX}{uuid.uuid4().hex}")
    try:
        yield partial
        if durable:
            sync(partial)
        os.replace(partial, path)
    except BaseException:
        # On a full disk, half a file would only be in the way.
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    if durable:
        sync(path.parent)


def write(path: pathlib.Path, data: bytes | memoryview | str, *, durable: bool = False) -> None:
    """Put a file with `data` (text as UTF-8) in the place of `path`, as `replacing` does."""
    with replacing(path, durable=durable) as partial:
        partial.write_bytes(data.encode() if isinstance(data, str) else data)


def sync(path: pathlib.Path) -> None:
    """Wait until the disk has what was written to a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
