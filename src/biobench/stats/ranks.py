"""Ranks, and how sure they are.

A model's rank lies between one more than the number of models shown to be better, and the number
of models less those shown to be worse; all its comparisons hold at once at the stated confidence
(Mogstad, Romano, Shaikh and Wilhelm, Review of Economic Studies 2024).
"""

import numpy as np
from jaxtyping import Float64, Int64

from biobench.stats.spread import quantile

__all__ = ["rank_intervals", "ranks", "ranks_over_tasks"]

_N_DRAWS = 2000
_TIE = 1e-12


def ranks(scores: Float64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
    """1 for the best; equal scores have the same rank, the smallest."""
    return 1 + np.count_nonzero(scores[None, :] > scores[:, None] + _TIE, axis=1)


def rank_intervals(
    scores: Float64[np.ndarray, " m"],
    replicates: Float64[np.ndarray, "m b"],
    errors: Float64[np.ndarray, "m m"],
    df: float,
    confidence: float,
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Lowest and highest rank of each model over fresh test sets.

    replicates: each model's score on shared resamples. errors: the standard error of the
    difference of each two models.
    """
    if confidence >= 100:
        return _everything(len(scores))
    centred = replicates - replicates.mean(axis=1, keepdims=True)
    low, high = np.empty((2, len(scores)), np.int64)
    # Few units know the errors badly: as much wider as a t quantile is than a normal one.
    widen = quantile(95, df) / quantile(95, np.inf)
    for j in range(len(scores)):
        error = np.where(errors[j] > 0, errors[j], np.inf)
        largest = np.max(np.abs(centred - centred[j]) / error[:, None], axis=0)
        # The largest of several reaches no less far than one does.
        reach = max(float(np.quantile(largest, confidence / 100)), quantile(confidence, np.inf))
        low[j], high[j] = _bounds(scores, j, widen * reach * errors[j])
    return low, high


def ranks_over_tasks(
    by_task: Float64[np.ndarray, "t m"], confidence: float, seed: int
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Lowest and highest rank of each model's mean, had other tasks like these been chosen.

    Of one task nothing can be said, so every rank is possible.
    """
    n_tasks, n_models = by_task.shape
    if n_tasks == 1 or confidence >= 100:
        return _everything(n_models)
    scores = by_task.mean(axis=0)
    rng = np.random.default_rng([seed, 4])
    centred = (by_task - scores).T
    normal = centred @ rng.standard_normal((n_tasks, _N_DRAWS)) / (n_tasks * (n_tasks - 1)) ** 0.5
    draws = normal / np.sqrt(rng.chisquare(n_tasks - 1, _N_DRAWS) / (n_tasks - 1))
    low, high = np.empty((2, n_models), np.int64)
    for j in range(n_models):
        error = np.std(by_task - by_task[:, [j]], axis=0, ddof=1) / n_tasks**0.5
        scale = np.where(error > 0, error, np.inf)
        largest = np.max(np.abs(draws - draws[j]) / scale[:, None], axis=0)
        critical = float(np.quantile(largest, confidence / 100))
        low[j], high[j] = _bounds(scores, j, critical * error)
    return low, high


def _bounds(
    scores: Float64[np.ndarray, " m"], j: int, reach: Float64[np.ndarray, " m"]
) -> tuple[int, int]:
    ahead = scores - scores[j]
    better = int(np.count_nonzero(ahead > reach + _TIE))
    worse = int(np.count_nonzero(-ahead > reach + _TIE))
    return 1 + better, len(scores) - worse


def _everything(n_models: int) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    return np.ones(n_models, np.int64), np.full(n_models, n_models, np.int64)
