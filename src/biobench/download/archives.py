"""What an archive holds, one member after the other, and what no archive may hold.

    for member in read_members(file, size, "tar", Limits()):
        member.name, member.size, member.open()

Nothing is written here, and nothing of `tarfile` or `zipfile` writes: members are bytes with a
checked name. Raises ArchiveRefused for absolute names, names with `..`, links that lead outside,
devices and pipes, more bytes or members than the limits allow, members that overlap, encrypted
ones, and damage.
"""

import bz2
import contextlib
import dataclasses
import gzip
import io
import lzma
import posixpath
import re
import stat
import tarfile
import typing
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Literal, cast

from biobench.download.problems import ArchiveDamaged, ArchiveRefused

__all__ = ["DEFAULT_LIMITS", "Limits", "Member", "count_bytes", "explain_damage", "read_members"]

_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
_DAMAGE += (EOFError, UnicodeError)

LONGEST_READ = 16 << 20
"""bytes of one read inside of a tar's own bookkeeping; more would be a bomb in a header."""
LONGEST_TARGET = 4096
"""bytes of a link's target."""


@dataclasses.dataclass(frozen=True)
class Limits:
    """What an archive may become: pictures hardly shrink when they are packed."""

    ratio: float = 100.0
    """unpacked bytes for each byte of the archive, beyond `free`."""
    free: int = 16 << 20
    """bytes that any archive may become: tables shrink well."""
    total: int = 1 << 40
    members: int = 10_000_000
    """files, links and folders."""

    def get_most(self, size: int) -> int:
        """Bytes that an archive of `size` bytes may become."""
        return min(self.total, self.free + int(self.ratio * size))


@dataclasses.dataclass(frozen=True)
class Member:
    """A file of an archive, a link to another one, or a folder."""

    name: str
    """relative, with forward slashes, without `.` and `..`."""
    kind: Literal["file", "link", "folder"]
    size: int = 0
    """bytes of a file."""
    open: Callable[[], io.BufferedIOBase] = io.BytesIO
    """the bytes of a file; to be read before the next member is asked for."""
    target: str = ""
    """which name of the archive a link leads to."""


DEFAULT_LIMITS = Limits()


def read_members(
    file: io.BufferedIOBase, size: int, kind: str, limits: Limits = DEFAULT_LIMITS
) -> Iterator[Member]:
    """The members of an archive of `size` bytes, in its own order; `kind` is "tar" or "zip"."""
    with explain_damage():
        yield from (_read_tar if kind == "tar" else _read_zip)(file, _Budget(limits, size))


@contextlib.contextmanager
def explain_damage() -> Iterator[None]:
    """Turn what reading a damaged archive can raise into ArchiveRefused."""
    try:
        yield
    except _DAMAGE as err:
        raise ArchiveDamaged(f"it is damaged ({err})") from err
    except NotImplementedError as err:
        raise ArchiveRefused(
            f"it is packed in a way that Python cannot read ({err}); unpack it by hand"
        ) from err


def count_bytes(file: io.BufferedIOBase, size: int, kind: str) -> int:
    """Bytes that the archive becomes: known of a zip, a guess of a tar (pictures do not shrink)."""
    if kind == "tar":
        return size
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        return sum(info.file_size for info in archive.infolist())
    return size


class _Budget:
    """What may still be unpacked."""

    def __init__(self, limits: Limits, size: int) -> None:
        self.limits, self.most = limits, limits.get_most(size)
        self.spent = self.members = 0

    def spend(self, count: int, name: str) -> None:
        """Take `count` bytes for one more member, or raise ArchiveRefused."""
        self.spent += count
        self.members += 1
        if self.spent > self.most:
            raise ArchiveRefused(
                f"with '{name}' it becomes more than {self.most:,} bytes, which is out of all "
                "proportion to its size: a bomb"
            )
        if self.members > self.limits.members:
            raise ArchiveRefused(f"it has more than {self.limits.members:,} members: a bomb")


def _check_name(name: str) -> str:
    """The name as a plain relative path; raises ArchiveRefused where it is none."""
    if "\0" in name or "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise ArchiveRefused(f"its member '{name}' has an absolute or foreign name")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ArchiveRefused(f"its member '{name}' leads out of the folder")
    return "/".join(parts)


def _check_target(name: str, target: str, base: str) -> str:
    """What a link leads to, as a name of the archive; raises ArchiveRefused where it is outside."""
    joined = posixpath.normpath(posixpath.join(base, target))
    if target.startswith("/") or "\\" in target or joined.split("/")[0] == "..":
        raise ArchiveRefused(f"its link '{name}' leads out of the folder, to '{target}'")
    return _check_name(joined)


