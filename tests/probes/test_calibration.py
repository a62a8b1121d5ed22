"""Probabilities against scikit-learn's calibration, with the probes' own folds."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from biobench import probes
from biobench.probes.calibration import calibrate, fit_temperature
from biobench.probes.folds import resolve_splits

PROBES = ("ridge", "svm", "simpleshot", "knn", "linear")
FEW = {"svm": {"n_iter": 4}, "ridge": {"alphas": (1.0, 100.0)}, "linear": {"Cs": 3}}


class RidgeScores(ClassifierMixin, BaseEstimator):
    """Scikit-learn's ridge on one-hot labels of ±1, as a classifier with one score a class."""

    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        targets = np.where(y[:, None] == self.classes_, 1.0, -1.0)
        self.model_ = make_pipeline(StandardScaler(), Ridge(alpha=self.alpha)).fit(X, targets)
        return self

    def predict(self, X):
        return self.classes_[self.model_.predict(X).argmax(axis=1)]

    def decision_function(self, X):
        return self.model_.predict(X)


def draw(n=150, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.r_[np.arange(n_classes), np.arange(n_classes), rng.integers(0, n_classes, n)]
    x = rng.normal(size=(len(y), 8)) + 1.2 * rng.normal(size=(n_classes, 8))[y]
    return x.astype(np.float32), np.array(["ant", "bee", "cow", "dog"])[y]


def test_ridge_has_the_probabilities_of_scikit_learns_calibration():
    x, y = draw()
    cv = probes.Folds(5, "stratified-shuffle", 42)
    ours = probes.make("ridge", seed=42).fit(x, y)
    theirs = CalibratedClassifierCV(
        RidgeScores(ours.alpha_), method="temperature", cv=resolve_splits(cv, y), ensemble=False
    ).fit(x.astype(float), y)
    problem = probes.Problem(x, y, x)
    (output,) = probes.fit_predict("ridge", [problem], keep=frozenset({"probabilities"}))
    assert np.allclose(output.probabilities, theirs.predict_proba(x.astype(float)), atol=1e-5)
    assert output.temperature == pytest.approx(calibrate(ours, x, y))


def test_svm_has_the_probabilities_of_scikit_learns_calibration():
    x, y = draw(60)
    ours = probes.SvmSearch(n_iter=4).fit(x, y)
    svc = make_pipeline(StandardScaler(), SVC(**ours.best_params_))
    theirs = CalibratedClassifierCV(
        svc, method="temperature", cv=resolve_splits(5, y), ensemble=False
    ).fit(x, y)
    p = softmax(ours.class_scores(x) / calibrate(ours, x, y), axis=1)
    assert np.allclose(p, theirs.predict_proba(x), atol=1e-5)


@pytest.mark.parametrize("name", PROBES)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_every_probe_gives_probabilities_that_add_up_and_rank_as_its_scores(name, n_classes):
    x, y = draw(60, n_classes)
    problem = probes.Problem(x, y, x[:20])
    keep = frozenset({"probabilities", "scores"})
    (output,) = probes.fit_predict(name, [problem], keep=keep, **FEW.get(name, {}))
    (again,) = probes.fit_predict(name, [problem], keep=keep, **FEW.get(name, {}))
    assert output.probabilities.shape == output.scores.shape == (20, n_classes)
    assert np.allclose(output.probabilities.sum(axis=1), 1) and (output.probabilities >= 0).all()
    assert output.scores.dtype == np.float16
    assert (output.probabilities.argmax(axis=1) == output.scores.argmax(axis=1)).mean() > 0.9
    np.testing.assert_array_equal(output.probabilities, again.probabilities)
    assert (output.temperature is None) == (name in ("knn", "linear"))


def test_probabilities_are_calibrated_where_scores_are_not():
    x, y = draw(1500, seed=4)
    problem = probes.Problem(x[:700], y[:700], x[700:])
    (output,) = probes.fit_predict("ridge", [problem], keep=frozenset({"probabilities"}))
    p = output.probabilities.max(axis=1)
    right = output.y_pred == y[700:]
    assert p.mean() == pytest.approx(right.mean(), abs=0.05)
    raw = softmax(probes.make("ridge").fit(x[:700], y[:700]).class_scores(x[700:]), axis=1)
    assert abs(raw.max(axis=1).mean() - right.mean()) > 0.15


@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0])
def test_a_temperature_undoes_the_scale_of_the_scores(scale):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 3)) * 2
    p = softmax(logits, axis=1)
    codes = (p.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    assert fit_temperature(logits * scale, codes) == pytest.approx(scale, rel=0.1)


def test_two_examples_cannot_be_calibrated_and_classes_in_one_fold_are_left_out():
    x = np.array([[0.0, 1.0], [1.0, 0.0]])
    y = np.array(["a", "b"])
    assert calibrate(probes.make("ridge").fit(x, y), x, y) == 1.0
    x, y = draw(40)
    y[0] = "lonely"
    assert np.isfinite(calibrate(probes.make("ridge").fit(x, y), x, y))
