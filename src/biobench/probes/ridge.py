"""Ridge regression whose penalty is chosen by cross-validation, for the price of one pass.

    clf = RidgeSweep(cv=Folds(5, "stratified-shuffle", seed=42)).fit(x, y)
    clf.alpha_, clf.cv_scores_

The answer is that of scikit-learn's GridSearchCV over StandardScaler and Ridge.
"""

import functools
import typing

import numpy as np
from jaxtyping import Float
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from biobench.errors import BadInput
from biobench.probes._backend import one_blas_thread, run_in_threads
from biobench.probes._estimator import (
    Probe,
    check_features,
    check_training_set,
    find_edges,
    iter_chunks,
)
from biobench.probes._spectrum import Spectrum
from biobench.probes._sweeps import DualSweep, PrimalSweep
from biobench.probes.folds import FoldKind, Folds, Split, resolve_splits

__all__ = ["ALPHAS", "RidgeSweep", "RidgeSweepRegressor"]

ALPHAS = tuple(2.0**power for power in range(-20, 11))


class _Sweep(BaseEstimator):
    """What the classifier and the regressor share: everything but the targets."""

    def _sweep(self, X, y, splits: list[Split], sample_weight) -> None:
        """Choose among the penalties; y: codes [n] or targets [n c]."""
        self._check_parameters(splits)
        if sample_weight is not None:
            sample_weight = _check_weights(sample_weight, len(X), splits)
        kind = PrimalSweep if len(X) > X.shape[1] else DualSweep
        sweep = kind(X, y, sample_weight, self.alphas_, self.scoring, self.device)
        with one_blas_thread():
            sweep.prepare(splits, self.n_jobs)
            tasks = [functools.partial(sweep.score, i) for i in range(len(splits))]
            *scores, spectrum = run_in_threads(self.n_jobs, [*tasks, sweep.solve_all])
            self._choose(scores)
            self._keep_coef(sweep, spectrum)

    def _check_parameters(self, splits: list[Split]) -> None:
        self.alphas_ = np.asarray(self.alphas, dtype=np.float64)
        if self.alphas_.size == 0 or not (self.alphas_ > 0).all():
            raise BadInput("The ridge penalties (alphas) must be positive numbers, at least one.")
        if self.scoring not in ("r2", "accuracy", "f1_macro"):
            raise BadInput(f"scoring is '{self.scoring}', but must be r2, accuracy or f1_macro.")
        if self.scoring == "r2" and getattr(self.cv, "kind", None) == "group":
            raise BadInput(
                "Folds by group go with a choice by accuracy or f1_macro: by R², which also scores "
                "how far new groups lie from the training ones, the largest penalty always wins; "
                "set scoring='accuracy'."
            )
        if self.scoring == "r2" and any(len(test) < 2 for _, test in splits):
            raise BadInput("A test fold has fewer than two examples, where R² is undefined.")

    def _choose(self, scores: list[np.ndarray]) -> None:
        n_alphas = len(self.alphas_)
        self.cv_scores_ = np.stack(scores, axis=1) if scores else np.empty((n_alphas, 0))
        self.alpha_ = float(self.default_alpha)
        if scores:
            mean = self.cv_scores_.mean(axis=1)
            # The first of equals, and what differs by rounding is equal.
            self.alpha_ = float(self.alphas_[np.argmax(mean >= mean.max() - 1e-12)])
        self.params_ = {"alpha": self.alpha_}
        means = self.cv_scores_.mean(axis=1) if scores else self.alphas_
        self.edges_ = find_edges("alpha", self.alpha_, self.alphas_, means, bool(scores))

    def _keep_coef(self, sweep: PrimalSweep | DualSweep, spectrum: Spectrum) -> None:
        to = sweep.backend.numpy
        g = spectrum.shrink(sweep.backend.array(np.array([self.alpha_])))[0]
        self.coef_ = np.ascontiguousarray(to(spectrum.coef(g)).T)
        self.intercept_ = to(spectrum.y_mean) - self.coef_ @ (to(spectrum.mean) + sweep.shift)

    def _predict_targets(self, X) -> Float[np.ndarray, "n c"]:
        out = np.empty((len(X), len(self.coef_)))
        for rows in iter_chunks(X):
            out[rows] = X[rows].astype(np.float64) @ self.coef_.T + self.intercept_
        return out


