"""SimpleShot against scikit-learn's NearestCentroid."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from biobench.probes import SimpleShot, reference, simpleshot


def make_problem(n, d, n_classes, seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = np.arange(n_classes)
    x = rng.normal(size=(n_classes, d))[y] + rng.normal(size=(n, d)) + 10
    return x.astype(dtype).astype(np.float64), y


@pytest.mark.parametrize(("n", "d", "n_classes"), [(300, 12, 5), (80, 200, 30), (60, 3, 2)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_predicts_what_nearest_centroid_does(n, d, n_classes, dtype):
    x, y = make_problem(n, d, n_classes, dtype=dtype)
    ours, theirs = SimpleShot().fit(x.astype(dtype), y), reference.simple_shot().fit(x, y)
    np.testing.assert_array_equal(ours.predict(x.astype(dtype)), theirs.predict(x))
    np.testing.assert_allclose(ours.centroids_, theirs[-1].centroids_, atol=1e-12)


@hypothesis.given(
    st.integers(4, 80), st.integers(1, 30), st.integers(2, 4), st.integers(0, 2**32 - 1)
)
@hypothesis.settings(max_examples=40, deadline=None)
def test_predicts_alike_on_small_problems(n, d, n_classes, seed):
    x, y = make_problem(n, d, n_classes, seed)
    scores = SimpleShot().fit(x, y).class_scores(x)
    # On one dimension every unit row is +1 or -1, and classes may tie exactly.
    best_two = np.sort(scores, axis=1)[:, -2:]
    clear = best_two[:, 1] - best_two[:, 0] > 1e-9
    with np.errstate(all="ignore"):
        expected = reference.simple_shot().fit(x, y).predict(x)
    np.testing.assert_array_equal(SimpleShot().fit(x, y).predict(x)[clear], expected[clear])


def test_scores_are_squared_distances_to_the_centroids():
    x, y = make_problem(50, 6, 3)
    clf = SimpleShot().fit(x, y)
    unit = x - x.mean(axis=0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    gaps = unit[:, None, :] - clf.centroids_[None, :, :]
    np.testing.assert_allclose(clf.class_scores(x), -(gaps**2).sum(axis=2), atol=1e-12)


def test_calls_that_float32_cannot_tell_apart_are_decided_in_float64():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 40))
    # Two classes whose centroids differ by less than float32's rounding.
    near = x[:100] + 1e-8 * rng.normal(size=(100, 40))
    x, y = np.concatenate([x[:100], near, x[200:]]), np.repeat([0, 1, 2], [100, 100, 200])
    clf = SimpleShot().fit(x, y)
    exact = clf.class_scores(x).argmax(axis=1)
    agreement = (clf.predict(x) == exact).mean()
    assert agreement > 0.99


def test_products_on_a_device_change_no_prediction(monkeypatch):
    x, y = make_problem(300, 12, 5)
    expected = SimpleShot().fit(x, y).predict(x)
    # "cpu:0" is torch's name for the CPU, and not ours.
    monkeypatch.setattr(simpleshot, "check_device", lambda device: None)
    np.testing.assert_array_equal(SimpleShot(device="cpu:0").fit(x, y).predict(x), expected)


def test_of_equal_centroids_the_first_class_wins():
    x = np.tile(np.eye(4), (2, 1))
    y = np.repeat([0, 1], 4)
    assert SimpleShot().fit(x, y).predict(x).tolist() == [0] * 8
