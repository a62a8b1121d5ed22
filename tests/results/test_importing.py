import json
import math
import os
import shutil

import polars as pl
import pytest

from biobench import results
from biobench.errors import BadInput
from results_world import START, make_report

MODEL = ("timm", "a")


@pytest.fixture
def theirs(tmp_path):
    root = tmp_path / "theirs"
    results.write_run(root, "insects", MODEL, make_report(n=8), log="all well\n")
    results.write_run(root, "birds", MODEL, make_report(n=8, posix_time=START + 1))
    return root


def change_report(folder, /, **fields):
    path = folder / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def first_run(root):
    return root / results.scan(root).runs["run"][0]


def test_runs_from_elsewhere_are_copied_whole(theirs, tmp_path):
    ours = tmp_path / "ours"
    done = results.import_folder(theirs, ours)
    assert (done.n_imported, done.n_present, done.problems) == (2, 0, [])
    names = {path.relative_to(theirs) for path in theirs.rglob("*")}
    assert {path.relative_to(ours) for path in ours.rglob("*")} == names
    assert len(names) == 11


def test_importing_twice_adds_nothing(theirs, tmp_path):
    results.import_folder(theirs, tmp_path / "ours")
    done = results.import_folder(theirs, tmp_path / "ours")
    assert (done.n_imported, done.n_present, done.problems) == (0, 2, [])


def test_a_folder_moved_out_of_place_is_put_where_its_report_says(theirs, tmp_path):
    run = first_run(theirs)
    moved = theirs / "x" / "y" / "z"
    shutil.copytree(run, moved)
    shutil.rmtree(run)
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 2
    assert (tmp_path / "ours" / run.relative_to(theirs)).is_dir()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"score": 0.123}, "the predictions give"),
        ({"n": 9}, "8 rows"),
        ({"protocol_digest": "0" * 16}, "protocol_digest"),
        ({"run": "../../../etc"}, "`$.run`"),
    ],
)
def test_a_run_that_contradicts_itself_is_left_out(theirs, tmp_path, fields, words):
    change_report(first_run(theirs), **fields)
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1
    assert words in done.problems[0].reason


def test_predictions_without_a_column_are_left_out(theirs, tmp_path):
    path = first_run(theirs) / "predictions.parquet"
    pl.read_parquet(path).drop("y_pred").write_parquet(path)
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1 and "missing column y_pred" in done.problems[0].reason


def test_another_run_under_the_same_id_is_not_overwritten(theirs, tmp_path):
    ours = tmp_path / "ours"
    results.import_folder(theirs, ours)
    change_report(first_run(theirs), hostname="another")
    done = results.import_folder(theirs, ours)
    assert (done.n_imported, done.n_present) == (0, 1)
    assert "not overwritten" in done.problems[0].reason
    assert results.read_report(first_run(ours))["hostname"] == "node"


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(BadInput, match="holds no run"):
        results.import_folder(tmp_path, tmp_path / "ours")


@pytest.mark.parametrize("name", ["report.json", "predictions.parquet", "log.txt"])
@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_only_regular_files_of_a_run_are_taken(theirs, tmp_path, name, kind):
    run = first_run(theirs)
    outside = tmp_path / "outside"
    shutil.copyfile(run / name, outside)
    (run / name).unlink()
    {
        "symlink": lambda path: path.symlink_to(outside),
        "fifo": os.mkfifo,
        "folder": lambda path: path.mkdir(),
    }[kind](run / name)
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1
    (problem,) = done.problems
    assert str(run / name) in problem.reason
    assert not any("insects" in str(path) for path in (tmp_path / "ours").rglob("*"))


def test_a_folder_that_leads_out_of_the_source_is_not_followed(theirs, tmp_path):
    run = first_run(theirs)
    shutil.move(run.parents[1], tmp_path / "outside")
    run.parents[1].symlink_to(tmp_path / "outside")
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1 and "is a link" in done.problems[0].reason


def test_a_file_larger_than_any_of_ours_is_not_read(theirs, tmp_path):
    run = first_run(theirs)
    with open(run / "log.txt", "r+") as file:
        file.truncate(1 << 40)
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1 and "1,099,511,627,776 bytes" in done.problems[0].reason


def test_an_empty_task_is_named_and_loses_nothing(theirs, tmp_path):
    run = first_run(theirs)
    change_report(run, task="")
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1 == len(done.problems)
    assert str(run) in done.problems[0].reason
    assert results.scan(tmp_path / "ours").runs.height == 1
    with pytest.raises(BadInput, match="task"):
        results.write_run(tmp_path / "ours", "", MODEL, make_report(n=8))


def test_intervals_are_computed_again(theirs, tmp_path):
    run = first_run(theirs)
    before = results.read_report(run)
    change_report(run, ci=[before["score"], before["score"]], confidence=99.0)
    for n_imported in (1, 0):
        done = results.import_folder(theirs, tmp_path / "ours")
        assert (done.n_imported, done.problems) == (n_imported + n_imported, [])
    kept = results.read_report(tmp_path / "ours" / run.relative_to(theirs))
    assert kept["ci"] == before["ci"] and kept["confidence"] == 95


def test_what_cannot_be_verified_is_kept_without_an_interval_and_says_so(theirs, tmp_path):
    run = first_run(theirs)
    report = results.read_report(run)
    report["provenance"]["protocol"]["metric"] = "of-mine"
    made = make_report(n=8, metric="mean-score").provenance
    made.protocol["metric"] = "of-mine"
    change_report(run, provenance=report["provenance"], protocol_digest=made.protocol_digest())
    other = next(path.parent for path in theirs.glob("birds/*/*/report.json"))
    change_report(other, has_predictions=False)
    for _ in range(2):
        done = results.import_folder(theirs, tmp_path / "ours")
        assert done.problems == []
    assert done.n_present == 2
    for kept in results.scan(tmp_path / "ours").runs.iter_rows(named=True):
        assert kept["ci_low"] is None and kept["ci_high"] is None
        assert any("neither score nor interval" in text for text in kept["warnings"])


@pytest.mark.parametrize("ci", [[0.9, 0.1], [math.nan, 0.5], [0.5], ["a", "b"]])
def test_an_interval_that_is_none_is_named(theirs, tmp_path, ci):
    run = first_run(theirs)
    change_report(run, ci=ci)
    done = results.import_folder(theirs, tmp_path / "ours")
    assert done.n_imported == 1 and str(run) in done.problems[0].reason


def test_an_imported_or_merged_or_edited_run_is_not_ours(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    run = results.write_run(theirs, "insects", MODEL, make_report(n=8), config={"imports": ["x"]})
    assert results.is_ours(run, results.read_report(run))
    results.import_folder(theirs, ours)
    imported = ours / run.relative_to(theirs)
    assert not results.is_ours(imported, results.read_report(imported))
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)
    assert not results.is_ours(imported, results.read_report(imported))
    change_report(run, config={"imports": ["y"]})
    assert not results.is_ours(run, results.read_report(run))


def test_a_key_that_cannot_be_kept_makes_no_run_ours(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    run = results.write_run(tmp_path, "insects", MODEL, make_report(n=8), config={"imports": []})
    assert not results.is_ours(run, results.read_report(run))
