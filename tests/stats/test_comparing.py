"""Comparisons: against McNemar's test, scipy's permutation test and statsmodels' Holm."""

import itertools

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower

from biobench import stats
from biobench.errors import BadInput
from biobench.metrics import Accuracy, MacroAccuracy, MacroF1, MeanScore, get_metric, list_metrics
from biobench.stats.simultaneous import tail_bound
from made_predictions import make_table, table_of

METRICS = [get_metric(name) for name in list_metrics()]
each_metric = pytest.mark.parametrize("metric", METRICS, ids=list_metrics())


@pytest.mark.parametrize("metric", [MeanScore(), Accuracy()], ids=["mean-score", "accuracy"])
@given(
    rows=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1)), min_size=1)
)
@settings(max_examples=50, deadline=None)
def test_p_of_an_accuracy_is_mcnemars_exact_one(metric, rows):
    truth, a, b = (np.array(column) for column in zip(*rows, strict=True))
    right_a, right_b = a == truth, b == truth
    table = [
        [np.sum(right_a & right_b), np.sum(right_a & ~right_b)],
        [np.sum(~right_a & right_b), np.sum(~right_a & ~right_b)],
    ]
    found = stats.compare(table_of(truth, a), table_of(truth, b), metric, n_resamples=10)
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue, abs=1e-12)


@pytest.mark.parametrize("group_size", [0, 6])
@pytest.mark.parametrize(
    ("metric", "function"), [(MacroF1(), f1_score), (MacroAccuracy(), recall_score)]
)
def test_p_is_that_of_scipys_permutation_test(metric, function, group_size):
    a, b = (make_table(240, n_classes=4, accuracy=acc, seed=s) for s, acc in ((1, 0.7), (2, 0.62)))
    group = np.arange(240) // max(group_size, 1)
    truth, pred_a, pred_b = (
        column.to_numpy().reshape(len(np.unique(group)), -1)
        for column in (a["y_true"], a["y_pred"], b["y_pred"])
    )
    macro = {"average": "macro", "labels": np.unique(truth), "zero_division": 0}

    def difference(at_a, at_b):
        # Positions: those below the number of groups are the first model's predictions.
        both = np.concatenate([pred_a, pred_b])
        return function(truth.ravel(), both[at_a].ravel(), **macro) - function(
            truth.ravel(), both[at_b].ravel(), **macro
        )

    n = len(truth)
    theirs = scipy.stats.permutation_test(
        (np.arange(n), np.arange(n, 2 * n)),
        difference,
        permutation_type="samples",
        n_resamples=400,
        vectorized=False,
        rng=np.random.default_rng(0),
    )
    if group_size:
        a, b = (t.with_columns(group=pl.Series([f"g{g}" for g in group])) for t in (a, b))
    found = stats.compare(a, b, metric)
    assert found.difference == pytest.approx(theirs.statistic, abs=1e-12)
    error = (theirs.pvalue * (1 - theirs.pvalue) / 400) ** 0.5
    assert found.p == pytest.approx(theirs.pvalue, abs=4 * error + 0.2 * theirs.pvalue)


@each_metric
@pytest.mark.parametrize("group_size", [0, 5])
def test_a_model_compared_with_itself_differs_by_nothing(metric, group_size):
    table = make_table(100, group_size=group_size)
    found = stats.compare(table, table, metric)
    assert (found.difference, found.p) == (0, 1)
    assert found.low <= 0 <= found.high < 0.05


@each_metric
def test_swapping_the_models_turns_the_difference_round(metric):
    a, b = make_table(200, seed=1), make_table(200, seed=2, accuracy=0.6)
    one, other = stats.compare(a, b, metric), stats.compare(b, a, metric)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p == pytest.approx(other.p, abs=0.02)
    assert one.low <= one.difference <= one.high
    assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.15)


@each_metric
def test_groups_of_one_are_no_groups_when_comparing(metric):
    a, b = make_table(150, seed=1), make_table(150, seed=2)
    alone = [table.with_columns(group=pl.col("example")) for table in (a, b)]
    ours, theirs = stats.compare(*alone, metric), stats.compare(a, b, metric)
    assert (ours.low, ours.high, ours.p) == (theirs.low, theirs.high, theirs.p)


def test_pairing_sees_what_two_intervals_do_not():
    truth = np.random.default_rng(0).integers(0, 4, 1000)
    a = np.where(np.arange(1000) % 3 == 0, (truth + 1) % 4, truth)
    b = np.where(np.arange(1000) % 30 == 0, (truth + 1) % 4, a)
    b = np.where(np.arange(1000) % 30 == 1, (truth + 1) % 4, b)
    one, other = table_of(truth, a), table_of(truth, b)
    intervals = [stats.interval_from_table(table, MeanScore()) for table in (one, other)]
    assert intervals[1].high > intervals[0].low, "the intervals overlap"
    assert stats.compare(one, other, MeanScore()).p < 1e-6


def test_a_real_difference_is_found_and_an_interval_excludes_zero():
    a, b = make_table(800, seed=1, accuracy=0.8), make_table(800, seed=2, accuracy=0.65)
    for metric in METRICS:
        found = stats.compare(a, b, metric)
        assert found.p < 0.001 and found.low > 0
        assert found.p > 0, "no test set proves anything for certain"


