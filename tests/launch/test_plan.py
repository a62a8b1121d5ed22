"""A plan's cells, their order and identity, and that bad input is found before any work."""

import dataclasses
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import worlds
from biobench import launch
from biobench.errors import BadInput
from biobench.launch.plan import Plan


def make(**fields):
    defaults = dict(models=["baseline:color-hog"], tasks=["newt"], data="/data", device="cpu")
    return launch.make_plan(launch.Settings(**{**defaults, **fields}))


def test_a_preset_is_named_wherever_a_cell_is_and_changes_no_other_cell():
    plain = make().cells[0]
    (cell,) = make(args={"protocol": "2026"}, n_train=5).cells
    assert plain.label == "newt · baseline:color-hog"
    assert cell.label == "newt [2026] (5 a class) · baseline:color-hog"
    assert cell.make_args().protocol == "2026" and plain.make_args().protocol == "original"


def test_the_grid_is_every_model_task_size_and_seed_one_model_after_the_other():
    plan = make(models=["timm:b", "timm:a"], tasks=["newt", "kabr"], n_train=[1, 5], seeds=[1, 2])
    found = [(c.model_name, c.task, c.args["n_train"], c.args["seed"]) for c in plan.cells]
    assert found == [
        (model, task, n, seed)
        for model in ("timm:b", "timm:a")
        for task in ("newt", "kabr")
        for n in (1, 5)
        for seed in (1, 2)
    ]


def test_a_tasks_own_table_overrides_the_grid_and_the_common_keys():
    tables = {"newt": {"n_train": 3, "seeds": [7, 8], "probe": "knn"}, "kabr": {"frame_agg": "max"}}
    plan = make(tasks=tables, n_train=[1, 2], args={"probe": "ridge"})
    newt = [cell.args for cell in plan.cells if cell.task == "newt"]
    kabr = [cell.args for cell in plan.cells if cell.task == "kabr"]
    assert [(a["n_train"], a["seed"], a["probe"]) for a in newt] == [(3, 7, "knn"), (3, 8, "knn")]
    assert [(a["n_train"], a["frame_agg"], a["probe"]) for a in kabr] == [
        (1, "max", "ridge"),
        (2, "max", "ridge"),
    ]


def test_many_folder_tasks_stand_side_by_side_under_their_own_names():
    tables = {
        "birds": {"kind": "folder", "datadir": "/b"},
        "moths": {"kind": "folder", "datadir": "/m", "title": "Night moths"},
    }
    plan = make(tasks=tables, data="")
    assert [(c.task, c.kind, c.args["datadir"], c.args["title"]) for c in plan.cells] == [
        ("birds", "folder", "/b", "birds"),
        ("moths", "folder", "/m", "Night moths"),
    ]


def test_data_is_looked_for_in_a_folder_a_task_and_pictures_may_be_the_root_itself(tmp_path):
    (folder,) = make(tasks=["folder"], data=str(tmp_path)).cells
    assert folder.args["datadir"] == str(tmp_path)
    (tmp_path / "folder").mkdir()
    (folder,) = make(tasks=["folder"], data=str(tmp_path)).cells
    assert folder.args["datadir"] == str(tmp_path / "folder")
    (newt,) = make(data=str(tmp_path)).cells
    assert newt.args["datadir"] == str(tmp_path / "newt")


def test_vectors_from_a_file_are_a_model_of_their_own(tmp_path):
    plan = make(models=[], features={"mine": "v.parquet"})
    assert plan.cells[0].model == ("features", "mine")
    assert plan.cells[0].args["features"].endswith("/v.parquet")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (dict(models=[]), ["--models"]),
        (dict(tasks=[]), ["--tasks"]),
        (dict(models=["resnet50"]), ["resnet50", "ORG:CKPT"]),
        (dict(models=["features:x"]), ["features:x", "--features"]),
        (dict(tasks=["newts"]), ["newts", "Did you mean 'newt'"]),
        (dict(tasks=["birds"]), ["birds", "kind = 'folder'"]),
        (dict(tasks={"birds": {"kind": "foldr"}}), ["foldr", "Did you mean 'folder'"]),
        (dict(tasks={"birds": {"kind": 3}}), ["kind", "[tasks.birds]"]),
        (dict(tasks={"kabr": {"frame_ag": "max"}}), ["frame_ag", "[tasks.kabr]", "'frame_agg'"]),
        (dict(tasks={"kabr": {"frame_agg": "median"}}), ["frame_agg", "'mean' or 'max'"]),
        (dict(tasks={"newt": {"device": "cpu"}}), ["device", "[tasks.newt]"]),
        (dict(data=""), ["newt", "--data ROOT"]),
        (dict(imports=["no_such_module"]), ["no_such_module"]),
    ],
)
def test_what_cannot_be_a_plan_is_said_in_one_sentence(fields, words):
    with pytest.raises(BadInput) as caught:
        make(**fields)
    for word in words:
        assert word in str(caught.value)


