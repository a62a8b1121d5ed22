"""Probabilities from a probe's scores: one temperature, fitted to cross-validated training scores.

    temperature = calibrate(probe, x_train, y_train)
    probabilities = softmax(probe.class_scores(x) / temperature, axis=1)

Guo et al., "On calibration of modern neural networks", ICML 2017; scikit-learn's
`CalibratedClassifierCV(method="temperature", ensemble=False)`. Hyperparameters stay those that the
probe chose on all training examples; its folds are used again.
"""

import numpy as np
from jaxtyping import Float, Int64, Shaped
from scipy import optimize
from scipy.special import softmax
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import make_pipeline

from biobench.probes.factory import split_steps
from biobench.probes.folds import Folds, resolve_splits

__all__ = ["LEAST", "calibrate", "fit_temperature"]

_BOUNDS = -10.0, 10.0
"""of the logarithm of the inverse temperature, as scikit-learn has them."""
LEAST = float(np.exp(-_BOUNDS[1]))
"""the temperature where every cross-validated training example is right: all or nothing."""


def calibrate(
    probe: BaseEstimator,
    X: Float[np.ndarray, "n d"],
    y: Shaped[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> float | None:
    """The temperature of a fitted probe's class scores; None where it gives probabilities itself.

    1 where there are too few examples for two folds. An example whose class is not in the training
    part of its fold tells nothing of the temperature and is left out.
    """
    steps, last = split_steps(probe)
    if hasattr(last, "predict_proba"):
        return None
    classes, codes = np.unique(y, return_inverse=True)
    cv = getattr(last, "cv", Folds(5, "stratified"))
    if getattr(cv, "kind", None) == "group" and groups is None:
        groups = np.arange(len(y))
    splits = resolve_splits(cv, codes, groups, each_needs_two_classes=True)
    if not splits:
        return 1.0
    scores = np.full((len(y), len(classes)), -np.inf, np.float32)
    for train, test in splits:
        fresh = last.at_choice() if hasattr(last, "at_choice") else clone(last)
        model = make_pipeline(*(clone(step) for step in steps), fresh)
        model.fit(X[train], codes[train])
        x = X[test]
        for _, step in model.steps[:-1]:
            x = step.transform(x)
        scores[np.ix_(test, model[-1].classes_)] = model[-1].class_scores(x)
    told = np.isfinite(scores[np.arange(len(y)), codes])
    return fit_temperature(scores[told], codes[told].astype(np.int64))


def fit_temperature(scores: Float[np.ndarray, "n c"], codes: Int64[np.ndarray, " n"]) -> float:
    """The temperature under which `softmax(scores / temperature)` has the least log-loss.

    scores: -inf where a class cannot be. codes: the column of the truth.
    """
    scores = scores - scores.max(axis=1, keepdims=True)
    finite = np.where(np.isfinite(scores), scores, 0)
    own = scores[np.arange(len(codes)), codes].mean(dtype=np.float64)

    def slope(log_inverse: float) -> float:
        # The loss is convex in the inverse temperature; this is its derivative.
        p = softmax(scores * np.exp(log_inverse), axis=1)
        return float(np.einsum("ij,ij->", p, finite, dtype=np.float64) / len(codes) - own)

    low, high = _BOUNDS
    if not len(codes) or slope(low) >= 0:
        return float(np.exp(-low)) if len(codes) else 1.0
    if slope(high) <= 0:
        return LEAST
    return float(np.exp(-optimize.brentq(slope, low, high, xtol=1e-12)))
