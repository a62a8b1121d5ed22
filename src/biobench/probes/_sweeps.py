"""The two ways through a ridge sweep: by d x d moments, or by n x n products where n < d.

A sweep scores every penalty on one split, and solves for all rows; `ridge` chooses.
"""

import functools

import numpy as np
from jaxtyping import Float, Int64
from sklearn.metrics import accuracy_score, f1_score, r2_score

from biobench.probes._backend import get_backend
from biobench.probes._estimator import check_finite
from biobench.probes._moments import Moments, gather_moments, group_rows
from biobench.probes._spectrum import Spectrum, from_moments, from_rows, score_r2
from biobench.probes.folds import Split

__all__ = ["DualSweep", "PrimalSweep"]

_CHUNK_ROWS = 4096


class _Sweep:
    """Targets are one-hot (codes, int64 [n]) or given (float64 [n c])."""

    def __init__(
        self,
        X: np.ndarray,
        y: Int64[np.ndarray, " n"] | Float[np.ndarray, "n c"],
        weights: Float[np.ndarray, " n"] | None,
        alphas: Float[np.ndarray, " n_alphas"],
        scoring: str,
        device: str,
    ):
        self.X, self.y, self.weights, self.scoring = X, y, weights, scoring
        self.backend = get_backend(device)
        self.alphas = self.backend.array(alphas)
        # A shift near the mean keeps the digits of features far from zero.
        sample = X[:: max(1, len(X) // 1024)].astype(np.float64)
        self.shift = np.where(np.isfinite(sample), sample, 0).mean(axis=0)
        self._shift = self.backend.array(self.shift)

    def _weights(self, index: np.ndarray) -> Float[np.ndarray, " m"]:
        return np.ones(len(index)) if self.weights is None else self.weights[index]

    def _score_predictions(
        self, spectrum: Spectrum, test: Int64[np.ndarray, " m"]
    ) -> Float[np.ndarray, " n_alphas"]:
        """Scores by what is predicted: labels, or targets where they are few."""
        offset = spectrum.mean + self._shift
        g = spectrum.shrink(self.alphas)
        picked: list[list[np.ndarray]] = [[] for _ in range(len(g))]
        for start in range(0, len(test), _CHUNK_ROWS):
            chunk = self.backend.array(self.X[test[start : start + _CHUNK_ROWS]])
            projected = (chunk - offset) @ spectrum.basis
            for row, out in zip(g, picked, strict=True):
                predicted = (projected * row) @ spectrum.targets + spectrum.y_mean
                predicted = self.backend.numpy(predicted)
                out.append(predicted if self.scoring == "r2" else predicted.argmax(axis=1))
        return np.array([self._score(np.concatenate(out), test) for out in picked])

    def _score(self, predicted: np.ndarray, test: np.ndarray) -> float:
        truth, weights = self.y[test], self._weights(test)
        if self.scoring == "accuracy":
            return accuracy_score(truth, predicted, sample_weight=weights)
        if self.scoring == "f1_macro":
            return f1_score(
                truth, predicted, average="macro", sample_weight=weights, zero_division=0
            )
        if truth.ndim == 1:
            truth = _one_hot(truth, predicted.shape[1])
        return r2_score(truth, predicted, sample_weight=weights)


class PrimalSweep(_Sweep):
    """One pass over the rows, then d x d algebra."""

    def prepare(self, splits: list[Split], n_jobs: int | None) -> None:
        """Read the features and gather their moments."""
        self._splits = splits
        groups, self._parts = group_rows(splits, len(self.X))
        self._moments = gather_moments(
            self.X, self.y, self.shift, groups, self.weights, self.backend, n_jobs
        )

    def score(self, i: int) -> Float[np.ndarray, " n_alphas"]:
        """Score of every penalty on split i."""
        spectrum = from_moments(self._sum(self._parts[:, i] == 1), self._shift, self.backend)
        if self.scoring != "r2":
            return self._score_predictions(spectrum, self._splits[i][1])
        test = self._sum(self._parts[:, i] == 2)
        return self.backend.numpy(score_r2(spectrum, test, self.alphas))

    def solve_all(self) -> Spectrum:
        """Solutions on all rows."""
        every = np.ones(len(self._moments), dtype=bool)
        return from_moments(self._sum(every), self._shift, self.backend)

    def _sum(self, chosen: np.ndarray) -> Moments:
        parts = [moments for moments, take in zip(self._moments, chosen, strict=True) if take]
        return functools.reduce(Moments.__add__, parts)


class DualSweep(_Sweep):
    """Products between rows; the rows fit in memory, being fewer than the columns."""

    def prepare(self, splits: list[Split], n_jobs: int | None) -> None:
        """Check the features."""
        check_finite(self.X)
        self._splits = splits

    def score(self, i: int) -> Float[np.ndarray, " n_alphas"]:
        """Score of every penalty on split i."""
        train, test = self._splits[i]
        return self._score_predictions(self._solve(train), test)

    def solve_all(self) -> Spectrum:
        """Solutions on all rows."""
        return self._solve(np.arange(len(self.X)))

    def _solve(self, train: np.ndarray) -> Spectrum:
        y = self.y
        y = _one_hot(y[train], int(y.max()) + 1) if y.ndim == 1 else y[train]
        to = self.backend.array
        return from_rows(
            to(self.X[train]), to(y), self._shift, to(self._weights(train)), self.backend
        )


def _one_hot(codes: Int64[np.ndarray, " n"], n_classes: int) -> Float[np.ndarray, "n c"]:
    out = np.zeros((len(codes), n_classes))
    out[np.arange(len(codes)), codes] = 1
    return out