def test_a_plan_is_the_same_plan_however_it_is_run_and_another_with_other_cells(tmp_path):
    plan = make(models=["timm:a", "timm:b"])
    again = make(models=["timm:b", "timm:a"], jobs=4, device="auto", resume=False)
    assert plan.id == again.id
    assert plan.id != make(models=["timm:a"]).id
    assert plan.id != make(models=["timm:a", "timm:b"], seeds=1).id


def test_a_saved_plan_is_read_back_and_may_have_moved(tmp_path):
    plan = make(tasks={"kabr": {"frame_agg": "max"}}, results=str(tmp_path / "here"), seeds=[1, 2])
    plan.save()
    (tmp_path / "here").rename(tmp_path / "there")
    read = Plan.read(tmp_path / "there" / ".launch" / plan.id)
    assert read == dataclasses.replace(plan, results=tmp_path / "there")


def test_a_results_folder_that_cannot_be_written_is_bad_input(tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(BadInput, match=r"results cannot be written .*--results"):
        make(results=str(tmp_path / "results")).save()


def test_a_damaged_plan_is_bad_input(tmp_path):
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(BadInput, match=r"plan\.json"):
        Plan.read(tmp_path)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["timm:a", "timm:b", "open-clip:x/y"]), min_size=1),
    st.lists(st.integers(1, 5), min_size=1),
    st.lists(st.integers(0, 3), min_size=1),
)
def test_cells_are_never_twice_in_a_plan_and_ids_are_file_names(models, sizes, seeds):
    plan = make(models=models, n_train=sizes, seeds=seeds)
    ids = [cell.id for cell in plan.cells]
    assert len(set(ids)) == len(ids) == len(set(models)) * len(set(sizes)) * len(set(seeds))
    assert all("/" not in id and len(id) < 120 for id in ids)
    json.dumps([cell.args for cell in plan.cells])


class TestCheck:
    def test_pictures_are_counted_by_split(self, tmp_path):
        worlds.newt(tmp_path / "newt")
        worlds.folder(tmp_path / "folder")
        plan = make(tasks=["newt", "folder"], data=str(tmp_path))
        checked = launch.check(plan)
        newt, folder = (checked[cell.id] for cell in plan.cells)
        assert newt.n_images == len(list((tmp_path / "newt/newt2021_images").iterdir()))
        pictures = [p for p in (tmp_path / "folder").rglob("*") if p.suffix.lower() in SUFFIXES]
        assert folder.n_images == sum(folder.by_split.values()) == len(pictures)

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            (dict(device="cuda"), ["cuda"]),
            (dict(device="tpu"), ["tpu"]),
            (dict(models=["baseline:no-such"]), ["no-such"]),
            (dict(models=["timn:resnet50"]), ["timn", "Did you mean 'timm'"]),
            (dict(models=["fake:x"], imports=["fakes"]), ["fake:x", "give a number"]),
            (dict(args={"probe": "rigde"}), ["rigde"]),
            (dict(n_train=0), ["n_train"]),
            (dict(tasks=["newt", "kabr"]), ["kabr"]),
            (dict(models=[], features={"m": "/none.parquet"}), ["none.parquet"]),
        ],
    )
    def test_bad_input_is_found_for_the_whole_plan(self, tmp_path, monkeypatch, fields, words):
        import torch

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.syspath_prepend(str(__file__).rpartition("/")[0])
        worlds.newt(tmp_path / "newt")
        with pytest.raises(BadInput) as caught:
            launch.check(make(data=str(tmp_path), **fields))
        for word in words:
            assert word in str(caught.value)


SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


@pytest.mark.parametrize("field", ["data", "models", "results"])
def test_a_name_that_is_not_utf_8_is_refused_before_anything_is_run(field):
    settings = {"models": ["timm:a"], "tasks": ["newt"], "data": "/data", "results": "/results"}
    bad = "timm:caf\udce9"
    settings[field] = [bad] if field == "models" else bad
    with pytest.raises(BadInput, match="not UTF-8"):
        launch.make_plan(launch.Settings(**settings))
