"""Finds the file that an export means: by its path, by the end of its path, or by an id.

    files = Files(list_pictures(root).names)
    files.find("D:\\\\Traps\\\\site 1\\\\IMG_1.JPG")  # "site 1/img_1.jpg", where only that fits
    files.find_id("4711")                         # ["4711_1.jpg", "4711_2.jpg"], ["4711/a.jpg"], …

An export may have been made on another machine and its pictures moved since: one path is the
other's end. What fits several files fits none.
"""

import collections
import re
import urllib.parse
from collections.abc import Iterable, Sequence

from biobench.data.exports.kind import MISSING, REMOTE

__all__ = ["Files", "is_remote", "say_gone", "split_path"]

_REMOTE = re.compile(r"^(?!file:)[a-z][a-z0-9+.\-]+://", re.IGNORECASE)
_NUMBERED = re.compile(r"^(.+?)(?:[_\-. ]\d{1,4}| ?\(\d{1,4}\))$")


class Files:
    """The pictures below a folder, as they can be asked for.

    names: relative paths with forward slashes.
    """

    def __init__(self, names: Iterable[str]):
        self._exact = set(names)
        self._whole: dict[str, list[str]] = collections.defaultdict(list)
        self._tails: dict[str, list[str]] = collections.defaultdict(list)
        self._by_id: dict[str, list[str]] = collections.defaultdict(list)
        for name in self._exact:
            parts = name.lower().split("/")
            self._whole["/".join(parts)].append(name)
            for start in range(len(parts)):
                self._tails["/".join(parts[start:])].append(name)
            for key in _list_ids(parts):
                self._by_id[key].append(name)

    def find(self, path: str) -> str | None:
        """The one file that a path may mean, whatever case and folders it is written with.

        Of an address the last part is enough: its folders are another machine's.
        """
        parts = split_path(path)
        found = self._find(parts)
        return self._find(parts[-1:]) if found is None and is_remote(path) else found

    def _find(self, parts: Sequence[str]) -> str | None:
        written = "/".join(parts)
        if written in self._exact:
            return written
        low = written.lower().split("/")
        # What ends as the whole path does shares most with it; then what is most of its end.
        found = self._tails.get("/".join(low), [])
        for start in range(1, len(low)):
            found = found or self._whole.get("/".join(low[start:]), [])
        return found[0] if len(found) == 1 else None

    def find_id(self, key: str) -> list[str]:
        """The files that are called by an id, or by one and a number, or lie in a folder of it."""
        return sorted(self._by_id.get(key.lower(), ()))

    def list_others(self, used: Iterable[str]) -> list[str]:
        """The files that are not among those `used`."""
        return sorted(self._exact - set(used))


def split_path(path: str) -> Sequence[str]:
    """The parts of a path of any machine, or of an address."""
    if is_remote(path):
        path = urllib.parse.unquote(urllib.parse.urlsplit(path).path)
    path = re.sub(r"^file://", "", path.strip().replace("\\", "/"))
    return [part for part in path.split("/") if part and part != "." and not part.endswith(":")]


def is_remote(path: str) -> bool:
    """Whether a path is an address (https://, gs://, …)."""
    return bool(_REMOTE.match(path.strip()))


def say_gone(path: str | None) -> str:
    """Why there is no file of such a path, where none is found."""
    return REMOTE if path and is_remote(path) else MISSING


def _list_ids(parts: Sequence[str]) -> set[str]:
    stem = parts[-1].rpartition(".")[0]
    numbered = _NUMBERED.match(stem)
    return {stem, *parts[-2:-1], *([numbered[1]] if numbered else [])}
