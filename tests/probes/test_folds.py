"""Folds are scikit-learn's own where there are enough examples, and else make do."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold

from biobench.probes import Folds
from biobench.probes.folds import resolve_splits

LABELS = np.random.default_rng(0).permuted(np.repeat(["a", "b", "c"], [30, 20, 5]))


@pytest.mark.parametrize(
    ("folds", "theirs"),
    [
        (
            Folds(5, "stratified-shuffle", seed=3),
            StratifiedKFold(5, shuffle=True, random_state=3),
        ),
        (Folds(5, "stratified"), StratifiedKFold(5)),
        (Folds(5, "kfold"), KFold(5)),
        (4, StratifiedKFold(4)),
    ],
)
def test_are_the_folds_of_scikit_learn(folds, theirs):
    ours = resolve_splits(folds, LABELS)
    expected = list(theirs.split(LABELS, LABELS))
    assert len(ours) == len(expected)
    for our, their in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(our[0], their[0])
        np.testing.assert_array_equal(our[1], their[1])


@pytest.mark.parametrize("kind", ["stratified-shuffle", "stratified", "kfold"])
@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (3, 1, 1), (4, 4), (50, 1), (2, 2, 2, 2)])
def test_no_fold_has_fewer_than_two_examples(kind, counts):
    y = np.repeat(np.arange(len(counts)), counts)
    folds = Folds(5, kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits = resolve_splits(folds, y)
    assert len(splits) == folds.get_n_splits(y=y) <= min(5, len(y) // 2)
    assert all(len(test) >= 2 for _, test in splits)
    if splits:
        tested = np.sort(np.concatenate([test for _, test in splits]))
        np.testing.assert_array_equal(tested, np.arange(len(y)))


def test_two_examples_make_no_folds():
    assert resolve_splits(Folds(5), np.array(["a", "b"])) == []


def test_training_parts_of_one_class_make_no_splits_for_probes_that_need_two():
    y = np.array([0] * 9 + [1])
    assert len(resolve_splits(5, y)) == 5
    assert resolve_splits(5, y, each_needs_two_classes=True) == []


def test_takes_splitters_and_index_pairs():
    pairs = [(np.arange(40), np.arange(40, 55))]
    ours = resolve_splits(pairs, LABELS)
    np.testing.assert_array_equal(ours[0][1], pairs[0][1])
    assert len(resolve_splits(ShuffleSplit(1, random_state=0), LABELS)) == 1
