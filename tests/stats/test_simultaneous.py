"""The test of all pairs at once, against enumeration by brute force and the tests of others."""

import itertools

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from biobench import stats
from biobench.metrics import get_metric, list_metrics
from biobench.stats.contributions import Contributions, pairs_of
from biobench.stats.simultaneous import adjusted_p, matrix_of, shown_better
from made_predictions import make_table, table_of


def contributions(values, grouped=False, weights=None):
    """Of models whose units add so much, [units, models]."""
    values = np.asarray(values, np.float64)
    first, second = pairs_of(values.shape[1])
    pairs = values[:, first] - values[:, second]
    nothing = np.full(len(first), np.nan)
    weights = np.full(len(values), 1 / len(values)) if weights is None else weights
    return Contributions(pairs, nothing, values.shape[1], grouped, len(values), weights)


def p_of(values, grouped=False, n_flips=2000, weights=None):
    return adjusted_p(contributions(values, grouped, weights), n_flips=n_flips, seed=0)


def statistic_of(d, grouped, weights):
    """Student's t, or Hall's transformation with twice the skewness of the effects, of one pair."""
    if not d.any():
        return 0.0
    if not grouped:
        return abs(d.sum()) / np.sqrt(np.sum(d**2))
    n = len(d)
    variance = max(np.var(d), 1e-5 * np.mean(d**2))
    effect, mean = d / weights, d.sum()
    within = max(np.average((effect - mean) ** 2, weights=weights), 1e-5 * np.sum(d * effect))
    g = 2 * np.average((effect - mean) ** 3, weights=weights) / within**1.5
    g *= np.mean(weights**3) / np.mean(weights**2) ** 1.5
    t = d.mean() / np.sqrt(variance)
    hall = t + g * t**2 / 3 + g**2 * t**3 / 27 + g / (6 * n)
    return max(np.sqrt(n) * np.sign(t) * hall, 0)


def enumerate_step_down(values, grouped, weights):
    """Adjusted p of each pair from all assignments of signs, one loop at a time."""
    first, second = pairs_of(values.shape[1])
    pairs = values[:, first] - values[:, second]
    observed = np.array([statistic_of(d, grouped, weights) for d in pairs.T])
    drawn = np.array(
        [
            [statistic_of(d * np.array(signs), grouped, weights) for d in pairs.T]
            for signs in itertools.product([1, -1], repeat=len(values))
        ]
    )
    order, p, least = np.argsort(-observed, kind="stable"), np.empty(len(observed)), 0.0
    for k in range(len(order)):
        largest = drawn[:, order[k:]].max(axis=1)
        least = max(least, np.mean(largest >= observed[order[k]] * (1 - 1e-5)))
        p[order[k]] = least
    return p


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("is_even", [False, True])
@pytest.mark.parametrize(("n_units", "n_models"), [(1, 2), (3, 3), (6, 2), (8, 4), (10, 3)])
def test_few_units_are_enumerated_to_the_last_digit(n_units, n_models, is_even, grouped):
    rng = np.random.default_rng(n_units)
    weights = np.ones(n_units) if is_even else rng.geometric(0.1, n_units)
    weights = weights / weights.sum()
    values = weights[:, None] * (rng.normal(0, 1, (n_units, n_models)) + np.arange(n_models))
    found = p_of(values, grouped, weights=weights)
    assert found.tolist() == enumerate_step_down(values, grouped, weights).tolist()


@pytest.mark.parametrize("ahead", [0.1, 0.4, 0.8])
@pytest.mark.parametrize("n_units", [9, 40])
def test_p_of_a_pair_is_that_of_scipys_permutation_test(n_units, ahead):
    a, b = np.random.default_rng(0).normal(0, 1, (2, n_units)) + [[ahead], [0]]
    theirs = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    found = p_of(np.stack([a, b], axis=1), n_flips=20_000)[0]
    close = 1e-12 if n_units < 13 else 5 * (theirs.pvalue / 20_000) ** 0.5 + 1e-3
    assert found == pytest.approx(theirs.pvalue, abs=close)


@pytest.mark.parametrize("grouped", [False, True])
@given(
    values=st.integers(1, 16).flatmap(
        lambda n: hnp.arrays(np.float64, (n, 3), elements=st.floats(-3, 3, width=16))
    )
)
@settings(max_examples=40, deadline=None)
def test_no_p_is_below_what_so_few_units_can_show(values, grouped):
    found = contributions(values, grouped)
    p = adjusted_p(found, n_flips=200, seed=0)
    assert np.all(p >= np.minimum(2.0 ** (1 - np.count_nonzero(found.values, axis=0)), 1))
    assert np.all(p <= 1) and np.all(p[~found.values.any(axis=0)] == 1)


@pytest.mark.parametrize("n_groups", [2, 3, 5, 8, 13])
@pytest.mark.parametrize("name", list_metrics())
def test_models_that_plainly_differ_have_the_least_p_that_groups_can_show(n_groups, name):
    group = np.repeat(np.arange(n_groups), 30)
    truth = np.arange(len(group)) % 3
    rng = np.random.default_rng(n_groups)
    good, poor = (
        table_of(truth, np.where(rng.random(len(group)) < a, truth, (truth + 1) % 3), group)
        for a in (0.97, 0.2)
    )
    compared = stats.compare(good, poor, get_metric(name))
    assert compared.p == 2.0 ** (1 - n_groups)
    assert (compared.detectable is None) == (n_groups < 6)
    board = stats.leaderboard({("good", "t"): good, ("poor", "t"): poor}, {"t": get_metric(name)})
    assert board["p_best"].to_list() == [1, compared.p] * 2, "the task, and the mean of one"
    assert board["tied_with_best"].to_list() == [True, n_groups < 6] * 2
    for warnings in (compared.warnings, *board["warnings"]):
        assert any("no difference between two models" in w for w in warnings) == (n_groups < 6)


