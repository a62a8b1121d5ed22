"""Exit codes and sentences: what the command line says when something is wrong, and when not."""

import json
import subprocess
import sys

import pytest
import torch

import worlds
from biobench import registry
from biobench.cli import main
from biobench.commands import COMMANDS

FLOOR = ["--models", "baseline:color-hist"]


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def refuse(capsys, tmp_path, *arguments):
    """Run a command that must refuse: exit code 2, one sentence, nothing embedded or written."""
    results = tmp_path / "results"
    code, _, err = run(capsys, "run", *arguments, "--results", results)
    assert code == 2
    assert err.startswith("biobench: ") and err.count("\n") == 1, err
    assert not list(results.glob("*/*/*")) if results.exists() else True
    return err


@pytest.fixture
def data(tmp_path):
    for name, write in worlds.WRITERS.items():
        write(tmp_path / "data" / name)
    return tmp_path / "data"


def test_help_lists_every_command_and_needs_none_of_them(capsys):
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert all(f"\n  {name} " in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"biobench {name}" in capsys.readouterr().out


def test_no_command_or_an_unknown_one_is_bad_usage(capsys):
    assert run(capsys)[0] == 2
    code, _, err = run(capsys, "leaderbord")
    assert code == 2 and "Did you mean 'leaderboard'?" in err


def test_an_unknown_flag_is_bad_usage():
    command = [sys.executable, "-m", "biobench.cli", "run", "--task", "newt"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_tasks_lists_every_task_in_one_line(capsys):
    code, out, _ = run(capsys, "tasks")
    assert code == 0 and len(out.splitlines()) == len(registry.list_tasks())
    rows = json.loads(run(capsys, "tasks", "--format", "json")[1])
    assert {row["task"] for row in rows} == set(registry.list_tasks())


def test_a_missing_folder_is_refused(capsys, tmp_path):
    err = refuse(capsys, tmp_path, "--tasks", "newt", "--data", tmp_path / "nowhere", *FLOOR)
    assert "nowhere" in err


@pytest.mark.parametrize(
    ("task", "file", "old", "new", "named"),
    [
        ("newt", "newt2021_labels.csv", "task_cluster", "cluster", "task_cluster"),
        ("iwildcam", "iwildcam_v2.0/metadata.csv", "test-01.jpg,2", "test-01.jpg,x", "'x'"),
        ("kabr", "annotation/val.csv", "val0/3.jpg 0", "val0/3.jpg 9", "'9'"),
    ],
)
def test_damaged_metadata_are_refused(task, file, old, new, named, capsys, data, tmp_path):
    path = data / task / file
    path.write_text(path.read_text().replace(old, new, 1))
    err = refuse(capsys, tmp_path, "--tasks", task, "--data", data, *FLOOR)
    assert named in err and file.rpartition("/")[2] in err


def test_an_empty_split_is_refused(capsys, data, tmp_path):
    path = data / "iwildcam" / "iwildcam_v2.0" / "metadata.csv"
    path.write_text(path.read_text().replace("test,test-", "val,test-"))
    err = refuse(capsys, tmp_path, "--tasks", "iwildcam", "--data", data, *FLOOR)
    assert "'test' is empty" in err


def test_a_duplicate_id_is_refused(capsys, data, tmp_path):
    path = data / "newt" / "newt2021_labels.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    assert "fish_or_bird-00" in refuse(capsys, tmp_path, "--tasks", "newt", "--data", data, *FLOOR)


def test_a_clip_without_its_frames_is_refused(capsys, data, tmp_path):
    for frame in (data / "kabr" / "dataset" / "image" / "val2").iterdir():
        frame.unlink()
    assert "val2" in refuse(capsys, tmp_path, "--tasks", "kabr", "--data", data, *FLOOR)


@pytest.mark.parametrize("model", ["baseline:colour-hog", "tim:resnet50", "resnet50"])
def test_a_model_that_does_not_exist_is_refused(model, capsys, data, tmp_path):
    err = refuse(capsys, tmp_path, "--tasks", "folder", "--data", data, "--models", model)
    assert model.partition(":")[0] in err


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda_is_refused(capsys, data, tmp_path):
    err = refuse(capsys, tmp_path, "--tasks", "folder", "--data", data, *FLOOR, "--device", "cuda")
    assert "cuda" in err


def test_a_key_with_a_typo_is_refused(capsys, data, tmp_path):
    config = tmp_path / "suite.toml"
    config.write_text('modles = ["baseline:hog"]\ntasks = ["newt"]\n')
    err = refuse(capsys, tmp_path, config, "--data", data)
    assert "modles" in err and "models" in err and "suite.toml" in err


def test_one_bad_task_stops_the_whole_plan_before_any_embedding(capsys, data, tmp_path):
    (data / "newt" / "newt2021_labels.csv").unlink()
    refuse(capsys, tmp_path, "--tasks", "folder", "newt", "--data", data, *FLOOR)


def test_a_failing_cell_is_listed_last_and_the_others_are_kept(capsys, data, tmp_path):
    for image in sorted((data / "plantnet" / "images" / "val" / "1355868").iterdir())[:4]:
        image.write_text("not a picture")
    results = tmp_path / "results"
    arguments = ["--tasks", "plantnet", "folder", "--data", data, *FLOOR, "--results", results]
    code, out, _ = run(capsys, "run", *arguments)
    assert code == 1
    assert "plantnet" in "".join(out.splitlines()[-3:]) and "cannot be read" in out
    board = json.loads(run(capsys, "leaderboard", "--results", results, "--format", "json")[1])
    assert [row["task"] for row in board if row["task"] != "mean"] == ["folder"]
    low, high = board[0]["ci"]
    assert low <= board[0]["score"] <= high
