"""RidgeSweep against scikit-learn's GridSearchCV over StandardScaler and Ridge."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench.errors import BadInput
from biobench.probes import Folds, RidgeSweep, RidgeSweepRegressor, _backend, _sweeps, reference
from biobench.probes.folds import resolve_splits
from biobench.probes.ridge import ALPHAS as EVERY_ALPHA

# Every fifth: the reference fits each of them in each fold.
ALPHAS = EVERY_ALPHA[::5]


def make_problem(n, d, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_classes + 1)
    y = rng.choice(n_classes, n, p=share / share.sum())
    y[:n_classes] = np.arange(n_classes)
    mix = np.exp(-2 * np.arange(d) / d)[:, None] * rng.normal(size=(d, d)) / np.sqrt(d)
    return (0.5 * rng.normal(size=(n_classes, d))[y] + rng.normal(size=(n, d))) @ mix + 3, y


def duplicate_rows(x, y):
    return np.concatenate([x, x[::2]]), np.concatenate([y, y[::2]])


def add_constant_columns(x, y):
    return np.column_stack([x, np.full(len(x), 0.1), np.zeros(len(x))]), y


def make_one_class_single(x, y):
    return x, np.where(np.arange(len(y)) == 5, y.max() + 1, y)


def round_to_float16(x, y):
    return x.astype(np.float16).astype(np.float64), y


def move_far_away(x, y):
    return x + 1e4, y


def stretch(x, y):
    return x * np.logspace(-4, 4, x.shape[1]), y


@pytest.mark.parametrize(
    ("n", "d", "n_classes"), [(200, 12, 5), (80, 30, 2), (60, 100, 4), (90, 89, 3), (150, 20, 40)]
)
@pytest.mark.parametrize(
    "change",
    [
        duplicate_rows,
        add_constant_columns,
        make_one_class_single,
        round_to_float16,
        move_far_away,
        stretch,
    ],
)
def test_agrees_with_grid_search(n, d, n_classes, change):
    assert_agrees(*change(*make_problem(n, d, n_classes)), Folds(5, "stratified-shuffle"))


@pytest.mark.parametrize("cv", [KFold(5), Folds(4, "kfold"), ShuffleSplit(3, random_state=0)])
@pytest.mark.parametrize(("n", "d"), [(100, 12), (50, 60)])
def test_agrees_under_any_splitter_also_where_a_class_is_missing_from_a_fold(n, d, cv):
    x, y = make_problem(n, d, 5)
    order = np.argsort(y, kind="stable")
    assert_agrees(x[order], y[order], cv)


@hypothesis.given(
    st.integers(6, 60), st.integers(1, 25), st.integers(2, 5), st.integers(0, 2**32 - 1)
)
@hypothesis.settings(max_examples=20, deadline=None)
def test_agrees_on_small_problems(n, d, n_classes, seed):
    assert_agrees(*make_problem(n, d, min(n_classes, n // 3), seed), Folds(5, seed=seed))


def score_accuracy(model, x, targets):
    return accuracy_score(targets.argmax(axis=1), model.predict(x).argmax(axis=1))


def score_f1(model, x, targets):
    truth, predicted = targets.argmax(axis=1), model.predict(x).argmax(axis=1)
    return f1_score(truth, predicted, average="macro", zero_division=0)


@pytest.mark.parametrize(
    ("scoring", "scorer"), [("accuracy", score_accuracy), ("f1_macro", score_f1)]
)
@pytest.mark.parametrize(("n", "d"), [(200, 12), (60, 100)])
def test_agrees_when_labels_decide(n, d, scoring, scorer):
    x, y = make_problem(n, d, 5)
    ours = RidgeSweep(cv=Folds(), scoring=scoring).fit(x, y)
    splits = resolve_splits(Folds(), y)
    theirs = reference.ridge_search(splits, scoring=scorer).fit(
        x, reference.one_hot(y, ours.classes_)
    )
    np.testing.assert_array_equal(ours.cv_scores_, fold_scores(theirs))
    assert ours.alpha_ == theirs.best_params_["ridge__alpha"]


@pytest.mark.parametrize(("n", "d"), [(120, 10), (40, 60)])
def test_targets_may_be_given(n, d):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    y = x @ rng.normal(size=(d, 3)) + 5 * rng.normal(size=(n, 3)) + 100
    ours = RidgeSweepRegressor().fit(x, y)
    theirs = reference.ridge_search(KFold(5)).fit(x, y)
    np.testing.assert_allclose(ours.cv_scores_, fold_scores(theirs), atol=1e-9)
    np.testing.assert_allclose(ours.predict(x), theirs.predict(x), atol=1e-6)


@pytest.mark.parametrize(("n", "d"), [(120, 10), (40, 60)])
def test_a_weight_of_two_is_an_example_twice(n, d):
    x, y = make_problem(n, d, 3)
    twice = np.arange(n) % 3 == 0
    weighted = RidgeSweep(alphas=[2.0]).fit(x, y, sample_weight=1.0 + twice)
    x, y = np.concatenate([x, x[twice]]), np.concatenate([y, y[twice]])
    repeated = make_pipeline(StandardScaler(), Ridge(2.0)).fit(
        x, reference.one_hot(y, np.unique(y))
    )
    np.testing.assert_allclose(weighted.class_scores(x), repeated.predict(x), atol=1e-10)


def test_an_example_of_weight_zero_is_not_there():
    x, y = make_problem(90, 10, 3)
    splits = resolve_splits(Folds(), y)
    weights = np.ones(90)
    weights[splits[0][1][:5]] = 0
    ours = RidgeSweep(cv=splits).fit(x, y, sample_weight=weights)
    kept = np.flatnonzero(weights)
    position = np.cumsum(weights > 0) - 1
    splits = [tuple(position[part[weights[part] > 0]] for part in split) for split in splits]
    targets = reference.one_hot(y, ours.classes_)[kept]
    theirs = reference.ridge_search(splits).fit(x[kept], targets)
    np.testing.assert_allclose(ours.cv_scores_, fold_scores(theirs), atol=1e-9)


def test_the_first_of_equal_penalties_is_taken():
    x, y = make_problem(60, 5, 2)
    assert RidgeSweep(alphas=[1.0, 1.0 + 1e-15]).fit(x, y).alpha_ == 1.0


def test_reads_chunk_by_chunk_as_it_reads_at_once(monkeypatch):
    x, y = make_problem(1500, 6, 4)
    whole = RidgeSweep().fit(x, y)
    monkeypatch.setattr("biobench.probes._moments._CHUNK_ELEMENTS", 1)
    pieces = RidgeSweep().fit(x, y)
    np.testing.assert_allclose(pieces.cv_scores_, whole.cv_scores_, rtol=1e-12)
    assert pieces.alpha_ == whole.alpha_


@pytest.mark.parametrize(("n", "d"), [(200, 12), (60, 100)])
@pytest.mark.parametrize("scoring", ["r2", "accuracy"])
def test_the_path_of_a_gpu_agrees_with_that_of_the_cpu(n, d, scoring, monkeypatch):
    x, y = make_problem(n, d, 5)
    narrow = x.astype(np.float16)
    expected = [RidgeSweep(scoring=scoring).fit(features, y) for features in (x, narrow)]
    monkeypatch.setattr(_sweeps, "get_backend", _backend._Torch)
    for features, on_cpu in zip((x, narrow), expected, strict=True):
        through_torch = RidgeSweep(scoring=scoring).fit(features, y)
        np.testing.assert_allclose(through_torch.cv_scores_, on_cpu.cv_scores_, atol=1e-9)
        np.testing.assert_allclose(through_torch.class_scores(x), on_cpu.class_scores(x), atol=1e-7)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"alphas": []}, "alphas"),
        ({"alphas": [0.0]}, "alphas"),
        ({"scoring": "auc"}, "scoring is 'auc'"),
        ({"device": "tpu"}, "Device 'tpu'"),
        ({"cv": [(np.arange(9), np.array([9]))]}, "fewer than two examples"),
    ],
)
def test_refuses_parameters_in_a_sentence(params, message):
    with pytest.raises(BadInput, match=message):
        RidgeSweep(**params).fit(*make_problem(10, 3, 2))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(9), r"shape \(9,\), but there are 10"),
        (-np.ones(10), "negative"),
        (np.zeros(10), "all zero"),
    ],
)
def test_refuses_weights_in_a_sentence(weights, message):
    with pytest.raises(BadInput, match=message):
        RidgeSweep().fit(*make_problem(10, 3, 2), sample_weight=weights)


def assert_agrees(x, y, cv):
    ours = RidgeSweep(ALPHAS, cv=cv).fit(x, y)
    splits = resolve_splits(cv, y)
    # Ridge's default solver loses digits where features nearly depend on one another.
    pipeline = make_pipeline(StandardScaler(), Ridge(solver="svd"))
    theirs = GridSearchCV(pipeline, {"ridge__alpha": ALPHAS}, cv=splits, scoring="r2")
    theirs.fit(x, reference.one_hot(y, ours.classes_))
    np.testing.assert_allclose(ours.cv_scores_, fold_scores(theirs), rtol=1e-6, atol=2e-9)
    mean = theirs.cv_results_["mean_test_score"]
    chosen = mean[list(ALPHAS).index(ours.alpha_)]
    assert chosen >= mean.max() - 1e-9
    same = pipeline.set_params(ridge__alpha=ours.alpha_).fit(x, reference.one_hot(y, ours.classes_))
    np.testing.assert_allclose(ours.class_scores(x), same.predict(x), atol=1e-6)


def fold_scores(search):
    n_splits = search.n_splits_
    results = search.cv_results_
    return np.stack([results[f"split{i}_test_score"] for i in range(n_splits)], axis=1)
