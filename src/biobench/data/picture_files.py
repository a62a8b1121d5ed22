"""Finds pictures in folders, and says of every other file why it is not one.

found = list_pictures(root)     # found.names: relative paths; found.left_out: the rest, and why

Each real folder is visited once, under its own name where it has one below `root`, so links that
lead back (`latest -> .`) neither multiply pictures nor end in a loop.
"""

import collections
import dataclasses
import errno
import os
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import polars as pl

__all__ = [
    "SUFFIXES",
    "LeftOut",
    "Pictures",
    "count_left_out",
    "list_pictures",
    "match_case",
    "match_suffix_case",
    "name_reason",
    "show_name",
    "show_names",
]

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
    | {".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".heic", ".heif", ".hif"}
)
UNREAD_SUFFIXES = frozenset(
    {".arw", ".cr2", ".cr3", ".crw", ".czi", ".dcm", ".dng", ".exr", ".fits", ".jxl", ".jxr"}
    | {".nd2", ".ndpi", ".nef", ".nrw", ".orf", ".pef", ".psd", ".raf", ".raw", ".rw2", ".srw"}
    | {".svg", ".svs", ".heics", ".heifs", ".avifs", ".mp4", ".mov", ".avi"}
)

NOT_PICTURES = "files that are not pictures"
UNREAD = "pictures and videos in formats that are not read"
HIDDEN = "hidden files"
HIDDEN_FOLDER = "hidden folders"
DANGLING = "dangling links"
LOOP = "links to themselves"
SPECIAL = "pipes, devices or sockets"
UNREADABLE = "files that cannot be read"
UNREADABLE_FOLDER = "folders that cannot be read"
NOT_UTF8 = "names that are not UTF-8"
AGAIN = "folders that are listed already under another name"

SINGULAR = {
    NOT_PICTURES: "file that is not a picture",
    UNREAD: "picture or video in a format that is not read",
    HIDDEN: "hidden file",
    HIDDEN_FOLDER: "hidden folder",
    DANGLING: "dangling link",
    LOOP: "link to itself",
    SPECIAL: "pipe, device or socket",
    UNREADABLE: "file that cannot be read",
    UNREADABLE_FOLDER: "folder that cannot be read",
    NOT_UTF8: "name that is not UTF-8",
    AGAIN: "folder that is listed already under another name",
    "pictures outside a class folder": "picture outside a class folder",
    "pictures that are not there": "picture that is not there",
    "rows without a picture": "row without a picture",
    "rows without a name at any rank": "row without a name at any rank",
    "rows without a date": "row without a date",
}


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A file, or a folder that was not entered, and why it is not used."""

    path: str
    """below the folder that was listed; bytes that are not UTF-8 stand as \\x.. in it."""
    reason: str
    """in the plural, as it stands behind a count."""


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures below a folder, as sorted relative paths with forward slashes."""

    names: list[str]
    left_out: tuple[LeftOut, ...] = ()
    """every other file, and the folders that were not entered, sorted by path."""


def list_pictures(root: pathlib.Path, first: Sequence[str] = ()) -> Pictures:
    """Every picture below `root`, however deep, by suffix in either case.

    first: names of folders in `root` whose links are followed before the others are visited, so
        that what is linked from there is found there.
    A link to a folder is followed unless that folder was visited already; one to a file is taken.
    """
    walk = _Walk(root)
    walk.go(name for name in first if (root / name).is_dir())
    walk.go([""])
    return Pictures(sorted(walk.names), tuple(sorted(walk.left_out, key=lambda out: out.path)))


def count_left_out(left_out: Iterable[LeftOut]) -> dict[str, int]:
    """Number of files by reason, the most frequent first."""
    return dict(collections.Counter(out.reason for out in left_out).most_common())


def name_reason(reason: str, n: int) -> str:
    """A reason as it stands behind the number `n`."""
    if n != 1:
        return reason
    return SINGULAR.get(reason) or re.sub(
        r"^(picture|video|observation|occurrence)s\b(?: that (are|belong|have)\b)?",
        lambda found: (
            found[1]
            + {"are": " that is", "belong": " that belongs", "have": " that has"}.get(found[2], "")
        ),
        reason,
    )


