"""A linear support vector machine as it is: no scaling, no search.

LinearSvc().fit(x, y).predict(z)
"""

import numpy as np
from jaxtyping import Float
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted

from biobench.probes._estimator import Probe, check_features, check_finite, check_training_set

__all__ = ["LinearSvc"]


class LinearSvc(Probe):
    """scikit-learn's `SVC(kernel="linear", C=C)` on the features as they come.

    Memory: 8 bytes x n x dim, and libsvm's cache of 0.2 GB; time grows with n² at least.
    Attributes: `svc_`.
    """

    deciding = ("C",)

    def __init__(self, C=1.0):
        self.C = C

    def fit(self, X, y):
        """Fit on features X [n d] and labels y [n].

        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        check_finite(X)
        self.svc_ = SVC(kernel="linear", C=self.C).fit(X, self.classes_[codes])
        self.params_ = {}
        return self

    def predict(self, X):
        """The class [n] that libsvm votes for."""
        check_is_fitted(self)
        return self.svc_.predict(check_features(self, X))

    def decision_function(self, X):
        """SVC's: [n] for two classes, else one against the rest [n c]."""
        check_is_fitted(self)
        return self.svc_.decision_function(check_features(self, X))

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        scores = self.svc_.decision_function(X)
        return np.column_stack([-scores, scores]) if scores.ndim == 1 else scores
