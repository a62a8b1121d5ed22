"""SimpleShot and the normalising that it shares with NeWT's protocol."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["CenterNormalize"]


class CenterNormalize(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Subtract the mean of the training features, then scale every row to unit length.

    normalize_first: scale the rows to unit length before the mean is taken as well (NeWT's
        protocol, Van Horn et al., CVPR 2021); False is SimpleShot's CL2N (Wang et al., 2019).

    A row of zeros stays one. Attributes: `mean_` [d].
    """

    def __init__(self, normalize_first: bool = True):
        self.normalize_first = normalize_first

    def fit(self, X, y=None):
        """Learn the mean of X [n d]."""
        X = validate_data(self, X, dtype=[np.float64, np.float32])
        if self.normalize_first:
            X = _unit_rows(X)
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        return self

    def transform(self, X):
        """X [n d] with unit rows around the training mean."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        if self.normalize_first:
            X = _unit_rows(X)
        return _unit_rows(X - self.mean_.astype(X.dtype))


def _unit_rows(X: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms == 0, 1, norms)
