"""KNN against scikit-learn's brute force, and what leaving one out leaves out."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from biobench.errors import BadInput
from biobench.probes import KNN, _backend, knn


def make_problem(n, d, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    y[:n_classes] = np.arange(n_classes)
    return 0.5 * rng.normal(size=(n_classes, d))[y] + rng.normal(size=(n, d)) + 5, y


@pytest.fixture(params=["cpu", "gpu"])
def device(request, monkeypatch):
    """The code of a GPU, run by torch on the CPU, where "cpu:0" is not "cpu"."""
    if request.param == "gpu":
        monkeypatch.setattr(knn, "check_device", lambda device: None)
        return "cpu:0"
    return "cpu"


@pytest.mark.parametrize(("n", "d", "k"), [(300, 12, 5), (60, 200, 1), (9, 3, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [7, 64, 2048])
def test_finds_the_neighbours_that_brute_force_finds(n, d, k, dtype, block, device, monkeypatch):
    monkeypatch.setattr(knn, "_BLOCK", block)
    x, y = make_problem(n, d, 3)
    z = make_problem(50, d, 3, seed=1)[0]
    x, z = x.astype(dtype), z.astype(dtype)
    ours = KNN(k=k, device=device).fit(x, y)
    theirs = KNeighborsClassifier(k, algorithm="brute").fit(x.astype(float), y)
    for got, expected in (
        (ours.kneighbors(z), theirs.kneighbors(z.astype(float))),
        (ours.leave_one_out_neighbors(), theirs.kneighbors()),
    ):
        np.testing.assert_array_equal(got[1], expected[1])
        np.testing.assert_allclose(got[0], expected[0], atol=1e-6)
    np.testing.assert_array_equal(ours.predict(z), theirs.predict(z.astype(float)))
    np.testing.assert_allclose(ours.class_scores(z), theirs.predict_proba(z.astype(float)))


@hypothesis.given(
    st.integers(3, 40), st.integers(1, 10), st.integers(1, 5), st.integers(0, 2**32 - 1)
)
@hypothesis.settings(max_examples=40, deadline=None)
def test_distances_are_exact_also_between_duplicated_rows(n, d, k, seed):
    x, y = make_problem(n, d, 2, seed)
    x = np.round(np.concatenate([x, x[::2]]), 1)
    y = np.concatenate([y, y[::2]])
    distances, index = KNN(k=k).fit(x, y).leave_one_out_neighbors()
    every = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(
        distances, np.sort(every, axis=1)[:, : min(k, len(x) - 1)], atol=1e-12
    )
    assert (index != np.arange(len(x))[:, None]).all()


def test_of_equal_distances_the_earlier_row_is_nearer():
    x, y = np.zeros((6, 2)), np.array([0, 1] * 3)
    assert KNN(k=3).fit(x, y).kneighbors(x)[1].tolist() == [[0, 1, 2]] * 6


def test_nearly_equal_points_far_from_zero_are_told_apart():
    rng = np.random.default_rng(0)
    x = 1e4 + 1e-3 * rng.normal(size=(200, 5))
    y = np.arange(200) % 2
    every = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(every, np.inf)
    _, index = KNN(k=1).fit(x, y).leave_one_out_neighbors()
    np.testing.assert_array_equal(index[:, 0], every.argmin(axis=1))


def test_neighbours_come_from_other_groups():
    x, y = make_problem(60, 4, 2)
    groups = np.array([f"video {i // 12}" for i in range(60)])
    _, index = KNN(k=5).fit(x, y).leave_one_out_neighbors(groups)
    every = np.linalg.norm(x[:, None] - x[None], axis=2)
    every[groups[:, None] == groups[None]] = np.inf
    np.testing.assert_array_equal(index, np.argsort(every, axis=1)[:, :5])


def test_where_others_are_few_the_rest_is_missing():
    x, y = make_problem(5, 3, 2)
    clf = KNN(k=4).fit(x, y)
    distances, index = clf.leave_one_out_neighbors(np.array([0, 0, 0, 1, 1]))
    assert (index >= 0).sum(axis=1).tolist() == [2, 2, 2, 3, 3]
    assert np.isinf(distances[index < 0]).all()
    predicted = clf.leave_one_out(x, y, np.array([0, 0, 0, 1, 1]))
    assert set(predicted) <= set(y)


def test_leaving_one_out_predicts_by_the_others():
    x, y = make_problem(80, 3, 3)
    expected = [
        KNeighborsClassifier(3).fit(np.delete(x, i, 0), np.delete(y, i)).predict(x[i : i + 1])[0]
        for i in range(80)
    ]
    np.testing.assert_array_equal(KNN(k=3).leave_one_out(x, y), expected)


def test_refuses_in_a_sentence():
    x, y = make_problem(10, 3, 2)
    with pytest.raises(BadInput, match="k is 0"):
        KNN(k=0).fit(x, y)
    with pytest.raises(BadInput, match="one group"):
        KNN().leave_one_out(x, y, np.zeros(10))
    with pytest.raises(BadInput, match="10 training rows but 9 groups"):
        KNN().leave_one_out(x, y, np.zeros(9))
    with pytest.raises(BadInput, match="Device 'tpu'"):
        KNN(device="tpu").fit(x, y).kneighbors(x)


def test_products_on_a_device_are_those_of_the_cpu():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((5, 7), (7, 3)))
    np.testing.assert_allclose(_backend.multiply32(a, b, "cpu:0"), a @ b, atol=1e-5)
