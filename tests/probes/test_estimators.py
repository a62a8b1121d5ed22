"""What holds for every probe: scikit-learn's contract, refusals in a sentence, determinism."""

import unittest
import warnings

import numpy as np
import pytest
import sklearn.base
import threadpoolctl
from sklearn.utils.estimator_checks import parametrize_with_checks

from biobench import probes
from biobench.errors import BadInput

CLASSIFIERS = {
    "ridge": probes.RidgeSweep(cv=probes.Folds(3)),
    "ridge-accuracy": probes.RidgeSweep(cv=probes.Folds(3), scoring="accuracy"),
    "svm": probes.SvmSearch(n_iter=5, cv=3),
    "simpleshot": probes.SimpleShot(),
    "knn": probes.KNN(k=3),
    "linear": probes.LinearProbe(Cs=3, cv=probes.Folds(3)),
    "open-set": probes.OpenSet(),
    "zero-shot": probes.ZeroShot(),
    "adamw-head": probes.AdamWHead(n_steps=60, batch_size=16, learning_rate=0.02),
    "logistic-search": probes.LogisticSearch(n_iter=3, max_iter=20, cv=probes.Folds(3)),
    "svc": probes.LinearSvc(),
}
CHANGE_NO_BIT = ["ridge", "ridge-accuracy", "linear", "knn", "adamw-head", "logistic-search"]
every_classifier = pytest.mark.parametrize("clf", CLASSIFIERS.values(), ids=CLASSIFIERS)


@parametrize_with_checks(
    [
        probes.RidgeSweep(),
        probes.RidgeSweepRegressor(),
        probes.SvmSearch(n_iter=4),
        probes.SimpleShot(),
        probes.CenterNormalize(),
        probes.KNN(),
        probes.LinearProbe(Cs=3),
        # scikit-learn's checks hold a few dozen examples: they need small batches, long steps.
        probes.MultiLabelMlp(hidden=64, epochs=40, batch_size=16, learning_rate=0.01),
        # They use -1 as a class, which is what OpenSet calls the unknown by default.
        probes.OpenSet(unknown=-99),
        probes.ZeroShot(),
        probes.AdamWHead(n_steps=40, batch_size=16, learning_rate=0.02),
        probes.LogisticSearch(n_iter=2, max_iter=100, cv=3),
        probes.LinearSvc(),
    ]
)
def test_passes_the_checks_of_scikit_learn(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(estimator)
        except unittest.SkipTest as skipped:
            # Arrays of other libraries are an option of scikit-learn that is off by default.
            assert "SCIPY_ARRAY_API" in str(skipped)


@every_classifier
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_names_the_first_rows_that_are_not_finite(clf, bad):
    x, y = make_problem()
    x[[7, 11], 2] = bad
    with pytest.raises(BadInput, match="row 7, 11;"):
        sklearn.base.clone(clf).fit(x, y)
    with pytest.raises(BadInput, match="row 7, 11;"):
        fit(clf).predict(x)


@every_classifier
def test_says_that_features_and_labels_differ_in_length(clf):
    x, y = make_problem()
    with pytest.raises(BadInput, match="60 rows of features but 59 labels"):
        sklearn.base.clone(clf).fit(x, y[:-1])


@every_classifier
def test_says_that_one_class_is_not_enough(clf):
    x, _ = make_problem()
    with pytest.raises(BadInput, match="one class, 'moth'"):
        sklearn.base.clone(clf).fit(x, np.full(len(x), "moth"))


@every_classifier
def test_gives_the_same_bits_twice(clf):
    x, _ = make_problem(seed=1)
    assert fit(clf).class_scores(x).tobytes() == fit(clf).class_scores(x).tobytes()


@pytest.mark.parametrize("name", CHANGE_NO_BIT)
def test_gives_the_same_bits_for_one_and_two_threads(name):
    x, _ = make_problem(seed=1)
    one, two = (fit(CLASSIFIERS[name], n_jobs=n).class_scores(x) for n in (1, 2))
    assert one.tobytes() == two.tobytes()


@every_classifier
def test_predicts_the_same_under_one_and_two_threads_of_blas(clf):
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = (0.4 * rng.normal(size=(3, 120))[y] + rng.normal(size=(300, 120))).astype(np.float32)
    predicted = []
    for n_threads in (1, 2):
        with threadpoolctl.threadpool_limits(n_threads):
            predicted.append(sklearn.base.clone(clf).fit(x[:200], y[:200]).predict(x))
    np.testing.assert_array_equal(*predicted)


@every_classifier
def test_takes_float16_memory_maps_and_strided_arrays(clf, tmp_path):
    x, y = make_problem()
    x = x.astype(np.float16)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float16, x.shape)
    mapped[:] = x
    strided = np.repeat(x, 2, axis=1)[:, ::2]
    expected = sklearn.base.clone(clf).fit(x, y).predict(x)
    for features in (mapped, strided):
        fitted = sklearn.base.clone(clf).fit(features, y)
        np.testing.assert_array_equal(fitted.predict(features), expected)


@every_classifier
def test_predicts_labels_as_they_were_given(clf):
    x, y = make_problem()
    codes = np.unique(y, return_inverse=True)[1]
    words = fit(clf).predict(x)
    numbers = sklearn.base.clone(clf).fit(x, 10 * codes + 3).predict(x)
    known = words != "unknown"
    np.testing.assert_array_equal(np.unique(y)[(numbers[known] - 3) // 10], words[known])


@pytest.mark.parametrize("name", sorted(CLASSIFIERS.keys() - {"svc", "svm"}))
def test_ranks_the_predicted_class_first(name):
    """But for support vectors: libsvm lets pairs of classes vote, and its scores may differ."""
    clf = CLASSIFIERS[name]
    x, _ = make_problem(seed=1)
    fitted = fit(clf)
    predicted, best = fitted.predict(x), fitted.classes_[fitted.class_scores(x).argmax(axis=1)]
    np.testing.assert_array_equal(predicted[predicted != "unknown"], best[predicted != "unknown"])


@every_classifier
@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 1), (9, 1), (2, 1)])
def test_can_be_fitted_on_a_handful_of_examples_without_a_warning(clf, counts):
    y = np.repeat([f"class {i}" for i in range(len(counts))], counts)
    x = np.eye(6)[np.arange(len(y)) % 6] + np.arange(len(y))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predicted = sklearn.base.clone(clf).fit(x, y).predict(x)
    assert set(predicted) <= {*y, "unknown"}


def make_problem(seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permuted(np.repeat(["ant", "bee", "moth"], [30, 20, 10]))
    means = 2 * rng.normal(size=(3, 8))
    return means[np.unique(y, return_inverse=True)[1]] + rng.normal(size=(60, 8)), y


def fit(clf, **params):
    return sklearn.base.clone(clf).set_params(**params).fit(*make_problem())