@given(seed=st.integers(0, 1000), grouped=st.booleans(), n_units=st.sampled_from([7, 30]))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_models_and_their_copies_change_nothing(seed, grouped, n_units):
    values = np.random.default_rng(seed).normal(0, 1, (n_units, 3)) + [0, 0.5, 1]
    p = matrix_of(p_of(values, grouped), 3)
    turned = matrix_of(p_of(values[:, ::-1], grouped), 3)
    assert turned[::-1, ::-1] == pytest.approx(p, abs=1e-12)
    copied = matrix_of(p_of(values[:, [0, 1, 2, 2]], grouped), 4)
    # Below what so many draws can show stands a bound that adds up over all pairs, copies included.
    least = 1 / 2001
    assert copied[2, 3] == 1
    assert np.maximum(copied[:3, :3], least) == pytest.approx(np.maximum(p, least), abs=1e-12)


def test_all_pairs_of_twenty_models_are_told_from_one_that_is_better():
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (200, 20))
    values[:, 0] += 0.6
    p = matrix_of(p_of(values), 20)
    assert np.all(p[0, 1:] < 0.05) and np.mean(p[1:, 1:] < 0.05) < 0.02


def test_a_better_model_is_one_with_a_higher_score_and_a_small_p():
    p = np.array([[1, 0.01, 0.2], [0.01, 1, 0.04], [0.2, 0.04, 1]])
    better = shown_better(np.array([0.9, 0.1, 0.5]), p, 0.05)
    assert better.tolist() == [[False, True, False], [False, False, False], [False, True, False]]


def test_effects_that_are_skewed_count_for_less_to_the_side_without_the_rare_ones():
    rng = np.random.default_rng(0)
    n_wrong = np.zeros(2)
    for _ in range(300):
        values = np.zeros((30, 2))
        values[:, 0] = 1 - rng.exponential(1, 30)
        if values.sum() > 0:
            n_wrong += [p_of(values, grouped, 400)[0] < 0.05 for grouped in (False, True)]
    assert n_wrong[0] > 1.7 * n_wrong[1]


@pytest.mark.parametrize(("n_units", "n_models"), [(6, 8), (8, 20), (40, 8)])
def test_of_equal_models_few_tables_claim_anything(n_units, n_models):
    rng, n_wrong, n_trials = np.random.default_rng(0), 0, 150
    for _ in range(n_trials):
        values = rng.binomial(10, 0.7, (n_units, n_models)) / 10
        n_wrong += np.any(p_of(values, grouped=True, n_flips=400) < 0.05)
    assert scipy.stats.binomtest(n_wrong, n_trials, 0.055, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("confidence", [50, 95, 99])
def test_a_model_is_tied_with_the_best_where_it_may_be_first(confidence):
    cells = {
        (str(m), "t"): make_table(150, accuracy=0.8 - 0.08 * m, group_size=5, seed=m, truth_seed=7)
        for m in range(6)
    }
    board = stats.leaderboard(cells, {"t": get_metric("macro-f1")}, confidence=confidence)
    assert (board["tied_with_best"] == (board["rank_low"] == 1)).all()
    assert (board["tied_with_best"] == (board["p_best"] >= 1 - confidence / 100)).all()
    assert 0 < board["tied_with_best"].sum() < len(board)


def test_the_mean_is_warned_of_what_its_tasks_are():
    cells = {
        (m, t): make_table(60, group_size=5 if t == "few" else 0, seed=s, truth_seed=1)
        for s, m in enumerate("ab")
        for t in ("few", "many")
    }
    metrics = dict.fromkeys(("few", "many"), get_metric("macro-f1"))
    tables = [stats.leaderboard(cells, metrics).filter(pl.col("model") == m) for m in "ab"]
    for table in (*tables, stats.compare_models(cells, metrics, "a", "b")):
        mean = table.filter(pl.col("task") == "mean")["warnings"].item().to_list()
        tasks = table.filter(pl.col("task") != "mean")["warnings"].to_list()
        assert mean and set(mean) == {warning for row in tasks for warning in row}


def test_rare_effects_to_the_other_side_count_for_more_where_groups_are_uneven():
    rng = np.random.default_rng(0)
    uneven, even = np.array([5.0] + [1.0] * 19) / 24, np.full(20, 1 / 20)
    alike = np.stack([1 + 0.5 * rng.normal(size=20), np.zeros(20)], axis=1)
    against = alike.copy()
    against[1:4, 0] = -2
    # Three small groups are against; in another test set such a group may be the large one.
    for effects, least, most in ((alike, 0, 0.005), (against, 0.5, 1)):
        found = p_of(uneven[:, None] * effects, grouped=True, weights=uneven)[0]
        assert least <= found <= most
        assert p_of(uneven[:, None] * effects, grouped=True, weights=even)[0] < 0.12
