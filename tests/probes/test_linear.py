"""LinearProbe against scikit-learn's LogisticRegression, fitted tightly."""

import concurrent.futures

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.special
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench.errors import BadInput
from biobench.probes import Folds, LinearProbe, _softmax, reference
from biobench.probes.folds import resolve_splits

CS = np.logspace(-3, 2, 4)


def make_problem(n, d, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_classes + 1)
    y = rng.choice(n_classes, n, p=share / share.sum())
    y[:n_classes] = np.arange(n_classes)
    mix = np.exp(-2 * np.arange(d) / d)[:, None] * rng.normal(size=(d, d)) / np.sqrt(d)
    return (rng.normal(size=(n_classes, d))[y] + rng.normal(size=(n, d))) @ mix + 3, y


def duplicate_rows(x, y):
    return np.concatenate([x, x[::2]]), np.concatenate([y, y[::2]])


def add_constant_columns(x, y):
    return np.column_stack([x, np.full(len(x), 0.1), np.zeros(len(x))]), y


def make_one_class_single(x, y):
    return x, np.where(np.arange(len(y)) == 5, y.max() + 1, y)


def name_classes(x, y):
    return x, np.array([f"species {i}" for i in range(9)])[y]


@pytest.mark.parametrize(("n", "d", "n_classes"), [(300, 10, 2), (200, 15, 5), (60, 90, 3)])
@pytest.mark.parametrize(
    "change", [duplicate_rows, add_constant_columns, make_one_class_single, name_classes]
)
def test_reaches_the_minimum_that_scikit_learn_reaches(n, d, n_classes, change):
    x, y = change(*make_problem(n, d, n_classes))
    ours = LinearProbe(Cs=[0.5], cv=Folds(2)).fit(x, y)
    theirs = fit_tightly(x, y, 0.5)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=2e-4)
    assert ours.loss_ <= loss_of(theirs, x, y, 0.5) * (1 + 1e-6)


@pytest.mark.parametrize(("n", "d", "n_classes"), [(300, 10, 2), (240, 15, 5), (100, 90, 3)])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_chooses_as_logistic_regression_cv_does(n, d, n_classes, scoring):
    x, y = make_problem(n, d, n_classes)
    splits = resolve_splits(Folds(3), y)
    ours = LinearProbe(Cs=CS, cv=splits, scoring=scoring).fit(x, y)
    theirs = reference.linear(splits, tol=1e-8).set_params(Cs=CS, scoring=scoring)
    theirs.fit(StandardScaler().fit_transform(x), y)
    scores = theirs.scores_.reshape(3, len(CS)).T
    np.testing.assert_allclose(ours.scores_, scores, rtol=0, atol=1e-3)
    assert ours.C_ == theirs.C_


