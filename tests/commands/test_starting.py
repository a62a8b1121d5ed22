"""`biobench init` writes a config file that runs, and says in it what it found."""

import os
import re
import tomllib

import pytest

import worlds
from biobench import launch
from biobench.cli import main
from exports_world import write_json


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with pictures of four kinds of which one is rare, at six places over five days."""
    monkeypatch.chdir(tmp_path)
    images, annotations = [], []
    for i in range(48):
        images.append({"id": i, "file_name": f"{i:02d}.jpg", "location": f"p{i % 6}"})
        images[-1]["datetime"] = f"2024-05-{1 + i % 5:02d} 10:00:00"
        annotations.append({"image_id": i, "category_id": 4 if i < 3 else i % 4})
        worlds.draw(tmp_path / "My Traps" / f"{i:02d}.jpg", i % 4, i)
    families = ("", "Canidae", "Canidae", "Ardeidae", "Ardeidae")
    categories = [
        {"id": i, "name": name, "family": family}
        for i, (name, family) in enumerate(
            zip(("empty", "fox", "wolf", "heron\n[x]", "stork"), families, strict=True)
        )
    ]
    value = {"images": images, "annotations": annotations, "categories": categories}
    write_json(tmp_path / "My Traps" / "labels.json", value)
    return tmp_path


def read(path):
    return tomllib.loads(path.read_text())


def test_the_file_plans_a_run_on_what_was_found(here, capsys):
    assert main(["init", "My Traps"]) == 0
    out = capsys.readouterr().out
    assert "My Traps: 37 pictures in 4 classes; 11 left out: 11 pictures that are blank" in out
    assert "note: labels.json is read as a COCO Camera Traps file" in out
    assert out.endswith("look at it, then: biobench run biobench.toml\n")
    table = read(here / "biobench.toml")["tasks"]
    assert table == {"my-traps": {"kind": "folder", "datadir": "My Traps"}}
    text = (here / "biobench.toml").read_text()
    assert "#   37 pictures in 4 classes; 11 left out" in text
    assert re.search(r"#   classes: .*heron\\n\[x\] 1", text)
    assert "fewer than 5 pictures to train on: 1 of the classes (stork)" in text
    assert 'split_by = "camera"' in text and "no camera on both sides; there are 6" in text
    words = ["run", "biobench.toml", "--models", "baseline:color-hist", "--device", "cpu"]
    assert main([*words, "--dry-run"]) == 0
    assert "my-traps: 37 pictures in 4 classes" in capsys.readouterr().out


def test_every_setting_that_is_commented_out_can_be_taken(here):
    assert main(["init", "My Traps"]) == 0
    lines = (here / "biobench.toml").read_text().splitlines()
    found = [i for i, line in enumerate(lines) if re.match(r"# \w+ = ", line)]
    names = {lines[i].split()[1] for i in found}
    assert names >= {"n_train", "seeds", "probe", "jobs", "columns", "split_by", "folds_test"}
    for i in found:
        changed = [*lines[:i], lines[i].removeprefix("# "), *lines[i + 1 :]]
        (here / "one.toml").write_text("\n".join(changed))
        settings = launch.load(here / "one.toml", models=["baseline:color-hist"], device="cpu")
        plan = launch.make_plan(settings)
        # What does not fit these pictures at all would be refused here.
        assert launch.check(plan, device=False)


def test_what_it_is_told_stands_in_the_file(here, monkeypatch):
    (here / "there").mkdir()
    (here / "My Traps" / "labels.json").rename(here / "there" / "labels.json")
    words = ["init", "there/labels.json", "--root", "My Traps", "--split-by", "date"]
    assert main([*words, "--columns", "label=family", "--out", "there/x.toml"]) == 0
    (table,) = read(here / "there" / "x.toml")["tasks"].values()
    assert table["datadir"] == "labels.json" and table["split_by"] == "date"
    assert table["columns"] == ["label=family"]
    assert table["root"] == str(here / "My Traps")
    assert "# split_by" not in (here / "there" / "x.toml").read_text()
    monkeypatch.chdir("/")
    plan = launch.make_plan(launch.load(here / "there" / "x.toml", models=["baseline:color-hist"]))
    assert plan.cells[0].args["datadir"] == str(here / "there" / "labels.json")


def test_no_file_is_overwritten_and_bad_pictures_are_refused(here, capsys):
    (here / "biobench.toml").write_text("mine")
    assert main(["init", "My Traps"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (here / "biobench.toml").read_text() == "mine"
    assert main(["init", "nothing", "--out", "b.toml"]) == 2
    assert main(["init", "My Traps", "--out", "no/b.toml"]) == 2
    assert main(["init", "My Traps", "--out", "b.toml", "--split-by", "observer"]) == 2
    assert sorted(os.listdir(here)) == ["My Traps", "biobench.toml"]


def test_a_folder_called_like_a_task_is_another_task(here):
    (here / "My Traps").rename(here / "newt")
    assert main(["init", "newt", "--out", "b.toml"]) == 0
    assert list(read(here / "b.toml")["tasks"]) == ["newt-pictures"]
