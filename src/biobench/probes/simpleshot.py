"""SimpleShot, and the normalising that it shares with NeWT's protocol.

SimpleShot().fit(x_train, y_train).predict(x_test)
"""

import functools

import numpy as np
from jaxtyping import Float, Int64
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from biobench.probes._backend import check_device, multiply32, one_blas_thread, run_in_threads
from biobench.probes._estimator import (
    Probe,
    check_features,
    check_finite,
    check_training_set,
    iter_chunks,
    sum_by_class,
)

__all__ = ["CenterNormalize", "SimpleShot"]


class SimpleShot(Probe):
    """Centre on the training mean, scale to unit length, take the class of the nearest centroid.

    Wang et al., "SimpleShot", arXiv 1911.04623 (CL2N). Scores are minus the squared Euclidean
    distance to each class's centroid. Predictions are those of float64 arithmetic: products are
    taken in float32, and again in float64 where the best two lie closer than float32's error bound.

    device: "cpu", "cuda" or "cuda:N", for the float32 products.
    n_jobs: threads of `predict`, -1 for all cores; predictions are the same for any number.

    Memory: 16 bytes x classes x dim; for each thread 50 MB and 12 bytes x classes x 2**21 / dim.
    Features are read in chunks, twice in `fit`.
    Attributes: `mean_` [d], `centroids_` [c d], float64.
    """

    deciding = ()

    def __init__(self, device="cpu", n_jobs=None):
        self.device = device
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Fit on features X [n d] and labels y [n].

        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        check_device(self.device)
        X, self.classes_, codes = check_training_set(self, X, y)
        self.mean_ = _mean(X)
        n_classes = len(self.classes_)
        sums = np.zeros((n_classes, X.shape[1]))
        for rows in iter_chunks(X):
            unit = _scale_to_unit(X[rows] - self.mean_)
            sums += sum_by_class(unit, codes[rows], n_classes)
        self.centroids_ = sums / np.bincount(codes)[:, None]
        self.params_ = {}
        return self

    def predict(self, X):
        """The class [n] of the nearest centroid; the first of equals."""
        check_is_fitted(self)
        X = check_features(self, X)
        narrow = np.ascontiguousarray(self.centroids_.T, dtype=np.float32)
        half_norms = 0.5 * (self.centroids_**2).sum(axis=1)
        with one_blas_thread():
            tasks = [
                functools.partial(self._find_nearest, X[rows], narrow, half_norms)
                for rows in iter_chunks(X)
            ]
            best = np.concatenate(run_in_threads(self.n_jobs, tasks))
        return self.classes_[best]

    def _find_nearest(self, chunk: np.ndarray, narrow, half_norms) -> Int64[np.ndarray, " n"]:
        # argmin |x - c|² = argmax x·c - |c|²/2
        unit = _scale_to_unit(chunk - self.mean_)
        scores = multiply32(unit.astype(np.float32), narrow, self.device)
        scores -= half_norms.astype(np.float32)
        every = np.arange(len(scores))
        best = scores.argmax(axis=1)
        lead = scores[every, best]
        scores[every, best] = -np.inf
        lead -= scores.max(axis=1)
        # Each product of a unit vector errs by at most dim x eps x |c|.
        bound = 2 * (chunk.shape[1] + 4) * np.finfo(np.float32).eps
        close = np.flatnonzero(lead <= bound * max(1e-30, np.sqrt(2 * half_norms.max())))
        exact = unit[close] @ self.centroids_.T - half_norms
        # Equal centroids may differ in the last bit of a product; the first of equals shall win.
        best[close] = np.round(exact, 13).argmax(axis=1)
        return best

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        norms = (self.centroids_**2).sum(axis=1)
        out = np.empty((len(X), len(self.classes_)))
        for rows in iter_chunks(X):
            unit = _scale_to_unit(X[rows] - self.mean_)
            out[rows] = 2 * unit @ self.centroids_.T - norms - (unit**2).sum(axis=1, keepdims=True)
        return out


class CenterNormalize(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Subtract the mean of the training features, then scale every row to unit length.

    normalize_first: scale the rows to unit length before the mean is taken as well (NeWT's
        protocol, Van Horn et al., CVPR 2021); False is SimpleShot's CL2N (Wang et al., 2019).

    A row of zeros stays one. Memory: a float64 copy of X. Attributes: `mean_` [d].
    """

    deciding = ("normalize_first",)

    def __init__(self, normalize_first=True):
        self.normalize_first = normalize_first

    def fit(self, X, y=None):
        """Learn the mean of X [n d]; raises BadInput for NaN or infinity."""
        X = validate_data(self, X, dtype="numeric", ensure_all_finite=False)
        check_finite(X)
        self.mean_ = self._prepare(X).mean(axis=0)
        return self

    def transform(self, X) -> Float[np.ndarray, "n d"]:
        """X [n d] as unit rows around the training mean, float64."""
        check_is_fitted(self)
        return _scale_to_unit(self._prepare(check_features(self, X)) - self.mean_)

    def _prepare(self, X: np.ndarray) -> np.ndarray:
        X = X.astype(np.float64)
        return _scale_to_unit(X) if self.normalize_first else X


def _mean(X: np.ndarray) -> Float[np.ndarray, " d"]:
    total = np.zeros(X.shape[1])
    for rows in iter_chunks(X):
        check_finite(X[rows], rows.start)
        total += X[rows].sum(axis=0, dtype=np.float64)
    return total / len(X)


def _scale_to_unit(X: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """X itself, its rows scaled to unit length in place; a row of zeros stays one."""
    norms = np.sqrt(np.einsum("ij,ij->i", X, X))[:, None]
    X /= np.where(norms == 0, 1, norms)
    return X
