"""Boxes as tables write them, in one column of pixels."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from biobench.data.box_columns import (
    BoxColumns,
    are_relative,
    bring_into_form,
    find_boxes,
    to_pixels,
)

BOX = [1.0, 2.5, 30.0, 4.0]


def read(table, given=None):
    return find_boxes(table, given).read(table).to_list()


def same(found, expected):
    return all(a == b or (a != a and b != b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    "columns",
    [
        dict(bbox=["[1, 2.5, 30, 4]"]),
        dict(Box=["1 2.5 30 4"]),
        dict(bounding_box=["(1.0;2.5;3e1;4)"]),
        dict(bbox=[BOX]),
        dict(bbox_x=["1"], bbox_y=["2,5"], bbox_width=["30"], bbox_height=["4"]),
        dict(bboxX=[1], bboxY=[2.5], bboxWidth=[30], bboxHeight=[4]),
        dict(xmin=["1"], ymin=["2.5"], xmax=["31"], ymax=["6.5"]),
        dict(X1=[1], Y1=[2.5], X2=[31], Y2=[6.5]),
    ],
)
def test_boxes_are_found_under_their_usual_names(columns):
    assert read(pl.DataFrame(columns)) == [BOX]


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4))
def test_four_numbers_in_a_text_are_those_numbers(box):
    table = pl.DataFrame({"bbox": [str(box), "[1, 2, 3, 4]"]})
    assert read(table)[0] == box


def test_nothing_written_is_no_box_and_something_else_is_one_that_cannot_be_cropped():
    table = pl.DataFrame({"bbox": ["[1, 2.5, 30, 4]", "", "[]", None, "[1, 2]", "1 2 3 4 5"]})
    found = read(table)
    assert found[:4] == [BOX, None, None, None]
    assert all(math.isnan(value) for box in found[4:] for value in box)
    sides = pl.DataFrame({"x": ["1", "", "a"], "y": [2, None, 2], "w": [3, None, 3]})
    found = read(sides.with_columns(h=pl.lit("4")), "x, y, w, h")
    assert found[0] == [1.0, 2.0, 3.0, 4.0] and math.isnan(found[2][0])
    assert math.isnan(found[1][0]) and found[1][3] == 4


def test_a_column_of_another_meaning_is_no_box():
    assert find_boxes(pl.DataFrame({"box": ["nest box 12", "nest box 3"]})) is None
    assert find_boxes(pl.DataFrame({"box": [1, 2]})) is None
    assert find_boxes(pl.DataFrame({"x": [1], "y": [1], "width": [1], "height": [1]})) is None
    assert find_boxes(pl.DataFrame({"bbox": ["[1, 2, 3, 4]"]}), "") is None


def test_four_columns_may_be_named():
    table = pl.DataFrame({"a": [1], "b": [2.5], "c": [30], "d": [4]})
    assert find_boxes(table, "a,b,c,d") == BoxColumns(("a", "b", "c", "d"))
    assert find_boxes(table, "a,b,c,e") is None


def test_boxes_of_the_form_stay_and_others_are_told():
    column = pl.Series([[1, 2, 3, 4], [1, 2], None, [], [1, None, 3, 4]])
    found, note = bring_into_form(column)
    assert found.dtype == pl.List(pl.Float64) and note == "1 boxes are not four numbers."
    first, second, none, empty, hole = found.to_list()
    assert first == [1, 2, 3, 4] and none is None and empty is None
    assert all(map(math.isnan, second)) and same(hole, [1, math.nan, 3, 4])
    for wrong in (pl.Series([1]), pl.Series(["a"]), pl.Series([["a"]])):
        with pytest.raises(TypeError, match="holds no boxes"):
            bring_into_form(wrong)


def test_a_table_is_of_fractions_if_all_of_its_numbers_are():
    assert are_relative(pl.Series([[0, 0, 1, 1], None, [0.5, 0.25, 0.51, 1.02]]))
    assert not are_relative(pl.Series([[0, 0, 1, 1], [0, 0, 2, 1]]))
    assert not are_relative(pl.Series([None], dtype=pl.List(pl.Float64)))
    assert are_relative(pl.Series([[0.5, math.nan, 0.5, 0.5]]))


def test_fractions_become_pixels_of_the_picture_as_it_is_stored(tmp_path):
    image = Image.new("RGB", (40, 20))
    image.getexif()[0x0112] = 6
    image.save(tmp_path / "a.jpg", exif=image.getexif())
    (tmp_path / "text.jpg").write_text("none")
    boxes = pl.Series([[0.25, 0.5, 0.5, 0.5], None, [0, 0, 1, 1]])
    found = to_pixels(tmp_path, ["a.jpg", "a.jpg", "text.jpg"], boxes).to_list()
    assert found[:2] == [[10, 10, 20, 10], None] and all(map(math.isnan, found[2]))
