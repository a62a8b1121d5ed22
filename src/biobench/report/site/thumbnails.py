"""Small copies of the pictures that pages show, and nothing else of the folder they lie in.

    album = Album(Path("data"))
    shot = album.take("newt", "images/a.jpg")
    shot.address            # "thumbs/3f….webp", or "" and shot.note says why there is none
    album.files             # what the addresses lead to

A picture is found as `run --data` finds it: below the folder of its task, else below the folder
itself. What a path leads to is opened only where it lies inside, links followed.
"""

import dataclasses
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

__all__ = ["MAX_THUMBS", "Album", "Shot"]

SIZE = 240
"""pixels of a thumbnail's longer side, at most."""

QUALITY = 72
MAX_THUMBS = 4_000
"""of a site; at about 5 kB each that is 20 MB."""

MARGIN = 0.25
"""how much of a box's sides is shown around it."""

OUTSIDE = "not shown: its path leads outside the folder of pictures"
MISSING = "picture not found"
ENOUGH = f"not shown: the site has {MAX_THUMBS:,} pictures already"


@dataclasses.dataclass(frozen=True)
class Shot:
    """A picture as a page shows it."""

    address: str = ""
    """relative to the site's first page; empty where there is none."""
    width: int = 0
    """in pixels, 0 where there is none."""
    height: int = 0
    note: str = ""
    """why there is none; empty too where the site has no pictures at all."""


class Album:
    """The thumbnails of one site; each picture is read once."""

    def __init__(self, root: Path | None):
        """root: a folder with a folder for each task, or one task's own; None: no pictures."""
        self.root = root
        self.files: dict[str, bytes] = {}
        """by address, what has been taken so far."""
        self._taken: dict[tuple[str, str, tuple[float, ...]], Shot] = {}

    def take(self, task: str, image: str, box: Sequence[float] | None = None) -> Shot:
        """A picture's thumbnail; what goes wrong is said in its note and never raised.

        image: its path as the manifest has it, below the task's folder.
        box: (x, y, width, height) in pixels of the stored picture: what is shown, with a margin.
        """
        if self.root is None:
            return Shot()
        key = (task, image, tuple(box or ()))
        if key not in self._taken:
            self._taken[key] = self._make(self.root, *key)
        return self._taken[key]

    def _make(self, root: Path, task: str, image: str, box: tuple[float, ...]) -> Shot:
        if not _is_plain(image):
            return Shot(note=OUTSIDE)
        if len(self.files) >= MAX_THUMBS:
            return Shot(note=ENOUGH)
        folders = [root / task] if _is_plain(task) and "/" not in task else []
        note = MISSING
        for folder in (*folders, root):
            found = _find(root, folder, image)
            if found == OUTSIDE:
                note = OUTSIDE
            elif found != MISSING:
                return self._read(folder, image, box)
        return Shot(note=note)

    def _read(self, folder: Path, image: str, box: tuple[float, ...]) -> Shot:
        # Sites without pictures need nothing of what decodes them.
        from biobench.data import contents, images

        try:
            data, _ = contents.read_picture(folder, image)
            picture = images.decode(data, exif=not box)
        except (OSError, ValueError) as err:
            return Shot(note=f"cannot be read: {_say(err)}")
        picture = picture.crop(_widen(box, picture.size)) if len(box) == 4 else picture
        picture.thumbnail((SIZE, SIZE))
        file = io.BytesIO()
        picture.save(file, "WEBP", quality=QUALITY, method=2)
        content = file.getvalue()
        address = f"thumbs/{hashlib.sha256(content).hexdigest()[:24]}.webp"
        self.files[address] = content
        return Shot(address, *picture.size)


def _is_plain(path: str) -> bool:
    """Whether a path goes down only, on any system."""
    parts = path.split("/")
    return (
        bool(path)
        and "\0" not in path
        and "\\" not in path
        and not PureWindowsPath(path).drive
        and not any(part in ("", ".", "..") for part in parts)
    )


def _find(root: Path, folder: Path, image: str) -> str:
    """OUTSIDE, MISSING, or "" where the picture is there."""
    try:
        there = (folder / image).resolve()
        if not there.is_relative_to(root.resolve()):
            return OUTSIDE
        # A row of a Parquet file has that file's path and its number.
        is_packed = there.parent.suffix == ".parquet" and there.parent.is_file()
        return "" if there.is_file() or is_packed else MISSING
    except (OSError, RuntimeError, ValueError):
        return MISSING


def _widen(box: tuple[float, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a picture that is shown of a box; all of it where the box is none."""
    x, y, width, height = box
    if not (width > 0 and height > 0):
        return (0, 0, *size)
    left, right = x - MARGIN * width, x + (1 + MARGIN) * width
    top, bottom = y - MARGIN * height, y + (1 + MARGIN) * height
    left, top = max(0, int(left)), max(0, int(top))
    right, bottom = min(size[0], int(right) + 1), min(size[1], int(bottom) + 1)
    if right <= left or bottom <= top:
        return (0, 0, *size)
    return (left, top, right, bottom)


def _say(err: Exception) -> str:
    """The reason alone: a message of the system would name where the pictures lie."""
    return (err.strerror or "error") if isinstance(err, OSError) else str(err)
