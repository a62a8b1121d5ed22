import tomllib
from pathlib import Path

import pytest
import tyro
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.args import PictureArgs
from biobench.commands import flags
from biobench.commands.running import Run
from biobench.errors import BadInput
from biobench.fields import list_flags
from biobench.launch.config import Settings, load
from biobench.launch.reproduce import CONFIG, reproduce_command, reproduce_config

INTEGERS = st.integers(-(2**63), 2**63 - 1)
"""those that TOML has."""


def make(**fields):
    config = {
        "task": "newt",
        "kind": "newt",
        "model": "open-clip:ViT-B-16/openai",
        "args": {"datadir": "/data/newt", "n_train": -1, "seed": 42},
        "imports": [],
        "search": [],
        "device": "cpu",
    }
    return {"run": "r", "argv": ["biobench", "run"], "config": config | fields}


def test_a_core_task_is_run_again_by_flags():
    words = reproduce_command(make(), results="again")
    assert words == [
        *("biobench", "run", "--tasks", "newt", "--models", "open-clip:ViT-B-16/openai"),
        *("--data", "/data", "--device", "cpu", "--n-train", "-1", "--seeds", "42"),
        *("--results", "again", "--force"),
    ]
    assert reproduce_config(make()) is None


def test_what_was_set_is_set_again():
    args = {"datadir": "/data/newt", "n_train": 10, "seed": 1, "probe": "knn", "exif": True}
    words = reproduce_command(make(args=args, imports=["mine"], search=["/code"]))
    text = " ".join(words)
    assert text.startswith("env PYTHONPATH=/code biobench run --tasks newt")
    for part in ("--n-train 10", "--seeds 1", "--probe knn", "--exif", "--imports mine"):
        assert part in text


def test_vectors_computed_elsewhere_are_named_again():
    args = {"datadir": "/data/newt", "features": "/vectors/mine.parquet"}
    text = " ".join(reproduce_command(make(model="features:mine", args=args)))
    assert "--features /vectors/mine.parquet --name mine" in text


def test_a_task_of_the_user_s_own_is_run_again_from_a_config_file():
    args = {"datadir": "/photos/my birds", "root": "/photos", "n_train": 5, "seed": 3}
    report = make(task="my.birds", kind="folder", args=args)
    assert reproduce_command(report)[:3] == ["biobench", "run", "reproduce.toml"]
    config = tomllib.loads(reproduce_config(report))
    assert config["models"] == ["open-clip:ViT-B-16/openai"]
    assert config["tasks"] == {
        "my.birds": {
            "kind": "folder",
            "n_train": 5,
            "seeds": 3,
            "datadir": "/photos/my birds",
            "root": "/photos",
        }
    }


@given(st.dictionaries(st.text(min_size=1), st.text() | st.booleans() | st.lists(INTEGERS)))
def test_any_option_of_a_task_comes_back_from_the_config_file(options):
    own = {f"my {name}": value for name, value in options.items()}
    report = make(task="a", kind="folder", args=own)
    table = tomllib.loads(reproduce_config(report))["tasks"]["a"]
    assert {name: table[name] for name in own} == own


def test_the_command_line_takes_the_command():
    args = {"datadir": "/data/newt", "n_train": -1, "probe": "knn", "batch_size": 8, "debug": True}
    words = reproduce_command(make(args=args), results="again")
    run = tyro.cli(Run, args=words[2:])
    assert (*run.tasks, *run.models) == ("newt", "open-clip:ViT-B-16/openai")
    assert (run.data, run.results) == (Path("/data"), Path("again"))
    assert (*run.n_train, *run.seeds, run.probe, run.batch_size) == (-1, 42, "knn", 8)
    assert run.debug and run.force


