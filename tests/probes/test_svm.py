"""SvmSearch against scikit-learn's RandomizedSearchCV over StandardScaler and SVC."""

import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn.model_selection import ShuffleSplit

from biobench.probes import CenterNormalize, Folds, SvmSearch, make, reference, svm
from biobench.probes.folds import resolve_splits


def make_problem(n, d, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return 0.5 * rng.normal(size=(n_classes, d))[y] + rng.normal(size=(n, d)), y


def duplicate_rows(x, y):
    return np.concatenate([x, x[::2]]), np.concatenate([y, y[::2]])


def add_constant_columns(x, y):
    return np.column_stack([x, np.full(len(x), 0.1), np.zeros(len(x))]), y


def make_unbalanced(x, y):
    keep = (y > 0) | (np.arange(len(y)) % 4 == 0)
    return x[keep], y[keep]


def make_one_class_single(x, y):
    return x, np.where(np.arange(len(y)) == 5, y.max() + 1, y)


def narrow(x, y):
    return x.astype(np.float32), y


def name_classes(x, y):
    return x, np.array(["frog", "ant", "zebra"])[y]


@pytest.mark.parametrize(("n", "d", "n_classes"), [(60, 8, 2), (44, 100, 2), (60, 20, 3)])
@pytest.mark.parametrize(
    "change",
    [
        duplicate_rows,
        add_constant_columns,
        make_unbalanced,
        make_one_class_single,
        narrow,
        name_classes,
    ],
)
def test_agrees_with_randomized_search(n, d, n_classes, change):
    x, y = make_problem(n + 20, d, n_classes)
    x, y = change(x, y)
    assert_agrees(x[:-20], y[:-20], x[-20:], n_iter=12)


@pytest.mark.parametrize("cv", [3, Folds(4, seed=7), ShuffleSplit(2, random_state=0)])
def test_agrees_under_any_splitter(cv):
    x, y = make_problem(60, 10, 2)
    assert_agrees(x[:40], y[:40], x[40:], n_iter=12, cv=cv)


@hypothesis.given(st.integers(12, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=8, deadline=None)
def test_agrees_on_small_problems(n, d, seed):
    x, y = make_problem(n + 10, d, 2, seed)
    assert_agrees(x[:-10], y[:-10], x[-10:], n_iter=5, seed=seed % 1000)


def test_the_whole_protocol_of_newt_agrees():
    x, y = make_problem(100, 64, 2)
    theirs = reference.ReferenceProbe("svm", cv=Folds(5, "stratified")).fit(x[:60], y[:60])
    ours = make("svm").fit(x[:60], y[:60])
    chosen = {key.removeprefix("svc__"): value for key, value in theirs.params_.items()}
    assert ours[-1].best_params_ == chosen
    np.testing.assert_array_equal(ours.predict(x[60:]), theirs.predict(x[60:]))


def test_draws_like_scikit_learn_from_the_same_distributions():
    ours, theirs = svm.DISTRIBUTIONS, reference.SVM_DISTRIBUTIONS
    assert ours["kernel"] == theirs["svc__kernel"]
    for name in ("C", "gamma"):
        assert (
            ours[name].rvs(5, random_state=1).tolist()
            == theirs[f"svc__{name}"].rvs(5, random_state=1).tolist()
        )


def test_answers_alike_without_the_low_level_libsvm(monkeypatch):
    x, y = make_problem(50, 10, 2)
    fast = SvmSearch(n_iter=8).fit(x, y)
    monkeypatch.setattr(svm, "_libsvm", None)
    slow = SvmSearch(n_iter=8).fit(x, y)
    np.testing.assert_array_equal(fast.cv_scores_, slow.cv_scores_)


def test_does_not_search_where_a_training_fold_has_one_class():
    x, _ = make_problem(12, 4, 2)
    clf = SvmSearch().fit(x, np.where(np.arange(12) == 0, "rare", "common"))
    assert clf.best_params_ == {"C": 1.0, "kernel": "linear"}


def test_prints_nothing(capfd):
    SvmSearch(n_iter=3).fit(*make_problem(30, 4, 2))
    assert capfd.readouterr().out == ""


def test_center_normalize_gives_unit_rows_around_the_training_mean():
    x, _ = make_problem(30, 6, 2)
    x[3] = 0
    step = CenterNormalize().fit(x)
    unit = np.divide(x, np.linalg.norm(x, axis=1, keepdims=True), where=x != 0, out=0 * x)
    expected = unit - unit.mean(axis=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(step.transform(x), expected, atol=1e-12)


def assert_agrees(x, y, z, n_iter, cv=5, seed=42):
    ours = SvmSearch(n_iter=n_iter, cv=cv, random_state=seed).fit(x, y)
    splits = resolve_splits(cv, y)
    search = reference.svm_search(splits, seed).set_params(n_iter=n_iter)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = search.fit(x, y)
    results = theirs.cv_results_
    scores = [results[f"split{i}_test_score"] for i in range(len(splits))]
    np.testing.assert_array_equal(ours.cv_scores_, np.stack(scores, axis=1))
    chosen = {key.removeprefix("svc__"): value for key, value in theirs.best_params_.items()}
    assert ours.best_params_ == chosen
    np.testing.assert_array_equal(ours.predict(z), theirs.predict(z))
    np.testing.assert_allclose(ours.decision_function(z), theirs.decision_function(z))
