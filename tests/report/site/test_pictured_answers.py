"""Which examples the pages of pictures show, against counting by hand and scikit-learn."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix

from biobench.report.site.confused_classes import find_confusions
from biobench.report.site.disagreements import KINDS, find_disagreements, pick
from biobench.report.site.mistakes import find_mistakes, pick_mistakes

LABELS = ["ant", "bee", "cicada"]
rows_of_two = st.lists(
    st.tuples(*[st.sampled_from(LABELS)] * 3, st.floats(0, 1), st.floats(0, 1)), min_size=1
)


def make(truth, answer, sureness=None, **more):
    n = len(truth)
    return pl.DataFrame(
        {
            "subtask": pl.Series([None] * n, dtype=pl.String),
            "example": [f"e{i}" for i in range(n)],
            "group": pl.Series([None] * n, dtype=pl.String),
            "truth": truth,
            "answer": pl.Series(answer, dtype=pl.String),
            "sureness": pl.Series(sureness or [None] * n, dtype=pl.Float64),
            "image": [f"{i}.jpg" for i in range(n)],
            "box": pl.Series([None] * n, dtype=pl.List(pl.Float64)),
            **more,
        }
    ).with_columns(is_right=(pl.col("truth") == pl.col("answer")).fill_null(False))


@given(rows_of_two)
def test_every_example_of_two_models_is_counted_once_and_by_who_is_right(rows):
    truth, a, b, sure_a, sure_b = map(list, zip(*rows, strict=True))
    found = find_disagreements(make(truth, a, sure_a), make(truth, b, sure_b))
    pairs = list(zip(truth, a, b, strict=True))
    assert found.counts == {
        "both-right": sum(t == x == y for t, x, y in pairs),
        "a": sum(t == x != y for t, x, y in pairs),
        "b": sum(t == y != x for t, x, y in pairs),
        "both-wrong": sum(t not in (x, y) for t, x, y in pairs),
    }
    assert found.by_class["n"].sum() == len(rows)
    for kind in KINDS:
        assert found.by_class[kind].sum() == found.counts[kind]
        shown = pick(found.table, kind, 4)
        assert shown.height == min(4, found.counts[kind])
        wanted = min(4, found.table.filter(pl.col("kind") == kind)["truth"].n_unique())
        assert shown["truth"].n_unique() == wanted


def test_an_example_that_only_one_model_was_asked_about_is_no_disagreement():
    both = find_disagreements(make(["ant", "ant"], ["ant", "bee"]), make(["ant"], ["bee"]))
    assert both.counts == {"a": 1, "b": 0, "both-wrong": 0, "both-right": 0}


def test_a_picture_that_could_not_be_read_is_wrong():
    found = find_disagreements(make(["ant"], [None]), make(["ant"], ["ant"]))
    assert found.counts["b"] == 1
    assert find_mistakes({"m": make(["ant"], [None])})["n_wrong"].to_list() == [1]


def test_what_all_models_have_wrong_comes_first_and_among_these_what_they_agree_on():
    truth = ["ant"] * 4
    answers = {
        "x": make(truth, ["ant", "bee", "bee", "ant"]),
        "y": make(truth, ["bee", "bee", "cicada", "ant"]),
        "z": make(truth, ["ant", "bee", "ant", "ant"]),
    }
    found = find_mistakes(answers)
    assert found["example"].to_list() == ["e1", "e2", "e0"]
    assert found["n_wrong"].to_list() == [3, 2, 1] and found["n"].to_list() == [3, 3, 3]
    assert found["wrong"].to_list() == [["x", "y", "z"], ["x", "y"], ["y"]]


def test_a_model_s_surest_mistake_is_shown_though_the_others_are_right():
    n = 100
    truth = ["ant"] * n
    hard = ["bee"] * 90 + ["ant"] * 10
    sure = ["bee"] * 91 + ["ant"] * 9
    surenesses = [0.5] * 90 + [0.9] + [0.5] * 9
    answers = {"x": make(truth, hard, [0.5] * n), "y": make(truth, sure, surenesses)}
    table = find_mistakes(answers)
    shown = pick_mistakes(table, 40)
    assert shown.height == 40 and "e90" in shown["example"].to_list()
    assert shown["n_wrong"].to_list() == sorted(shown["n_wrong"], reverse=True)


@given(rows_of_two)
def test_cells_and_pairs_are_those_of_scikit_learn_s_matrix(rows):
    truth, answer, *_ = map(list, zip(*rows, strict=True))
    found = find_confusions(make(truth, answer))
    # A class that nobody has keeps scikit-learn from warning of a matrix of one cell.
    expected = confusion_matrix(truth, answer, labels=[*found.classes, "none"])
    ours = np.zeros_like(expected)
    for i, j, n in found.cells:
        ours[i, j] = n
    assert (ours == expected).all() and set(found.classes) == {*truth, *answer}
    for t, a, n, n_truth in found.pairs.rows():
        i, j = found.classes.index(t), found.classes.index(a)
        assert (n, n_truth) == (expected[i, j], expected[i].sum())


def test_classes_that_are_confused_stand_beside_each_other():
    truth = [name for name in "adbecf" for _ in range(10)]
    twin = dict(zip("abcdef", "defabc", strict=True))
    answer = [name if i % 2 else twin[name] for i, name in enumerate(truth)]
    found = find_confusions(make(truth, answer))
    places = {name: i for i, name in enumerate(found.classes)}
    assert found.order == "clustering"
    assert all(abs(places[name] - places[twin[name]]) == 1 for name in "abcdef")


def test_relatives_stand_beside_each_other_where_the_task_knows_them():
    truth = ["a", "b", "c", "d"]
    genus = ["Zerynthia", "Aglais", "Zerynthia", "Aglais"]
    found = find_confusions(make(truth, ["b", "b", "c", "d"], rank_genus=genus))
    assert found.order == "taxonomy" and list(found.classes) == ["b", "d", "a", "c"]


@pytest.mark.parametrize(("n_confused", "n_shown"), [(300, 301), (2_000, 1_000)])
def test_of_many_classes_the_matrix_has_those_that_are_confused(n_confused, n_shown):
    truth = [f"c{i:04}" for i in range(3_000)] * 2
    answer = [truth[i + 1] if i < n_confused else truth[i] for i in range(6_000)]
    found = find_confusions(make(truth, answer))
    assert found.n_classes == 3_000 and len(found.classes) == n_shown
    assert set(found.classes) <= {f"c{i:04}" for i in range(n_confused + 1)}