@hypothesis.given(
    st.integers(8, 60), st.integers(1, 12), st.integers(2, 4), st.integers(0, 2**32 - 1)
)
@hypothesis.settings(max_examples=12, deadline=None)
def test_reaches_the_minimum_on_small_problems(n, d, n_classes, seed):
    x, y = make_problem(n, d, min(n_classes, n // 3), seed)
    ours = LinearProbe(Cs=[1.0], cv=Folds(2)).fit(x, y)
    assert ours.loss_ <= loss_of(fit_tightly(x, y, 1.0), x, y, 1.0) * (1 + 1e-6)


def test_reaches_the_minimum_in_float32_too():
    x, y = make_problem(12_000, 90, 6)
    assert x.size > 2**20
    ours = LinearProbe(Cs=[0.1], cv=ShuffleSplit(1, random_state=0)).fit(x.astype(np.float32), y)
    theirs = fit_tightly(x.astype(np.float32).astype(float), y, 0.1)
    assert ours.loss_ == pytest.approx(loss_of(theirs, x, y, 0.1), rel=1e-5)
    np.testing.assert_allclose(ours.predict_proba(x), theirs.predict_proba(x), atol=2e-3)


@pytest.mark.parametrize("C", [100.0, 10_000.0])
def test_reaches_the_minimum_where_classes_are_separable_and_the_loss_is_near_zero(C):
    x, y = make_problem(200, 90, 4)
    ours = LinearProbe(Cs=[C], cv=Folds(2)).fit(x, y)
    lowest = loss_of(fit_tightly(x, y, C), x, y, C)
    assert lowest < 0.01
    assert ours.loss_ == pytest.approx(lowest, rel=1e-4)


@pytest.mark.parametrize("device", ["cpu", "cpu:0"], ids=["numpy", "torch"])
def test_the_loss_and_its_gradient_are_those_of_float64_where_every_answer_is_nearly_sure(
    device, monkeypatch
):
    monkeypatch.setattr(_softmax, "check_device", lambda device: None)
    x, y = make_problem(12_000, 90, 6)
    rows = _softmax.Rows(x, np.arange(len(x)), 1e9)
    assert rows.dtype == np.float32
    loss = _softmax.Loss(rows, y, 6, device)
    weights = np.stack([rows.take(np.flatnonzero(y == k)).mean(axis=0) for k in range(6)], axis=1)
    weights = weights.astype(np.float32).astype(np.float64)
    Z, every = rows.take(np.arange(len(x))).astype(np.float64), np.arange(len(x))
    log_p = scipy.special.log_softmax(Z @ weights, axis=1)
    sure = np.flatnonzero(log_p[every, y] > -1e-6)
    assert len(sure) > 1000
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        found = loss(weights, np.zeros(6), sure, pool)
    own = np.arange(6) == y[sure, None]
    p = np.where(own, 0, np.exp(log_p[sure]))
    residual = p - own * p.sum(axis=1, keepdims=True)
    gradient = Z[sure].T @ residual / len(sure)
    assert found[0] == pytest.approx(-log_p[sure, y[sure]].mean(), rel=1e-4)
    np.testing.assert_allclose(found[1], gradient, rtol=0, atol=1e-4 * np.abs(gradient).max())


def test_streaming_gives_what_memory_gives():
    x, y = make_problem(400, 10, 4)
    kept = LinearProbe(Cs=3, cv=Folds(3)).fit(x, y)
    streamed = LinearProbe(Cs=3, cv=Folds(3), memory_limit=0).fit(x, y)
    np.testing.assert_allclose(streamed.predict_proba(x), kept.predict_proba(x), atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(300, 10), (8000, 140)])
def test_the_path_of_a_gpu_agrees_with_that_of_the_cpu(n, d, monkeypatch):
    x, y = make_problem(n, d, 4)
    splits = ShuffleSplit(1, random_state=0)
    on_cpu = LinearProbe(Cs=[0.1], cv=splits).fit(x, y)
    # "cpu:0" is torch's name for the CPU, and not ours.
    monkeypatch.setattr(_softmax, "check_device", lambda device: None)
    through_torch = LinearProbe(Cs=[0.1], cv=splits, device="cpu:0").fit(x, y)
    np.testing.assert_allclose(through_torch.predict_proba(x), on_cpu.predict_proba(x), atol=2e-4)


def test_the_start_of_a_fold_has_not_seen_its_test_labels():
    x, y = make_problem(60, 90, 3)
    splits = resolve_splits(Folds(3), y)
    shuffled = y.copy()
    shuffled[splits[1][1]] = np.roll(y[splits[1][1]], 1)
    one = LinearProbe(Cs=3, cv=[splits[1]]).fit(x, y)
    # Alone or among other folds, whatever their labels say, the fold's score is its own.
    among = LinearProbe(Cs=3, cv=splits).fit(x, y)
    np.testing.assert_allclose(among.scores_[:, 1], one.scores_[:, 0], atol=1e-12)


def test_says_when_it_has_not_converged():
    with pytest.warns(ConvergenceWarning, match="raise max_iter"):
        LinearProbe(Cs=[1.0], cv=Folds(2), max_iter=1).fit(*make_problem(200, 10, 4))


def test_states_a_gradient_within_its_tolerance():
    clf = LinearProbe(Cs=3, cv=Folds(3)).fit(*make_problem(200, 10, 4))
    assert clf.gradient_ <= 1e-5 * min(clf.loss_, 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"Cs": []}, "Cs"),
        ({"Cs": [-1.0]}, "Cs"),
        ({"scoring": "auc"}, "scoring is 'auc'"),
        ({"device": "tpu"}, "Device 'tpu'"),
    ],
)
def test_refuses_parameters_in_a_sentence(params, message):
    with pytest.raises(BadInput, match=message):
        LinearProbe(**params).fit(*make_problem(20, 3, 2))


def fit_tightly(x, y, C):
    model = LogisticRegression(C=C, tol=1e-9, solver="newton-cg", max_iter=10_000)
    return make_pipeline(StandardScaler(), model).fit(x, y)


def loss_of(pipeline, x, y, C):
    penalty = (pipeline[-1].coef_ ** 2).sum() / (2 * C * len(y))
    return log_loss(y, pipeline.predict_proba(x)) + penalty
