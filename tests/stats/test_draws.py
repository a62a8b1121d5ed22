"""The variance of a mean over training draws, against analysis of variance and simulation."""

import numpy as np
import polars as pl
import pytest
import scipy.stats
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.formula.api import ols

from biobench.stats.draws import Crossed, average, cross
from biobench.stats.seeds import pair_seeds
from biobench.stats.spread import Spread, interval, quantile


def draw(rng, *, n, n_draws, example, draw, both):
    """[draws, examples] of the crossed two-way model of random effects, with mean 0."""
    return (
        rng.normal(0, example**0.5, n)
        + rng.normal(0, draw**0.5, (n_draws, 1))
        + rng.normal(0, both**0.5, (n_draws, n))
    )


def cross_units(values):
    """As of a mean score of independent examples, from what each example contributes."""
    n = values.shape[1]
    spreads = [Spread(one.var(ddof=1) / n, np.inf, n, -np.inf, np.inf) for one in values]
    return cross(values.mean(axis=1), spreads, values)


def test_the_parts_are_those_of_a_two_way_analysis_of_variance():
    rng = np.random.default_rng(1)
    values = draw(rng, n=40, n_draws=5, example=1.0, draw=0.5, both=0.7)
    n_draws, n = values.shape
    table = pl.DataFrame(
        {
            "y": values.ravel(),
            "s": np.repeat(np.arange(n_draws), n),
            "i": np.tile(np.arange(n), n_draws),
        }
    )
    squares = sm.stats.anova_lm(ols("y ~ C(s) + C(i)", table.to_pandas()).fit())
    mean = (squares["sum_sq"] / squares["df"]).to_dict()
    found = cross_units(values)
    assert found.draws == pytest.approx(mean["C(s)"] / (n * n_draws))
    assert found.test == pytest.approx((mean["C(i)"] - mean["Residual"]) / (n * n_draws))
    assert found.df_draws == 4


@pytest.mark.parametrize("parts", [(1.0, 0.02, 0.5), (0.5, 0.0, 4.0), (1.0, 0.1, 0.0)])
def test_the_variance_is_that_of_the_mean_over_test_sets_and_draws(parts):
    rng = np.random.default_rng(2)
    example, of_draw, both = parts
    n, n_draws, n_trials = 50, 4, 400
    made = [
        draw(rng, n=n, n_draws=n_draws, example=example, draw=of_draw, both=both)
        for _ in range(n_trials)
    ]
    true = example / n + of_draw / n_draws + both / (n * n_draws)
    found = np.array([cross_units(values).variance for values in made])
    assert abs(found.mean() - true) < 4 * found.std() / n_trials**0.5
    assert np.var([values.mean() for values in made]) == pytest.approx(true, rel=0.3)


def test_without_other_test_sets_it_is_students_test_of_the_draws():
    scores = np.array([0.03, 0.01, -0.01, 0.05, 0.02])
    found = cross(scores, [Spread(0.0, np.inf, 1.0)] * 5, np.zeros((5, 9)))
    assert found.p(scores.mean()) == pytest.approx(scipy.stats.ttest_1samp(scores, 0).pvalue)
    low, high = scipy.stats.ttest_1samp(scores, 0).confidence_interval(0.9)
    assert found.half_width(90) == pytest.approx((high - low) / 2)


def test_of_one_draw_only_the_test_set_is_known():
    found = cross(np.array([0.7]), [Spread(0.01, 12.0, 50.0)], np.ones((1, 9)))
    assert (found.draws, found.test, found.spread().df) == (0.0, 0.01, 12.0)
    assert found.p(0.2) == pytest.approx(2 * scipy.stats.t.sf(2.0, 12))


def test_draws_that_move_together_are_worth_one():
    moved = np.random.default_rng(0).normal(size=200)
    found = cross(np.full(5, 0.7), [Spread(0.01, np.inf, 50.0)] * 5, np.tile(moved, (5, 1)))
    assert found.variance == pytest.approx(0.01) and np.isinf(found.spread().df)


@given(
    test=st.floats(0, 2),
    draws=st.floats(0, 2),
    n_draws=st.integers(2, 12),
    df_test=st.floats(1, 1e4) | st.just(np.inf),
    confidence=st.floats(1, 99.99),
)
def test_p_df_and_interval_say_the_same(test, draws, n_draws, df_test, confidence):
    found = Crossed(test, df_test, draws, n_draws - 1.0, 10.0, -np.inf, np.inf)
    half = found.half_width(confidence)
    if found.variance < 1e-12:
        return
    assert found.p(half) == pytest.approx(1 - confidence / 100, rel=1e-6, abs=1e-9)
    low, high = interval(0.0, found.spread(confidence), confidence)
    assert (high - low) / 2 == pytest.approx(half, rel=1e-6)


@given(st.floats(1e-9, 1), st.floats(1e-9, 1), st.integers(1, 30), st.floats(1, 99))
def test_the_interval_lies_between_those_of_either_kind_of_draw(test, draws, df, confidence):
    found = Crossed(test, np.inf, draws, float(df), 10.0)
    ends = [quantile(confidence, one) * found.variance**0.5 for one in (np.inf, df)]
    assert ends[0] * (1 - 1e-9) <= found.half_width(confidence) <= ends[1] * (1 + 1e-9)


@pytest.mark.parametrize(("n_draws", "of_draw"), [(2, 20.0), (3, 20.0), (5, 2.0)])
def test_equal_models_are_told_apart_no_more_often_than_the_level_says(n_draws, of_draw):
    rng = np.random.default_rng(3)
    n_trials, level = 1000, 0.05
    scores = rng.normal(0, 1, (n_trials, 1))
    scores = scores + rng.normal(0, of_draw**0.5, (n_trials, n_draws))
    found = [
        abs(mean) > Crossed(1.0, np.inf, between / n_draws, n_draws - 1.0, 1.0).half_width(95)
        for mean, between in zip(scores.mean(axis=1), scores.var(axis=1, ddof=1), strict=True)
    ]
    # Satterthwaite's degrees of freedom give 8% to 13% for the first two.
    assert np.mean(found) < level + 3 * (level * (1 - level) / n_trials) ** 0.5


def test_a_tiny_p_is_a_number_and_no_difference_is_1():
    found = Crossed(1e-6, np.inf, 1e-7, 4.0, 10.0)
    assert 0 < found.p(0.9) < 1e-8 and found.p(0.0) == 1
    assert found.p(-0.003) == found.p(0.003)


def test_over_tasks_the_parts_add_and_their_degrees_of_freedom_grow():
    one = Crossed(0.04, np.inf, 0.02, 4.0, 10.0)
    mean = average([one, one])
    assert (mean.test, mean.draws) == pytest.approx((0.02, 0.01))
    assert mean.df_draws == pytest.approx(8) and np.isinf(mean.df_test)
    assert average([one]).half_width(95) == pytest.approx(one.half_width(95))


@pytest.mark.parametrize(
    ("a", "b", "pairs"),
    [
        (["1", "2", "3"], ["1", "2", "3"], [(0, 0), (1, 1), (2, 2)]),
        (["3", "1", "2"], ["1", "9", "3"], [(0, 2), (1, 0)]),
        (["1"], ["2", "1"], [(0, 1)]),
        (["1", "2"], ["3", "4", "5"], [(0, 0), (1, 1)]),
        (["1", "2", "3"], ["4", "2", "5"], [(1, 1), (0, 0), (2, 2)]),
        (["1"], ["2"], [(0, 0)]),
    ],
)
def test_draws_are_paired_by_their_seed_and_else_in_order(a, b, pairs):
    assert pair_seeds(a, b) == pairs