class RidgeSweep(Probe, _Sweep):
    """Ridge classifier on ±1 one-hot labels over standardised features.

    The protocol of iWildCam and Pl@ntNet. Equal to `GridSearchCV(make_pipeline(StandardScaler(),
    Ridge()), {"ridge__alpha": alphas}, scoring="r2")` on one-hot targets, predicting the argmax.

    alphas: penalties, in order; of equals the first is taken.
    cv: an int (stratified, unshuffled), a scikit-learn splitter such as `Folds`, or index pairs.
        Where two folds cannot be made (see `biobench.probes.folds`), alpha is `default_alpha`.
    scoring: "r2", averaged over classes; "accuracy" and "f1_macro" read the features once more.
        Folds by group need one of these two.
    device: "cpu", "cuda" or "cuda:N", where the d x d algebra is done.
    n_jobs: threads, -1 for all cores; the result is the same bits for any number.

    One pass over X [n d], any float type, memory-mapped or not, gathers moments in float64. Memory
    beyond X: 8 bytes x dim x (dim + classes) x about 4 for each fold and each thread, and 0.2 GB
    for chunks. With n <= d rows it is 8 bytes x n x (n + 3 dim) for each thread instead.
    Attributes: `alpha_`, `coef_` [c d], `intercept_` [c] (of features as they come; also of two
    classes there are two), `cv_scores_` [n_alphas n_splits], `classes_`, `params_`.
    """

    deciding = ("alphas", "cv", "scoring", "default_alpha")

    def __init__(
        self,
        alphas=ALPHAS,
        cv: typing.Any = 5,
        scoring="r2",
        default_alpha=1.0,
        device="cpu",
        n_jobs=None,
    ):
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.default_alpha = default_alpha
        self.device = device
        self.n_jobs = n_jobs

    @classmethod
    def for_protocol(cls, *, folds: FoldKind, **params: object) -> "RidgeSweep":
        """As `Probe`'s; by R², folds by group always pick the largest penalty."""
        scoring = "accuracy" if folds == "group" else "r2"
        return super().for_protocol(folds=folds, **{"scoring": scoring, **params})

    def fit(self, X, y, sample_weight=None, groups=None):
        """Fit on features X [n d], labels y [n] and, if given, weights [n] >= 0.

        Weights enter the scaling, the fit and the scores. groups [n]: for folds that keep them
        whole.
        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        splits = resolve_splits(self.cv, codes, groups)
        self._sweep(X, codes, splits, sample_weight)
        # One-hot was 0 and 1 so far; ±1 is the same regression, twice as large.
        self.coef_, self.intercept_ = 2 * self.coef_, 2 * self.intercept_ - 1
        return self

    def at_choice(self) -> "RidgeSweep":
        """A fresh one, whose penalty is the one chosen here."""
        return RidgeSweep((self.alpha_,), (), default_alpha=self.alpha_, device=self.device)

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        return self._predict_targets(X)


class RidgeSweepRegressor(RegressorMixin, MultiOutputMixin, _Sweep):
    """`RidgeSweep` for given targets y [n] or [n c]; `scoring` is R² averaged over targets.

    cv: an int is scikit-learn's unshuffled `KFold`.
    """

    scoring = "r2"

    def __init__(
        self,
        alphas=ALPHAS,
        cv: typing.Any = 5,
        default_alpha=1.0,
        device="cpu",
        n_jobs=None,
    ):
        self.alphas = alphas
        self.cv = cv
        self.default_alpha = default_alpha
        self.device = device
        self.n_jobs = n_jobs

    def fit(self, X, y, sample_weight=None):
        """Fit on features X [n d] and targets y; raises BadInput for NaN or infinity in X."""
        X, y = validate_data(
            self, X, y, dtype="numeric", ensure_all_finite=False, multi_output=True, y_numeric=True
        )
        y = np.asarray(y, dtype=np.float64)
        self._is_flat = y.ndim == 1
        y = y.reshape(len(y), -1)
        cv = Folds(self.cv, "kfold") if isinstance(self.cv, int) else self.cv
        splits = resolve_splits(cv, y[:, 0])
        center = y.mean(axis=0)
        self._sweep(X, y - center, splits, sample_weight)
        self.intercept_ = self.intercept_ + center
        return self

    def predict(self, X):
        """Predicted targets, shaped as those in `fit`."""
        check_is_fitted(self)
        out = self._predict_targets(check_features(self, X))
        return out[:, 0] if self._is_flat else out


def _check_weights(weights, n: int, splits: list[Split]) -> Float[np.ndarray, " n"]:
    weights = check_array(weights, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n,):
        raise BadInput(
            f"Sample weights have the shape {weights.shape}, but there are {n} examples."
        )
    if (weights < 0).any():
        raise BadInput("Sample weights must not be negative.")
    if any(weights[part].sum() == 0 for split in [(slice(None),), *splits] for part in split):
        raise BadInput("Sample weights are all zero in a part of a split; give it some weight.")
    return weights
