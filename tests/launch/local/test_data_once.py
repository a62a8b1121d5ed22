"""A plan looks at its data once, and what is finished needs no worker."""

import os
import shutil

import polars as pl
import pytest

from biobench import _remembering, launch
from biobench.data import contents, listing
from biobench.launch.cell import run_cell
from biobench.launch.local import pool


@pytest.fixture
def root(place, world, monkeypatch):
    """A data set of one's own that counts as large, and as written long ago."""
    monkeypatch.setattr(contents, "MIN_RECOGNISED", 0)
    monkeypatch.setattr(_remembering, "SETTLED", -(10**18))
    return shutil.copytree(world / "folder", place / "data" / "folder")


@pytest.fixture
def listed(monkeypatch):
    """The folders that were listed."""
    found = []
    original = listing._list_folder
    monkeypatch.setattr(
        listing, "_list_folder", lambda path, wanted: found.append(path) or original(path, wanted)
    )
    return found


def make_plan(place, root, n=2):
    images = [str(p.relative_to(root)) for p in root.rglob("*.*") if p.is_file()]
    for i in range(n):
        values = [[float(len(image)), float(i)] for image in images]
        vectors = pl.Series(values, dtype=pl.Array(pl.Float32, 2))
        path = place / f"{i}.parquet"
        if not path.exists():
            pl.DataFrame({"path": images, "feature": vectors}).write_parquet(path)
    settings = launch.Settings(
        tasks=["folder"],
        data=str(root.parent),
        device="cpu",
        results=str(place / "results"),
        args={"probe": "simpleshot", "n_workers": 0},
        features={f"v{i}": str(place / f"{i}.parquet") for i in range(n)},
    )
    return launch.make_plan(settings)


def run(plan):
    """Every cell in this process, as a worker does; what was seen is handed over."""
    checked = launch.check(plan)
    return [
        run_cell(plan, cell, device="cpu", seen=checked[cell.id].seen) for cell in plan.cells
    ], checked


def test_cells_of_a_plan_do_not_list_what_the_plan_has_seen(place, root, listed):
    run(make_plan(place, root, 1))
    plan = make_plan(place, root, 3)
    listed.clear()
    checked = launch.check(plan)
    assert all(here.seen for here in checked.values())
    assert len(listed) == len(set(listed)) > 0
    listed.clear()
    for cell in plan.cells:
        assert run_cell(plan, cell, device="cpu", seen=checked[cell.id].seen).state == "done"
    assert listed == []


def test_a_finished_plan_of_vectors_is_answered_without_a_worker(place, root, monkeypatch):
    states, _ = run(make_plan(place, root))
    assert [state.state for state in states] == ["done", "done"]
    monkeypatch.setattr(pool, "_Worker", lambda *given: pytest.fail("a worker was started"))
    plan = make_plan(place, root)
    again = launch.run(plan, checked=launch.check(plan))
    for before, after in zip(states, again, strict=True):
        assert (after.state, after.run, after.score) == ("done", before.run, before.score)
        assert tuple(after.ci) == tuple(before.ci)


def test_what_changed_is_not_answered(place, root):
    run(make_plan(place, root))
    plan = make_plan(place, root)
    os.utime(place / "0.parquet")
    answered = launch.checking.find_answered(plan, launch.check(plan))
    assert list(answered) == [plan.cells[1].id]
    picture = next(path for path in sorted(root.rglob("*.*")) if path.is_file())
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert launch.checking.find_answered(plan, launch.check(plan)) == {}


def test_a_picture_that_changes_while_a_plan_runs_makes_another_data_set(place, root):
    first, _ = run(make_plan(place, root, 1))
    plan = make_plan(place, root, 1)
    checked = launch.check(plan)
    picture = next(path for path in sorted(root.rglob("*.*")) if path.is_file())
    picture.write_bytes(picture.read_bytes() + b"\0")
    # The vectors are those of the pictures as they were when the plan began.
    state = run_cell(plan, plan.cells[0], device="cpu", seen=checked[plan.cells[0].id].seen)
    assert state.run == first[0].run
    states, _ = run(make_plan(place, root, 1))
    assert states[0].state == "done" and states[0].run != first[0].run
