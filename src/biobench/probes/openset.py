"""Open-set recognition: any probe, and a rule that says when none of its classes will do.

clf = OpenSet(SimpleShot()).fit(x_train, y_train)
clf.predict(x_test)         # labels, or clf.unknown_
"""

import typing

import numpy as np
from jaxtyping import Bool, Float, Float64
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.covariance import ledoit_wolf
from sklearn.utils.validation import check_is_fitted

from biobench.errors import BadInput
from biobench.probes._estimator import (
    check_features,
    check_finite,
    check_training_set,
    iter_chunks,
    sum_by_class,
)
from biobench.probes.simpleshot import SimpleShot

__all__ = ["UNKNOWN", "OpenSet"]

UNKNOWN = "unknown"
"""the label of what is rejected, among classes that are strings."""

_COVARIANCE_ROWS = 50_000


class OpenSet(ClassifierMixin, BaseEstimator):
    """A probe that rejects what lies far, in Mahalanobis distance, from every training class.

    The distance is that of Lee et al., NeurIPS 2018: to the nearest class mean under one covariance
    shared by all classes, shrunk as Ledoit and Wolf (2004) do.

    base: a classifier; None is SimpleShot().
    quantile: share of training examples, each measured from the mean of its class's others, that
        the threshold keeps. Where every class has one example only, nothing is rejected.
    unknown: the label of what is rejected; None is -1 among numbers and "unknown" among strings.

    Memory: beside the base's, 8 bytes x dim x (classes + 2 dim), and for the covariance 24 bytes x
    dim x rows, of which at most 50,000, evenly spaced, are taken.
    Attributes: `base_`, `means_` [c d], `threshold_`, `unknown_`, `classes_`.
    """

    deciding = ("base", "quantile", "unknown")
    rejected_label: typing.ClassVar[str | None] = UNKNOWN
    edges_: typing.ClassVar[dict[str, str]] = {}

    def __init__(self, base=None, quantile=0.95, unknown=None):
        self.base = base
        self.quantile = quantile
        self.unknown = unknown

    @classmethod
    def for_protocol(
        cls, *, seed: int, folds: str, device: str, n_jobs: int, **params: object
    ) -> "OpenSet":
        """A fresh one around SimpleShot, as a task's protocol wants it; neither has folds."""
        return cls(**{"base": SimpleShot(device=device, n_jobs=n_jobs), **params})

    def fit(self, X, y):
        """Fit on features X [n d] and labels y [n].

        Raises BadInput for NaN or infinity, one class only, unequal lengths, or an `unknown` label
        that is a class.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        for rows in iter_chunks(X):
            check_finite(X[rows], rows.start)
        numeric = self.classes_.dtype.kind in "iufb"
        self.unknown_ = self.unknown if self.unknown is not None else -1 if numeric else UNKNOWN
        if self.unknown_ in self.classes_.tolist():
            raise BadInput(f"'{self.unknown_}' is a class; choose another label for the unknown.")
        self.base_ = clone(self.base if self.base is not None else SimpleShot())
        self.base_.fit(X, self.classes_[codes])
        self.means_ = _class_means(X, codes, len(self.classes_))
        self._whitener = self._fit_whitener(X, codes)
        self.threshold_ = self._fit_threshold(X, codes)
        self.params_ = dict(getattr(self.base_, "params_", {}))
        return self

    def distances(self, X) -> Float64[np.ndarray, " n"]:
        """Mahalanobis distance [n] of X [n d] to the nearest class mean."""
        check_is_fitted(self)
        X = check_features(self, X)
        means = self.means_ @ self._whitener
        norms = np.einsum("ij,ij->i", means, means)
        out = np.empty(len(X))
        for rows in iter_chunks(X):
            Z = X[rows] @ self._whitener
            squares = (norms - 2 * Z @ means.T).min(axis=1) + np.einsum("ij,ij->i", Z, Z)
            out[rows] = np.sqrt(np.maximum(squares, 0))
        return out

    def rejects(self, X) -> Bool[np.ndarray, " n"]:
        """Whether a row of X [n d] is farther than the threshold from every class."""
        return self.distances(X) > self.threshold_

    def predict(self, X):
        """The base's label [n], or `unknown_` for what is rejected."""
        rejected = self.rejects(X)
        labels = np.asarray(self.base_.predict(X))
        return np.where(rejected, np.asarray(self.unknown_, dtype=_wide(labels)), labels)

    def class_scores(self, X) -> Float[np.ndarray, "n c"]:
        """The base's scores of the known classes, whatever is rejected."""
        check_is_fitted(self)
        return self.base_.class_scores(X)

    def _fit_whitener(self, X, codes) -> Float64[np.ndarray, "d d"]:
        rows = np.arange(0, len(X), max(1, len(X) // _COVARIANCE_ROWS))
        covariance, _ = ledoit_wolf(X[rows] - self.means_[codes[rows]], assume_centered=True)
        eigenvalues, vectors = np.linalg.eigh(covariance)
        # All-equal training examples have no covariance; their distances are then Euclidean.
        floor = np.finfo(np.float64).eps * max(eigenvalues[-1], 1.0)
        return vectors / np.sqrt(np.maximum(eigenvalues, floor))

    def _fit_threshold(self, X, codes) -> float:
        counts = np.bincount(codes)
        out = np.empty(len(X))
        for rows in iter_chunks(X):
            gap = (X[rows] - self.means_[codes[rows]]) @ self._whitener
            out[rows] = np.sqrt(np.einsum("ij,ij->i", gap, gap))
        several = counts[codes] > 1
        if not several.any():
            return float("inf")
        # x - (mean of the others) = (x - mean) n / (n - 1)
        others = out[several] * counts[codes[several]] / (counts[codes[several]] - 1)
        return float(np.quantile(others, self.quantile))


def _class_means(X, codes, n_classes: int) -> Float64[np.ndarray, "c d"]:
    sums = np.zeros((n_classes, X.shape[1]))
    for rows in iter_chunks(X):
        sums += sum_by_class(X[rows].astype(np.float64), codes[rows], n_classes)
    return sums / np.bincount(codes)[:, None]


def _wide(labels: np.ndarray):
    return None if labels.dtype.kind in "US" else labels.dtype
