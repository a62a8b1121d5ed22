"""What is known of the files in a task's data folder, in small files in its folder `.download`.

    with shelf.lock(tell):
        shelf.read("giraffes.zip"), shelf.write("giraffes.zip", record)

A record is one JSON file for each source, replaced whole. What is not recorded is found out anew
from the data, so that the folder may be removed at any time.
"""

import contextlib
import dataclasses
import json
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from biobench import atomic

__all__ = ["FOLDER", "Record", "Shelf"]

FOLDER = ".download"


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of one source's file."""

    checksum: str = ""
    """of the verified file."""
    origin: str = ""
    """"published" (the checksum is) or "recorded" (of the first download)."""
    address: str = ""
    """where it was fetched; empty where the user put it there."""
    stats: list[list[int]] = dataclasses.field(default_factory=list)
    """size and modification time (ns) of the file, or of its pieces, when they were verified."""
    complete: bool = False
    """whether all that it gives stands in place."""
    files: int = 0
    bytes: int = 0
    """what was unpacked."""
    sample: list[str] = dataclasses.field(default_factory=list)
    """some of it."""


@dataclasses.dataclass(frozen=True)
class Shelf:
    """The records of one task's data folder."""

    folder: Path

    def read(self, name: str) -> Record:
        """What is known of a source's file; an empty record where nothing is."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return Record(**json.loads(self._path(name, "json").read_text()))
        return Record()

    def write(self, name: str, record: Record) -> None:
        path = self._path(name, "json")
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, json.dumps(dataclasses.asdict(record), indent=1) + "\n")

    def forget(self, name: str) -> None:
        self._path(name, "json").unlink(missing_ok=True)

    def partial(self, name: str) -> Path:
        """Where a file grows until it is verified."""
        return self._path(name, "partial")

    def sums(self, name: str) -> Path:
        """Where the checksums of files stand that are fetched one by one."""
        return self._path(name, "sha256")

    def missing(self, name: str) -> Path:
        """Where the files stand that could not be fetched."""
        return self._path(name, "missing.txt")

    def list_missing(self, name: str, missing: list[str]) -> None:
        """Keep a list of the files that could not be fetched; none where there are none."""
        path = self.missing(name)
        if missing:
            path.write_text("".join(f"{file}\n" for file in missing), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)

    def journal(self, name: str) -> Path:
        """Where it stands how far an archive is unpacked."""
        return self._path(name, "unpacking")

    @contextlib.contextmanager
    def lock(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Wait until no other process works in the folder, then keep others out.

        The system lets go of the lock of a process that dies.
        """
        (self.folder / FOLDER).mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.folder / FOLDER / "lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            tell(f"another biobench download works in {self.folder}; this one waits for it")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _path(self, name: str, suffix: str) -> Path:
        return self.folder / FOLDER / f"{urllib.parse.quote(name, safe='')}.{suffix}"
