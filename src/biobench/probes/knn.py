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
from biobench.probes._estimator import Probe, check_features, check_finite, check_training_set

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

    deciding = ("k",)

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
        return _Search(self._X, k, self.device, self.n_jobs).find(X)

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
        search = _Search(self._X, min(self.k, n - 1), self.device, self.n_jobs)
        return search.find_others(own)

    def leave_one_out_scores(
        self, groups: Shaped[np.ndarray, " n"] | None = None
    ) -> Float[np.ndarray, "n c"]:
        """Each class's share of the votes for each training row, of the others.

        groups: as in `leave_one_out`. Raises BadInput when some row has no neighbour left.
        """
        _, index = self.leave_one_out_neighbors(groups)
        alone = np.flatnonzero((index < 0).all(axis=1))
        if len(alone):
            raise BadInput(f"Row {alone[0]} has no neighbour outside its group.")
        return self._vote(index)

    def predict_proba(self, X) -> Float[np.ndarray, "n c"]:
        """Each class's share of the votes."""
        return self.class_scores(X)

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        return self._vote(self.kneighbors(X)[1])

    def _vote(self, index: Int64[np.ndarray, "n k"]) -> Float[np.ndarray, "n c"]:
        votes = np.zeros((len(index), len(self.classes_)))
        for neighbors in index.T:
            found = np.flatnonzero(neighbors >= 0)
            votes[found, self._codes[neighbors[found]]] += 1
        return votes / votes.sum(axis=1, keepdims=True)


class _Search:
    """The k nearest points, by scores |p|² - 2 q·p, which order points as their distance does."""

    def __init__(self, points: np.ndarray, k: int, device: str, n_jobs: int | None):
        check_device(device)
        self._points, self._k, self._device, self._n_jobs = points, k, device, n_jobs
        self._center = points[:: max(1, len(points) // 1024)].astype(np.float64).mean(axis=0)
        self._narrow = np.empty(points.shape, dtype=np.float32)
        self._norms = np.empty(len(points), dtype=np.float32)
        for rows in _blocks(len(points)):
            block = points[rows] - self._center
            self._narrow[rows] = block
            self._norms[rows] = np.einsum("ij,ij->i", block, block)

    def find(self, queries: np.ndarray):
        """Distances and points [m k] for queries [m d]."""
        blocks = _blocks(len(queries))
        with one_blas_thread():
            tasks = [functools.partial(self._find_for, queries[rows]) for rows in blocks]
            found = run_in_threads(self._n_jobs, tasks)
        distances, index = zip(*found, strict=True)
        return np.concatenate(distances), np.concatenate(index)

    def find_others(self, groups: Int64[np.ndarray, " n"]):
        """Distances and points [n k] for the points themselves, of other groups than their own.

        Each product of two blocks serves both.
        """
        blocks = _blocks(len(self._points))
        with one_blas_thread():
            candidates = [self._candidates(self._norms[rows]) for rows in blocks]
            for i, rows in enumerate(blocks):
                pairs = [
                    functools.partial(self._compare, rows, cols, groups, candidates[i], others)
                    for cols, others in zip(blocks[i:], candidates[i:], strict=True)
                ]
                for picked in run_in_threads(self._n_jobs, pairs):
                    candidates[i].add(*picked)
            ranks = [
                functools.partial(self._rank, self._points[rows], *candidates[i].list())
                for i, rows in enumerate(blocks)
            ]
            distances, index = zip(*run_in_threads(self._n_jobs, ranks), strict=True)
        return np.concatenate(distances), np.concatenate(index)

    def _candidates(self, norms: np.ndarray) -> "_Candidates":
        # A float32 product of d terms errs by at most d x eps x |q||p|; the norms round as well.
        longest = np.sqrt(norms) + np.sqrt(self._norms.max())
        slack = 2 * (self._points.shape[1] + 8) * np.finfo(np.float32).eps * longest**2
        return _Candidates(slack.astype(np.float32), self._k)

    def _find_for(self, queries: np.ndarray):
        block = queries - self._center
        candidates = self._candidates(np.einsum("ij,ij->i", block, block))
        doubled = (-2 * block).astype(np.float32)
        for cols in _blocks(len(self._points)):
            scores = multiply32(doubled, self._narrow[cols].T, self._device)
            scores += self._norms[cols]
            row, col, score = candidates.pick(scores)
            candidates.add(row, col + cols.start, score)
        return self._rank(queries, *candidates.list())

    def _compare(self, rows: slice, cols: slice, groups, candidates, others):
        """Let `others` pick from `rows`, and return what `candidates` pick from `cols`."""
        scores = multiply32(-2 * self._narrow[rows], self._narrow[cols].T, self._device)
        scores[groups[rows, None] == groups[None, cols]] = np.inf
        if rows != cols:
            row, col, score = others.pick((scores + self._norms[rows, None]).T)
            others.add(row, col + rows.start, score)
        scores += self._norms[cols]
        row, col, score = candidates.pick(scores)
        return row, col + cols.start, score

    def _rank(self, queries: np.ndarray, row, point):
        """The nearest of the pairs (query, point), measured in float64."""
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


class _Candidates:
    """Pairs (query, point) among which are the k nearest of a block of queries."""

    def __init__(self, slack: Float[np.ndarray, " m"], k: int):
        self._slack, self._k = slack, k
        # The k smallest scores so far, the largest of them last.
        self._reach = np.full((len(slack), k), np.inf, dtype=np.float32)
        self._found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def pick(self, scores: Float[np.ndarray, "m b"]):
        """Row, column and score of what may be among the nearest."""
        limit = self._reach[:, -1]
        if not np.isfinite(limit).all() and scores.shape[1] >= self._k:
            # Before there is anything to compare with, some of the scores bound the rest.
            sample = np.partition(scores[:, : max(self._k, 256)], self._k - 1, axis=1)
            limit = np.minimum(limit, sample[:, self._k - 1])
        limit = np.minimum(limit + self._slack, np.finfo(np.float32).max)
        row, col = np.nonzero(scores <= limit[:, None])
        return row, col, scores[row, col]

    def add(self, row: np.ndarray, point: np.ndarray, score: np.ndarray) -> None:
        """Take what was picked, rows ascending."""
        self._found.append((row, point, score))
        counts = np.bincount(row, minlength=len(self._reach))
        rank = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        width = self._k + counts.max(initial=0)
        wide = np.full((len(self._reach), width), np.inf, dtype=np.float32)
        wide[:, : self._k] = self._reach
        wide[row, self._k + rank] = score
        self._reach = np.partition(wide, self._k - 1, axis=1)[:, : self._k]

    def list(self):
        """Queries and points of the pairs that are left."""
        row, point, score = (np.concatenate(parts) for parts in zip(*self._found, strict=True))
        kept = score <= (self._reach[:, -1] + self._slack)[row]
        return row[kept], point[kept]


def _blocks(n: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK)]
