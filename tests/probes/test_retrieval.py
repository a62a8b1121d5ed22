"""Retrieval against scikit-learn's average precision, ties and duplicates among the rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from biobench.errors import BadInput
from biobench.probes import KNN, rank_others, retrieval


@given(seed=st.integers(0, 10_000), n=st.integers(2, 40), grouped=st.booleans())
@settings(max_examples=40, deadline=None)
def test_each_query_is_scored_as_scikit_learn_scores_its_ranking(seed, n, grouped):
    rng = np.random.default_rng(seed)
    # Whole numbers, so that equal distances are equal.
    x = rng.integers(-3, 4, (n, 2)).astype(np.float32)
    labels, groups = rng.integers(0, 4, n), rng.integers(0, 5, n)
    found = rank_others(x, labels, groups if grouped else None)
    for i in range(n):
        others = groups != groups[i] if grouped else np.arange(n) != i
        same = labels[others] == labels[i]
        if not same.any():
            assert np.isnan(found.recall_at_1[i]) and np.isnan(found.average_precision[i])
            continue
        distances = ((x[others] - x[i]) ** 2).sum(axis=1)
        assert found.recall_at_1[i] == same[distances.argmin()]
        expected = average_precision_score(same, -distances)
        assert found.average_precision[i] == pytest.approx(expected, abs=1e-12)


def test_blocks_of_queries_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    x, labels = rng.normal(size=(50, 4)), rng.integers(0, 6, 50)
    whole = rank_others(x, labels)
    monkeypatch.setattr(retrieval, "_CHUNK_ELEMENTS", 150)
    parts = rank_others(x, labels)
    np.testing.assert_array_equal(whole.recall_at_1, parts.recall_at_1)
    np.testing.assert_allclose(whole.average_precision, parts.average_precision)


def test_scores_of_leaving_one_out_are_the_votes_of_the_others():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 3)), rng.integers(0, 4, 60)
    probe = KNN(k=5).fit(x, y)
    scores = probe.leave_one_out_scores()
    np.testing.assert_array_equal(
        probe.classes_[scores.argmax(axis=1)], KNN(k=5).leave_one_out(x, y)
    )
    for i in (0, 17, 59):
        rest = np.arange(60) != i
        alone = KNN(k=5).fit(x[rest], y[rest]).class_scores(x[i : i + 1])
        np.testing.assert_allclose(scores[i], alone[0])
    groups = np.where(np.arange(60) < 59, np.arange(60), 0)
    assert np.isfinite(probe.leave_one_out_scores(groups)).all()
    with pytest.raises(BadInput, match="one group"):
        probe.leave_one_out_scores(np.zeros(60))
