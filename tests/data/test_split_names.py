"""Names of splits: what is meant is understood and said, what could mean two things is refused."""

import pytest

from biobench.data import split_names
from biobench.errors import BadInput


@pytest.mark.parametrize(
    ("name", "role"),
    [
        *((name, "train") for name in ("train", "Train", "TRAINING", "train_set", "training-data")),
        *(
            (name, "test")
            for name in ("test", "Test", "testing", "test images", "TestSet", "ｔｅｓｔ")
        ),
        *((name, "val") for name in ("val", "Valid", "validation", "Validation_Set", "val-split")),
        *((name, None) for name in ("ants", "Testudo", "Valeriana", "nest", "rest", "brain", "12")),
    ],
)
def test_a_role_is_read_from_any_writing(name, role):
    assert split_names.read_role(name) == role


@pytest.mark.parametrize(
    ("name", "near"),
    [
        *((name, True) for name in ("train_old", "test2", "train2017", "myTrain", "traning")),
        *((name, True) for name in ("tset", "dev", "holdout", "unlabeled", "final test")),
        *((name, False) for name in ("train", "Testudo", "Valeriana", "nest", "brain", "set", "a")),
    ],
)
def test_what_could_be_a_split_or_not_is_a_near_miss(name, near):
    assert split_names.is_near_miss(name) == near


def test_other_spellings_are_understood_and_said():
    found = split_names.read_layout(["Training", "test_set", "extra"], "here")
    assert found.roles == {"Training": "train", "test_set": "test"}
    assert found.unused == {"extra": "pictures outside the splits"}
    assert any("'Training' is taken as the training split" in note for note in found.notes)


def test_validation_is_tested_on_only_where_there_is_no_test():
    alone = split_names.read_layout(["train", "val"], "here")
    assert alone.roles == {"train": "train", "val": "test"}
    assert "no test split" in alone.notes[0]
    beside = split_names.read_layout(["train", "val", "test"], "here")
    assert beside.roles == {"train": "train", "test": "test"}
    assert list(beside.unused) == ["val"]


@pytest.mark.parametrize(
    "tops",
    [
        ["train", "Train", "test"],
        ["train", "training", "val"],
        ["train"],
        ["train", "ants"],
        ["Test", "ants", "bees"],
        ["ants", "train_old"],
        ["trian", "test2"],
    ],
)
def test_a_layout_that_could_mean_two_things_is_refused_with_what_to_do(tops):
    with pytest.raises(BadInput, match=r"here: .*(rename|merge)"):
        split_names.read_layout(tops, "here")


def test_classes_are_classes():
    names = ["Testudo", "Valeriana", "nest", "rest", "Trainia", "1"]
    assert split_names.read_layout(names, "here") == split_names.Layout({})


def test_a_split_column_with_two_spellings_is_one_split_with_a_word():
    found = split_names.read_splits(["train", "Train ", "val", "test", "spare"], "table")
    assert found.roles == {"train": "train", "Train ": "train", "test": "test"}
    assert set(found.unused) == {"val", "spare"}
    assert "training as 'Train ' and 'train': taken as one" in found.notes[0]
    with pytest.raises(BadInput, match="'traning'"):
        split_names.read_splits(["traning", "test"], "table")
