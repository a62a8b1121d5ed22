"""Which cells are finished, told without loading a model."""

import os
import pathlib
import shutil

import polars as pl
import pytest

import small_checkpoints
from biobench import launch, results
from biobench.data import contents
from biobench.errors import BadInput
from biobench.launch.cell import run_cell

MODULE = """
import fakes
from biobench.registry import register_vision_backbone


class Mine(fakes.Fake):
    pass


register_vision_backbone("mine", Mine)
"""


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
        args={"probe": "simpleshot", "n_workers": 0, **fields.pop("args", {})},
        **fields,
    )
    plan = launch.make_plan(settings)
    return plan, launch.check(plan)


@pytest.mark.parametrize("write", [write_checkpoint, write_vectors])
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


def test_another_pooling_of_a_model_is_another_cell_and_its_report_says_which(place, world):
    _, fields = write_checkpoint(place, world)
    plan, checked = make_plan(place, world, **fields)
    assert run_cell(plan, plan.cells[0], device="cpu").state == "done"
    other, known = make_plan(place, world, args={"pool": "max"}, **fields)
    assert launch.find_finished(plan, checked) and launch.find_finished(other, known) == {}
    assert run_cell(other, other.cells[0], device="cpu").state == "done"
    assert launch.find_finished(other, known)
    runs = results.scan(plan.results).runs.sort("posix_time")
    reports = [results.read_report(pathlib.Path(run)) for run in runs["run"]]
    backbones = [report["provenance"]["backbone"] for report in reports]
    assert [one["pooling"]["pool"] for one in backbones] == ["mean", "max"]
    assert [one.get("choices") for one in backbones] == [None, {"pool": "max"}]
    assert backbones[0]["digest"] != backbones[1]["digest"]


def test_what_a_model_does_not_take_is_refused_before_anything_is_run(place, world):
    fields = {"models": ["baseline:color-hist"], "args": {"image_size": 64}}
    with pytest.raises(BadInput, match="baseline:color-hist takes no --image-size"):
        make_plan(place, world, **fields)


@pytest.mark.parametrize("exchange", ["link", "folder"])
@pytest.mark.parametrize("write", [write_checkpoint, write_vectors])
def test_a_model_that_is_exchanged_for_an_older_one_is_not_finished(exchange, write, place, world):
    files, names = {}, ("now", "other")
    for name in names:
        (place / name).mkdir()
        files[name], _ = write(place / name, world)
        # All that a date could say: both were written long before the run.
        os.utime(files[name], (1, 1))
    used = place / "used"
    if exchange == "link":
        used.symlink_to(place / "now")
    else:
        (place / "now").rename(used)
    path = used / files["now"].name
    fields = {"features": {"mine": str(path)}}
    if write is write_checkpoint:
        fields = {"models": [f"timm:local:test_resnet/{path}"]}
    plan, checked = make_plan(place, world, **fields)
    (cell,) = plan.cells
    assert run_cell(plan, cell, device="cpu").state == "done"
    assert cell.id in launch.find_finished(plan, checked)
    if exchange == "link":
        used.unlink()
        used.symlink_to(place / "other")
    else:
        used.rename(place / "kept")
        (place / "other").rename(used)
    assert launch.find_finished(plan, checked) == {}


# Names that no other test's modules have: Python imports a name once a process.
HELPER = "def scale(features):\n    return features * {}\n"
ADAPTER = MODULE.replace("import fakes", "import fakes\nfrom checked_helper import scale").replace(
    "    pass",
    """    def img_encode(self, batch):
        encoded = super().img_encode(batch)
        return type(encoded)(scale(encoded.img_features), None)""",
)


def test_a_helper_of_an_adapter_counts_as_its_code(place, world):
    (place / "checked_adapter.py").write_text(ADAPTER)
    (place / "checked_helper.py").write_text(HELPER.format(1))
    plan, checked = make_plan(place, world, models=["mine:1"], imports=["checked_adapter"])
    assert run_cell(plan, plan.cells[0], device="cpu").state == "done"
    os.utime(place / "checked_helper.py", (10**9, 2 * 10**9))
    assert plan.cells[0].id in launch.find_finished(plan, checked)
    (place / "checked_helper.py").write_text(HELPER.format(3))
    os.utime(place / "checked_helper.py", (1, 1))
    assert launch.find_finished(plan, checked) == {}


def test_pictures_exchanged_for_others_of_equal_size_and_time_are_not_finished(place, world):
    root = place / "data"
    shutil.copytree(world / "folder", root / "folder")
    plan, checked = make_plan(place, root, models=["fake:1"], imports=["fakes"])
    (cell,) = plan.cells
    assert run_cell(plan, cell, device="cpu").state == "done"
    plan, checked = make_plan(place, root, models=["fake:1"], imports=["fakes"])
    assert cell.id in launch.find_finished(plan, checked)
    a, b = root / "folder" / "ants", root / "folder" / "bees"
    a.rename(root / "x")
    b.rename(a)
    (root / "x").rename(b)
    plan, checked = make_plan(place, root, models=["fake:1"], imports=["fakes"])
    assert launch.find_finished(plan, checked) == {}


def test_pictures_whose_contents_are_forgotten_are_read_where_a_run_is_there(place, world):
    plan, _ = make_plan(place, world, models=["fake:1"], imports=["fakes"])
    (cell,) = plan.cells
    assert run_cell(plan, cell, device="cpu").state == "done"
    shutil.rmtree(contents.contents_root())
    plan, checked = make_plan(place, world, models=["fake:1"], imports=["fakes"])
    assert checked[cell.id].protocol_digest == ""
    assert cell.id in launch.find_finished(plan, checked)
    # And where none is there, nothing is read for it.
    shutil.rmtree(contents.contents_root())
    shutil.rmtree(plan.results / "folder")
    assert launch.find_finished(plan, checked) == {}
    assert not contents.contents_root().exists()


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
