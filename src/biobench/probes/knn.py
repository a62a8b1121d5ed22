"""Exact nearest neighbours, and leave-one-out over them.

    KNN(k=5).fit(x_train, y_train).predict(x_test)
    KNN(k=5).leave_one_out(x, y, groups=video)      # no neighbour from one's own video

Candidates are found in float32, block by block; those that float32's error could have misplaced are
measured again in float64. So the neighbours are those of float64 arithmetic.
"""

import functools

import numpy as np
from jaxtyping import Float, Int64, Shaped
from sklearn.utils.validation import check_is_fitted

from biobench.errors import BadInput
from biobench.probes._backend import check_device, multiply32, one_blas_thread, run_in_threads
from biobench.probes._base import Probe, check_features, check_finite, check_training_set

__all__ = ["KNN"]

_BLOCK = 2048


class KNN(Probe):
    """Majority among the k nearest training examples in Euclidean distance.

    k: neighbours that vote; fewer where there are not so many training examples.
    device: "cpu", "cuda" or "cuda:N", for the float32 products.
    n_jobs: threads, -1 for all cores; the result is the same for any number.

    Ties between distances go to the earlier training row, ties between votes to the earlier class.
    Class scores are shares of votes, as scikit-learn's KNeighborsClassifier has them.
    Memory: a float32 copy of both sets of features and 100 MB for each thread.
    Attributes: `classes_`, and the training set.
    """

    def __init__(self, k=5, device="cpu", n_jobs=None):
        self.k = k
        self.device = device
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Keep features X [n d] and labels y [n].

        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        X, self.classes_, self._codes = check_training_set(self, X, y)
        check_finite(X)
        if self.k < 1:
            raise BadInput(f"k is {self.k}, but a vote needs at least 1 neighbour.")
        self._X = X
        self.params_ = {}
        return self

    def kneighbors(self, X) -> tuple[Float[np.ndarray, "n k"], Int64[np.ndarray, "n k"]]:
        """Distances and training rows of the k nearest to each row of X [n d], nearest first."""
        check_is_fitted(self)
        X = check_features(self, X)
        k = min(self.k, len(self._X))
        return _Search(self._X, k, self.device)(X, self.n_jobs)

    def leave_one_out(
        self, X, y, groups: Shaped[np.ndarray, " n"] | None = None
    ) -> Shaped[np.ndarray, " n"]:
        """Fit on X [n d], y [n], and predict each row from the others.

        groups: rows that share a group are not one another's neighbours.
        Raises BadInput when some row has no neighbour left.
        """
        self.fit(X, y)
        _, index = self.leave_one_out_neighbors(groups)
        return self.classes_[self._vote(index).argmax(axis=1)]

    def leave_one_out_neighbors(
        self, groups: Shaped[np.ndarray, " n"] | None = None
    ) -> tuple[Float[np.ndarray, "n k"], Int64[np.ndarray, "n k"]]:
        """Distances and rows of each training row's nearest others, nearest first.

        Where a group leaves fewer than k others, the rest are row -1 at distance infinity.
        """
        check_is_fitted(self)
        n = len(self._X)
        own = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
        if len(own) != n:
            raise BadInput(f"There are {n} training rows but {len(own)} groups.")
        if groups is not None and (own == own[0]).all():
            raise BadInput("All rows are of one group, so none has a neighbour outside it.")
        search = _Search(self._X, min(self.k, n - 1), self.device, own)
        return search(self._X, self.n_jobs, own)

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        search = _Search(self._X, min(self.k, len(self._X)), self.device)
        return self._vote(search(X, self.n_jobs)[1])

    def _vote(self, index: Int64[np.ndarray, "n k"]) -> Float[np.ndarray, "n c"]:
        votes = np.zeros((len(index), len(self.classes_)))
        for neighbors in index.T:
            found = np.flatnonzero(neighbors >= 0)
            votes[found, self._codes[neighbors[found]]] += 1
        return votes / votes.sum(axis=1, keepdims=True)