def _read_tar(file: io.BufferedIOBase, budget: _Budget) -> Iterator[Member]:
    stream = _Bounded(_decompress(file), budget)
    with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as archive:
        while (info := archive.next()) is not None:
            # The list would grow with every member.
            archive.members.clear()  # pyright: ignore[reportAttributeAccessIssue]
            if member := _make_tar_member(archive, info, budget):
                yield member
        # tarfile takes a damaged header for the end; behind a real end there are only zeros.
        while chunk := stream.read(1 << 20):
            if chunk.strip(b"\0"):
                raise ArchiveRefused("it is damaged: there is more behind its end")


def _make_tar_member(
    archive: tarfile.TarFile, info: tarfile.TarInfo, budget: _Budget
) -> Member | None:
    name = _check_name(info.name)
    if info.isdir():
        budget.spend(0, name)
        return Member(name, "folder") if name else None
    if info.issym() or info.islnk():
        budget.spend(0, name)
        base = "" if info.islnk() else posixpath.dirname(name)
        return Member(name, "link", target=_check_target(name, info.linkname, base))
    if not info.isreg():
        raise ArchiveRefused(f"its member '{name}' is a device or a pipe")
    if not name:
        raise ArchiveRefused("it has a file without a name")
    budget.spend(info.size, name)
    return Member(
        name, "file", info.size, lambda: cast(io.BufferedIOBase, archive.extractfile(info))
    )


def _decompress(file: io.BufferedIOBase) -> io.BufferedIOBase:
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        return bz2.BZ2File(cast(IO[bytes], file))
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(typing.cast(typing.BinaryIO, file))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        raise ArchiveRefused("it is packed with Zstandard; unpack it by hand (tar --zstd -xf)")
    return file


class _Bounded:
    """A stream that a tar's headers cannot make read, or unpack, more than is reasonable."""

    def __init__(self, stream: io.BufferedIOBase, budget: _Budget) -> None:
        self._stream, self._budget, self._furthest = stream, budget, 0

    def read(self, count: int) -> bytes:
        if count > LONGEST_READ:
            raise ArchiveRefused(f"it has a header of {count:,} bytes: a bomb")
        data = self._stream.read(count)
        self._watch()
        return data

    def seek(self, offset: int) -> int:
        # In steps, so that a far target cannot unpack a bomb unseen.
        while (gap := offset - self._stream.tell()) > LONGEST_READ:
            if not self._stream.read(LONGEST_READ):
                break
            self._watch()
        return self._stream.seek(min(gap, LONGEST_READ), io.SEEK_CUR) if gap else offset

    def tell(self) -> int:
        return self._stream.tell()

    def _watch(self) -> None:
        # Headers and padding are about a thousand bytes a member.
        allowed = self._budget.most + 4096 * (self._budget.members + 1024)
        if self._stream.tell() > allowed:
            raise ArchiveRefused(f"it becomes more than {self._budget.most:,} bytes: a bomb")


def _read_zip(file: io.BufferedIOBase, budget: _Budget) -> Iterator[Member]:
    with zipfile.ZipFile(cast(IO[bytes], file)) as archive:
        infos = archive.infolist()
        members = [(info, _make_zip_member(archive, info, budget)) for info in infos]
        _check_overlaps(archive, infos)
        yield from (member for _, member in members if member.name)


def _make_zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: _Budget) -> Member:
    name = _check_name(info.orig_filename)
    mode = stat.S_IFMT(info.external_attr >> 16) if info.create_system == 3 else 0
    if info.flag_bits & 1:
        raise ArchiveRefused(f"its member '{name}' is encrypted; unpack it by hand")
    if mode not in (0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        raise ArchiveRefused(f"its member '{name}' is a device or a pipe")
    budget.spend(info.file_size, name)
    if info.is_dir() or mode == stat.S_IFDIR:
        return Member(name, "folder")
    if mode == stat.S_IFLNK:
        if info.file_size > LONGEST_TARGET:
            raise ArchiveRefused(f"its link '{name}' has a target of {info.file_size:,} bytes")
        target = archive.read(info).decode()
        target = _check_target(name, target, posixpath.dirname(name))
        return Member(name, "link", target=target)
    if not name:
        raise ArchiveRefused("it has a file without a name")
    return Member(name, "file", info.file_size, lambda: cast(io.BufferedIOBase, archive.open(info)))


def _check_overlaps(archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> None:
    """Members that share bytes make a small archive large beyond what each of them declares."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    ends = [info.header_offset for info in ordered[1:]] + [archive.start_dir]
    for info, end in zip(ordered, ends, strict=True):
        # A local header has 30 bytes and the name.
        if info.header_offset + 30 + len(info.orig_filename) + info.compress_size > end:
            raise ArchiveRefused(f"its member '{info.filename}' overlaps another one: a bomb")
