"""Files that are there whole or not at all: others may read while they are written, without a lock.

write(path, data)                       # text or bytes; durable=True outlives a power cut
with replacing(path) as partial:        # for what writes by itself, to a path
    table.write_parquet(partial)
write_sealed(path, data)                # with its digest behind it
read_sealed(path)                       # the data, or None where the file is damaged
"""

import contextlib
import hashlib
import os
import pathlib
import uuid
from collections.abc import Iterator

__all__ = ["PREFIX", "read_sealed", "replacing", "sync", "write", "write_sealed"]

PREFIX = ".tmp-"
"""how the names of files begin that are not whole yet; a process that was killed leaves one."""

_DIGEST_BYTES = hashlib.sha256().digest_size


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


def write_sealed(path: pathlib.Path, data: bytes | memoryview) -> None:
    """`write` data and their SHA-256 behind them, for `read_sealed`."""
    write(path, b"".join((data, hashlib.sha256(data).digest())))


def read_sealed(path: pathlib.Path) -> memoryview | None:
    """What `write_sealed` wrote, without a copy; None where it is not whole. Raises OSError."""
    whole = memoryview(path.read_bytes())
    data, end = whole[:-_DIGEST_BYTES], whole[-_DIGEST_BYTES:]
    return data if hashlib.sha256(data).digest() == end else None


def sync(path: pathlib.Path) -> None:
    """Wait until the disk has what was written to a file or a folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
