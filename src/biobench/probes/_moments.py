"""Second moments of features and targets, fold by fold, in one pass over the features.

Ridge regression and R² need nothing else: whatever a training or validation part of a split has to
say is the sum of its folds' moments. Sums are taken about a shift near the mean, so that features
far from zero lose no digits.
"""

import dataclasses
import functools
import typing

import numpy as np
from jaxtyping import Float, Int64

from biobench.probes._backend import Backend, run_in_threads
from biobench.probes._estimator import check_finite, sum_by_class
from biobench.probes.folds import Split

__all__ = ["Moments", "gather_moments", "group_rows"]

_CHUNK_ELEMENTS = 6 * 2**20


@dataclasses.dataclass(frozen=True)
class Moments:
    """Weighted sums over some rows; arrays live on the backend. x and y are taken about a shift."""

    weight: float
    n_rows: int
    x: typing.Any
    """sum of x [d]"""
    xx: typing.Any
    """sum of x xᵀ [d d]"""
    y: typing.Any
    """sum of y [c]"""
    yy: typing.Any
    """sum of y² [c]"""
    xy: typing.Any
    """sum of x yᵀ [d c]"""

    def __add__(self, other: "Moments") -> "Moments":
        pairs = zip(_values(self), _values(other), strict=True)
        return Moments(*(a + b for a, b in pairs))


def _values(moments: Moments) -> list:
    return [getattr(moments, field.name) for field in dataclasses.fields(moments)]


def group_rows(splits: list[Split], n: int) -> tuple[Int64[np.ndarray, " n"], np.ndarray]:
    """Rows that play the same part in every split form a group: five of them for five folds.

    Returns each row's group [n] and the groups' parts [n_groups n_splits]: 1 train, 2 test, 0 none.
    """
    parts = np.zeros((n, max(1, len(splits))), dtype=np.int8)
    for i, (train, test) in enumerate(splits):
        parts[train, i] = 1
        parts[test, i] = 2
    distinct, groups = np.unique(parts, axis=0, return_inverse=True)
    return groups.reshape(-1).astype(np.int64), distinct


def gather_moments(
    X: np.ndarray,
    y: Int64[np.ndarray, " n"] | Float[np.ndarray, "n c"],
    shift: Float[np.ndarray, " d"],
    groups: Int64[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"] | None,
    backend: Backend,
    n_jobs: int | None,
) -> list[Moments]:
    """Moments of each group of rows of X [n d], read once, in chunks.

    y: class codes, which stand for one-hot targets of 0 and 1, or the targets themselves.
    Raises BadInput naming the first rows with NaN or infinity.
    """
    n_groups, d = int(groups.max()) + 1, X.shape[1]
    c = int(y.max()) + 1 if y.ndim == 1 else y.shape[1]
    xx = [backend.zeros(d, d) for _ in range(n_groups)]
    x, yx = np.zeros((n_groups, d)), np.zeros((n_groups, c, d))
    n_rows = max(256, _CHUNK_ELEMENTS // d)
    for start in range(0, len(X), n_rows):
        rows = slice(start, start + n_rows)
        check_finite(X[rows], start)
        root = None if weights is None else np.sqrt(weights[rows])
        adders = [
            functools.partial(
                _add, X[rows], y[rows], shift, member, root, xx[g], x[g], yx[g], backend
            )
            for g, member in enumerate(groups[rows] == g for g in range(n_groups))
            if member.any()
        ]
        run_in_threads(n_jobs, adders)
    return [
        _finish(x[g], xx[g], yx[g].T, y, groups == g, weights, c, backend) for g in range(n_groups)
    ]


def _add(X, y, shift, member, root, xx, x, yx, backend: Backend) -> None:
    chunk = X[member] - shift
    y = y[member]
    weights = None if root is None else root[member] ** 2
    x += chunk.sum(axis=0) if weights is None else weights @ chunk
    if y.ndim == 1:
        yx += sum_by_class(chunk, y, len(yx), weights)
    else:
        yx += (y if weights is None else y * weights[:, None]).T @ chunk
    if root is not None:
        chunk *= root[member][:, None]
    chunk = backend.array(chunk)
    xx += chunk.T @ chunk


def _finish(x, xx, xy, y, member, weights, c: int, backend: Backend) -> Moments:
    y, w = y[member], np.ones(int(member.sum())) if weights is None else weights[member]
    if y.ndim == 1:
        y_sum = np.bincount(y, weights=w, minlength=c)
        yy = y_sum
    else:
        y_sum, yy = w @ y, w @ y**2
    to = backend.array
    return Moments(float(w.sum()), len(y), to(x), xx, to(y_sum), to(yy), to(xy))