VALUES = {
    "batch_size": st.just("auto") | st.integers(1, 99),
    "n_workers": st.integers(0, 9),
    "precision": st.sampled_from(["auto", "fp32", "fp16", "bf16"]),
    "crop": st.sampled_from(["none", "box", "square"]),
    "crop_margin": st.sampled_from([0.0, 0.25, 1.0]),
    "pool": st.sampled_from(["cls", "mean", "max", "map"]),
    "image_size": st.sampled_from([224, 518]),
    "trust": st.lists(st.just(f"lab/model@{'0' * 40}"), min_size=1, max_size=2),
    "n_train_unit": st.sampled_from(["class", "total"]),
    "probe": st.sampled_from(["knn", "ridge"]),
    "names": st.sampled_from(["/names.csv", "/my names.csv"]),
    "candidates": st.just("/region.txt"),
    "prompt": st.sampled_from(["common", "scientific", "taxonomic"]),
    "templates": st.sampled_from(["simple", "bioclip", "none"]),
    "folds": st.sampled_from(["stratified-shuffle", "kfold", "group"]),
    "metrics": st.lists(st.sampled_from(["brier", "top-accuracy:3"]), min_size=1, max_size=2),
    "root": st.sampled_from(["/photos", "/my photos"]),
    "columns": st.lists(st.sampled_from(["path=File", "label=A b"]), min_size=1, max_size=2),
    "folds_test": st.integers(0, 9),
    "split_by": st.sampled_from(["camera", "date", "my column"]),
    "boxes": st.sampled_from(["/detections.json", "/my boxes.json"]),
    "protocol": st.just("2026"),
    "box_confidence": st.sampled_from([0.0, 0.25, 1.0]),
    **dict.fromkeys(("exif", "compile", "skip_missing"), st.just(True)),
}


def test_values_are_drawn_for_every_flag_of_a_task():
    assert VALUES.keys() == list_flags(PictureArgs).keys()


@settings(max_examples=20, deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_whatever_the_command_line_sets_comes_back_from_the_printed_command(given_args):
    args = {"datadir": "/data/folder", "n_train": 3, "seed": 7, **given_args}
    words = reproduce_command(make(task="folder", kind="folder", args=args), results="again")
    run = tyro.cli(Run, args=words[2:])
    assert flags.read(run, PictureArgs) == given_args
    plan = flags.read(run, Settings)
    assert (plan["n_train"], plan["seeds"], plan["data"]) == ([3], [7], "/data")


def test_what_a_flag_cannot_say_is_said_by_a_file():
    for odd in ({"exif": "yes"}, {"n_workers": 1.5}, {"title": "folder"}, {"columns": ["-x"]}):
        report = make(task="folder", kind="folder", args={"datadir": "/data/folder", **odd})
        assert reproduce_command(report)[2] == CONFIG
        assert tomllib.loads(reproduce_config(report))["tasks"]["folder"].items() >= odd.items()


def test_the_launcher_takes_the_config_file(tmp_path):
    args = {"datadir": "/photos", "title": "Birds", "n_train": 5, "features": "/v.parquet"}
    report = make(task="birds", kind="folder", model="features:mine", args=args)
    (tmp_path / CONFIG).write_text(reproduce_config(report))
    loaded = load(tmp_path / CONFIG)
    assert loaded.models == ["features:mine"] and loaded.device == "cpu"
    assert loaded.features == {"mine": "/v.parquet"}
    table = {"kind": "folder", "n_train": 5, "seeds": 42, "datadir": "/photos", "title": "Birds"}
    assert loaded.get_tables() == {"birds": table}


def test_a_report_without_its_configuration_says_how_it_was_made():
    with pytest.raises(BadInput, match="was: biobench run"):
        reproduce_command(make() | {"config": None})
    with pytest.raises(BadInput, match="lacks kind"):
        reproduce_command({"run": "r", "config": {"task": "a", "model": "b", "args": {}}})


def test_no_value_of_a_report_is_an_option_of_the_command():
    for report in (
        make(task="--imports=evil", kind="--imports=evil"),
        make(model="--imports=evil"),
        make(device="--imports=evil"),
        make(args={"datadir": "/data/newt", "probe": "--imports=evil"}),
        make(args={"datadir": "/data/newt", "features": "--imports=evil"}),
    ):
        assert not any("evil" in word for word in reproduce_command(report))
        assert not tomllib.loads(reproduce_config(report)).get("imports")


@pytest.mark.parametrize("field", ["task", "kind", "model", "args", "imports", "search", "device"])
@pytest.mark.parametrize("value", [None, 7, [7], {"a": None}, {"a": {"b": 10**400}}, ""])
def test_a_configuration_of_odd_types_is_bad_input_or_a_command(field, value):
    report = make(**{field: value})
    try:
        words = reproduce_command(report)
        reproduce_config(report)
    except BadInput as err:
        assert "damaged" in str(err)
    else:
        assert all(isinstance(word, str) for word in words)
