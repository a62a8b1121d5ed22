"""The variance over groups: against scikit-learn, scipy, linear algebra and its own definition."""

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import f1_score, recall_score

from biobench.metrics import MacroAccuracy, MacroF1
from biobench.stats import breakdown, interval_from_table
from biobench.stats.coded import Coded, from_table
from biobench.stats.jackknife import _Cells, _kept, _pull, variance_over_groups
from made_predictions import make_table, table_of


def make_coded(seed, *, n=120, n_classes=6, n_units=9):
    """Uneven classes in uneven groups; some classes in one group."""
    rng = np.random.default_rng(seed)
    unit = np.sort(rng.integers(0, n_units, n) * rng.integers(1, 3, n) // 2)
    _, unit = np.unique(unit, return_inverse=True)
    true = np.where(rng.random(n) < 0.5, unit % n_classes, rng.integers(0, n_classes - 1, n))
    _, true = np.unique(true, return_inverse=True)
    k = int(true.max()) + 1
    pred = np.where(rng.random(n) < 0.6, true, rng.integers(-1, k, n))
    score = (true == pred).astype(np.float64)
    return Coded(score, true, pred, k, unit, int(unit.max()) + 1, grouped=True)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("metric", "value"), [(MacroF1(), f1_score), (MacroAccuracy(), recall_score)]
)
def test_a_classs_loss_without_a_group_is_scikit_learns(metric, value, seed):
    coded = make_coded(seed)

    def of_classes(keep):
        labels = {"labels": np.arange(coded.n_classes), "average": None, "zero_division": 0}
        return value(coded.true[keep], coded.pred[keep], **labels)

    whole = of_classes(np.ones(coded.n, bool))
    cells = _Cells.of(coded, None)
    for label, unit, pull in zip(cells.label, cells.unit, _pull(cells, metric), strict=True):
        keep = coded.unit != unit
        if not (coded.true[keep] == label).any():
            expected = whole[label] - whole.mean()
        else:
            counted = coded.true == label
            if metric.name == "macro-f1":
                counted = counted.astype(int) + (coded.pred == label)
            left = counted[keep].sum() / counted.sum()
            expected = (whole[label] - of_classes(keep)[label]) * left**0.5
        assert pull * coded.n_classes == pytest.approx(expected)


def test_of_classes_in_a_group_each_it_is_the_standard_error_of_the_mean_of_their_values():
    rng = np.random.default_rng(0)
    n_right = rng.integers(0, 11, 25)
    truth = np.repeat(np.arange(25), 10)
    right = np.tile(np.arange(10), 25) < np.repeat(n_right, 10)
    table = table_of(truth, np.where(right, truth, -1), truth)
    variance = variance_over_groups(from_table(table, by_group=True), MacroAccuracy())
    assert variance**0.5 == pytest.approx(scipy.stats.sem(n_right / 10))


def test_of_one_class_in_equal_groups_it_is_that_of_the_mean_of_the_groups():
    rng = np.random.default_rng(1)
    n_right = rng.integers(0, 11, 25)
    group = np.repeat(np.arange(25), 10)
    right = np.tile(np.arange(10), 25) < np.repeat(n_right, 10)
    table = table_of(np.zeros(250, int), np.where(right, 0, -1), group)
    variance = variance_over_groups(from_table(table, by_group=True), MacroAccuracy())
    assert variance == pytest.approx(scipy.stats.sem(n_right / 10) ** 2 * 25 / 24)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_seen_of_common_luck_is_that_of_dense_linear_algebra(seed):
    coded = make_coded(seed, n=60 + 40 * seed, n_classes=4 + seed, n_units=5 + seed)
    shares = np.zeros((coded.n_classes, coded.n_units))
    np.add.at(shares, (coded.true, coded.unit), 1)
    shares /= shares.sum(axis=1, keepdims=True)
    k, g = shares.shape
    weight = shares.sum(axis=0) / k
    loading = np.zeros((k, g, g))
    for c, u in zip(*np.nonzero(shares), strict=True):
        alone = shares[c, u] == 1
        effect = np.eye(g)[u] - (weight if alone else shares[c])
        loading[c, u] = effect * (1 if alone else shares[c, u] / (1 - shares[c, u]) ** 0.5) / k
    seen = np.sum(loading.sum(axis=0) ** 2) - np.sum(loading**2)
    there = np.sum(weight**2) - np.sum(shares**2) / k**2
    assert _kept(_Cells.of(coded, None)) == pytest.approx(np.clip(seen / there, 0.5, 1))


def test_groups_that_share_their_luck_have_the_variance_that_fresh_groups_show():
    rng = np.random.default_rng(2)
    scores, variances = [], []
    for _ in range(200):
        unit = np.repeat(np.arange(20), 12)
        true = rng.integers(0, 30, 240)
        _, true = np.unique(true, return_inverse=True)
        right = rng.random(240) < rng.beta(1, 1, 20)[unit]
        pred = np.where(right, true, -1)
        k = int(true.max()) + 1
        coded = Coded(right.astype(float), true, pred, k, unit, 20, grouped=True)
        n = np.bincount(true)
        scores.append(np.mean(np.bincount(true, right) / n))
        variances.append(variance_over_groups(coded, MacroAccuracy()))
    assert np.mean(variances) == pytest.approx(np.var(scores), rel=0.25)


def test_wrong_guesses_made_elsewhere_widen_the_interval_of_a_class():
    table = make_table(600, n_classes=3, accuracy=0.95, group_size=10)
    coded = from_table(table, by_group=True)
    every = np.ones(coded.n_classes, bool)
    assert variance_over_groups(coded, MacroF1(), every) == variance_over_groups(coded, MacroF1())
    found = breakdown(table, MacroF1(), "class")
    for i, (low, high) in enumerate(found.select("ci_low", "ci_high").rows()):
        own = table["y_true"].unique(maintain_order=True).sort()[i]
        alone = interval_from_table(table.filter(table["y_true"] == own), MacroF1())
        assert high - low > alone.high - alone.low
