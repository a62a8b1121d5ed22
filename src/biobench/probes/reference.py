"""Each probe as plain scikit-learn would build it: slow, obvious, and what ours must agree with.

    clf = ReferenceProbe("ridge", cv=Folds()).fit(x, y)

Used by tests and by `benchmarks/probes.py`; no task fits these.
"""

import numpy as np
import scipy.stats
from jaxtyping import Float, Shaped
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from biobench.errors import BadInput
from biobench.probes.folds import resolve_splits
from biobench.probes.simpleshot import CenterNormalize

__all__ = [
    "RIDGE_ALPHAS",
    "SVM_DISTRIBUTIONS",
    "ReferenceProbe",
    "knn",
    "linear",
    "one_hot",
    "ridge_search",
    "simple_shot",
    "svm_search",
]

RIDGE_ALPHAS = 2.0 ** np.arange(-20, 11)
SVM_DISTRIBUTIONS = {
    "svc__C": scipy.stats.loguniform(a=1e-3, b=1e1),
    "svc__kernel": ["rbf", "linear", "sigmoid", "poly"],
    "svc__gamma": scipy.stats.loguniform(a=1e-4, b=1e-3),
}


class ReferenceProbe(ClassifierMixin, BaseEstimator):
    """One of the five probes, from scikit-learn's own parts.

    name: ridge, svm, simpleshot, knn, linear.
    cv: anything `resolve_splits` takes.
    """

    def __init__(self, name: str = "ridge", cv=5, random_state: int = 42, n_jobs: int = 1):
        self.name = name
        self.cv = cv
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Fit on X [n d] and labels y [n]."""
        y = np.asarray(y)
        self.classes_ = np.unique(y)
        self.params_ = {}
        if len(self.classes_) < 2:
            raise BadInput(f"All {len(y)} training labels are '{y[0]}'; a probe needs two classes.")
        if self.name in ("simpleshot", "knn"):
            model = simple_shot() if self.name == "simpleshot" else knn(min(5, len(y)))
            # NearestCentroid divides by n - n_classes for a deviation that nobody asks for.
            with np.errstate(invalid="ignore"):
                self.model_ = model.fit(X, y)
            return self
        splits = resolve_splits(self.cv, y, each_needs_two_classes=self.name != "ridge")
        if self.name == "ridge":
            self.model_ = ridge_search(splits, self.n_jobs) if splits else _plain_ridge()
            self.model_.fit(X, one_hot(y, self.classes_))
        elif self.name == "svm":
            search = svm_search(splits, self.random_state, self.n_jobs) if splits else _plain_svm()
            self.model_ = make_pipeline(CenterNormalize(), search).fit(X, y)
        else:
            model = linear(splits, self.n_jobs) if splits else LogisticRegression(max_iter=10_000)
            self.model_ = make_pipeline(StandardScaler(), model).fit(X, y)
        last = getattr(self.model_, "steps", [("", self.model_)])[-1][1]
        self.params_ = dict(getattr(last, "best_params_", {}))
        return self

    def class_scores(self, X):
        """Score of every class [n n_classes], higher is likelier; None where there is none."""
        if self.name == "ridge":
            return self.model_.predict(X)
        if self.name in ("knn", "linear"):
            return self.model_.predict_proba(X)
        scores = self.model_.decision_function(X)
        return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores

    def predict(self, X):
        """Labels [n] of X [n d]."""
        if self.name == "ridge":
            return self.classes_[self.model_.predict(X).argmax(axis=1)]
        return self.model_.predict(X)


def one_hot(
    y: Shaped[np.ndarray, " n"], classes: Shaped[np.ndarray, " c"]
) -> Float[np.ndarray, "n c"]:
    """+1 in the column of the row's class, -1 elsewhere."""
    return np.where(y[:, None] == classes[None, :], 1.0, -1.0)


def ridge_search(splits, n_jobs: int = 1, scoring="r2") -> GridSearchCV:
    """iWildCam's and Pl@ntNet's protocol; fit it on ±1 one-hot targets."""
    pipeline = make_pipeline(StandardScaler(), Ridge())
    grid = {"ridge__alpha": RIDGE_ALPHAS}
    return GridSearchCV(pipeline, grid, cv=splits, scoring=scoring, n_jobs=n_jobs)


def svm_search(splits, random_state: int = 42, n_jobs: int = 1) -> RandomizedSearchCV:
    """NeWT's protocol after its normalising."""
    return RandomizedSearchCV(
        make_pipeline(StandardScaler(), SVC(C=1.0, kernel="rbf")),
        SVM_DISTRIBUTIONS,
        n_iter=100,
        cv=splits,
        scoring="accuracy",
        random_state=random_state,
        n_jobs=n_jobs,
    )


def simple_shot():
    """Centre, normalise, nearest class centroid."""
    return make_pipeline(CenterNormalize(normalize_first=False), NearestCentroid())


def knn(k: int = 5) -> KNeighborsClassifier:
    """Majority of the k nearest in Euclidean distance."""
    return KNeighborsClassifier(k, algorithm="brute")


def linear(splits, n_jobs: int = 1, tol: float = 1e-4) -> LogisticRegressionCV:
    """Softmax regression, ten L2 penalties, chosen by accuracy; fit it on standardised features."""
    return LogisticRegressionCV(
        Cs=10,
        cv=splits,
        scoring="accuracy",
        tol=tol,
        max_iter=10_000,
        n_jobs=n_jobs,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )


def _plain_ridge():
    return make_pipeline(StandardScaler(), Ridge(alpha=1.0))


def _plain_svm():
    return make_pipeline(StandardScaler(), SVC(C=1.0, kernel="linear"))
