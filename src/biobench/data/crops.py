"""Parts of pictures: what of a picture is embedded, where it is cropped to its box.

    views = list_views(manifest.table, crop="square", margin=0.1)
    views.names       # what is embedded, each once: "a.jpg", "b.jpg#xywh=10,20,30,40&square&…"
    views.of_row      # which of them each row is
    views.crops       # of those that are a part of a picture: name -> Crop

    Crop("b.jpg", (10, 20, 30, 40), "square", 0.1).cut(image)

The geometry, in pixels of the picture as it is stored (docs/features.md has it in words). The box
is first cut off where the picture ends. With `box` it then grows by the margin, a fraction of its
width to the left and right, of its height above and below, out to whole pixels, and is cut off
where the picture ends. With `square` it becomes the smallest square of whole pixels around the
box and its margin (a fraction of the longer side, all around), but none larger than the picture's
longer side; the square is moved into the picture, and what of it does not fit is black, in equal
parts on both sides.
"""

import dataclasses
import functools
import hashlib
import math
import struct
from collections.abc import Mapping
from typing import Literal

import polars as pl
from PIL import Image

from biobench.data.contents import HASH_BYTES
from biobench.data.images import MAX_PIXELS, UndecodableImage
from biobench.errors import BadInput

__all__ = ["Crop", "Views", "list_views", "name_part"]

Shape = Literal["none", "box", "square"]
ROUNDED = 3
"""decimals of a pixel that count: boxes of fractions are off by the last bits of a number."""


