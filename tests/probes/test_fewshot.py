"""Few-shot subsets are nested, seeded, and blind to the order of the rows."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from biobench.errors import BadInput
from biobench.probes import subset

units = st.sampled_from(["class", "total"])
seeds = st.integers(0, 2**32)
problems = st.lists(st.sampled_from("abc"), min_size=1, max_size=40).map(
    lambda labels: (np.array(labels), [f"img-{i}" for i in range(len(labels))])
)


@hypothesis.given(problems, st.integers(1, 20), st.integers(1, 20), units, seeds)
def test_the_larger_subset_contains_the_smaller(problem, n, more, unit, seed):
    small, large = (subset(*problem, k, unit, seed) for k in (n, n + more))
    assert set(small) <= set(large)


@hypothesis.given(problems, st.integers(1, 20), units, seeds, st.randoms())
def test_the_order_of_rows_does_not_matter(problem, n, unit, seed, random):
    labels, ids = problem
    order = list(range(len(ids)))
    random.shuffle(order)
    shuffled = subset(labels[order], [ids[i] for i in order], n, unit, seed)
    kept = subset(labels, ids, n, unit, seed)
    assert {ids[order[i]] for i in shuffled} == {ids[i] for i in kept}


@hypothesis.given(problems, st.integers(1, 20), seeds)
def test_every_class_gives_what_it_has_up_to_n(problem, n, seed):
    labels, ids = problem
    kept = labels[subset(labels, ids, n, "class", seed)]
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        assert (kept == label).sum() == min(n, count)


@hypothesis.given(problems, st.integers(1, 60), seeds)
def test_in_total_there_are_n_or_all(problem, n, seed):
    assert len(subset(*problem, n, "total", seed)) == min(n, len(problem[1]))


def test_positions_ascend_and_seeds_differ():
    labels, ids = np.repeat(["a", "b"], 50), [str(i) for i in range(100)]
    one, two = (subset(labels, ids, 5, "class", seed) for seed in (1, 2))
    assert (np.diff(one) > 0).all()
    assert one.tolist() != two.tolist()


def test_every_example_is_equally_likely():
    labels, ids = np.full(20, "a"), [str(i) for i in range(20)]
    drawn = np.concatenate([subset(labels, ids, 5, "total", seed) for seed in range(2000)])
    counts = np.bincount(drawn, minlength=20)
    # 2000 draws at one in four: five standard deviations are 97.
    assert np.abs(counts - 500).max() < 97


def test_refuses_nothing_and_unequal_lengths():
    with pytest.raises(BadInput, match="at least 1"):
        subset(np.array(["a"]), ["x"], 0, "class", 1)
    with pytest.raises(BadInput, match="1 labels but 2"):
        subset(np.array(["a"]), ["x", "y"], 1, "class", 1)
