"""Leaks and label traps: one sentence each, with the number that a count by hand gives."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.data import traps


def make(*rows, **columns):
    """Rows of image, split, label and, where given, group."""
    names = ("image", "split", "label", "group")
    table = pl.DataFrame(
        [dict(zip(names, (*row, None, None)[:4], strict=True)) for row in rows],
        schema=dict.fromkeys(names, pl.String),
    )
    return table.with_columns(
        pl.col("image").alias("example"), pl.lit(None, pl.String).alias("subtask"), **columns
    )


def find(table, contents=None):
    return {trap.kind: trap for trap in traps.find_traps(table, contents)}


SHARED = "test examples with a picture that is in training"
CLEAN = make(
    ("a", "train", "ant"), ("b", "train", "bee"), ("c", "test", "ant"), ("d", "test", "bee")
)


def test_good_data_has_no_trap():
    assert find(CLEAN, dict(zip("abcd", "1234", strict=True))) == {}


def test_the_same_content_on_both_sides_is_counted_whatever_it_is_called():
    contents = {"a": "1", "b": "2", "c": "1", "d": "4"}
    trap = find(CLEAN, contents)[SHARED]
    assert (trap.n, trap.examples) == (1, ("c",))
    assert "1 test examples" in trap.sentence and "'c'" in trap.sentence
    assert traps.find_shared(CLEAN, contents)["example"].to_list() == ["c"]


def test_another_spelling_of_a_path_is_the_same_picture():
    table = make(("x/a", "train", "ant"), ("x/b", "train", "bee"), ("./x/a", "test", "ant"))
    assert find(table)[SHARED].n == 1


def test_two_copies_in_test_alone_are_no_leak():
    assert SHARED not in find(CLEAN, {"a": "1", "b": "2", "c": "3", "d": "3"})


def test_a_picture_of_another_subtask_is_no_leak():
    table = CLEAN.with_columns(subtask=pl.Series(["s", "s", "t", "t"]))
    assert SHARED not in find(table, dict(zip("abcd", "1212", strict=True)))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=20))
def test_shared_pictures_are_those_that_a_loop_finds(rows):
    table = make(*((f"p{i}", "train" if t else "test", "x") for i, (t, _) in enumerate(rows)))
    contents = {f"p{i}": str(content) for i, (_, content) in enumerate(rows)}
    trained = {content for is_train, content in rows if is_train}
    expected = [f"p{i}" for i, (is_train, c) in enumerate(rows) if not is_train and c in trained]
    assert traps.find_shared(table, contents)["example"].to_list() == expected


def test_in_folds_a_picture_leaks_from_one_fold_into_another():
    table = CLEAN.with_columns(split=pl.lit("test"), fold=pl.Series([0, 0, 1, 1]))
    contents = {"a": "1", "b": "2", "c": "1", "d": "4"}
    assert traps.find_shared(table, contents)["example"].to_list() == ["a", "c"]
    # Two copies in one fold are trained on or tested together.
    assert not traps.find_shared(table, contents | {"c": "3", "b": "1"}).height


def test_groups_on_both_sides_are_counted():
    table = make(
        ("a", "train", "ant", "g"), ("b", "train", "bee", "h"), ("c", "test", "ant", "g"),
        ("d", "test", "bee"), ("e", "train", "bee"),
    )  # fmt: skip
    trap = find(table)["groups in training and in test"]
    assert (trap.n, trap.examples) == (1, ("g",))


def test_test_classes_that_training_lacks_are_counted():
    trap = find(make(("a", "train", "ant"), ("b", "test", "fly"), ("c", "test", "fly")))
    trap = trap["test classes that training lacks"]
    assert (trap.n, trap.examples) == (1, ("fly",))
    assert "2 examples" in trap.sentence


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ant", "Ant"),
        ("red ant", " red  ant "),
        ("caf\u00e9", "cafe\u0301"),
        ("ant", "\uff41\uff4e\uff54"),
        ("ant", "ant\u200b"),
        ("red_ant", "red ant"),
        ("red\u00a0ant", "red ant"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_labels_that_an_eye_cannot_tell_apart_are_named(one, other):
    found = find(make(("a", "train", one), ("b", "train", other), ("c", "test", one)))
    assert found["labels that differ only in writing"].n == 1


def test_01_beside_1_is_named_and_other_numbers_are_not():
    table = make(*((str(i), "train", x) for i, x in enumerate(("01", "1", "1.0", "10", "100"))))
    trap = find(table)["labels that are one number"]
    assert trap.n == 2 and "'01' and '1' and '1.0'" in trap.sentence


@pytest.mark.parametrize("label", ["nan", "NaN", "None", "null", " ", "N/A", "<NA>"])
def test_a_missing_value_as_a_class_is_named_with_its_examples(label):
    table = make(("a", "train", label), ("b", "train", "bee"), ("c", "test", label))
    trap = find(table)["classes that read as a missing value"]
    assert trap.n == 1 and "2 examples" in trap.sentence


def test_fewer_training_examples_than_neighbours_are_named():
    assert traps.find_voting_trap({"": 5}, 5) is None
    assert "only 4 training examples" in traps.find_voting_trap({"": 4}, 5).sentence
    trap = traps.find_voting_trap({"x": 3, "y": 9, "z": 4}, 5)
    assert trap.n == 2 and "in 2 of 3 subtasks" in trap.sentence


def test_vectors_of_zeros_and_equal_ones_are_counted():
    x = np.eye(4, dtype=np.float32)
    assert traps.find_vector_traps({"": x}, [x]) == []
    x[1] = 0
    (trap,) = traps.find_vector_traps({"": x}, [x, x])
    assert trap.n == 2 and "2 of 8" in trap.sentence
    (trap,) = traps.find_vector_traps({"": np.ones((3, 2))}, [np.ones((3, 2))])
    assert trap.n == 1 and "equal" in trap.sentence


def test_names_with_braces_and_escapes_stand_as_they_are_or_escaped():
    table = make(("{n}", "train", "{shown}"), ("./{n}", "test", "\x1b[31m"))
    sentences = [trap.sentence for trap in traps.find_traps(table)]
    assert "'./{n}'" in sentences[0] and all(text.isprintable() for text in sentences)


def test_vectors_that_differ_late_from_the_first_are_not_equal():
    x = np.ones((10_000, 3), np.float32)
    kinds = [trap.kind for trap in traps.find_vector_traps({"": x}, [x])]
    assert kinds == ["problems whose training vectors are all equal"]
    x[-1, 2] = 2
    assert traps.find_vector_traps({"": x}, [x]) == []


def test_groups_that_are_the_classes_themselves_are_no_leak():
    table = make(
        ("a", "train", "ant", "ant"), ("b", "test", "ant", "ant"), ("c", "train", "b", "b")
    )
    assert "groups in training and in test" not in find(table)
