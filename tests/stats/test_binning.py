"""Parts by ranges of numbers and parts of dates, against parts that are made by hand."""

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biobench import stats
from biobench.errors import BadInput
from biobench.metrics import MeanScore
from biobench.stats.binning import find_bins
from made_predictions import make_table

DATES = ["2019-07-31T05:44:19", "2019-07-02", "2019", "2020-01", None, "2020-01-05T23:10"]
PARTS = {
    "year": ["2019", "2019", "2019", "2020", None, "2020"],
    "month": ["07", "07", None, "01", None, "01"],
    "year-month": ["2019-07", "2019-07", None, "2020-01", None, "2020-01"],
    "hour": ["05", None, None, None, None, "23"],
}


def name_rows(table, by):
    bins = find_bins(table, by)
    return [bins.texts[code] for code in bins.codes]


@pytest.mark.parametrize("how", PARTS)
def test_a_date_is_cut_as_precisely_as_it_is_known(how):
    table = pl.DataFrame({"date": DATES})
    expected = ["(none)" if part is None else part for part in PARTS[how]]
    assert name_rows(table, f"date:{how}") == expected
    order = sorted({part for part in expected if part != "(none)"})
    assert find_bins(table, f"date:{how}").texts == [*order, "(none)"]


@given(
    st.lists(st.none() | st.floats(-180, 180), min_size=1, max_size=20),
    st.sampled_from([0.25, 0.5, 1, 5, 10, 45]),
)
def test_a_number_is_in_the_range_that_it_is_named_for(values, width):
    table = pl.DataFrame({"longitude": values}, schema={"longitude": pl.Float64})
    for value, text in zip(values, name_rows(table, f"longitude:{width}"), strict=True):
        if value is None:
            assert text == "(none)"
            continue
        low, high = map(float, text.split(" to "))
        assert high - low == width and low % width == 0
        # Within the last bits at an edge.
        assert low - 1e-6 <= value < high


def test_a_value_on_an_edge_begins_a_range_whatever_the_last_bits_are():
    table = pl.DataFrame({"depth": [0.1, 0.2, 0.3, 0.6, 0.7]})
    assert name_rows(table, "depth:0.1") == [
        *("0.1 to 0.2", "0.2 to 0.3", "0.3 to 0.4", "0.6 to 0.7", "0.7 to 0.8"),
    ]


def test_numbers_as_texts_and_what_is_not_finite():
    table = pl.DataFrame({"depth": ["7", "12.5", "deep", None]})
    assert name_rows(table, "depth:5") == ["5 to 10", "10 to 15", "(none)", "(none)"]
    table = pl.DataFrame({"depth": [7.0, math.nan, math.inf]})
    assert name_rows(table, "depth:5") == ["5 to 10", "(none)", "(none)"]


def test_a_place_is_a_cell_of_both_degrees():
    table = pl.DataFrame(
        {"latitude": [55.1, -0.1, 55.9, None, 90.0], "longitude": [12.0, -180.0, 19.9, 1.0, 180.0]}
    )
    assert name_rows(table, "place:10") == [
        "latitude 50 to 60, longitude 10 to 20",
        "latitude -10 to 0, longitude -180 to -170",
        "latitude 50 to 60, longitude 10 to 20",
        "(none)",
        "latitude 90 to 100, longitude 180 to 190",
    ]
    assert find_bins(table, "place:10").texts[0].startswith("latitude -10")


def test_class_is_the_truth_and_rank_class_the_taxon():
    table = pl.DataFrame({"y_true": ["cat", "owl"], "class": ["Mammalia", "Aves"]})
    assert name_rows(table, "class") == ["cat", "owl"]
    assert name_rows(table, "rank:class") == ["Mammalia", "Aves"]


def test_a_breakdown_by_ranges_scores_what_is_in_them():
    table = make_table(300, n_classes=4, group_size=3)
    dates = pl.Series([f"20{17 + i % 3}-0{1 + i % 9}-01" for i in range(300)])
    table = table.with_columns(date=dates, latitude=pl.int_range(300) / 10)
    for by, own in (
        ("date:year", dates.str.slice(0, 4)),
        ("latitude:10", (table["latitude"] // 10).cast(pl.Int64).cast(pl.String)),
    ):
        found = stats.breakdown(table, MeanScore(), by)
        expected = (
            table.group_by(own.alias("part")).agg(pl.col("score").mean(), pl.len()).sort("part")
        )
        assert found["score"].to_list() == pytest.approx(expected["score"].to_list())
        assert found["n"].to_list() == expected["len"].to_list()


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("date:week", "behind the colon goes year, month, year-month, hour of a date, or a width"),
        ("latitude:0", "a width of at least 0.001"),
        ("latitude:inf", "a width"),
        ("place:10", "no column 'longitude'"),
        ("depth:5", "no column 'depth'"),
        ("site:5", "holds no numbers"),
        ("site:year", "holds no dates"),
    ],
)
def test_what_cannot_be_cut_so_is_refused(by, message):
    table = pl.DataFrame({"date": ["2019"], "latitude": [1.0], "site": ["a"]})
    with pytest.raises(BadInput, match=message):
        find_bins(table, by)
