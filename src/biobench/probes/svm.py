"""NeWT's random search over support vector machines, from kernels computed once per fold.

    SvmSearch(random_state=42).fit(x, y).best_params_

The draws, folds, scores and choice are those of scikit-learn's RandomizedSearchCV over
StandardScaler and SVC. All four kernels are functions of the products between rows, so a fold costs
one matrix product, and a draw costs one elementwise function and libsvm itself.
"""

import dataclasses

import numpy as np
import scipy.stats
from jaxtyping import Float, Float64, Int64
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from biobench.probes._backend import one_blas_thread
from biobench.probes._estimator import Probe, check_features, check_finite, check_training_set
from biobench.probes.folds import FoldKind, Folds, resolve_splits
from biobench.probes.simpleshot import CenterNormalize

try:
    # Private, its signature unchanged since 0.22. SVC checks its input for four times as long as
    # libsvm then takes on NeWT's 88 examples; without this module, SVC it is.
    from sklearn.svm import _libsvm
except ImportError:
    _libsvm = None

__all__ = ["DISTRIBUTIONS", "SvmSearch"]

DISTRIBUTIONS = {
    "C": scipy.stats.loguniform(1e-3, 1e1),
    "kernel": ["rbf", "linear", "sigmoid", "poly"],
    "gamma": scipy.stats.loguniform(1e-4, 1e-3),
}


EDGE = 0.025
"""the share of a range, at each of its ends, that counts as its end."""


class SvmSearch(Probe):
    """StandardScaler and SVC, tuned by random search for cross-validated accuracy.

    The protocol of NeWT (Van Horn et al., CVPR 2021), after its normalising (`CenterNormalize`).
    Equal to `RandomizedSearchCV(make_pipeline(StandardScaler(), SVC()), n_iter=n_iter)`: kernels
    rbf, linear, sigmoid and poly, C log-uniform on [1e-3, 1e1], gamma on [1e-4, 1e-3].

    cv: an int (stratified, unshuffled), a scikit-learn splitter such as `Folds`, or index pairs.
        Where two folds of two classes each cannot be made, it is SVC(kernel="linear", C=1).

    Memory: 8 bytes x n x (4 n + 2 dim) for n training examples; time grows with n² at least, for
    which few thousand examples are the practical limit.
    Attributes: `best_params_`, `best_score_`, `cv_scores_` [n_iter n_splits], `best_estimator_`.
    """

    # The seed stands beside them in a protocol.
    deciding = ("n_iter", "cv")

    def __init__(self, n_iter=100, cv=5, random_state=42):
        self.n_iter = n_iter
        self.cv = cv
        self.random_state = random_state

    @classmethod
    def for_protocol(
        cls, *, seed: int, folds: FoldKind, device: str, n_jobs: int, **params: object
    ) -> Pipeline:
        """NeWT's: after `CenterNormalize`, and over unshuffled folds unless they are by group."""
        cv = Folds(5, "group", seed) if folds == "group" else Folds(5, "stratified")
        return make_pipeline(CenterNormalize(), cls(**{"cv": cv, "random_state": seed, **params}))

    def fit(self, X, y, groups=None):
        """Fit on features X [n d] and labels y [n]; groups [n]: for folds that keep them whole.

        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        check_finite(X)
        X = X.astype(np.float32) if X.dtype == np.float16 else X
        splits = resolve_splits(self.cv, codes, groups, each_needs_two_classes=True)
        if splits:
            draws = list(
                ParameterSampler(DISTRIBUTIONS, self.n_iter, random_state=self.random_state)
            )
            # A kernel's last bits, and with them the choice, depend on the threads of BLAS.
            with one_blas_thread():
                scores = [_score_draws(_Fold.cut(X, codes, *split), draws) for split in splits]
            self.cv_scores_ = np.stack(scores, axis=1)
            mean = np.average(self.cv_scores_, axis=1)
            self.best_score_ = float(mean.max())
            self.best_params_ = draws[int(mean.argmax())]
            self.edges_ = {} if np.ptp(mean) < 1e-12 else _find_edges(self.best_params_)
        else:
            self.edges_ = {}
            self.cv_scores_, self.best_score_ = np.empty((0, 0)), float("nan")
            self.best_params_ = {"C": 1.0, "kernel": "linear"}
        self.params_ = dict(self.best_params_)
        self.best_estimator_ = make_pipeline(StandardScaler(), SVC(**self.best_params_))
        self.best_estimator_.fit(X, self.classes_[codes])
        return self

    def predict(self, X):
        """The class [n] that libsvm votes for."""
        check_is_fitted(self)
        return self.best_estimator_.predict(check_features(self, X))

    def decision_function(self, X):
        """SVC's: [n] for two classes, else one against the rest [n c]."""
        check_is_fitted(self)
        return self.best_estimator_.decision_function(check_features(self, X))

    def at_choice(self) -> "_PlainSvm":
        """A fresh support vector machine with the parameters chosen here."""
        return _PlainSvm(self.best_params_)

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        scores = self.best_estimator_.decision_function(X)
        return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores


