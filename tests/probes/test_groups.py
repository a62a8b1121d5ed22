"""Folds that keep groups whole, and what is chosen at an end of its range."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from biobench import probes
from biobench.errors import BadInput
from biobench.probes.folds import resolve_splits
from biobench.probes.reference import one_hot

GROUP = probes.Folds(5, "group", seed=3)


def draw(n=200, n_groups=12, seed=0):
    """Examples of three classes under cameras that each shift the features."""
    rng = np.random.default_rng(seed)
    y = np.r_[0, 1, 2, rng.integers(0, 3, n - 3)]
    groups = rng.integers(0, n_groups, n)
    x = (
        rng.normal(size=(n, 6))
        + rng.normal(size=(3, 6))[y]
        + rng.normal(size=(n_groups, 6))[groups]
    )
    return x, np.array(["ant", "bee", "cow"])[y], np.array([f"camera-{g}" for g in groups])


def test_folds_by_group_are_scikit_learns_and_part_no_group():
    x, y, groups = draw()
    ours = resolve_splits(GROUP, y, groups)
    theirs = list(StratifiedGroupKFold(5, shuffle=True, random_state=3).split(x, y, groups))
    assert len(ours) == 5
    for (train, test), (their_train, their_test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(train, their_train)
        np.testing.assert_array_equal(test, their_test)
        assert not set(groups[train]) & set(groups[test])


@pytest.mark.parametrize("n_groups", [1, 2, 3])
def test_there_are_no_more_folds_than_groups(n_groups):
    y = np.array(["a", "b"] * 30)
    groups = np.arange(60) % n_groups
    splits = resolve_splits(GROUP, y, groups)
    assert len(splits) == (0 if n_groups == 1 else n_groups)
    assert all(len(test) for _, test in splits)


def test_folds_by_group_without_groups_are_refused():
    x, y, _ = draw(40)
    with pytest.raises(BadInput, match="no training example has one"):
        resolve_splits(GROUP, y)
    with pytest.raises(BadInput, match="no training example has one"):
        probes.fit_predict("ridge", [probes.Problem(x, y, x)], folds="group")


@pytest.mark.parametrize("scoring", ["accuracy", "f1_macro"])
def test_ridge_by_group_is_scikit_learns_pipeline_on_the_same_folds(scoring):
    x, y, groups = draw(seed=1)
    ours = probes.RidgeSweep(cv=GROUP, scoring=scoring).fit(x, y, groups=groups)
    splits, classes = resolve_splits(GROUP, y, groups), np.unique(y)

    def score(model, x, targets):
        from sklearn.metrics import accuracy_score, f1_score

        pred, truth = model.predict(x).argmax(axis=1), targets.argmax(axis=1)
        if scoring == "accuracy":
            return accuracy_score(truth, pred)
        return f1_score(truth, pred, average="macro", zero_division=0)

    grid = {"ridge__alpha": probes.ridge.ALPHAS}
    theirs = GridSearchCV(make_pipeline(StandardScaler(), Ridge()), grid, cv=splits, scoring=score)
    theirs.fit(x, one_hot(y, classes))
    assert ours.alpha_ == theirs.best_params_["ridge__alpha"]
    assert np.allclose(ours.cv_scores_.mean(axis=1), theirs.cv_results_["mean_test_score"])


def test_svm_by_group_is_scikit_learns_pipeline_on_the_same_folds():
    x, y, groups = draw(90, seed=2)
    ours = probes.SvmSearch(n_iter=5, cv=GROUP).fit(x, y, groups=groups)
    svc = make_pipeline(StandardScaler(), SVC(**ours.best_params_))
    splits = resolve_splits(GROUP, y, groups)
    expected = np.mean([svc.fit(x[a], y[a]).score(x[b], y[b]) for a, b in splits])
    assert ours.best_score_ == pytest.approx(expected)


def test_linear_by_group_scores_each_fold_as_scikit_learn_does():
    x, y, groups = draw(seed=3)
    ours = probes.LinearProbe(Cs=[0.01, 1.0], cv=GROUP).fit(x, y, groups=groups)
    z = StandardScaler().fit_transform(x)
    for i, C in enumerate([0.01, 1.0]):
        for k, (train, test) in enumerate(resolve_splits(GROUP, y, groups)):
            model = LogisticRegression(C=C, max_iter=5000, tol=1e-8).fit(z[train], y[train])
            assert ours.scores_[i, k] == pytest.approx(model.score(z[test], y[test]), abs=0.03)


def test_folds_by_group_are_refused_with_a_choice_by_r2():
    x, y, groups = draw(60)
    with pytest.raises(BadInput, match="accuracy or f1_macro"):
        probes.RidgeSweep(cv=GROUP).fit(x, y, groups=groups)
    assert probes.RidgeSweep().scoring == "r2"
    assert probes.describe("ridge")["scoring"] == "r2"
    described = probes.describe("ridge", folds="group")
    assert described["scoring"] == "accuracy" and described["cv"]["kind"] == "group"


@pytest.mark.parametrize("name", ["ridge", "svm", "linear", "knn", "simpleshot"])
def test_groups_reach_every_probe_and_rows_without_one_stand_alone(name):
    x, y, groups = draw(80)
    few = {"svm": {"n_iter": 3}, "ridge": {"alphas": (1.0, 9.0)}, "linear": {"Cs": 2}}.get(name, {})
    problems = [probes.Problem(x, y, x, "a", groups), probes.Problem(x, y, x, "b")]
    one, other = probes.fit_predict(name, problems, folds="group", **few)
    assert len(one.y_pred) == len(other.y_pred) == 80


def test_a_penalty_at_an_end_of_its_grid_is_said():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 20)), rng.integers(0, 2, 80)
    assert probes.RidgeSweep((1e-3, 1e-2)).fit(x, y).edges_ == {"alpha": "highest"}
    strong = np.c_[x, 40.0 * y + rng.normal(size=80)]
    assert probes.RidgeSweep((1.0, 1e3, 1e6)).fit(strong, y).edges_ == {"alpha": "lowest"}
    inner = probes.RidgeSweep((1e-9, 10.0, 1e9)).fit(np.c_[x, y + 0.3 * rng.normal(size=80)], y)
    assert inner.alpha_ == 10.0 and inner.edges_ == {}
    assert probes.RidgeSweep((5.0,)).fit(x, y).edges_ == {}
    assert probes.RidgeSweep().fit(x[:2], np.array([0, 1])).edges_ == {}


def test_a_grid_on_which_all_is_right_has_no_end():
    x = np.repeat([[0.0, 1.0], [9.0, 5.0]], 20, axis=0)
    y = np.repeat(["a", "b"], 20)
    assert probes.LinearProbe(Cs=[0.1, 1.0]).fit(x, y).edges_ == {}


@pytest.mark.parametrize(
    ("params", "edges"),
    [
        ({"C": 9.9, "kernel": "linear", "gamma": 1e-4}, {"C": "highest"}),
        ({"C": 1.01e-3, "kernel": "rbf", "gamma": 9.9e-4}, {"C": "lowest", "gamma": "highest"}),
        ({"C": 0.1, "kernel": "poly", "gamma": 3e-4}, {}),
        ({"C": 7.0, "kernel": "linear", "gamma": 3e-4}, {}),
    ],
)
def test_of_a_random_search_the_outermost_part_of_a_range_is_its_end(params, edges):
    from biobench.probes.svm import _find_edges

    assert _find_edges(params) == edges
