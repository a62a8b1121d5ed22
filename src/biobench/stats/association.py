"""Does one task's order of models foretell another's? Spearman's rank correlation over models.

found = rank_correlation(scores_a, scores_b)
found.r, found.low, found.high, found.n

Source: Spearman, Am. J. Psychol. 1904; the interval is the percentile bootstrap over models
(Efron, Ann. Statist. 1979), in which tied ranks of a resample are averaged.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float64
from scipy import stats as scipy_stats

from biobench.errors import BadInput

__all__ = ["LEAST_MODELS", "RankCorrelation", "rank_correlation"]

LEAST_MODELS = 6
"""models under which a resample has so few different ones that no interval means anything."""


@dataclasses.dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation of two scores of the same models."""

    r: float
    """nan where one of the two is the same for every model."""
    low: float | None
    """of the interval over models; None, as `high`, where there are too few."""
    high: float | None
    n: int
    """models."""


def rank_correlation(
    a: Float64[np.ndarray, " n"],
    b: Float64[np.ndarray, " n"],
    *,
    confidence: float = 95,
    n_resamples: int = 1000,
    seed: int = 42,
) -> RankCorrelation:
    """The rank correlation of two scores of `n` models, with its interval over models like these.

    Raises BadInput for fewer than two models.
    """
    n = len(a)
    if n < 2:
        raise BadInput(f"A correlation needs two models; there are {n}.")
    r = float(_correlate(a[None], b[None])[0])
    if n < LEAST_MODELS or math.isnan(r):
        return RankCorrelation(r, None, None, n)
    picks = np.random.default_rng(seed).integers(0, n, (n_resamples, n))
    drawn = _correlate(a[picks], b[picks])
    # A resample of one model over and over has no order.
    drawn = drawn[~np.isnan(drawn)]
    outside = (100 - confidence) / 2
    low, high = np.percentile(drawn, [outside, 100 - outside])
    return RankCorrelation(r, float(low), float(high), n)


def _correlate(
    a: Float64[np.ndarray, "k n"], b: Float64[np.ndarray, "k n"]
) -> Float64[np.ndarray, " k"]:
    """Spearman's correlation of each row of `a` with that of `b`; nan where one is constant."""
    x, y = (scipy_stats.rankdata(values, axis=1) for values in (a, b))
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    scale = np.sqrt((x**2).sum(axis=1) * (y**2).sum(axis=1))
    together = (x * y).sum(axis=1)
    return np.divide(together, scale, out=np.full(len(a), np.nan), where=scale > 0)
