"""Each example as a query for the others of its class: Recall@1 and average precision.

found = rank_others(x, individuals)                     # of all others
found = rank_others(x, individuals, apart=encounters)   # of those of other encounters
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Float64, Shaped

__all__ = ["Retrieved", "rank_others"]

_CHUNK_ELEMENTS = 2**24
_DIGITS = 12
"""distances that differ by less than a part in so many digits are equal."""


@dataclasses.dataclass(frozen=True)
class Retrieved:
    """Of `n` queries; NaN where there was no other of the class to be found."""

    recall_at_1: Float64[np.ndarray, " n"]
    """whether the nearest other is of the class; of equals the earliest counts."""
    average_precision: Float64[np.ndarray, " n"]
    """scikit-learn's `average_precision_score(same_class, -distance)` over the others."""


def rank_others(
    X: Float[np.ndarray, "n d"],
    labels: Shaped[np.ndarray, " n"],
    apart: Shaped[np.ndarray, " n"] | None = None,
) -> Retrieved:
    """Rank the others by Euclidean distance for every row of X.

    apart: rows that share a value are not among one another's others.
    Memory: 128 MB a few times, and a copy of X in float64.
    """
    X = X.astype(np.float64)
    X -= X.mean(axis=0)
    n = len(X)
    classes = np.unique(labels, return_inverse=True)[1]
    own = np.arange(n) if apart is None else np.unique(apart, return_inverse=True)[1]
    squares = np.einsum("ij,ij->i", X, X)
    scale = 4 * max(squares.max(initial=0.0), np.finfo(np.float64).tiny)
    recall, precision = np.full(n, np.nan), np.full(n, np.nan)
    step = max(1, _CHUNK_ELEMENTS // max(n, 1))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        distances = squares[rows, None] + squares - 2 * X[rows] @ X.T
        distances = np.round(distances / scale, _DIGITS)
        for i in range(rows.start, rows.stop):
            others = own != own[i]
            wanted = classes[others] == classes[i]
            if wanted.any():
                found = _score(distances[i - rows.start, others], wanted)
                recall[i], precision[i] = found
    return Retrieved(recall, precision)


def _score(
    distances: Float64[np.ndarray, " m"], wanted: Shaped[np.ndarray, " m"]
) -> tuple[float, float]:
    order = np.argsort(distances, kind="stable")
    distances, hits = distances[order], wanted[order]
    # Equal distances are one place, which ends where the last of them stands.
    place = np.searchsorted(distances, distances[hits], side="right")
    return float(hits[0]), float(np.mean(np.cumsum(hits)[place - 1] / place))
