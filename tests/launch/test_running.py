"""`biobench run` and `reproduce` as a user meets them: messages and exit codes."""

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import subprocess

import polars as pl
import pytest

import worlds
from biobench import cli, launch, results
from biobench.data import contents
from biobench.errors import BadInput
from biobench.launch import reproduce
from biobench.launch.cell import redirect_output, run_cell
from biobench.launch.states.state import get_log


def write_config(place, world, text=""):
    path = place / "suite.toml"
    path.write_text(
        f"""
        models = ["fake:1"]
        device = "cpu"
        imports = ["fakes"]
        probe = "simpleshot"
        n_workers = 0
        {text}
        [tasks.stamps]
        kind = "folder"
        datadir = "{world / "folder"}"
        """
    )
    return path


def run_here(path):
    """The cells of a config, run in this process; returns the runs."""
    plan = launch.make_plan(launch.load(path))
    for cell in plan.cells:
        assert run_cell(plan, cell, device="cpu").state == "done"
    return [pathlib.Path(run) for run in results.scan(plan.results).runs["run"]]


@pytest.mark.parametrize(
    ("text", "args", "words"),
    [
        ("modell = 1", [], "modell"),
        ("", ["--data", "nowhere", "--tasks", "newt"], "nowhere"),
        ("", ["--models", "fake:x"], "fake:x"),
        ("", ["--probe", "rigde"], "rigde"),
        ("", ["--jobs", "0"], "--jobs"),
        ("", ["--name", "x"], "--features"),
        ("", ["--tasks", "moths"], "moths"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_exit_code_2_before_anything_is_written(
    place, world, capsys, text, args, words
):
    path = write_config(place, world, text)
    assert cli.main(["run", str(path), *args]) == 2
    out, err = capsys.readouterr()
    assert words in err and err.count("\n") == 1 and out == ""
    assert not (place / "results").exists()


def test_a_dry_run_prints_every_cell_with_its_pictures_and_what_is_finished(place, world, capsys):
    path = write_config(place, world, "n_train = [2, -1]")
    assert cli.main(["run", str(path), "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "stamps (2 a class) · fake:1" in out and "stamps · fake:1" in out
    n = len([p for p in (world / "folder").rglob("*.*") if p.is_file()])
    assert f"{n:,} images" in out
    assert "2 cells, 0 finished" in out and not (place / "results").exists()
    run_here(path)
    capsys.readouterr()
    assert cli.main(["run", str(path), "--dry-run"]) == 0
    assert "2 cells, 2 finished" in capsys.readouterr().out


def test_a_failing_cell_is_listed_last_with_its_log_and_exit_code_1(place, world, capsys):
    path = write_config(place, world)
    assert cli.main(["run", str(path), "--models", "fake:1/raise"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].endswith("stamps · fake:1/raise: RuntimeError: the fake network broke")
    log = pathlib.Path(lines[-1].partition("log: ")[2])
    assert "Traceback" in log.read_text() and log.is_relative_to(place / "results")


def test_vectors_computed_elsewhere_are_a_model(place, world):
    folder = world / "folder"
    images = [str(p.relative_to(folder)) for p in folder.rglob("*.*") if p.is_file()]
    vectors = [[float(len(name)), float(i), 1.0] for i, name in enumerate(images)]
    column = pl.Series(vectors, dtype=pl.Array(pl.Float32, 3))
    table = pl.DataFrame({"path": images, "feature": column})
    table.write_parquet(place / "v.parquet")
    path = write_config(place, world, 'features = { mine = "v.parquet" }')
    plan = launch.make_plan(launch.load(path, models=[]))
    assert [cell.model_name for cell in plan.cells] == ["features:mine"]
    launch.check(plan)
    state = run_cell(plan, plan.cells[0], device="cpu")
    assert state.state == "done", state.cause
    table[1:].write_parquet(place / "v.parquet")
    with pytest.raises(BadInput, match=images[0]):
        launch.check(plan)


class TestReproduce:
    def test_the_printed_command_makes_the_same_predictions_again(self, place, world, capsys):
        (run,) = run_here(write_config(place, world, "seeds = 3\nn_train = 4"))
        capsys.readouterr()
        assert cli.main(["reproduce", str(run), "--check"]) == 0
        out = capsys.readouterr().out
        assert "biobench run reproduce.toml" in out and "kind" in out
        n = results.read_report(run)["n"]
        assert f"Reproduced: score and {n:,} predictions are equal." in out

    def test_anew_leaves_the_models_cache_as_it_was_and_uses_none_of_it(
        self, place, world, monkeypatch
    ):
        (run,) = run_here(write_config(place, world))
        cache = pathlib.Path(os.environ["BIOBENCH_CACHE"])
        before = {path: path.read_bytes() for path in cache.rglob("*") if path.is_file()}
        embedded = []
        original = subprocess.run

        def run_counting(words, *, env, **kwargs):
            done = original(words, env=env, **kwargs)
            shards = pathlib.Path(env["BIOBENCH_FEATURES"]).rglob("*.arrow")
            embedded.extend(shards)
            assert list(pathlib.Path(env["BIOBENCH_CONTENTS"]).rglob("*.arrow"))
            return done

        monkeypatch.setattr(reproduce.subprocess, "run", run_counting)
        assert reproduce.check(run, anew=True) == ""
        assert embedded
        assert {p: p.read_bytes() for p in cache.rglob("*") if p.is_file()} == before

    def test_the_check_hashes_again_whatever_is_known(self, place, world):
        (run,) = run_here(write_config(place, world))
        root = world / "folder"
        images = [str(p.relative_to(root)) for p in root.rglob("*.*") if p.is_file()]
        known = contents.lookup(root, images).files
        wrong = [contents.Record(**{**row, "hash": b"x" * 16}) for row in known.to_dicts()]
        shutil.rmtree(contents.contents_root())
        contents.remember(root, wrong)
        # As after a change that no time shows: a run would believe the index.
        assert reproduce.check(run) == ""

    def test_a_run_of_an_earlier_version_is_compared_by_its_predictions(self, place, world):
        (run,) = run_here(write_config(place, world))
        old = place / "old"
        shutil.copytree(run, old)
        report = json.loads((old / "report.json").read_text())
        del report["provenance"]["manifest_of"]
        report["provenance"]["manifest"] = "0" * 64
        report["provenance"]["backbone"]["digest"] = "0" * 64
        (old / "report.json").write_text(json.dumps(report))
        assert reproduce.compare(old, run) == ""

    def test_a_difference_is_named(self, place, world):
        (run,) = run_here(write_config(place, world))
        same = place / "same"
        shutil.copytree(run, same)
        assert reproduce.compare(run, same) == ""
        table = results.read_predictions(run)
        wrong = table.with_columns(
            y_pred=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("?")).otherwise("y_pred")
        )
        wrong.write_parquet(same / "predictions.parquet")
        said = reproduce.compare(run, same)
        assert f"1 of {table.height} predictions" in said

    def test_changed_pictures_are_said_to_be_changed(self, place, world):
        path = write_config(place, world)
        (run,) = run_here(path)
        extra = next((world / "folder").rglob("*.jpg")).with_name("extra.jpg")
        worlds.draw(extra, 0, 999)
        try:
            again = next(new for new in run_here(path) if new != run)
        finally:
            extra.unlink()
        assert "the data are not the same" in reproduce.compare(run, again)

    def test_a_run_without_configuration_is_bad_input(self, place, world, capsys):
        (run,) = run_here(write_config(place, world))
        text = (run / "report.json").read_text()
        (run / "report.json").write_text(text.replace('"config"', '"no_config"'))
        assert cli.main(["reproduce", str(run)]) == 2
        assert "holds no configuration" in capsys.readouterr().err

    def test_code_of_a_run_that_was_not_made_here_is_named_and_not_executed(
        self, place, world, capsys
    ):
        (run,) = run_here(write_config(place, world))
        theirs = place / "theirs"
        shutil.copytree(place / "results", theirs)
        copied = theirs / run.relative_to(place / "results")
        evil = place / "evil"
        evil.mkdir()
        (evil / "helper.py").write_text(f"open({str(place / 'executed')!r}, 'w')")
        path = copied / "report.json"
        report = json.loads(path.read_text())
        report["config"] |= {"imports": ["helper"], "search": [str(evil)]}
        path.write_text(json.dumps(report))
        assert cli.main(["reproduce", str(copied), "--check"]) == 2
        out, err = capsys.readouterr()
        assert "helper" in out and str(evil) in err and "--trust" in err and err.count("\n") == 1
        assert not (place / "executed").exists()
        assert cli.main(["reproduce", str(copied), "--check", "--trust"]) in (0, 1, 2)
        assert (place / "executed").exists()


def test_the_log_of_a_run_holds_what_its_cell_printed(place, world, monkeypatch):
    plan = launch.make_plan(launch.load(write_config(place, world)))
    (cell,) = plan.cells
    state = run_cell(plan, cell, device="cpu")
    text = (plan.results / state.run / "log.txt").read_text()
    assert cell.label in text and "embed" in text and "took" in text and "n_test" in text
    again = dataclasses.replace(plan, force=True)
    with redirect_output(get_log(plan.folder, cell.id)):
        os.write(1, b"a library in C\n")  # before the cell: not its own
        state = run_cell(again, cell, device="cpu")
    text = (plan.results / state.run / "log.txt").read_text()
    assert cell.label in text and "took" in text and "a library in C" not in text


@pytest.mark.parametrize("damage", ["cut", "gone", "fewer", "report"])
def test_a_run_that_was_destroyed_is_run_again(place, world, damage):
    plan = launch.make_plan(launch.load(write_config(place, world)))
    (cell,) = plan.cells
    first = run_cell(plan, cell, device="cpu")
    run = plan.results / first.run
    path = run / "predictions.parquet"
    table = pl.read_parquet(path)
    {
        "cut": lambda: path.write_bytes(path.read_bytes()[:-40]),
        "gone": path.unlink,
        "fewer": lambda: table[1:].write_parquet(path),
        "report": lambda: (run / "report.json").write_text("{}"),
    }[damage]()
    checked = launch.check(plan)
    assert launch.find_finished(plan, checked) == {}
    again = run_cell(plan, cell, device="cpu")
    assert again.state == "done" and again.run != first.run and again.score == first.score
    assert launch.find_finished(plan, checked) == {cell.id: plan.results / again.run}


@pytest.fixture
def small_disk(place):
    """The results folder as a disk of its own, which `fill` leaves some bytes free on."""
    folder = place / "results"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")

    def fill(n_free):
        (folder / ".ballast").unlink(missing_ok=True)
        free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
        (folder / ".ballast").write_bytes(b"\0" * max(0, free - n_free))

    yield fill
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("n_free", [0, 4096, 8192])
def test_a_full_disk_fails_the_cell_with_its_cause(place, world, small_disk, n_free, capfd):
    plan = launch.make_plan(launch.load(write_config(place, world)))
    plan.save()
    small_disk(n_free)
    with redirect_output(get_log(plan.folder, plan.cells[0].id)):
        state = run_cell(plan, plan.cells[0], device="cpu")
    assert state.state == "failed" and "No space left on device" in state.cause
    (plan.results / ".ballast").unlink()
    assert run_cell(plan, plan.cells[0], device="cpu").state == "done"
    assert len(list((plan.results / "stamps").rglob("report.json"))) == 1


def test_a_disk_that_fills_up_ends_the_launcher_with_the_failed_cell(
    place, world, small_disk, capfd
):
    path = write_config(place, world)
    launch.make_plan(launch.load(path)).save()
    small_disk(8192)
    assert cli.main(["run", str(path)]) == 1
    out, err = capfd.readouterr()
    assert "No space left on device" in out and "1 failed" in out, out + err
    assert "Traceback" not in out + err
    small_disk(0)
    assert cli.main(["run", str(path), "--seeds", "7"]) == 2
    out, err = capfd.readouterr()
    assert "cannot be written" in err and "Traceback" not in out + err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_whatever_keeps_a_disk_from_being_written_is_the_cell_s_cause(
    place, world, monkeypatch, code
):
    plan = launch.make_plan(launch.load(write_config(place, world)))

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code), "there")

    monkeypatch.setattr("biobench.launch.states.state.write_json", refuse)
    monkeypatch.setattr("biobench.results.store.place", refuse)
    state = run_cell(plan, plan.cells[0], device="cpu")
    assert state.state == "failed"
    assert os.strerror(code) in state.cause and "(there)" in state.cause