@dataclasses.dataclass(frozen=True)
class Crop:
    """The part of a picture around a box."""

    image: str
    """the picture's path below the folder of images."""
    box: tuple[float, float, float, float]
    """x, y, width, height in pixels of the stored picture."""
    shape: Literal["box", "square"]
    margin: float = 0.0

    @property
    def name(self) -> str:
        """The picture's path, and what tells this part from its others, as a media fragment."""
        square = "&square" * (self.shape == "square")
        margin = f"&margin={_write(self.margin)}" if self.margin else ""
        return name_part(self.image, self.box) + square + margin

    @property
    def text(self) -> str:
        """What is done to the picture, without its name."""
        return self.name[len(self.image) + 1 :]

    def digest(self, content: bytes) -> bytes:
        """What a vector of this part is known by, if `content` is what the picture is known by."""
        # Of 16 bytes as a content's is, and of another message, so that neither is ever the other.
        numbers = struct.pack(">5d", *(value + 0.0 for value in (*self.box, self.margin)))
        message = b"biobench crop 1\0" + self.shape.encode() + b"\0" + numbers + content
        return hashlib.sha256(message).digest()[:HASH_BYTES]

    def place(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge in a picture of that size, which they may leave.

        Raises UndecodableImage for a box that is none, or that lies outside.
        """
        x, y, w, h = self.box
        said = ", ".join(map(_write, self.box))
        if not all(map(math.isfinite, self.box)):
            raise UndecodableImage(f"its box ({said}) is not four numbers")
        if w <= 0 or h <= 0:
            raise UndecodableImage(f"its box ({said}) is empty: width and height must be positive")
        left, right = max(x, 0.0), min(x + w, width)
        upper, lower = max(y, 0.0), min(y + h, height)
        if right - left <= 0 or lower - upper <= 0:
            raise UndecodableImage(f"its box ({said}) is outside of {width} x {height} pixels")
        if self.shape == "box":
            dx, dy = self.margin * (right - left), self.margin * (lower - upper)
            across = max(_floor(left - dx), 0), min(_ceil(right + dx), width)
            down = max(_floor(upper - dy), 0), min(_ceil(lower + dy), height)
            return across[0], down[0], across[1], down[1]
        side = _ceil(max(right - left, lower - upper) * (1 + 2 * self.margin))
        # Of whole pixels around a box between them.
        inner = max(_ceil(right) - _floor(left), _ceil(lower) - _floor(upper))
        side = min(max(side, inner), max(width, height))
        if side**2 > MAX_PIXELS:
            raise UndecodableImage(f"a square of {side:,} pixels a side is too large")
        first = _place_side(left, right, side, width)
        top = _place_side(upper, lower, side, height)
        return first, top, first + side, top + side

    def cut(self, image: Image.Image) -> Image.Image:
        """The part of a picture in mode RGB; raises UndecodableImage."""
        # Beyond a picture Pillow's crop is black.
        return image.crop(self.place(*image.size))


@dataclasses.dataclass(frozen=True)
class Views:
    """What is embedded of the pictures of a manifest."""

    names: list[str]
    """each once, in order of first appearance."""
    of_row: pl.Series
    """the name of each row's."""
    crops: Mapping[str, Crop] = dataclasses.field(default_factory=dict)
    """those that are a part of a picture; the others are whole pictures, called as they are."""
    n_whole: int = 0
    """pictures among them that are whole because they have no box."""

    @functools.cached_property
    def warnings(self) -> list[str]:
        """What a reader of the results should know, one sentence each."""
        if not self.n_whole:
            return []
        return [f"Pictures without a box, embedded whole: {self.n_whole:,} of {len(self.names):,}."]


def list_views(table: pl.DataFrame, crop: str, margin: float) -> Views:
    """What is embedded of the pictures of a manifest's table (columns image, subtask, box).

    crop: none, box or square. Raises BadInput where there are no boxes to crop, or where pictures
    have several that nothing would tell apart.
    """
    if crop == "none":
        _check_told_apart(table)
        images = table["image"]
        return Views(images.unique(maintain_order=True).to_list(), images)
    if "box" not in table.columns or not table["box"].count():
        raise BadInput(
            f"--crop {crop} needs boxes, but the data have none (a column 'box' of the manifest); "
            "leave --crop out for them, or bring boxes in a table (docs/folders.md)."
        )
    shape: Literal["box", "square"] = "square" if crop == "square" else "box"
    names, crops = [], {}
    for image, box in table.select("image", "box").iter_rows():
        if box is None:
            names.append(image)
            continue
        part = Crop(image, tuple(box), shape, margin)
        names.append(part.name)
        crops[part.name] = part
    if clash := next((name for name in {*table["image"]} & crops.keys()), None):
        raise BadInput(f"The picture '{clash}' is called as a part of another; rename it.")
    of_row = pl.Series("view", names, dtype=pl.String)
    each = list(dict.fromkeys(names))
    return Views(each, of_row, crops, len(each) - len(crops))


def name_part(image: str, box: tuple[float, ...] | list[float]) -> str:
    """A picture and a box in it as one name, in the form of W3C's media fragments."""
    return f"{image}#xywh={','.join(map(_write, box))}"


def _check_told_apart(table: pl.DataFrame) -> None:
    if "box" not in table.columns:
        return
    box = pl.col("box").cast(pl.List(pl.String)).list.join(" ")
    several = table.group_by("subtask", "image", maintain_order=True).agg(n=box.n_unique())
    several = several.filter(pl.col("n") > 1)
    if several.height:
        raise BadInput(
            f"{several.height:,} pictures have several boxes (as {several['image'][0]}) and would "
            "be the same whole picture under several labels; crop them with --crop box or --crop "
            "square, or keep one row a picture."
        )


def _place_side(low: float, high: float, side: int, size: int) -> int:
    """Where a square of `side` pixels begins around low to high, in a picture of `size`."""
    if side >= size:
        return -((side - size) // 2)
    # As near to the middle as whole pixels are, with all of the box inside.
    first = math.floor(round((low + high - side) / 2 + 0.5, ROUNDED))
    first = min(max(first, _ceil(high) - side), _floor(low))
    return min(max(first, 0), size - side)


def _floor(value: float) -> int:
    return math.floor(round(value, ROUNDED))


def _ceil(value: float) -> int:
    return math.ceil(round(value, ROUNDED))


def _write(value: float) -> str:
    """The shortest text that is this number."""
    return repr(float(value) + 0.0).removesuffix(".0")
