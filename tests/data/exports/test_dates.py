"""Dates of any program become ISO 8601, as precise as they are; what is unsure becomes nothing."""

import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.data.exports.dates import to_iso


def convert(*texts):
    return to_iso(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-05-03", "2024-05-03"),
        ("2024-05", "2024-05"),
        ("2024", "2024"),
        ("2024-05-03T10:11:12Z", "2024-05-03T10:11:12Z"),
        ("2024-05-03 10:11:12 UTC", "2024-05-03T10:11:12Z"),
        ("2024-05-03T10:11:12.5+02:00", "2024-05-03T10:11:12+02:00"),
        ("2024-05-03 10:11:12 -0700", "2024-05-03T10:11:12-0700"),
        ("2024:05:03 10:11:12", "2024-05-03T10:11:12"),
        ("2024/5/3 9:08", "2024-05-03T09:08"),
        ("03-May-2024 10:11:12", "2024-05-03T10:11:12"),
        ("3.5.2024", "2024-05-03"),
        ("13/05/2024", "2024-05-13"),
        ("05/13/2024 1:02:03 PM", "2024-05-13T13:02:03"),
        ("2024-05-03/2024-05-04", "2024-05"),
        ("2024-05-03T10:00/2024-05-03T11:00", "2024-05-03"),
        ("05/03/2024", None),
        ("yesterday", None),
        ("2024-13-01", None),
        ("", None),
        (None, None),
    ],
)
def test_a_date_is_read_as_it_is_written(text, iso):
    assert convert(text) == [iso]


def test_one_sure_date_decides_for_its_column():
    assert convert("03/05/2024", "25/12/2024") == ["2024-05-03", "2024-12-25"]
    assert convert("03/05/2024", "12/25/2024") == ["2024-03-05", "2024-12-25"]


@settings(max_examples=100, deadline=None)
@given(st.datetimes(datetime.datetime(1850, 1, 1), datetime.datetime(2100, 1, 1)))
def test_every_moment_comes_back_from_the_ways_it_is_written(moment):
    expected = [moment.strftime("%Y-%m-%dT%H:%M:%S")]
    for form in (
        "%Y-%m-%d %H:%M:%S",
        "%Y:%m:%d %H:%M:%S",
        "%d-%b-%Y %H:%M:%S",
        "%d.%m.%Y %H:%M:%S",
    ):
        assert convert(moment.strftime(form)) == expected
