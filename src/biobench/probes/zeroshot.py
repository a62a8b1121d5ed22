"""Classes that are only named: a picture is of the class whose prompts it lies nearest to.

    x, y = features of prompts [n d], the class that each names [n]
    ZeroShot(logit_scale=100.0).fit(x, y).predict(x_pictures)

Radford et al., "Learning transferable visual models from natural language supervision", ICML 2021.
"""

import numpy as np
from jaxtyping import Float
from scipy.special import log_expit, softmax
from sklearn.utils.validation import check_is_fitted

from biobench.probes._estimator import (
    Probe,
    check_finite,
    check_training_set,
    iter_chunks,
    sum_by_class,
)

__all__ = ["ZeroShot"]


class ZeroShot(Probe):
    """The class of the nearest mean prompt, by the cosine.

    Fitted on the features of prompts, not of pictures: those of a class are scaled to unit length,
    averaged, and scaled again (CLIP's ensembling). Scores are the model's logits, logit_scale x
    cosine + logit_bias.

    logit_scale, logit_bias, link: the model's own, which decide probabilities and no prediction.
        "softmax" is CLIP's. "sigmoid" is SigLIP's (Zhai et al., ICCV 2023), which asks of each
        class by itself: its probabilities are the sigmoids, divided by their sum.

    Memory: 8 bytes x classes x dim, and a chunk of features in float64.
    Attributes: `prototypes_` [c d], float64.
    """

    deciding = ()
    by_chunk = True
    reads_text = True

    def __init__(self, logit_scale=100.0, logit_bias=0.0, link="softmax"):
        self.logit_scale = logit_scale
        self.logit_bias = logit_bias
        self.link = link

    def fit(self, X, y):
        """Fit on features of prompts X [n d] and the classes y [n] that they name.

        Raises BadInput for NaN or infinity, one class only, or unequal lengths.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        sums = np.zeros((len(self.classes_), X.shape[1]))
        for rows in iter_chunks(X):
            check_finite(X[rows], rows.start)
            sums += sum_by_class(_scale_to_unit(X[rows]), codes[rows], len(self.classes_))
        self.prototypes_ = _scale_to_unit(sums / np.bincount(codes)[:, None])
        self.params_ = {
            "logit_scale": self.logit_scale,
            "logit_bias": self.logit_bias,
            "link": self.link,
        }
        return self

    def to_probabilities(self, scores: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
        """Probabilities [n c] of class scores, each row's sum 1."""
        return softmax(log_expit(scores) if self.link == "sigmoid" else scores, axis=1)

    def predict_proba(self, X) -> Float[np.ndarray, "n c"]:
        """Probabilities of every class for X [n d], columns as in `classes_`."""
        return self.to_probabilities(self.class_scores(X))

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        check_is_fitted(self)
        out = np.empty((len(X), len(self.classes_)))
        for rows in iter_chunks(X):
            cosines = _scale_to_unit(X[rows]) @ self.prototypes_.T
            out[rows] = self.logit_scale * cosines + self.logit_bias
        return out


def _scale_to_unit(X: np.ndarray) -> Float[np.ndarray, "n d"]:
    """The rows in float64, scaled to unit length; a row of zeros stays one."""
    X = X.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", X, X))[:, None]
    X /= np.where(norms == 0, 1, norms)
    return X
