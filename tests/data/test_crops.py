"""The geometry of crops against pixels that are counted one by one, and what tells crops apart."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from biobench.data.crops import Crop, list_views, name_part
from biobench.data.images import UndecodableImage
from biobench.errors import BadInput

SIDES = st.integers(1, 60)
# Of half and quarter pixels, whose sums are exact.
PLACES = st.integers(-120, 320).map(lambda n: n / 4)
EXTENTS = st.integers(1, 320).map(lambda n: n / 4)
BOXES = st.tuples(PLACES, PLACES, EXTENTS, EXTENTS)
MARGINS = st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0, 10.0])


def cut_off(box, width, height):
    """Left, right, upper, lower of what of a box is in the picture."""
    x, y, w, h = box
    return max(x, 0), min(x + w, width), max(y, 0), min(y + h, height)


def is_inside(box, width, height):
    left, right, upper, lower = cut_off(box, width, height)
    return left < right and upper < lower


def touched(low, high, size):
    """The pixels, one by one, of which some part is between low and high."""
    return [i for i in range(size) if i < high and i + 1 > low]


@given(width=SIDES, height=SIDES, box=BOXES, margin=MARGINS)
def test_a_box_takes_every_pixel_that_it_and_its_margin_touch(width, height, box, margin):
    assume(is_inside(box, width, height))
    left, right, upper, lower = cut_off(box, width, height)
    dx, dy = margin * (right - left), margin * (lower - upper)
    across = touched(left - dx, right + dx, width)
    down = touched(upper - dy, lower + dy, height)
    found = Crop("a", box, "box", margin).place(width, height)
    assert found == (across[0], down[0], across[-1] + 1, down[-1] + 1)


@given(width=SIDES, height=SIDES, box=BOXES, margin=MARGINS)
def test_a_square_is_the_smallest_one_and_in_the_picture_as_far_as_it_fits(
    width, height, box, margin
):
    assume(is_inside(box, width, height))
    left, right, upper, lower = cut_off(box, width, height)
    across, down = touched(left, right, width), touched(upper, lower, height)
    x0, y0, x1, y1 = Crop("a", box, "square", margin).place(width, height)
    side = x1 - x0
    assert side == y1 - y0 <= max(width, height)
    # All of the box is in it, and a pixel less would be too few, for the box or its margin.
    assert x0 <= across[0] and across[-1] < x1 and y0 <= down[0] and down[-1] < y1
    wanted = max(right - left, lower - upper) * (1 + 2 * margin)
    least = max(len(across), len(down), math.ceil(wanted))
    assert side == min(least, max(width, height))
    for low, high, size, first, last in (
        (x0, x1, width, left, right), (y0, y1, height, upper, lower),
    ):  # fmt: skip
        if side <= size:
            assert low >= 0 and high <= size
            # In the middle, unless the picture's edge or the box's own pixels are in the way.
            off = abs((low + high) - (first + last))
            assert off <= 2 or low == 0 or high == size
        else:
            before, behind = -low, high - size
            assert 0 <= behind - before <= 1


@given(box=BOXES, shape=st.sampled_from(["box", "square"]), margin=MARGINS)
def test_what_is_cut_are_the_pixels_of_its_place_and_black_beside(box, shape, margin):
    pixels = np.random.default_rng(0).integers(1, 256, (30, 47, 3), dtype=np.uint8)
    assume(is_inside(box, 47, 30))
    crop = Crop("a", box, shape, margin)
    found = np.asarray(crop.cut(Image.fromarray(pixels)))
    x0, y0, x1, y1 = crop.place(47, 30)
    assert found.shape == (y1 - y0, x1 - x0, 3)
    for y, x in itertools.product(range(found.shape[0]), range(found.shape[1])):
        inside = 0 <= y + y0 < 30 and 0 <= x + x0 < 47
        assert found[y, x].tolist() == (pixels[y + y0, x + x0].tolist() if inside else [0, 0, 0])


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((math.nan, 0, 1, 1), "not four numbers"),
        ((0, 0, math.inf, 1), "not four numbers"),
        ((0, 0, 0, 5), "is empty"),
        ((5, 5, -3, 5), "is empty"),
        ((10, 0, 4, 4), "outside of 10 x 8 pixels"),
        ((-4, 0, 4, 4), "outside of 10 x 8 pixels"),
        ((0, 9, 4, 4), "outside of 10 x 8 pixels"),
    ],
)
@pytest.mark.parametrize("shape", ["box", "square"])
def test_a_box_of_no_pixels_is_refused_with_its_numbers(box, reason, shape):
    with pytest.raises(UndecodableImage, match=reason):
        Crop("a", box, shape).place(10, 8)


def test_the_last_bits_of_a_fraction_do_not_take_another_pixel():
    tenth = 0.1 * 3 * 100
    assert tenth != 30
    assert Crop("a", (tenth, 0, 0.2 * 100, 10), "box").place(100, 50) == (30, 0, 50, 10)


NUMBERS = st.floats(-1e9, 1e9).map(lambda number: number + 0.0)
CROPS = st.builds(
    Crop,
    image=st.sampled_from(["a", "a#xywh=1,2,3,4", "b"]),
    box=st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS),
    shape=st.sampled_from(["box", "square"]),
    margin=st.floats(0, 10),
)


@given(CROPS, CROPS)
def test_crops_share_a_name_or_what_they_are_known_by_only_if_they_are_one(one, other):
    assert (one.name == other.name) == (one == other)
    same = (one.box, one.shape, one.margin) == (other.box, other.shape, other.margin)
    assert (one.digest(b"0" * 16) == other.digest(b"0" * 16)) == same
    assert one.digest(b"0" * 16) != one.digest(b"1" * 16)
    assert len(one.digest(b"0" * 16)) == 16


def make_table(*rows):
    schema = {"subtask": pl.String, "image": pl.String, "box": pl.List(pl.Float64)}
    return pl.DataFrame([(None, *row) for row in rows], schema=schema, orient="row")


def test_views_are_each_picture_and_part_once_and_each_row_knows_its_own():
    one, other = [1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 3.0, 4.0]
    table = make_table(("a", one), ("a", other), ("b", None), ("a", one))
    views = list_views(table, "square", 0.25)
    names = ["a#xywh=1,2,3,4&square&margin=0.25", "a#xywh=1.5,2,3,4&square&margin=0.25", "b"]
    assert views.names == names
    assert views.of_row.to_list() == [names[0], names[1], "b", names[0]]
    assert views.crops == {
        names[0]: Crop("a", (1.0, 2.0, 3.0, 4.0), "square", 0.25),
        names[1]: Crop("a", (1.5, 2.0, 3.0, 4.0), "square", 0.25),
    }
    assert views.warnings == ["Pictures without a box, embedded whole: 1 of 3."]


def test_without_a_crop_views_are_the_pictures():
    table = make_table(("a", [1, 2, 3, 4]), ("b", None), ("a", [1, 2, 3, 4]))
    for some in (table, table.drop("box")):
        views = list_views(some, "none", 0.0)
        assert views.names == ["a", "b"] and views.of_row.to_list() == ["a", "b", "a"]
        assert not views.crops and not views.warnings


def test_several_boxes_of_a_picture_need_a_crop():
    with pytest.raises(BadInput, match=r"1 pictures have several boxes \(as a\).*--crop"):
        list_views(make_table(("a", [1, 2, 3, 4]), ("a", [1, 2, 3, 5])), "none", 0.0)
    with pytest.raises(BadInput, match="several boxes"):
        list_views(make_table(("a", [1, 2, 3, 4]), ("a", None)), "none", 0.0)


def test_a_crop_needs_boxes():
    for table in (make_table(("a", None)), make_table(("a", None)).drop("box")):
        with pytest.raises(BadInput, match="--crop box needs boxes, but the data have none"):
            list_views(table, "box", 0.0)


def test_a_picture_that_is_called_as_a_part_of_another_is_refused():
    name = name_part("a", [1, 2, 3, 4])
    with pytest.raises(BadInput, match="called as a part of another"):
        list_views(make_table(("a", [1, 2, 3, 4]), (name, None)), "box", 0.0)
