"""Probes by name, and many problems fitted at once."""

import json
import tracemalloc

import numpy as np
import pytest

from biobench import probes, progress
from biobench.errors import BadInput
from biobench.probes import _estimator, factory, fitting, reference


@pytest.mark.parametrize("name", probes.list_probes())
def test_describes_in_plain_json_what_decides_the_numbers(name):
    described = probes.describe(name)
    assert json.loads(json.dumps(described)) == described
    assert described["name"] == name
    assert not {"device", "n_jobs", "random_state"} & set(described)


@pytest.mark.parametrize("name", ["ridge", "linear"])
def test_the_kind_of_folds_is_described_and_used(name):
    assert probes.describe(name, folds="kfold")["cv"] == {"n_splits": 5, "kind": "kfold"}
    assert probes.make(name, folds="kfold", seed=7).cv == probes.Folds(5, "kfold", 7)


def test_parameters_are_passed_on_and_described():
    assert probes.make("knn", k=3).k == 3
    assert probes.describe("knn", k=3)["k"] == 3
    assert probes.make("svm", n_iter=7)[-1].n_iter == 7


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match=r"Unknown probe 'rigde'.* Did you mean 'ridge'"):
        probes.make("rigde")


def test_a_probe_that_answers_all_questions_at_once_is_not_fitted_on_each():
    with pytest.raises(BadInput, match="fit it jointly"):
        probes.fit_predict("mlp", [make_problem()])


SINGLE = [name for name in probes.list_probes() if not probes.answers_jointly(name)]


@pytest.mark.parametrize("name", SINGLE)
def test_gives_labels_and_the_best_classes(name):
    problem = make_problem(n_classes=7)
    (output,) = probes.fit_predict(name, [problem], **FEW.get(name, {}))
    assert output.y_pred.shape == (30,)
    kept = output.y_pred != probes.UNKNOWN
    assert kept.all() or name == "openset"
    assert set(output.y_pred[kept]) <= set(problem.y_train)
    assert output.top_labels.shape == output.top_scores.shape == (30, 5)
    assert (np.diff(output.top_scores, axis=1) <= 0).all()
    # libsvm votes between pairs of classes, and its scores sometimes rank another class first.
    assert (output.top_labels[:, 0] == output.y_pred)[kept].mean() >= (0.8 if name == "svm" else 1)
    assert all(isinstance(value, float | str) for value in output.params.values())


@pytest.mark.parametrize("name", ["ridge", "svm", "simpleshot", "knn", "linear"])
def test_predicts_what_the_plain_construction_of_scikit_learn_predicts(name):
    problem = make_problem(n_classes=2, seed=3)
    kind = "stratified" if name == "svm" else "stratified-shuffle"
    theirs = reference.ReferenceProbe(name, cv=probes.Folds(5, kind))
    theirs.fit(problem.x_train.astype(float), problem.y_train)
    (output,) = probes.fit_predict(name, [problem])
    np.testing.assert_array_equal(output.y_pred, theirs.predict(problem.x_test.astype(float)))


@pytest.mark.parametrize("pool", [False, True])
def test_a_pool_of_processes_changes_no_number_and_no_order(pool, monkeypatch):
    problems = [make_problem(seed=seed) for seed in range(4)]
    expected = [probes.fit_predict("svm", [problem], n_iter=5)[0] for problem in problems]
    monkeypatch.setattr(fitting, "_SECONDS_WORTH_A_POOL", 0.0 if pool else 1e9)
    seen = []
    with progress.listen(lambda *report: seen.append(report)):
        outputs = probes.fit_predict("svm", problems, n_jobs=2, n_iter=5)
    assert seen == [("probe", i, 4) for i in (1, 2, 3, 4)]
    for got, want in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(got.y_pred, want.y_pred)
        np.testing.assert_array_equal(got.top_scores, want.top_scores)
        assert got.params == want.params


def test_names_the_subtask_that_cannot_be_fitted():
    good = make_problem()
    bad = probes.Problem(good.x_train, np.full(len(good.y_train), "owl"), good.x_test, "ml_age")
    with pytest.raises(BadInput, match="Subtask 'ml_age': All 42 training labels are of one class"):
        probes.fit_predict("ridge", [good, bad])


def test_no_test_examples_give_no_predictions():
    problem = make_problem()
    empty = probes.Problem(problem.x_train, problem.y_train, problem.x_test[:0])
    (output,) = probes.fit_predict("ridge", [empty])
    assert len(output.y_pred) == 0
    assert output.top_labels is None


FEW = {"svm": {"n_iter": 5}, "linear": {"Cs": 3}}


def make_problem(n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y, truth = np.arange(42) % n_classes, np.arange(30) % n_classes
    means = 1.5 * rng.normal(size=(n_classes, 12))
    x, z = (means[codes] + rng.normal(size=(len(codes), 12)) for codes in (y, truth))
    return probes.Problem(
        x.astype(np.float32), np.char.add("c", y.astype(str)), z.astype(np.float32)
    )


@pytest.mark.parametrize("name", SINGLE)
def test_what_is_predicted_is_what_the_probe_says_of_all_rows_at_once(name, monkeypatch):
    problem = make_problem(n_classes=7)
    # Three chunks of ten rows.
    monkeypatch.setattr(_estimator, "_CHUNK_ELEMENTS", problem.x_test.size // 3 + 1)
    (output,) = probes.fit_predict(name, [problem], **FEW.get(name, {}))
    probe = probes.make(name, seed=42, **FEW.get(name, {}))
    probe.fit(problem.x_train, problem.y_train)
    steps, last = factory.split_steps(probe)
    x = problem.x_test
    for step in steps:
        x = step.transform(x)
    scores = last.class_scores(x)
    np.testing.assert_array_equal(output.y_pred, last.predict(x))
    np.testing.assert_array_equal(output.top_scores, -np.sort(-scores, axis=1)[:, :5])


def test_scores_of_all_classes_are_not_held_for_all_rows(monkeypatch):
    monkeypatch.setattr(_estimator, "_CHUNK_ELEMENTS", 2**16)
    rng = np.random.default_rng(0)
    n_classes, n_test = 200, 20_000
    x, y = rng.standard_normal((4 * n_classes, 100)), np.arange(4 * n_classes) % n_classes
    x_test = rng.standard_normal((n_test, 100), np.float32)
    problem = probes.Problem(x, y.astype(str), x_test)
    tracemalloc.start()
    try:
        probes.fit_predict("ridge", [problem])
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < n_classes * n_test * 8
