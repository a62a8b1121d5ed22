"""Warnings of few examples name the classes and cameras that cause them, from the design alone."""

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench import stats
from biobench.metrics import MacroF1, MeanScore


def make_table(truth, predicted, groups=None):
    columns = {"example": [f"e{i}" for i in range(len(truth))], "y_true": truth}
    columns |= {"y_pred": predicted, "group": groups or [None] * len(truth)}
    table = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return table.with_columns(score=(pl.col("y_true") == pl.col("y_pred")).cast(pl.Float64))


def warn(table, metric=None):
    return " ".join(stats.interval_from_table(table, metric or MacroF1()).warnings)


def test_the_classes_with_the_fewest_test_pictures_are_named_with_their_counts():
    truth = ["lynx"] * 2 + ["otter"] * 4 + ["fox"] * 12
    text = warn(make_table(truth, ["fox"] * 18))
    assert "'lynx' has only 2, 'otter' 4; 18 in all" in text and "'fox'" not in text
    assert "as every class counts the same" in text


def test_where_every_example_counts_the_same_no_class_is_blamed():
    truth = ["lynx"] * 2 + ["fox"] * 12
    text = warn(make_table(truth, truth), MeanScore())
    assert text == "Few test examples: 14 in all. The interval is a rough one."


def test_the_camera_that_carries_the_score_is_named_with_its_share():
    groups = ["camera-7"] * 60 + [f"camera-{i}" for i in range(100, 140)]
    truth = ["fox", "hare"] * 50
    text = warn(make_table(truth, truth, groups), MeanScore())
    assert "'camera-7' is 60%" in text and "41 cameras, videos or specimens" in text


def test_a_class_at_few_cameras_is_named():
    truth = ["lynx"] * 20 + ["fox"] * 40
    groups = ["c0", "c1"] * 10 + [f"c{i}" for i in range(40)]
    assert "'lynx' is only in 2" in warn(make_table(truth, truth, groups))


def test_classes_with_one_example_are_named_and_counted():
    truth = [f"class-{i}" for i in range(50)] + ["class-0"] * 50
    assert "'class-1', 'class-2', 'class-3' and 46 more (49 of 50)" in warn(
        make_table(truth, truth)
    )


def test_of_many_groups_few_that_go_wrong_are_said_with_what_they_weigh():
    groups = [f"camera-{i // 3}" for i in range(600)]
    truth = ["fox", "hare"] * 300
    flip = {"fox": "hare", "hare": "fox"}
    wrong = [flip[t] if i < 6 else t for i, t in enumerate(truth)]
    for answers, kind in ((wrong, "wrong"), ([flip[t] for t in wrong], "right")):
        text = warn(make_table(truth, answers, groups), MeanScore())
        assert f"Few groups are {kind}: {kind} answers weigh like fewer than 2.5 of 200" in text
    assert not warn(make_table(truth, wrong), MeanScore())
    many = [flip[t] if i < 30 else t for i, t in enumerate(truth)]
    assert not warn(make_table(truth, many, groups), MeanScore())


@given(st.lists(st.sampled_from("abcd"), min_size=5, max_size=60), st.randoms())
@settings(deadline=None)
def test_a_warning_is_the_same_whatever_the_model_answered(truth, random):
    answers = [random.choice("abcd") for _ in truth]
    assert warn(make_table(truth, answers)) == warn(make_table(truth, truth))


def test_shares_are_of_the_weight_that_the_metric_gives():
    truth = ["rare"] * 3 + ["common"] * 57
    groups = ["r"] * 3 + [f"c{i}" for i in range(57)]
    text = warn(make_table(truth, truth, groups))
    # Brute force: each class is a half, and all of one lies in a single group.
    weights = {"r": 0.5} | dict.fromkeys(groups[3:], 0.5 / 57)
    values = np.array(list(weights.values()))
    assert f"'r' is {weights['r']:.0%}" in text
    assert f"weigh like {1 / np.sum(values**2):.0f} equal ones" in text
