"""Dates, degrees and names as tables write them, in the one form that manifests have."""

import datetime
import pathlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biobench.data import Manifest
from biobench.data.knowledge import (
    bring_into_form,
    find_facts,
    read_binomials,
    read_dates,
    read_degrees,
)

MOMENTS = st.datetimes(datetime.datetime(1000, 1, 1), datetime.datetime(9999, 1, 1))


def iso(*texts):
    return read_dates(pl.Series(list(texts), dtype=pl.String)).to_list()


@given(st.lists(MOMENTS, min_size=1, max_size=5), st.sampled_from(["-", ":", "/", "."]))
def test_a_moment_is_read_in_every_writing_with_the_year_first(moments, sign):
    written = [m.strftime(f"%Y{sign}%m{sign}%d %H:%M:%S.%f") for m in moments]
    assert iso(*written) == [m.replace(microsecond=0).isoformat() for m in moments]


@given(st.lists(MOMENTS, min_size=1, max_size=5))
def test_months_in_words_and_halves_of_the_day_are_read(moments):
    written = [m.strftime("%d-%b-%Y %I:%M:%S %p") for m in moments]
    assert iso(*written) == [m.replace(microsecond=0).isoformat() for m in moments]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
@given(days=st.lists(st.dates(datetime.date(1000, 1, 1)), max_size=5))
def test_day_and_month_are_told_apart_by_the_column(form, days):
    days = [datetime.date(2020, 7, 31), *days]
    assert iso(*(day.strftime(form) for day in days)) == [day.isoformat() for day in days]


def test_a_date_is_as_precise_as_it_is_written():
    assert iso("2019", "2019-07", "2019-7-3", "2019-07-03 05:44", "2019-07-03T05:44:19Z") == [
        *("2019", "2019-07", "2019-07-03", "2019-07-03T05:44", "2019-07-03T05:44:19Z"),
    ]
    assert read_dates(pl.Series([2019, None])).to_list() == ["2019", None]
    assert read_dates(pl.Series([2019.0, None])).to_list() == ["2019", None]
    assert read_dates(pl.Series([datetime.date(2019, 7, 3)])).to_list() == ["2019-07-03"]
    moment = datetime.datetime(2019, 7, 3, 5, 44, 19, tzinfo=datetime.UTC)
    assert read_dates(pl.Series([moment])).to_list() == ["2019-07-03T05:44:19+00:00"]


def test_what_could_be_two_days_is_none():
    assert iso("1/2/2020", "3/4/2020") == [None, None]
    assert iso("31/1/2020", "1/31/2020") == [None, None]
    assert iso("1.2.2020") == ["2020-02-01"]


@pytest.mark.parametrize(
    "text", ["2019-02-30", "2019-13", "0000:00:00 00:00:00", "2019-01-01 25:00", "soon", "12"]
)
def test_what_is_no_day_is_none(text):
    assert iso(text) == [None]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_degrees_are_those_that_there_are(number):
    (found,) = read_degrees(pl.Series([str(number)]), 90).to_list()
    assert found == (number if abs(number) <= 90 else None)


def test_a_decimal_comma_is_read():
    assert read_degrees(pl.Series(["-52,25", " 7 ", "", "N 7"]), 90).to_list() == [
        *(-52.25, 7.0, None, None),
    ]


def test_a_binomial_is_genus_and_epithet_without_the_author():
    names = ["Lactuca virosa L.", "Cirsium × rigens (Aiton) Wallr.", "Daucus", "Aus bus-cus", None]
    found = pl.DataFrame({"name": names}).select(read_binomials("name"))
    assert found["genus"].to_list() == ["Lactuca", "Cirsium", None, "Aus", None]
    assert found["species"].to_list() == [
        *("Lactuca virosa", "Cirsium × rigens", None, "Aus bus-cus", None),
    ]


def test_facts_are_found_by_their_usual_names_in_any_writing():
    names = ["file", "eventDate", "Decimal Latitude", "decimal-longitude", "Family", "deploymentID"]
    assert find_facts(names) == {
        "date": "eventDate",
        "latitude": "Decimal Latitude",
        "longitude": "decimal-longitude",
        "family": "Family",
        "deployment": "deploymentID",
    }


def test_what_cannot_be_read_is_counted_and_kept_as_it_is_written():
    table, notes = bring_into_form(
        pl.DataFrame(
            {"date": ["2019", "1/2/2020", None], "latitude": ["1", "2", "200"], "order": [1, 2, 3]}
        )
    )
    assert table["date"].to_list() == ["2019", None, None]
    assert table["date_"].to_list() == ["2019", "1/2/2020", None]
    assert table["latitude"].to_list() == [1.0, 2.0, None] and table["latitude_"][2] == "200"
    assert table["order"].to_list() == ["1", "2", "3"]
    assert notes == [
        "1 values of 'date' cannot be read as a date ('1/2/2020') and are left empty; 'date_' has "
        "them as they are written.",
        "1 values of 'latitude' cannot be read as degrees ('200') and are left empty; 'latitude_' "
        "has them as they are written.",
    ]


def test_a_manifest_has_them_in_their_form_and_its_digest_holds_boxes(tmp_path):
    def build(box):
        rows = {"image": ["a", "b"], "example": ["a", "b"], "split": ["train", "test"]}
        rows |= {"label": ["x", "y"], "date": ["2019:07:03", None], "box": [[1, 2, 3, box], None]}
        return Manifest.build(pathlib.Path(tmp_path), pl.DataFrame(rows), source="rows")

    hashes = pl.Series([b"0" * 16, b"1" * 16])
    one = build(4)
    assert one.table["date"].to_list() == ["2019-07-03", None]
    assert one.table["box"].to_list() == [[1.0, 2.0, 3.0, 4.0], None]
    assert one.digest(hashes) == build(4).digest(hashes) != build(5).digest(hashes)


def test_a_column_called_box_that_holds_none_keeps_its_values_under_another_name(tmp_path):
    rows = {"image": ["a", "b"], "example": ["a", "b"], "split": ["train", "test"]}
    table = pl.DataFrame(rows | {"label": ["x", "y"], "box": ["nest box 12", None]})
    manifest = Manifest.build(pathlib.Path(tmp_path), table, source="rows")
    assert "box" not in manifest.table.columns
    assert manifest.table["box_"].to_list() == ["nest box 12", None]
    assert manifest.notes == ("The column 'box' is kept as 'box_': it holds no boxes.",)
