"""Which cells are finished, told without loading a model."""

import os

import polars as pl
import pytest

import small_checkpoints
from biobench import launch, results
from biobench.launch.cell import run_cell

MODULE = """
import fakes
from biobench.registry import register_vision_backbone


class Mine(fakes.Fake):
    pass


register_vision_backbone("mine", Mine)
"""


def write_module(place, world):
    (place / "mine.py").write_text(MODULE)
    return place / "mine.py", {"models": ["mine:1"], "imports": ["mine"]}


def write_checkpoint(place, world):
    path = small_checkpoints.save_timm(place, "test_resnet")
    return path, {"models": [f"timm:local:test_resnet/{path}"]}


def write_vectors(place, world):
    folder = world / "folder"
    images = [str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.is_file()]
    vectors = pl.Series([[float(len(p)), 1.0] for p in images], dtype=pl.Array(pl.Float32, 2))
    pl.DataFrame({"path": images, "feature": vectors}).write_parquet(place / "v.parquet")
    return place / "v.parquet", {"features": {"mine": str(place / "v.parquet")}}


def make_plan(place, world, **fields):
    settings = launch.Settings(
        tasks=["folder"],
        data=str(world),
        device="cpu",
        results=str(place / "results"),
        args={"probe": "simpleshot", "n_workers": 0},
        **fields,
    )
    plan = launch.make_plan(settings)
    return plan, launch.check(plan)


@pytest.mark.parametrize("write", [write_module, write_checkpoint, write_vectors])
def test_a_cell_whose_model_may_have_changed_is_not_finished_until_it_was_run_again(
    write, place, world
):
    path, fields = write(place, world)
    plan, checked = make_plan(place, world, **fields)
    (cell,) = plan.cells

    def is_finished():
        return cell.id in launch.find_finished(plan, checked)

    def run():
        assert run_cell(plan, cell, device="cpu").state == "done"
        return results.scan(plan.results).runs.height

    assert not is_finished()
    assert run() == 1 and is_finished()
    # Written again, even with an older date, as a copy keeps it.
    path.write_bytes(path.read_bytes())
    os.utime(path, (0, 0))
    assert not is_finished()
    # The same weights after all: found out once, and no second run of them.
    assert run() == 1 and is_finished()


def test_a_cell_whose_model_changed_while_it_ran_is_not_finished(place, world):
    path, fields = write_vectors(place, world)
    plan, checked = make_plan(place, world, **fields)

    def rewrite(stage, done, total):
        path.write_bytes(path.read_bytes())

    state = run_cell(plan, plan.cells[0], device="cpu", on_progress=rewrite)
    assert state.state == "done" and state.started < path.stat().st_mtime
    assert launch.find_finished(plan, checked) == {}


@pytest.mark.parametrize("fault", ["absent", "damaged"])
def test_a_cell_without_a_readable_run_is_not_finished(fault, place, world):
    plan, checked = make_plan(place, world, models=["fake:1"], imports=["fakes"])
    if fault == "damaged":
        state = run_cell(plan, plan.cells[0], device="cpu")
        (plan.results / state.run / "report.json").write_text("{")
    assert launch.find_finished(plan, checked) == {}