class _Search:
    """The k nearest points that are not of the query's own group."""

    def __init__(self, points: np.ndarray, k: int, device: str, groups=None):
        self._points, self._k, self._device, self._groups = points, k, device, groups
        self._center = points[:: max(1, len(points) // 1024)].astype(np.float64).mean(axis=0)
        self._narrow = np.empty(points.shape, dtype=np.float32)
        self._norms = np.empty(len(points), dtype=np.float32)
        for rows in _blocks(len(points)):
            block = points[rows] - self._center
            self._narrow[rows] = block
            self._norms[rows] = np.einsum("ij,ij->i", block, block)

    def __call__(self, queries: np.ndarray, n_jobs: int | None, own=None):
        """Distances and points [m k] for queries [m d]; `own`: the queries' groups [m]."""
        check_device(self._device)
        tasks = [
            functools.partial(self._find, queries[rows], None if own is None else own[rows])
            for rows in _blocks(len(queries))
        ]
        with one_blas_thread():
            found = run_in_threads(n_jobs, tasks)
        distances, index = zip(*found, strict=True)
        return np.concatenate(distances), np.concatenate(index)

    def _find(self, queries: np.ndarray, own):
        row, point = self._find_candidates(queries - self._center, own)
        distances = np.empty(len(row))
        for pairs in _blocks(len(row)):
            gap = queries[row[pairs]].astype(np.float64) - self._points[point[pairs]]
            distances[pairs] = np.sqrt(np.einsum("ij,ij->i", gap, gap))
        order = np.lexsort((point, distances, row))
        row, point, distances = row[order], point[order], distances[order]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        near = rank < self._k
        out = np.full((len(queries), self._k), np.inf), np.full((len(queries), self._k), -1)
        out[0][row[near], rank[near]] = distances[near]
        out[1][row[near], rank[near]] = point[near]
        return out

    def _find_candidates(self, queries: Float[np.ndarray, "m d"], own):
        """Pairs (query, point) among which are every query's k nearest."""
        norms = np.einsum("ij,ij->i", queries, queries)
        # A float32 product of d terms errs by at most d x eps x |q||p|; the norms round as well.
        largest = np.sqrt(float(self._norms.max()))
        bound = (queries.shape[1] + 8) * np.finfo(np.float32).eps * (np.sqrt(norms) + largest) ** 2
        slack = (2 * bound).astype(np.float32)
        doubled = (-2 * queries).astype(np.float32)
        # The k smallest so far of |p|² - 2 q·p, which orders points as their distance does.
        reach = np.full((len(queries), self._k), np.inf, dtype=np.float32)
        found = []
        for cols in _blocks(len(self._points)):
            scores = multiply32(doubled, self._narrow[cols].T, self._device)
            scores += self._norms[cols]
            if own is not None:
                scores[own[:, None] == self._groups[None, cols]] = np.inf
            limit = np.minimum(_limit(reach, scores) + slack, np.finfo(np.float32).max)
            row, col = np.divmod(np.flatnonzero(scores <= limit[:, None]), scores.shape[1])
            score = scores[row, col]
            found.append((row, col + cols.start, score))
            reach = _merge(reach, row, score)
        row, point, score = (np.concatenate(parts) for parts in zip(*found, strict=True))
        kept = score <= (reach[:, -1] + slack)[row]
        return row[kept], point[kept]


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]


def _limit(reach, scores):
    """A bound on every row's k-th smallest score; at first from some of the scores."""
    k = reach.shape[1]
    if np.isfinite(reach[0, -1]) or scores.shape[1] < k:
        return reach[:, -1]
    return np.partition(scores[:, : max(k, 256)], k - 1, axis=1)[:, k - 1]


def _merge(reach, row, score):
    """The k smallest of each row of `reach` and of its new scores, the largest of them last."""
    k, counts = reach.shape[1], np.bincount(row, minlength=len(reach))
    rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    wide = np.full((len(reach), k + counts.max(initial=0)), np.inf, dtype=np.float32)
    wide[:, :k] = reach
    wide[row, k + rank] = score
    return np.partition(wide, k - 1, axis=1)[:, :k]
