"""Writes an archive's members below a folder: each whole or not at all, from where it was left.

    done = unpack(Archive("giraffes.zip", "zip", paths, checksum), folder, journal)

A killed run goes on behind the last member that the journal names; the journal is a small file
that is renamed into place every few members. No link is ever made: what a link leads to inside of
the archive is copied.
"""

import contextlib
import dataclasses
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from biobench import atomic
from biobench.download.archives import (
    DEFAULT_LIMITS,
    Limits,
    Member,
    count_bytes,
    explain_damage,
    read_members,
)
from biobench.download.checksums import CHUNK, Joined
from biobench.download.problems import ArchiveRefused, SourceFailed
from biobench.download.shelf import FOLDER
from biobench.download.sizes import ROOM, show_bytes
from biobench.progress import report

__all__ = ["Archive", "Journal", "Unpacked", "unpack"]

EVERY = 200
"""members after which the journal is written anew."""


@dataclasses.dataclass(frozen=True)
class Archive:
    """A verified archive: one file, or its pieces in order."""

    name: str
    kind: str
    """"tar" or "zip"."""
    paths: tuple[Path, ...]
    checksum: str
    """of its content, or of its pieces' contents: a journal of another archive is of no use."""

    def open(self) -> io.BufferedIOBase:
        if len(self.paths) == 1:
            return self.paths[0].open("rb")
        # Buffered: readers of archives take a short read for the end.
        return io.BufferedReader(Joined(self.paths), CHUNK)

    @property
    def size(self) -> int:
        return sum(path.stat().st_size for path in self.paths)


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """What was unpacked."""

    files: int
    bytes: int
    sample: tuple[str, ...]
    """the first and the last names, by which it is seen later whether it still stands there."""


@dataclasses.dataclass(frozen=True)
class Journal:
    """How far an archive is unpacked."""

    checksum: str = ""
    members: int = 0
    bytes: int = 0

    @classmethod
    def read(cls, path: Path) -> "Journal":
        """What is noted; nothing where there is no journal."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return cls(**json.loads(path.read_text()))
        return cls()

    def write(self, path: Path) -> None:
        atomic.write(path, json.dumps(dataclasses.asdict(self)))


def unpack(
    archive: Archive,
    into: Path,
    journal: Path,
    place: Callable[[str], str] = lambda name: name,
    limits: Limits = DEFAULT_LIMITS,
    after_member: Callable[[str], None] = lambda name: None,
) -> Unpacked:
    """Write every member below `into`; who has noted that it is done removes the journal.

    place: a member's name -> its place below `into`.
    after_member: called with each place when it is filled.
    Raises ArchiveRefused, and SourceFailed where the disk has no room.
    """
    into.mkdir(parents=True, exist_ok=True)
    earlier = Journal.read(journal)
    if earlier.checksum != archive.checksum:
        earlier = Journal(archive.checksum)
    _require_room(archive, into, earlier.bytes)
    links: list[Member] = []
    total = 0
    names: dict[str, None] = {}
    stage = f"unpack {archive.name}"
    with archive.open() as file:
        size = archive.size
        report(stage, 0, size)
        for number, member in enumerate(read_members(file, size, archive.kind, limits)):
            if number % EVERY == 0 and number >= earlier.members:
                Journal(archive.checksum, number, total).write(journal)
            member = _place(member, place)
            if member.kind == "link":
                links.append(member)
                continue
            target = into / member.name
            if member.kind == "folder":
                _guard(member, lambda path=target: path.mkdir(parents=True, exist_ok=True))
                continue
            if number >= earlier.members or not _is_there(target, member):
                _guard(member, lambda path=target, member=member: _write(member, path))
            total += member.size
            names[member.name] = None
            report(stage, min(file.tell(), size), size)
            after_member(member.name)
    for member in links:
        total += _copy_target(member, into, names, limits.get_most(size) - total)
    report(stage, size, size)
    ends = [*itertools.islice(names, 4), *itertools.islice(reversed(names), 4)]
    return Unpacked(len(names), total, tuple(dict.fromkeys(ends)))


def _place(member: Member, place: Callable[[str], str]) -> Member:
    name = place(member.name)
    if FOLDER in name.split("/"):
        raise ArchiveRefused(f"its member '{name}' would change what is known of other files")
    target = place(member.target) if member.kind == "link" else ""
    return dataclasses.replace(member, name=name, target=target)


@contextlib.contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """As `atomic.replacing`, but by one name a folder: what a killed run left there is written over
    by the next, so that it need not be looked for among a million pictures."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(".biobench-partial")
    try:
        yield partial
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write(member: Member, target: Path) -> None:
    with _replacing(target) as partial:
        written = 0
        with member.open() as source, partial.open("wb", buffering=0) as file:
            while written <= member.size and (chunk := source.read(CHUNK)):
                written += file.write(chunk)
        if written != member.size:
            raise ArchiveRefused(
                f"its member '{member.name}' has not the {member.size:,} bytes told"
            )


def _copy_target(member: Member, into: Path, names: dict[str, None], most: int) -> int:
    """Put a copy of what a link leads to in its place; returns its bytes."""
    if member.target not in names:
        raise ArchiveRefused(
            f"its link '{member.name}' leads to '{member.target}', which is no file of it"
        )
    source, target = into / member.target, into / member.name
    size = source.stat().st_size
    if size > most:
        raise ArchiveRefused(f"with '{member.name}' it becomes too large: a bomb")
    if source != target:
        with _replacing(target) as partial:
            shutil.copyfile(source, partial)
    names[member.name] = None
    return size


def _is_there(target: Path, member: Member) -> bool:
    return target.is_file() and not target.is_symlink() and target.stat().st_size == member.size


def _guard(member: Member, write: Callable[[], None]) -> None:
    """Names that contradict each other (a file that is a folder, too) are the archive's fault."""
    try:
        with explain_damage():
            write()
    except (NotADirectoryError, IsADirectoryError, FileExistsError) as err:
        raise ArchiveRefused(f"its member '{member.name}' is a file and a folder") from err
    except OSError as err:
        if err.filename is not None and len(os.fsencode(member.name)) > 255:
            raise ArchiveRefused(f"its member '{member.name[:60]}…' has too long a name") from err
        raise


def _require_room(archive: Archive, into: Path, done: int) -> None:
    with archive.open() as file:
        needed = max(0, count_bytes(file, archive.size, archive.kind) - done) + ROOM
    free = shutil.disk_usage(into).free
    if needed > free:
        raise SourceFailed(
            f"the disk of {into} has {show_bytes(free)} free, but about {show_bytes(needed)} are "
            "needed to unpack it; make room, and the same command goes on"
        )
