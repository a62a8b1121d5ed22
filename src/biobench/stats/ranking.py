"""Ranks, and how sure they are.

A model's rank lies between one more than the number of models shown to be better, and the number
of models less those shown to be worse (Mogstad, Romano, Shaikh and Wilhelm, Review of Economic
Studies 2024); all claims of a table hold at once at the stated confidence.
"""

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import special

__all__ = ["LEAST_TASKS", "better_over_tasks", "rank_intervals", "ranks"]

LEAST_TASKS = 6
"""tasks below which ranks over other tasks are not given."""
_TIE = 1e-12


def ranks(scores: Float64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
    """1 for the best; equal scores have the same rank, the smallest."""
    return 1 + np.count_nonzero(scores[None, :] > scores[:, None] + _TIE, axis=1)


def rank_intervals(
    better: Bool[np.ndarray, "m m"],
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Lowest and highest rank of each model.

    better: whether each model (row) is shown to be better than each other (column).
    """
    low = 1 + np.count_nonzero(better, axis=0)
    return low.astype(np.int64), (len(better) - np.count_nonzero(better, axis=1)).astype(np.int64)


def better_over_tasks(
    by_task: Float64[np.ndarray, "t m"], level: float
) -> Bool[np.ndarray, "m m"] | None:
    """Whether each model (row) is shown to have a higher mean score than each other (column), had
    other tasks like these been chosen; None of under six tasks, which are too few to say.

    Student's t over the tasks for each pair of models, with Bonferroni's correction for all pairs.
    """
    n_tasks, n_models = by_task.shape
    if n_tasks < LEAST_TASKS:
        return None
    ahead = by_task[:, :, None] - by_task[:, None, :]
    mean = ahead.mean(axis=0)
    error = ahead.std(axis=0, ddof=1) / n_tasks**0.5
    n_pairs = max(n_models * (n_models - 1) // 2, 1)
    reach = special.stdtrit(n_tasks - 1, 1 - level / (2 * n_pairs)) if level > 0 else np.inf
    # Rounding is no spread: models that differ by the same on every task have an error of 0.
    return mean > np.where(error > _TIE, reach * error, _TIE if level > 0 else np.inf)
