"""Boxes around what a picture shows: the manifest's column `box`, and how tables write it.

    found = find_boxes(table)                 # bbox; or bbox_x, bbox_y, …; or xmin, ymin, …
    pixels = to_pixels(root, images, boxes)   # of boxes that are fractions of the picture
    column, note = bring_into_form(column)

A box is x, y, width, height, from the upper left corner, in pixels of the picture *as it is
stored*: what EXIF says of its rotation does not move it. Null is no box. Whether a box is one that
can be cropped is seen when it is (`biobench.data.crops`).
"""

import concurrent.futures
import dataclasses
import io
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from biobench.data import packed
from biobench.data.images import UndecodableImage, open_picture, read_size
from biobench.data.knowledge import simplify

__all__ = ["BoxColumns", "are_relative", "bring_into_form", "find_boxes", "to_pixels"]

DTYPE = pl.List(pl.Float64)
WHOLE = ("box", "bbox", "bounding_box", "boundingbox")
"""names of one column that holds four numbers: x, y, width, height."""
SIDES = (
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    ("bboxx", "bboxy", "bboxwidth", "bboxheight"),
    ("box_x", "box_y", "box_width", "box_height"),
    ("box_x", "box_y", "box_w", "box_h"),
)
"""names of four columns: x, y, width, height."""
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("bbox_xmin", "bbox_ymin", "bbox_xmax", "bbox_ymax"),
    ("x1", "y1", "x2", "y2"),
    ("bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2"),
)
"""names of four columns: the upper left and the lower right corner."""
MAX_RELATIVE = 1.05
"""fractions of a picture's sides reach a little beyond 1 where a detector was not cut off."""
N_READERS = 8
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|inf", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class BoxColumns:
    """The columns of a table that hold its boxes."""

    names: tuple[str, ...]
    """one, or four."""
    are_corners: bool = False
    """whether the third and fourth are the lower right corner, not width and height."""

    def read(self, table: pl.DataFrame) -> pl.Series:
        """The boxes as x, y, width, height; null where nothing is written."""
        if len(self.names) == 1:
            column = table[self.names[0]]
            if column.dtype == pl.String:
                column = pl.Series([_parse(text) for text in column], dtype=DTYPE)
            return bring_into_form(column)[0].alias("box")
        sides = [_to_number(table[name]) for name in self.names]
        if self.are_corners:
            sides[2:] = [sides[2] - sides[0], sides[3] - sides[1]]
        none = pl.all_horizontal(pl.col(name).is_null() for name in "xywh")
        four = pl.concat_list(pl.col(name).fill_null(math.nan) for name in "xywh")
        rows = pl.DataFrame(dict(zip("xywh", sides, strict=True)))
        return rows.select(pl.when(~none).then(four).cast(DTYPE).alias("box"))["box"]


def find_boxes(table: pl.DataFrame, given: str | None = None) -> BoxColumns | None:
    """The columns that hold boxes, by their usual names; None where there are none.

    given: the name of one column, or of four (x, y, width, height) with commas between; empty says
    that there is none. A column of another meaning that is called box is none.
    """
    if given is not None:
        four = tuple(name.strip() for name in given.split(","))
        if given in table.columns or not given:
            return BoxColumns((given,)) if given else None
        return BoxColumns(four) if len(four) == 4 and {*four} <= {*table.columns} else None
    plain = {simplify(name): name for name in reversed(table.columns)}
    for group, are_corners in ((SIDES, False), (CORNERS, True)):
        for names in group:
            if all(name in plain for name in names):
                return BoxColumns(tuple(plain[name] for name in names), are_corners)
    for name in WHOLE:
        if name in plain and _holds_boxes(table[plain[name]]):
            return BoxColumns((plain[name],))
    return None


def are_relative(boxes: pl.Series) -> bool:
    """Whether boxes are fractions of the picture's sides: every number of all of them is at most 1.

    A table is one or the other as a whole; a little beyond 1 is read as 1 by cropping.
    """
    numbers = boxes.drop_nulls().explode().drop_nulls().fill_nan(None).drop_nulls()
    return bool(len(numbers)) and bool((numbers.abs() <= MAX_RELATIVE).all())


def to_pixels(root: Path, images: Sequence[str], boxes: pl.Series) -> pl.Series:
    """Boxes in pixels from fractions of the pictures' sides, by the heads of the files.

    A picture whose head cannot be read has a box of NaN, which no crop is made of.
    """
    wanted = list(
        dict.fromkeys(name for name, box in zip(images, boxes, strict=True) if box is not None)
    )
    with concurrent.futures.ThreadPoolExecutor(N_READERS) as pool:
        sizes = dict(
            zip(wanted, pool.map(lambda name: _read_size(root, name), wanted), strict=True)
        )
    pixels = [
        None
        if box is None
        else [value * side for value, side in zip(box, sizes[name] * 2, strict=True)]
        for name, box in zip(images, boxes.to_list(), strict=True)
    ]
    return pl.Series("box", pixels, dtype=DTYPE)


def bring_into_form(column: pl.Series) -> tuple[pl.Series, str]:
    """A column of lists of numbers as boxes (Float64), and a sentence on those that are none.

    An empty list is no box; one of another length than four becomes NaN, which cannot be cropped.
    Raises TypeError for another kind of column.
    """
    if not isinstance(column.dtype, pl.List | pl.Array):
        raise TypeError(f"a column of {column.dtype} holds no boxes")
    try:
        boxes = column.cast(DTYPE).list.eval(pl.element().fill_null(math.nan))
    except pl.exceptions.PolarsError as err:
        raise TypeError(f"a column of {column.dtype} holds no boxes") from err
    length = boxes.list.len()
    odd = ((length != 4) & (length != 0)).fill_null(False)
    note = f"{int(odd.sum()):,} boxes are not four numbers." if odd.any() else ""
    nowhere = pl.lit(pl.Series([[math.nan] * 4], dtype=DTYPE)).first()
    form = pl.when(odd).then(nowhere).when(length != 0).then(boxes)
    return pl.select(form).to_series().cast(DTYPE).alias("box"), note


def _holds_boxes(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return isinstance(column.dtype, pl.List | pl.Array) and bool(column.count())
    parsed = (_parse(text) for text in column if text)
    return any(box is not None and not any(map(math.isnan, box)) for box in parsed)


def _parse(text: str | None) -> list[float] | None:
    """The four numbers of a text as [1, 2, 3.5, 4]; NaN where it is something else."""
    words = _NUMBER.findall(text or "")
    rest = _NUMBER.sub("", text or "").strip("[](){} ,;\t|")
    if not words and not rest:
        return None
    if len(words) != 4 or re.search(r"\w", rest):
        return [math.nan] * 4
    return [float(word) for word in words]


def _to_number(column: pl.Series) -> pl.Series:
    """Float64; NaN for what is written and no number, null for nothing."""
    text = column.cast(pl.String).str.strip_chars().str.replace(r"^([+-]?\d+),(\d+)$", "${1}.${2}")
    text = text.set(text == "", None)
    number = text.cast(pl.Float64, strict=False)
    return number.set(text.is_not_null() & number.is_null(), math.nan)


def _read_size(root: Path, name: str) -> tuple[float, float]:
    try:
        if inside := packed.split_name(os.path.join(root, name)):
            width, height = read_size(io.BytesIO(packed.read_packed(*inside)))
        else:
            with open_picture(root / name) as file:
                width, height = read_size(file)
    except (UndecodableImage, OSError):
        return math.nan, math.nan
    return float(width), float(height)
