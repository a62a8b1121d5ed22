"""Writes an archive's members below a folder: each whole or not at all, from where it was left.

    done = unpack(Archive("giraffes.zip", "zip", paths, checksum), folder, journal)

A killed run goes on behind the last member that the journal names; the journal is a small file
that is renamed into place every few members. No link is ever made: what a link leads to inside of
the archive is copied.
"""

import contextlib
import dataclasses
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

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
from biobench.download.transfer import ROOM, show_bytes
from biobench.progress import report

__all__ = ["Archive", "Unpacked", "unpack"]

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
    files: int
    bytes: int


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
    n_done = _read_journal(journal, archive)
    _require_room(archive, into)
    links: list[Member] = []
    files = total = 0
    names: set[str] = set()
    stage = f"unpack {archive.name}"
    with archive.open() as file:
        size = archive.size
        report(stage, 0, size)
        for number, member in enumerate(read_members(file, size, archive.kind, limits)):
            if number % EVERY == 0:
                _write_journal(journal, archive, max(number, n_done))
            member = dataclasses.replace(member, name=place(member.name))
            if member.kind == "link":
                member = dataclasses.replace(member, target=place(member.target))
                links.append(member)
                continue
            target = into / member.name
            if member.kind == "folder":
                _guard(member, lambda path=target: path.mkdir(parents=True, exist_ok=True))
                continue
            if number >= n_done or not _is_there(target, member):
                _guard(member, lambda path=target, member=member: _write(member, path))
            files, total = files + 1, total + member.size
            names.add(member.name)
            report(stage, min(file.tell(), size), size)
            after_member(member.name)
    for member in links:
        total += _copy_target(member, into, names, limits.get_most(size) - total)
        files += 1
    report(stage, size, size)
    return Unpacked(files, total)


def _write(member: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # One name a folder: what a killed run left there is written over by the next.
    partial = target.with_name(".biobench-partial")
    try:
        written = 0
        with member.open() as source, partial.open("wb", buffering=0) as file:
            while written <= member.size and (chunk := source.read(CHUNK)):
                written += file.write(chunk)
        if written != member.size:
            raise ArchiveRefused(
                f"its member '{member.name}' has not the {member.size:,} bytes told"
            )
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _copy_target(member: Member, into: Path, names: set[str], most: int) -> int:
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
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(".biobench-partial")
        shutil.copyfile(source, partial)
        os.replace(partial, target)
    names.add(member.name)
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


def _require_room(archive: Archive, into: Path) -> None:
    with archive.open() as file:
        needed = count_bytes(file, archive.size, archive.kind) + ROOM
    free = shutil.disk_usage(into).free
    if needed > free:
        raise SourceFailed(
            f"the disk of {into} has {show_bytes(free)} free, but about {show_bytes(needed)} are "
            "needed to unpack it; make room, and the same command goes on"
        )


def _read_journal(journal: Path, archive: Archive) -> int:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        found = json.loads(journal.read_text())
        if found["checksum"] == archive.checksum:
            return int(found["members"])
    return 0


def _write_journal(journal: Path, archive: Archive, members: int) -> None:
    fresh = journal.with_name(f"{journal.name}.new")
    fresh.write_text(json.dumps({"checksum": archive.checksum, "members": members}))
    os.replace(fresh, journal)
