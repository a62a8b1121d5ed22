"""What decides a probe's numbers is named by its class, and by nothing else."""

import inspect

import numpy as np
import pytest

from biobench import probes
from biobench.probes import PROBES, Probe

SPEED = {"device", "memory_limit", "n_jobs", "random_state"}
"""what the built-in probes take beside it; the seed stands beside them in a protocol."""
FOLDS = {"n_splits": 5, "kind": "stratified-shuffle"}
DESCRIBED = {
    "adamw-head": {
        "name": "adamw-head",
        "steps": ["AdamWHead"],
        "n_steps": 10_000,
        "batch_size": 2048,
        "learning_rate": 3e-4,
        "final": 0.01,
        "weight_decay": 0.01,
    },
    "knn": {"name": "knn", "steps": ["KNN"], "k": 5},
    "linear": {
        "name": "linear",
        "steps": ["LinearProbe"],
        "Cs": 10,
        "cv": FOLDS,
        "scoring": "accuracy",
        "default_C": 1.0,
        "tol": 1e-4,
        "max_iter": 1000,
    },
    "logistic-search": {
        "name": "logistic-search",
        "steps": ["LogisticSearch"],
        "n_iter": 30,
        "max_iter": 1000,
        "cv": {"n_splits": 5, "kind": "stratified"},
    },
    "ridge": {
        "name": "ridge",
        "steps": ["RidgeSweep"],
        "alphas": [2.0**i for i in range(-20, 11)],
        "cv": FOLDS,
        "scoring": "r2",
        "default_alpha": 1.0,
    },
    "simpleshot": {"name": "simpleshot", "steps": ["SimpleShot"]},
    "svc": {"name": "svc", "steps": ["LinearSvc"], "C": 1.0},
    "svm": {
        "name": "svm",
        "steps": ["CenterNormalize", "SvmSearch"],
        "normalize_first": True,
        "n_iter": 100,
        "cv": {"n_splits": 5, "kind": "stratified"},
    },
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_probe_is_described_as_in_the_runs_that_there_are(name):
    assert probes.describe(name) == DESCRIBED[name]


@pytest.mark.parametrize("name", DESCRIBED)
def test_what_a_probe_does_not_declare_changes_no_number(name):
    cls = PROBES.load(name)
    assert set(inspect.signature(cls).parameters) - set(cls.deciding) <= SPEED


class Centroid(Probe):
    """The nearest class mean, with a parameter of each kind."""

    deciding = ("power",)

    def __init__(self, power=2.0, chunk=1000, random_state=0, cv=None):
        self.power, self.chunk, self.random_state, self.cv = power, chunk, random_state, cv

    def fit(self, X, y, groups=None):
        self.classes_, self.params_, self.n_features_in_ = np.unique(y), {}, X.shape[1]
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in self.classes_])
        return self

    def _score_classes(self, X):
        return -(np.abs(X[:, None] - self.means_) ** self.power).sum(axis=2)


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(PROBES, "registered", {})
    probes.register_probe("centroid", Centroid)


def test_a_new_parameter_of_speed_changes_no_identity(registered):
    described = {"name": "centroid", "steps": ["Centroid"], "power": 2.0}
    assert probes.describe("centroid") == described
    assert probes.describe("centroid", chunk=7) == described
    assert probes.describe("centroid", power=1.0) == described | {"power": 1.0}


def test_the_constructor_is_given_what_it_takes(registered):
    made = probes.make("centroid", seed=7, folds="kfold", device="cuda", n_jobs=3, chunk=5)
    assert made.random_state == 7 and made.cv == probes.Folds(5, "kfold", 7) and made.chunk == 5


def test_a_registered_probe_is_fitted_on_many_problems(registered):
    rng = np.random.default_rng(0)
    y = np.repeat(["ant", "bee", "moth"], 10)
    problems = [
        probes.Problem(x := rng.normal(size=(30, 4)) + np.eye(3, 4)[np.arange(30) // 10] * 9, y, x)
        for _ in range(3)
    ]
    for output in probes.fit_predict("centroid", problems, keep=frozenset({"probabilities"})):
        assert (output.y_pred == y).all() and output.top_labels.shape == (30, 3)
        np.testing.assert_allclose(output.probabilities.sum(axis=1), 1)
