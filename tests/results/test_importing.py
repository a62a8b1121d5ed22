import json
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
