"""Breakdowns: against scikit-learn's per-class scores and against scoring each part alone."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import f1_score, recall_score

from biobench import stats
from biobench.errors import BadInput
from biobench.metrics import MacroAccuracy, MacroF1, MeanScore, get_metric, list_metrics
from made_predictions import make_table


@pytest.fixture
def table():
    table = make_table(600, n_classes=6, group_size=5)
    counts = pl.Series([0, 3, 9, 10, 240, 1500])
    return table.with_columns(
        train_count=counts.gather(table["y_true"].str.slice(6).cast(pl.Int64)),
        light=pl.when(pl.int_range(pl.len()) % 3 == 0)
        .then(pl.lit("night"))
        .otherwise(pl.lit("day")),
        station=pl.int_range(pl.len()) % 4,
    )


@pytest.mark.parametrize(
    ("metric", "function"), [(MacroF1(), f1_score), (MacroAccuracy(), recall_score)]
)
def test_the_score_of_a_class_is_scikit_learns(table, metric, function):
    found = stats.breakdown(table, metric, "class")
    labels = np.unique(table["y_true"])
    expected = function(table["y_true"], table["y_pred"], labels=labels, average=None)
    assert found["value"].to_list() == labels.tolist()
    assert found["score"].to_list() == pytest.approx(expected.tolist(), abs=1e-12)
    assert found["n"].sum() == 600


@pytest.mark.parametrize("name", list_metrics())
@pytest.mark.parametrize("by", ["class", "rarity", "light", "station"])
def test_every_part_has_its_interval_and_count(table, name, by):
    found = stats.breakdown(table, get_metric(name), by)
    assert found["n"].sum() == 600 and (found["n_groups"] <= found["n"]).all()
    assert (found["ci_low"] >= 0).all() and (found["ci_high"] <= 1).all()
    assert (found["ci_low"] < found["score"]).all() and (found["score"] < found["ci_high"]).all()


def test_rarity_is_in_decades_of_training_examples_in_order(table):
    found = stats.breakdown(table, MacroAccuracy(), "rarity")
    assert found["value"].to_list() == ["0", "1–9", "10–99", "100–999", "1,000–9,999"]
    parts = [["class-0"], ["class-1", "class-2"], ["class-3"], ["class-4"], ["class-5"]]
    for labels, row in zip(parts, found.iter_rows(named=True), strict=True):
        expected = recall_score(table["y_true"], table["y_pred"], labels=labels, average="macro")
        assert row["score"] == pytest.approx(expected)
        assert row["n"] == table["y_true"].is_in(labels).sum()


def test_a_part_that_cuts_through_classes_is_scored_as_a_test_set_of_its_own(table):
    found = stats.breakdown(table, MacroF1(), "light")
    for row in found.iter_rows(named=True):
        part = table.filter(table["light"] == row["value"])
        alone = stats.interval_from_table(part, MacroF1())
        found_here = (row["score"], row["ci_low"], row["ci_high"])
        assert found_here == pytest.approx((alone.score, alone.low, alone.high), abs=1e-12)


def test_rows_without_a_value_are_a_part_and_not_dropped(table):
    some = table.with_columns(light=pl.when(table["station"] == 0).then(None).otherwise("light"))
    found = stats.breakdown(some, MeanScore(), "light")
    assert found["value"].to_list() == ["day", "night", "(none)"]
    assert found["n"].to_list()[-1] == 150 and found["n"].sum() == 600


def test_an_unknown_column_is_refused_with_the_known_ones(table):
    with pytest.raises(BadInput, match=r"no column 'habitat'.*class, rarity.*light"):
        stats.breakdown(table, MeanScore(), "habitat")
    with pytest.raises(BadInput, match="no column 'train_count'"):
        stats.breakdown(table.drop("train_count"), MeanScore(), "rarity")


def test_a_column_of_lists_is_refused(table):
    with pytest.raises(BadInput, match="'top' holds lists"):
        stats.breakdown(table.with_columns(top=pl.lit([1, 2])), MeanScore(), "top")
