"""The split is the nearest to a fifth of every class that tears no group and trains every class."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from biobench.data.splitting import fold, split
from biobench.errors import BadInput


def count(labels, groups):
    """Pictures by group and class."""
    return np.array(
        [
            [np.sum((groups == group) & (labels == label)) for label in np.unique(labels)]
            for group in np.unique(groups)
        ]
    )


def cost(counts, chosen):
    """What the module's docstring says, written once more."""
    totals, tested = counts.sum(axis=0), counts.T @ chosen
    if (tested >= totals).any():
        return np.inf
    untested = (tested == 0) & ((counts > 0).sum(axis=0) > 1)
    return np.abs(tested - 0.2 * totals).sum() + totals[untested].sum()


def get_chosen(found, groups):
    chosen = np.array([found.is_test[groups == group].mean() for group in np.unique(groups)])
    assert set(chosen) <= {0.0, 1.0}, "a group is torn"
    return chosen.astype(int)


worlds = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 8)), min_size=4, max_size=50)


@settings(max_examples=60, deadline=None)
@given(worlds, st.integers(0, 3))
def test_no_split_of_whole_groups_is_nearer(rows, seed):
    labels, groups = (np.array(column).astype(str) for column in zip(*rows, strict=True))
    counts = count(labels, groups)
    choices = [np.array(c) for c in itertools.product((0, 1), repeat=len(counts))]
    best = min(choices, key=lambda chosen: cost(counts, chosen))
    if not best.any():
        assume(not any(np.isfinite(cost(counts, c)) for c in choices if c.any()))
        with pytest.raises(BadInput, match="column split"):
            split(labels, groups, seed=seed)
        return
    found = split(labels, groups, seed=seed)
    chosen = get_chosen(found, groups)
    assert cost(counts, chosen) == pytest.approx(cost(counts, best))
    assert ((counts.T @ (1 - chosen)) > 0).all(), "a class is not trained on"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=6, max_size=60))
def test_where_a_group_has_one_class_every_class_of_two_groups_is_on_both_sides(rows):
    labels = np.array([label for label, _ in rows]).astype(str)
    groups = np.array([f"{label}/{group}" for label, group in rows])
    n_groups = {label: len(set(groups[labels == label])) for label in set(labels)}
    assume(max(n_groups.values()) > 1)
    found = split(labels, groups, seed=0)
    get_chosen(found, groups)
    for label, n in n_groups.items():
        assert set(found.is_test[labels == label]) == ({True, False} if n > 1 else {False})
    assert set(found.only_in_train) == {label for label, n in n_groups.items() if n == 1}


def test_groups_of_several_classes_come_near_to_a_fifth_in_large_sets_too():
    rng = np.random.default_rng(0)
    labels = (rng.zipf(1.5, 20_000) % 50).astype(str)
    groups = rng.integers(0, 400, 20_000).astype(str)
    found = split(labels, groups, seed=0)
    get_chosen(found, groups)
    assert abs(found.share - 0.2) < 0.01
    common = [label for label in np.unique(labels) if (labels == label).sum() > 200]
    for label in common:
        assert abs(found.is_test[labels == label].mean() - 0.2) < 0.05


def test_row_order_changes_nothing_and_the_seed_the_choice():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 60).astype(str)
    units = np.arange(60).astype(str)
    order = rng.permutation(60)
    found = split(labels, units, seed=4).is_test
    np.testing.assert_array_equal(split(labels[order], units[order], seed=4).is_test, found[order])
    assert (split(labels, units, seed=5).is_test != found).any()


def test_what_could_not_be_had_is_said():
    labels = ["ant"] * 10 + ["bee"] * 10 + ["fly"]
    groups = ["a"] * 5 + ["b"] * 5 + ["c"] * 4 + ["d"] * 6 + ["e"]
    found = split(labels, groups, seed=0)
    assert found.only_in_train == ["fly"]
    assert "1 class of one group" in found.notes[0] and "fly" in found.notes[0]
    assert found.worst == ("ant", 0.5)
    assert "43%" in found.notes[1] and "'ant' with 50%" in found.notes[1]
    assert not split(["a"] * 50 + ["b"] * 50, list(map(str, range(100))), seed=0).notes


@settings(max_examples=30, deadline=None)
@given(worlds, st.integers(2, 4))
def test_folds_keep_groups_whole_and_test_each_example_once(rows, n_folds):
    labels, groups = (np.array(column).astype(str) for column in zip(*rows, strict=True))
    try:
        found = fold(labels, groups, n_folds, seed=0)
    except BadInput as err:
        assert "folds_test" in str(err)
        return
    assert sorted(set(found)) == list(range(n_folds))
    assert all(len(set(found[groups == group])) == 1 for group in set(groups))


def test_folds_are_refused_where_there_are_too_few_groups():
    for n_folds in (-1, 1, 4):
        with pytest.raises(BadInput, match="folds_test"):
            fold(["a", "b", "a"], ["1", "2", "3"], n_folds, seed=0)
