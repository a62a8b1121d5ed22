"""Boxes in pixels of the pictures as they are stored, from boxes of whatever kind.

    to_pixels(root, [("a.jpg", [0.1, 0.2, 0.5, 0.5, 1, 1])])    # [[64.0, 96.0, 320.0, 240.0]]

A box is x, y, width, height, and the width and height of the picture that these count in: 1 and 1
where they are shares of it, 0 and 0 where that is not known and they are pixels of the file.
Detectors see a picture as its EXIF tag turns it; what is cropped is the picture as it is stored.
"""

import concurrent.futures
import pathlib
from collections.abc import Sequence

from PIL import Image

from biobench.data.images import open_picture

__all__ = ["to_pixels"]

N_READERS = 16
ORIENTATION = 0x0112


def to_pixels(
    root: pathlib.Path, boxes: Sequence[tuple[str, Sequence[float] | None]]
) -> list[list[float] | None]:
    """Each box (six numbers) of a picture below `root` in pixels (four), cut at its edges.

    None where there is no box, where nothing of it is in the picture, or where the picture's size
    cannot be read, which is found again, and said, when it is decoded.
    """
    with concurrent.futures.ThreadPoolExecutor(N_READERS) as pool:
        return list(pool.map(lambda one: one[1] and _convert(root / one[0], one[1]), boxes))


def _convert(path: pathlib.Path, box: Sequence[float]) -> list[float] | None:
    size = _read_size(path)
    if size is None:
        return None
    (stored_width, stored_height), turn = size
    turned = turn in (5, 6, 7, 8)
    shown = (stored_height, stored_width) if turned else (stored_width, stored_height)
    x, y, width, height, full_width, full_height = box
    if not (full_width and full_height):
        full_width, full_height, turn = stored_width, stored_height, 1
    elif full_width != full_height and (full_width < full_height) != (shown[0] < shown[1]):
        # Counted in the picture as it is stored.
        turn = 1
    left, top = x / full_width, y / full_height
    right, bottom = (x + width) / full_width, (y + height) / full_height
    corners = [_turn_back(a, b, turn) for a, b in ((left, top), (right, bottom))]
    xs, ys = ([min(1.0, max(0.0, corner[i])) for corner in corners] for i in (0, 1))
    x, width = min(xs) * stored_width, (max(xs) - min(xs)) * stored_width
    y, height = min(ys) * stored_height, (max(ys) - min(ys)) * stored_height
    # Shares are written with a few digits; a thousandth of a pixel is nothing.
    found = [round(value, 3) for value in (x, y, width, height)]
    return found if found[2] > 0 and found[3] > 0 else None


def _turn_back(x: float, y: float, turn: int) -> tuple[float, float]:
    """Where a point of the turned picture lies in the stored one, both in shares."""
    return {
        2: (1 - x, y),
        3: (1 - x, 1 - y),
        4: (x, 1 - y),
        5: (y, x),
        6: (y, 1 - x),
        7: (1 - y, 1 - x),
        8: (1 - y, x),
    }.get(turn, (x, y))


def _read_size(path: pathlib.Path) -> tuple[tuple[int, int], int] | None:
    try:
        with open_picture(path) as file, Image.open(file) as image:
            return image.size, int(image.getexif().get(ORIENTATION, 1))
    # UndecodableImage, and nearly anything that Pillow's readers raise on damaged data.
    except Exception:
        return None
