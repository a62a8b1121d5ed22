"""A split by cameras, days, observers or a column tears none, and says what it cannot do."""

import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from biobench.data import splitting
from biobench.data.split_by import describe_torn, keep_together
from biobench.errors import BadInput


def make(**columns):
    n = len(next(iter(columns.values())))
    names = [f"{i}.jpg" for i in range(n)]
    return pl.DataFrame({"image": names, "example": names, **columns})


def keep(table, what, **options):
    return keep_together(table, what, source="t.csv", **options)


worlds = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 6), st.integers(0, 9)), min_size=6, max_size=60
)


@settings(max_examples=80, deadline=None)
@given(worlds, st.integers(0, 3), st.randoms(use_true_random=False), st.booleans())
def test_no_value_is_on_both_sides_whatever_the_order_of_rows(rows, seed, random, has_groups):
    labels, cameras, groups = (list(map(str, column)) for column in zip(*rows, strict=True))
    table = make(label=labels, camera=cameras)
    if has_groups:
        # Deployments of cameras: a group is of one camera.
        table = table.with_columns(group=pl.col("camera") + pl.Series(groups))
    assume(len(set(cameras)) > 1)
    kept = keep(table, "camera")
    assert not any("not kept whole" in note for note in kept.notes)
    try:
        found = splitting.split(labels, kept.units, seed=seed, unit_name=kept.one).is_test
    except BadInput as err:
        assert "camera" in str(err)
        return
    sides = table.with_columns(test=pl.Series(found))
    for column in ("camera", "group") if has_groups else ("camera",):
        torn = sides.group_by(column).agg(pl.col("test").n_unique().alias("n"))
        assert torn["n"].max() == 1
    order = list(range(len(rows)))
    random.shuffle(order)
    again = keep(table[order], "camera")
    assert again.units == [kept.units[i] for i in order]
    shuffled = splitting.split([labels[i] for i in order], again.units, seed=seed).is_test
    np.testing.assert_array_equal(shuffled, found[order])


@settings(max_examples=40, deadline=None)
@given(worlds, st.integers(2, 4))
def test_folds_by_camera_are_those_of_scikit_learn_and_tear_no_camera(rows, n_folds):
    labels, cameras, _ = (np.array(column).astype(str) for column in zip(*rows, strict=True))
    assume(len(set(cameras)) >= n_folds)
    kept = keep(make(label=labels.tolist(), camera=cameras.tolist()), "camera")
    try:
        found = splitting.fold(labels, kept.units, n_folds, seed=0)
    except BadInput:
        return
    assert all(len(set(found[cameras == camera])) == 1 for camera in set(cameras))
    order = np.lexsort((labels, np.array(kept.units)))
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        # Of classes smaller than the number of folds.
        warnings.simplefilter("ignore", UserWarning)
        parts = list(splitter.split(order, labels[order], np.array(kept.units)[order]))
    for number, (_, test) in enumerate(parts):
        assert set(order[test]) == set(np.flatnonzero(found == number))
    single = {label for label in set(labels) if len(set(cameras[labels == label])) == 1}
    said = describe_torn(labels.tolist(), kept)
    assert bool(single) == bool(said)
    if single:
        assert said[0].startswith(f"{len(single)} class") and min(single) in said[0]


def test_classes_of_one_camera_are_counted_and_named():
    table = make(label=["a", "a", "b", "b", "c", "c"], camera=["1", "2", "1", "2", "2", "2"])
    kept = keep(table, "camera")
    found = splitting.split(table["label"].to_list(), kept.units, seed=0, unit_name=kept.one)
    assert found.only_in_train == ["c"]
    assert "1 class of one camera or picture only (c)" in found.notes[0]


@pytest.mark.parametrize(
    ("what", "column"),
    [
        ("camera", "Camera ID"),
        ("camera", "locationID"),
        ("camera", "deployment"),
        ("observer", "recordedBy"),
        ("observer", "user_login"),
        ("date", "eventDate"),
        ("Transect No", "transect_no"),
        ("site", "site"),
    ],
)
def test_a_column_is_known_under_the_names_that_programs_give_it(what, column):
    values = ["2024-05-01", "2024-05-02"] if what == "date" else ["1", "2"]
    kept = keep(make(label=["a", "b"], **{column: values}), what)
    assert kept.units == [f"value/{value}" for value in values]
    assert any(f"the column '{column}'" in note for note in kept.notes)


def test_a_column_that_became_the_group_is_found_by_its_own_name():
    table = make(label=["a", "b"], group=["1", "2"])
    assert keep(table, "camera", names={"group": "camera_id"}).values.to_list() == ["1", "2"]
    with pytest.raises(BadInput, match="nothing to split by camera"):
        keep(table, "camera", names={"group": "specimen"})


def test_a_date_is_a_day_and_one_that_is_unsure_is_refused():
    days = ["2024-05-01 23:59:00", "2024:05:01 00:00:01", "2024-05-02", ""]
    kept = keep(make(label=list("abcd"), date=days), "date")
    assert kept.units == ["value/2024-05-01"] * 2 + ["value/2024-05-02", "none"]
    assert "Pictures without a day are kept together, as if of one: 1." in kept.notes
    with pytest.raises(BadInput, match=r"'05/01/2024'\); write them as"):
        keep(make(label=["a", "b"], date=["2024-05-02", "05/01/2024"]), "date")


def test_groups_stay_whole_where_that_leaves_something_to_part():
    # One specimen was photographed by two people.
    table = make(label=["a"] * 6, observer=list("xyzuvw"), group=["g", "g", "h", "i", "j", "k"])
    kept = keep(table, "observer")
    assert kept.units[0] == kept.units[1] and len(set(kept.units)) == 5
    # Each deployment lasts all days, so that no day would be apart from another.
    table = make(label=["a"] * 4, date=["2024-05-01", "2024-05-02"] * 2, group=list("ggff"))
    kept = keep(table, "date")
    assert len(set(kept.units)) == 2
    assert any("not kept whole" in note for note in kept.notes)


def test_what_cannot_be_split_by_is_refused_with_what_there_is():
    with pytest.raises(BadInput, match=r"nothing to split by camera \(columns: none besides"):
        keep(make(label=["a", "b"]), "camera")
    with pytest.raises(BadInput, match=r"\(columns: site\).*Did you mean 'site'"):
        keep(make(label=["a", "b"], site=["1", "2"]), "sites")
    with pytest.raises(BadInput, match="all pictures are of one camera"):
        keep(make(label=["a", "b"], camera=["1", "1"]), "camera")