def test_the_detectable_difference_of_unlike_models_is_that_of_two_samples():
    a, b = make_table(2000, seed=1, accuracy=0.5), make_table(2000, seed=2, accuracy=0.5)
    effect = NormalIndPower().solve_power(nobs1=2000, alpha=0.05, power=0.8, ratio=1)
    found = stats.compare(a, b, MeanScore(), n_resamples=4000)
    assert found.detectable == pytest.approx(effect * 0.5, rel=0.06)


def test_models_are_compared_on_what_both_have_and_the_rest_is_counted():
    a, b = make_table(200, seed=1), make_table(200, seed=2)
    found = stats.compare(a.head(196), b.sample(fraction=1, shuffle=True, seed=0), MacroF1())
    whole = stats.compare(a.head(196), b.head(196), MacroF1())
    assert (found.n, found.n_left_out) == (196, 4) and "4 examples" in found.warnings[-1]
    assert (found.score_a, found.score_b) == (whole.score_a, whole.score_b)


def test_under_95_percent_in_common_is_refused_with_the_count():
    a, b = make_table(200, seed=1), make_table(200, seed=2)
    with pytest.raises(BadInput, match=r"Only 180 of 200 examples \(90%\).*same test set"):
        stats.compare(a.head(180), b, MeanScore())


def test_models_that_disagree_on_a_truth_are_refused():
    a = make_table(50)
    b = a.with_columns(
        y_true=pl.when(pl.col("example") == "img-7").then(pl.lit("x")).otherwise("y_true")
    )
    with pytest.raises(BadInput, match="truth of the example 'img-7'"):
        stats.compare(a, b, MacroF1())


@each_metric
def test_groups_within_which_the_models_balance_show_no_difference(metric):
    a = table_of([0, 1, 0, 1], [0, 0, 0, 0], group=[0, 0, 1, 1])
    b = table_of([0, 1, 0, 1], [1, 1, 1, 1], group=[0, 0, 1, 1])
    found = stats.compare(a, b, metric)
    assert found.difference == pytest.approx(0) and found.p == 1


def test_an_example_predicted_twice_is_refused():
    a = make_table(50)
    with pytest.raises(BadInput, match="more than one row for the example 'img-0'"):
        stats.compare(pl.concat([a, a.head(1)]), a, MacroF1())


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=9))
@settings(max_examples=10, deadline=None)
def test_holm_is_statsmodels(p):
    assert stats.holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)


@given(p=st.lists(st.floats(0, 1), min_size=2, max_size=8), k=st.integers(1, 7))
@settings(max_examples=10, deadline=None)
def test_part_of_a_family_is_adjusted_at_least_as_the_whole_would_be(p, k):
    k = min(k, len(p))
    assert np.all(
        stats.holm(p[:k], family=len(p)) >= multipletests(p, method="holm")[1][:k] - 1e-12
    )


@given(pulls=st.lists(st.floats(0.1, 10), min_size=1, max_size=9), at=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_the_tail_bound_is_above_the_true_tail(pulls, at):
    signs = np.array(list(itertools.product([-1, 1], repeat=len(pulls))))
    sums = np.abs(signs @ np.array(pulls))
    observed = at * sums.max()
    true = np.mean(sums >= observed - 1e-9)
    z = observed / np.sum(np.square(pulls)) ** 0.5
    assert tail_bound(np.array([z]))[0] >= true


@pytest.mark.parametrize("metric", [MacroF1(), MacroAccuracy(), MeanScore()])
@pytest.mark.parametrize("group_size", [0, 10])
def test_under_no_difference_few_p_values_are_small(metric, group_size):
    rng = np.random.default_rng(1)
    n_small, n_trials = 0, 120
    for _ in range(n_trials):
        truth = rng.integers(0, 5, 200)
        hard = rng.random(200) if not group_size else np.repeat(rng.random(20), 10)
        a, b = (
            np.where(rng.random(200) < 0.3 + 0.6 * hard, truth, rng.integers(0, 5, 200))
            for _ in range(2)
        )
        group = np.arange(200) // group_size if group_size else None
        tables = (table_of(truth, a, group), table_of(truth, b, group))
        found = stats.compare(*tables, metric, n_resamples=2, n_permutations=400)
        n_small += found.p < 0.05
    assert scipy.stats.binomtest(n_small, n_trials, 0.055, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize(("sizes", "warned"), [([8] * 100, False), ([8] * 40, True)])
def test_few_groups_by_weight_are_warned_of_however_the_models_did(sizes, warned):
    group = np.repeat(np.arange(len(sizes)), sizes)
    tables = [make_table(len(group), accuracy=a, seed=s) for s, a in enumerate((0.5, 0.99, 0.98))]
    tables = [t.with_columns(group=pl.Series([f"camera-{g}" for g in group])) for t in tables]
    for a, b in itertools.combinations(tables, 2):
        found = stats.compare(a, b, MeanScore(), n_resamples=20)
        rests = any("p and the interval rest on" in text for text in found.warnings)
        assert rests == warned


def test_many_groups_of_which_few_are_large_are_few():
    group = np.repeat(np.arange(200), [60] * 10 + [1] * 190)
    a, b = (make_table(len(group), seed=s) for s in (1, 2))
    a, b = (t.with_columns(group=pl.Series([f"camera-{g}" for g in group])) for t in (a, b))
    found = stats.compare(a, b, MeanScore(), n_resamples=20)
    assert any("worth 17 of equal weight" in text for text in found.warnings)
