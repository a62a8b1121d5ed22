import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from biobench import stats
from biobench.errors import BadInput

scores = st.integers(0, 6).map(float)


@given(st.lists(st.tuples(scores, scores), min_size=2, max_size=30))
@settings(deadline=None)
def test_the_correlation_is_scipy_s_with_ties_too(rows):
    a, b = (np.array(column) for column in zip(*rows, strict=True))
    found = stats.rank_correlation(a, b, n_resamples=20)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan(found.r) and found.low is None
    else:
        assert found.r == pytest.approx(scipy_stats.spearmanr(a, b).statistic)
        assert found.n == len(rows) and (found.low is None) == (len(rows) < stats.LEAST_MODELS)


def test_the_interval_is_that_of_scipy_s_percentile_bootstrap():
    rng = np.random.default_rng(0)
    a = rng.normal(size=40)
    b = a + rng.normal(size=40)
    found = stats.rank_correlation(a, b, n_resamples=4000)
    other = scipy_stats.bootstrap(
        (a, b),
        lambda x, y: scipy_stats.spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=1000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert found.low == pytest.approx(other.low, abs=0.04)
    assert found.high == pytest.approx(other.high, abs=0.04)
    assert found.low < found.r < found.high


def test_the_interval_holds_what_is_true_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    truth = 6 / np.pi * np.arcsin(0.6 / 2)
    held = 0
    for i in range(200):
        a = rng.normal(size=40)
        b = 0.6 * a + 0.8 * rng.normal(size=40)
        found = stats.rank_correlation(a, b, n_resamples=200, seed=i)
        held += found.low <= truth <= found.high
    assert 0.88 * 200 <= held <= 200


def test_one_model_has_no_correlation():
    with pytest.raises(BadInput, match="two models"):
        stats.rank_correlation(np.array([1.0]), np.array([2.0]))
