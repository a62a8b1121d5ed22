"""Balanced logistic regression, its penalty found by random search.

    LogisticSearch(random_state=42, n_jobs=-1).fit(x, y).best_params_

scikit-learn's own search and solver, fits in parallel: the answer of the preset "2026"
(docs/protocols.md) hangs on where its solver is when the iterations end.
"""

import warnings

import joblib
import numpy as np
import scipy.stats
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench.probes._backend import one_blas_thread
from biobench.probes._estimator import Probe, check_finite, check_training_set
from biobench.probes.folds import FoldKind, Folds, resolve_splits

__all__ = ["LogisticSearch"]

PENALTIES = scipy.stats.loguniform(1e-3, 1e1)
EDGE = 0.025
"""the share of the range, at each of its ends, that counts as its end."""


class LogisticSearch(Probe):
    """StandardScaler and multinomial logistic regression, C drawn at random, chosen by macro-F1.

    `RandomizedSearchCV(make_pipeline(StandardScaler(), LogisticRegression(solver="saga",
    class_weight="balanced", max_iter=max_iter)), n_iter=n_iter, scoring="f1_macro")` with C
    log-uniform on [1e-3, 1e1]. Where the solver has not converged after `max_iter` passes it is
    taken as it stands, as the protocol has it.

    cv: an int (stratified, unshuffled), a scikit-learn splitter such as `Folds`, or index pairs.
        Where two folds of two classes each cannot be made, C is 1.
    n_jobs: fits at once, in threads; -1 for all cores. The result is the same bits for any number.

    Time: up to n_iter x folds x max_iter passes over the features. Memory: a copy of the features
    for each fit.
    Attributes: `best_params_`, `best_score_`, `cv_scores_` [n_iter n_splits], `best_estimator_`,
    `n_iter_` and `converged_`, of the final fit's solver.
    """

    deciding = ("n_iter", "max_iter", "cv")

    def __init__(self, n_iter=30, max_iter=1000, cv=5, random_state=42, n_jobs=None):
        self.n_iter = n_iter
        self.max_iter = max_iter
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    @classmethod
    def for_protocol(cls, *, seed: int, folds: FoldKind, **params: object) -> "LogisticSearch":
        """As `Probe`'s, over unshuffled folds unless they are by group."""
        cv = Folds(5, "group", seed) if folds == "group" else Folds(5, "stratified")
        return super().for_protocol(seed=seed, folds=folds, **{"cv": cv, **params})

    def fit(self, X, y, groups=None):
        """Fit on features X [n d] and labels y [n]; groups [n]: for folds that keep them whole.

        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        check_finite(X)
        X = X.astype(np.float32) if X.dtype == np.float16 else X
        splits = resolve_splits(self.cv, codes, groups, each_needs_two_classes=True)
        model = make_pipeline(
            StandardScaler(),
            LogisticRegression(
                solver="saga",
                class_weight="balanced",
                max_iter=self.max_iter,
                random_state=self.random_state,
            ),
        )
        with warnings.catch_warnings(), one_blas_thread():
            # Of the protocol's number of iterations; `converged_` says how it ended.
            warnings.simplefilter("ignore", ConvergenceWarning)
            if splits:
                self._search(model, X, codes, splits)
            else:
                self.cv_scores_, self.best_score_ = np.empty((0, 0)), float("nan")
                self.best_params_, self.edges_ = {"C": 1.0}, {}
                self.best_estimator_ = model.fit(X, codes)
        self.n_iter_ = int(self.best_estimator_[-1].n_iter_.max())
        self.converged_ = self.n_iter_ < self.max_iter
        self.params_ = dict(self.best_params_)
        return self

    def predict_proba(self, X) -> Float[np.ndarray, "n c"]:
        """Probability of every class."""
        return self.class_scores(X)

    def _search(self, model, X: np.ndarray, codes: np.ndarray, splits: list) -> None:
        search = RandomizedSearchCV(
            model,
            {"logisticregression__C": PENALTIES},
            n_iter=self.n_iter,
            cv=splits,
            scoring="f1_macro",
            random_state=self.random_state,
            n_jobs=self.n_jobs,
        )
        # The solver lets other threads run; processes would each hold the features.
        with joblib.parallel_config(backend="threading"):
            search.fit(X, codes)
        found = search.cv_results_
        names = [f"split{i}_test_score" for i in range(len(splits))]
        self.cv_scores_ = np.stack([found[name] for name in names], axis=1)
        self.best_score_ = float(search.best_score_)
        C = float(search.best_params_["logisticregression__C"])
        self.best_params_ = {"C": C}
        share, tied = PENALTIES.cdf(C), np.ptp(self.cv_scores_.mean(axis=1)) < 1e-12
        at_end = not EDGE <= share <= 1 - EDGE and not tied
        self.edges_ = {"C": "lowest" if share < 0.5 else "highest"} if at_end else {}
        self.best_estimator_ = search.best_estimator_

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        X = X.astype(np.float32) if X.dtype == np.float16 else X
        return self.best_estimator_.predict_proba(X).astype(np.float64)