class _PlainSvm(SvmSearch):
    """`SvmSearch` without the search."""

    def __init__(self, svc_params=None):
        self.svc_params = svc_params

    def fit(self, X, y):
        """Fit on features X [n d] and labels y [n]."""
        X, self.classes_, codes = check_training_set(self, X, y)
        self.best_params_ = dict(self.svc_params or {})
        self.best_estimator_ = make_pipeline(StandardScaler(), SVC(**self.best_params_))
        self.best_estimator_.fit(X, self.classes_[codes])
        return self


def _find_edges(params: dict[str, object]) -> dict[str, str]:
    """Parameters within the outermost 2.5% of their range, which is one in their logarithm."""
    edges = {}
    for name in ("C", "gamma"):
        if name == "gamma" and params["kernel"] == "linear":
            continue
        share = DISTRIBUTIONS[name].cdf(params[name])
        if not EDGE <= share <= 1 - EDGE:
            edges[name] = "lowest" if share < 0.5 else "highest"
    return edges


@dataclasses.dataclass(frozen=True)
class _Fold:
    """One fold's products, training rows first, and what the kernels make of them."""

    products: Float64[np.ndarray, "n n_train"]
    distances: Float64[np.ndarray, "n n_train"]
    """squared."""
    cubes: Float64[np.ndarray, "n n_train"]
    y_train: Float64[np.ndarray, " n_train"]
    y_test: Int64[np.ndarray, " n_test"]

    @classmethod
    def cut(cls, X: np.ndarray, codes: Int64[np.ndarray, " m"], train, test) -> "_Fold":
        """The scaler is fitted on the training rows only."""
        scaler = StandardScaler().fit(X[train])
        Z = scaler.transform(X[np.concatenate([train, test])]).astype(np.float64)
        products = Z @ Z[: len(train)].T
        norms = np.einsum("ij,ij->i", Z, Z)
        distances = norms[:, None] + norms[None, : len(train)] - 2 * products
        np.fill_diagonal(distances, 0)
        return cls(
            products,
            np.maximum(distances, 0),
            products**2 * products,
            codes[train].astype(np.float64),
            codes[test],
        )

    def kernel(self, name: str, gamma: float) -> Float64[np.ndarray, "n n_train"]:
        """SVC's kernels with coef0 = 0 and degree 3."""
        if name == "linear":
            return self.products
        if name == "rbf":
            return np.exp(-gamma * self.distances)
        if name == "sigmoid":
            return np.tanh(gamma * self.products)
        return gamma**3 * self.cubes


def _score_draws(fold: _Fold, draws: list[dict]) -> Float[np.ndarray, " n_iter"]:
    n_train = len(fold.y_train)
    scores = []
    for draw in draws:
        kernel = fold.kernel(draw["kernel"], draw["gamma"])
        predicted = _fit_predict(kernel[:n_train], fold.y_train, kernel[n_train:], draw["C"])
        scores.append(np.count_nonzero(predicted == fold.y_test) / len(fold.y_test))
    return np.array(scores)


def _fit_predict(
    train: Float64[np.ndarray, "n_train n_train"],
    y: Float64[np.ndarray, " n_train"],
    test: Float64[np.ndarray, "n_test n_train"],
    C: float,
) -> Float64[np.ndarray, " n_test"]:
    if _libsvm is None:
        return SVC(C=C, kernel="precomputed").fit(train, y).predict(test)
    _libsvm.set_verbosity_wrap(0)
    model = _libsvm.fit(train, y, svm_type=0, kernel="precomputed", C=C, cache_size=200)
    return _libsvm.predict(test, *model[:7], svm_type=0, kernel="precomputed")