def show_name(name: str) -> str:
    """A file's name in one printable line: control characters and the like as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in name
    )


def show_names(names: Sequence[str], most: int = 3) -> str:
    """The first names in quotes, each as `show_name` writes it, and a mark that there are more."""
    shown = ", ".join(f"'{show_name(name)}'" for name in names[:most])
    return shown + ", …" * (len(names) > most)


def match_suffix_case(root: pathlib.Path, names: Iterable[str]) -> pl.Series:
    """`names` with each suffix written as on disk: copies of a data set may shout (.JPG)."""
    names = list(names)
    folders = {name.rpartition("/")[0] for name in names}
    actual = {}
    for folder in folders:
        path = root / folder
        if not path.is_dir():
            continue
        prefix = f"{folder}/" if folder else ""
        for entry in os.scandir(path):
            stem, suffix = os.path.splitext(prefix + entry.name)
            actual[stem + suffix] = stem + suffix
            actual.setdefault(stem + suffix.lower(), stem + suffix)
    found = [actual.get(name) or actual.get(_lower_suffix(name), name) for name in names]
    return pl.Series("image", found, dtype=pl.String)


def match_case(root: pathlib.Path, names: Iterable[str]) -> pl.Series:
    """`names` with each file called as on disk, whatever case the name is written in.

    A name that is there as it is written is left as it is.
    """
    names = list(names)
    actual = {}
    for folder in {name.rpartition("/")[0] for name in names}:
        if (root / folder).is_dir():
            prefix = f"{folder}/" if folder else ""
            for entry in sorted(os.listdir(root / folder)):
                actual.setdefault(prefix + entry.lower(), prefix + entry)
                actual[prefix + entry] = prefix + entry
    found = []
    for name in names:
        folder, slash, base = name.rpartition("/")
        found.append(actual.get(name) or actual.get(folder + slash + base.lower(), name))
    return pl.Series("image", found, dtype=pl.String)


def _lower_suffix(name: str) -> str:
    stem, suffix = os.path.splitext(name)
    return stem + suffix.lower()


class _Walk:
    """Visits folders; those that are there in person before those that are only linked to."""

    def __init__(self, root: pathlib.Path):
        self.names: list[str] = []
        self.left_out: list[LeftOut] = []
        self._root = os.fspath(root)
        self._seen: set[tuple[int, int]] = set()
        self._done: set[str] = set()
        self._is_new("")

    def go(self, folders: Iterable[str]) -> None:
        waiting, links = collections.deque(folders), collections.deque()
        while waiting or links:
            folder = waiting.popleft() if waiting else links.popleft()
            if folder in self._done:
                continue
            self._done.add(folder)
            if folder and not self._is_new(folder):
                self._leave_out(folder, AGAIN)
                continue
            for path, is_link in self._list(folder):
                (links if is_link else waiting).append(path)

    def _is_new(self, folder: str) -> bool:
        try:
            status = os.stat(os.path.join(self._root, folder))
        except OSError:
            # It went since it was listed: listing it says so.
            return True
        key = status.st_dev, status.st_ino
        new = key not in self._seen
        self._seen.add(key)
        return new

    def _list(self, folder: str) -> Iterator[tuple[str, bool]]:
        """The folders in `folder`, and whether each is a link."""
        try:
            with os.scandir(os.path.join(self._root, folder)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self._leave_out(folder, UNREADABLE_FOLDER)
            return
        for entry in found:
            path = f"{folder}/{entry.name}" if folder else entry.name
            try:
                is_folder = self._sort(entry, path)
            except OSError as err:
                missing = isinstance(err, FileNotFoundError)
                reason = LOOP if err.errno == errno.ELOOP else DANGLING if missing else UNREADABLE
                self._leave_out(path, reason)
                continue
            if is_folder:
                yield path, entry.is_symlink()

    def _sort(self, entry: os.DirEntry, path: str) -> bool:
        """Whether to enter a folder; a file is taken or left out. OSError on a bad link."""
        # Only links cost a look at what they lead to.
        if entry.is_symlink():
            entry.stat()
        is_folder, is_file = entry.is_dir(), entry.is_file()
        if not path.isascii() and not _is_utf8(path):
            self._leave_out(path, NOT_UTF8)
        elif entry.name.startswith("."):
            self._leave_out(path, HIDDEN_FOLDER if is_folder else HIDDEN)
        elif is_folder:
            return True
        elif not is_file:
            self._leave_out(path, SPECIAL)
        elif (suffix := os.path.splitext(entry.name)[1].lower()) in SUFFIXES:
            self.names.append(path)
        else:
            self._leave_out(path, UNREAD if suffix in UNREAD_SUFFIXES else NOT_PICTURES)
        return False

    def _leave_out(self, path: str, reason: str) -> None:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        self.left_out.append(LeftOut(shown, reason))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
