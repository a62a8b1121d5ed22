"""The linear probe: softmax regression on standardised features, its L2 penalty cross-validated.

clf = LinearProbe(cv=Folds(5, "stratified-shuffle", seed=42)).fit(x, y)
clf.C_, clf.scores_
"""

import dataclasses
import functools
import typing
import warnings
from collections.abc import Callable

import numpy as np
import scipy.special
from jaxtyping import Float, Int64
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from biobench.errors import BadInput
from biobench.probes._estimator import (
    Probe,
    check_features,
    check_training_set,
    find_edges,
    iter_chunks,
)
from biobench.probes._softmax import Loss, Rows, Solution, minimize
from biobench.probes.folds import Split, resolve_splits

__all__ = ["LinearProbe"]

_BYTES_A_WEIGHT = 8 * 60
"""25 arrays of the weights' size are L-BFGS's, 10 SciPy's, 11 the folds' solutions."""


class LinearProbe(Probe):
    """Multinomial logistic regression, its penalty chosen by cross-validation.

    Equal, to the tolerance, to `make_pipeline(StandardScaler(), LogisticRegressionCV(Cs, cv=cv))`:
    minimises mean log-loss + |weights|² / (2 C n), the intercept unpenalised; of two classes the
    weights are those of the logit, as there.

    Cs: a number of values between 1e-4 and 1e4, evenly spaced in their logarithm, or the values.
    cv: an int (stratified, unshuffled), a scikit-learn splitter such as `Folds` (or
        `ShuffleSplit(1)` for a validation split), or index pairs. Where two folds of two classes
        each cannot be made, C is `default_C`.
    scoring: "accuracy" or "neg_log_loss"; of equal scores the smallest C is taken.
    tol: a fold's fit stops when the mean that is minimised is above its minimum by so much of
        itself, as half the squared gradient in the metric of the Hessian tells, and the final fit
        at a hundredth of that. Where X has a million numbers or fewer, fits go on until no element
        of the gradient exceeds tol / 10, nor tol / 10 of the mean.
    memory_limit: bytes that a fit may take. Standardised features that do not fit into it beside
        the weights are made again from X at every evaluation, which gives the same bits.
    device: "cpu", "cuda" or "cuda:N".
    n_jobs: threads, -1 for all cores; the result is the same bits for any number.

    Fits go from the smallest C to the largest, each from where the ones before point. Products
    are taken in float32 and summed in float64.
    Memory: 8 bytes x dim x classes x 60, beside that 4 bytes x n x dim where both are within
        `memory_limit`, and 0.2 GB. Never examples x classes.
    Attributes: `C_`, `scores_` [n_Cs n_splits], `coef_` [c d], `intercept_` [c] (of features as
    they come; also of two classes there are two), `loss_`, `gradient_`,
    `n_iter_` (evaluations of the loss, all fits together).
    """

    deciding = ("Cs", "cv", "scoring", "default_C", "tol", "max_iter")
    by_chunk = True

    def __init__(
        self,
        Cs: typing.Any = 10,
        cv=5,
        scoring="accuracy",
        default_C=1.0,
        tol=1e-4,
        max_iter=1000,
        memory_limit=3.5e9,
        device="cpu",
        n_jobs=None,
    ):
        self.Cs = Cs
        self.cv = cv
        self.scoring = scoring
        self.default_C = default_C
        self.tol = tol
        self.max_iter = max_iter
        self.memory_limit = memory_limit
        self.device = device
        self.n_jobs = n_jobs

    def fit(self, X, y, groups=None):
        """Fit on features X [n d] and labels y [n]; groups [n]: for folds that keep them whole.

        Raises BadInput for NaN or infinity, one class only, or unequal lengths. Warns with
        ConvergenceWarning when the final fit ends above its tolerance.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        self.Cs_ = self._resolve_Cs()
        splits = resolve_splits(self.cv, codes, groups, each_needs_two_classes=True)
        order, splits = _sort_by_fold(splits, len(X))
        of_weights = _BYTES_A_WEIGHT * X.shape[1] * len(self.classes_)
        rows = Rows(X, order, self.memory_limit - of_weights)
        self._loss = Loss(rows, codes[order], len(self.classes_), self.device)
        self._spectrum = rows.decompose()
        self.n_iter_ = 0
        zero = np.zeros((X.shape[1], len(self.classes_)))
        start = Solution(zero, zero[0], np.inf, np.inf, np.inf, 0)
        if rows.is_large:
            in_fold = functools.partial(Solution.is_near, tol=self.tol)
            at_end = functools.partial(Solution.is_near, tol=self.tol / 100)
        else:
            # One prediction is a large part of a score here, and exactness costs nothing.
            in_fold = at_end = functools.partial(Solution.is_flat, tol=self.tol / 10)
        if splits:
            start = self._search(splits, start, in_fold)
        else:
            self.C_, self.scores_ = float(self.default_C), np.empty((len(self.Cs_), 0))
        self._finish(self._minimize(np.arange(len(X)), start, self.C_, at_end), rows)
        del self._loss, self._spectrum
        return self

    def predict_proba(self, X):
        """Probability of every class [n c]."""
        return self.class_scores(X)

    def decision_function(self, X):
        """Logits [n c]; of two classes, the second's lead [n]."""
        check_is_fitted(self)
        logits = self._logits(check_features(self, X))
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def _resolve_Cs(self) -> Float[np.ndarray, " n_Cs"]:
        given: typing.Any = self.Cs
        Cs = np.logspace(-4, 4, given) if not np.ndim(given) else np.sort(np.asarray(self.Cs))
        if len(Cs) == 0 or not (Cs > 0).all():
            raise BadInput("The penalties (Cs) must be positive numbers, at least one.")
        if self.scoring not in ("accuracy", "neg_log_loss"):
            raise BadInput(f"scoring is '{self.scoring}', but must be accuracy or neg_log_loss.")
        return Cs

    def _search(
        self, splits: list[Split], start: Solution, is_done: Callable[[Solution], bool]
    ) -> Solution:
        """Set C_ and scores_; returns the mean of the folds' solutions at C_."""
        self.scores_ = np.empty((len(self.Cs_), len(splits)))
        paths: list[list[tuple[float, Solution]]] = [[] for _ in splits]
        best, best_score = start, -np.inf
        for i, C in enumerate(self.Cs_):
            for k, (train, test) in enumerate(splits):
                # Never from another fold's solution, which has seen this fold's test labels.
                guess = _extrapolate(paths[k], C) if paths[k] else start
                found = self._minimize(train, guess, C, is_done)
                paths[k] = [*paths[k][-1:], (C, found)]
                self.scores_[i, k] = self._loss.score(
                    found.weights, found.intercept, test, self.scoring
                )
            if self.scores_[i].mean() > best_score:
                best = _mean([path[-1][1] for path in paths])
                best_score, self.C_ = self.scores_[i].mean(), float(C)
        return best

    def _minimize(
        self,
        index: Int64[np.ndarray, " m"],
        start: Solution,
        C: float,
        is_done: Callable[[Solution], bool],
    ) -> Solution:
        found = minimize(
            self._loss, index, start, float(C), self._spectrum, is_done, self.max_iter, self.n_jobs
        )
        self.n_iter_ += found.n_evaluations
        return found

    def _finish(self, found: Solution, rows: Rows) -> None:
        self.loss_, self.gradient_ = found.loss, found.gradient
        if not (found.is_near(self.tol) if rows.is_large else found.is_flat(self.tol)):
            warnings.warn(
                f"The linear probe ended with a gradient of {found.gradient:.1e}, further from its "
                f"minimum than {self.tol:.1e} allows; raise max_iter.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self.coef_ = found.weights.T / rows.scale
        self.intercept_ = found.intercept - self.coef_ @ rows.mean
        self.params_ = {"C": self.C_}
        scored = self.scores_.shape[1] > 0
        means = self.scores_.mean(axis=1) if scored else self.Cs_
        self.edges_ = find_edges("C", self.C_, self.Cs_, means, scored)

    def _logits(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        out = np.empty((len(X), len(self.classes_)))
        for rows in iter_chunks(X):
            out[rows] = X[rows].astype(np.float64) @ self.coef_.T + self.intercept_
        return out

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        return scipy.special.softmax(self._logits(X), axis=1)


def _sort_by_fold(splits: list[Split], n: int) -> tuple[Int64[np.ndarray, " n"], list[Split]]:
    """An order in which the rows of a test fold are neighbours, and the splits in that order."""
    fold = np.full(n, len(splits))
    for k, (_, test) in enumerate(splits):
        fold[test] = k
    order = np.argsort(fold, kind="stable")
    position = np.empty(n, dtype=np.int64)
    position[order] = np.arange(n)
    return order, [(np.sort(position[train]), np.sort(position[test])) for train, test in splits]


def _extrapolate(path: list[tuple[float, Solution]], C: float) -> Solution:
    """Weights grow about linearly in log C; on separable data this leaves little to do."""
    C_last, last = path[-1]
    if len(path) == 1 or C_last == path[0][0]:
        return last
    C_before, before = path[0]
    step = np.log(C / C_last) / np.log(C_last / C_before)
    return dataclasses.replace(
        last,
        weights=last.weights + step * (last.weights - before.weights),
        intercept=last.intercept + step * (last.intercept - before.intercept),
    )


def _mean(solutions: list[Solution]) -> Solution:
    weights = np.mean([solution.weights for solution in solutions], axis=0)
    intercept = np.mean([solution.intercept for solution in solutions], axis=0)
    return Solution(weights, intercept, np.inf, np.inf, np.inf, 0)
