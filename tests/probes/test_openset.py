"""OpenSet rejects what lies far from every class, and leaves the rest to its base."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from biobench.errors import BadInput
from biobench.probes import KNN, OpenSet, SimpleShot


def make_problem(n=300, seed=0):
    rng = np.random.default_rng(seed)
    y = np.array(["ant", "bee", "moth"])[np.arange(n) % 3]
    means = 8 * np.eye(3, 6)
    return means[np.arange(n) % 3] + rng.normal(size=(n, 6)) * [1, 1, 1, 1, 5, 5], y


def test_distances_are_mahalanobis_to_the_nearest_mean_under_a_shrunk_covariance():
    x, y = make_problem()
    clf = OpenSet().fit(x, y)
    means = np.stack([x[y == label].mean(axis=0) for label in clf.classes_])
    centered = x - means[np.searchsorted(clf.classes_, y)]
    precision = LedoitWolf(assume_centered=True).fit(centered).precision_
    expected = cdist(x, means, "mahalanobis", VI=precision).min(axis=1)
    np.testing.assert_allclose(clf.distances(x), expected, rtol=1e-9)


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_the_threshold_keeps_its_share_of_fresh_examples(quantile):
    x, y = make_problem(3000)
    fresh, _ = make_problem(3000, seed=1)
    kept = 1 - OpenSet(quantile=quantile).fit(x, y).rejects(fresh).mean()
    assert abs(kept - quantile) < 0.03


def test_an_unknown_class_is_rejected_and_the_known_ones_are_the_bases():
    x, y = make_problem()
    clf = OpenSet(KNN(k=3)).fit(x, y)
    far = np.full((5, 6), 30.0)
    assert clf.predict(far).tolist() == ["unknown"] * 5
    kept = ~clf.rejects(x)
    np.testing.assert_array_equal(clf.predict(x)[kept], KNN(k=3).fit(x, y).predict(x)[kept])


def test_the_label_of_the_unknown_can_be_chosen_but_is_no_class():
    x, y = make_problem()
    assert OpenSet(unknown="-1").fit(x, y).predict(np.full((1, 6), 99.0)).tolist() == ["-1"]
    codes = np.unique(y, return_inverse=True)[1]
    assert OpenSet().fit(x, codes).predict(np.full((1, 6), 99.0)).tolist() == [-1]
    with pytest.raises(BadInput, match="'bee' is a class"):
        OpenSet(unknown="bee").fit(x, y)


def test_classes_of_one_example_say_nothing_about_distance():
    x, y = make_problem(3)
    clf = OpenSet(SimpleShot()).fit(x, y)
    assert clf.threshold_ == np.inf
    assert set(clf.predict(x)) <= set(y)
