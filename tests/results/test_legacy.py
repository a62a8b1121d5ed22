import json
import sqlite3

import jsonschema
import pytest
from sklearn.metrics import f1_score

from biobench import results
from biobench.errors import BadInput
from results_world import make_report

COLUMNS = (
    "model_org, model_ckpt, task_name, posix, mean_score, confidence_lower, confidence_upper, "
    "args, report"
)


def make_database(path, *rows):
    with sqlite3.connect(path) as db:
        db.execute(f"CREATE TABLE reports ({COLUMNS})")
        db.executemany("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    return path


def make_row(*, task="iWildCam", score=0.5, low=0.9, high=0.95, report=None, args=None):
    args = {"seed": 42, "datadir": "/data", "device": "cuda"} if args is None else args
    report = {"name": task, "splits": {"micro": 0.25}} if report is None else report
    names = ("open-clip", "RN50/openai", task, 1_700_000_000)
    return (*names, score, low, high, json.dumps(args), json.dumps(report))


def make_examples():
    pairs = [(0, 0), (0, 1), (1, 1), (2, 1), (2, 2), (0, 0)]
    examples = [
        {"id": str(i), "score": float(t == p), "info": {"y_true": t, "y_pred": p}}
        for i, (t, p) in enumerate(pairs)
    ]
    truth, guess = zip(*pairs, strict=True)
    return examples, f1_score(truth, guess, average="macro")


def only_report(root):
    (row,) = results.scan(root).runs.iter_rows(named=True)
    report = results.read_report(root / row["run"])
    jsonschema.validate(report, results.get_schema())
    return row, report


def test_examples_give_the_score_again_and_an_interval_that_contains_it(tmp_path):
    examples, f1 = make_examples()
    row = make_row(score=f1, report={"examples": examples, "commit": "abc", "splits": {}})
    done = results.import_sqlite(make_database(tmp_path / "old.sqlite", row), tmp_path / "new")
    assert (done.n_imported, done.problems) == (1, [])
    found, report = only_report(tmp_path / "new")
    assert found["task"] == "iwildcam" and found["metric"] == "macro-f1"
    assert report["score"] == pytest.approx(f1)
    assert report["ci"][0] <= f1 <= report["ci"][1] and report["ci"] != [0.9, 0.95]
    assert report["commit"] == "abc"
    assert not any("Imported" in warning for warning in report["warnings"])
    assert results.read_predictions(tmp_path / "new" / found["run"]).height == 6


def test_a_row_without_examples_is_kept_as_not_verifiable(tmp_path):
    results.import_sqlite(make_database(tmp_path / "old.sqlite", make_row()), tmp_path / "new")
    found, report = only_report(tmp_path / "new")
    assert report["score"] == 0.5 and report["ci"] is None and not report["has_predictions"]
    assert "verified" in report["warnings"][0] and found["ci_low"] is None


def test_a_recorded_score_that_the_examples_do_not_give_is_said(tmp_path):
    examples, f1 = make_examples()
    row = make_row(score=0.123, report={"examples": examples})
    results.import_sqlite(make_database(tmp_path / "old.sqlite", row), tmp_path / "new")
    _, report = only_report(tmp_path / "new")
    assert report["score"] == pytest.approx(f1)
    assert "0.1230" in report["warnings"][0]


def test_arguments_of_the_machine_are_no_protocol(tmp_path):
    rows = [
        make_row(args={"seed": 1, "datadir": place, "device": "cpu"})
        for place in ("/here", "/there")
    ]
    results.import_sqlite(make_database(tmp_path / "old.sqlite", *rows), tmp_path / "new")
    runs = results.scan(tmp_path / "new").runs
    assert runs.height == 2 and runs["protocol_digest"].n_unique() == 1


def test_imported_rows_are_never_the_same_cell_as_a_new_run_or_another_model(tmp_path):
    rows = [make_row(), ("timm", *make_row()[1:])]
    results.import_sqlite(make_database(tmp_path / "old.sqlite", *rows), tmp_path / "new")
    model = ("open-clip", "RN50/openai")
    results.write_run(tmp_path / "new", "iwildcam", model, make_report(metric="macro-f1"))
    runs = results.scan(tmp_path / "new").runs
    assert results.current(runs).height == 3


def test_importing_twice_adds_nothing(tmp_path):
    old = make_database(tmp_path / "old.sqlite", make_row(), make_row(score=0.25))
    assert results.import_sqlite(old, tmp_path / "new").n_imported == 2
    again = results.import_sqlite(old, tmp_path / "new")
    assert (again.n_imported, again.n_present) == (0, 2)


def test_rows_that_cannot_be_understood_are_counted_and_named(tmp_path):
    bad = [
        (*make_row()[:8], "{"),
        (*make_row()[:4], None, *make_row()[5:]),
        make_row(report={"examples": [{"id": "a"}]}),
        make_row(report=[]),
    ]
    old = make_database(tmp_path / "old.sqlite", make_row(), *bad)
    done = results.import_sqlite(old, tmp_path / "new")
    assert done.n_imported == 1
    assert [f"row {n} of reports" in p.reason for n, p in enumerate(done.problems, 2)] == [True] * 4


def test_a_file_that_is_no_such_database_is_refused(tmp_path):
    (tmp_path / "text").write_text("not a database, but long enough to be read as one " * 30)
    with pytest.raises(BadInput, match="no file"):
        results.import_sqlite(tmp_path / "absent", tmp_path / "new")
    with pytest.raises(BadInput, match="not a database"):
        results.import_sqlite(tmp_path / "text", tmp_path / "new")
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE reports (model_org)")
        db.execute("INSERT INTO reports VALUES ('a')")
    with pytest.raises(BadInput, match="lacks the columns model_ckpt"):
        results.import_sqlite(tmp_path / "other.sqlite", tmp_path / "new")


@pytest.mark.parametrize("row", [make_row(task=""), make_row(score=7.5), make_row(score=None)])
def test_a_row_without_a_task_or_with_no_possible_score_is_named_and_loses_no_other(tmp_path, row):
    database = make_database(tmp_path / "old.sqlite", row, make_row())
    done = results.import_sqlite(database, tmp_path / "new")
    assert done.n_imported == 1 and "row 1" in done.problems[0].reason
    assert results.scan(tmp_path / "new").runs.height == 1


def test_a_view_in_the_place_of_the_table_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "old.sqlite") as db:
        db.execute("CREATE VIEW reports AS SELECT 1 AS model_org")
    with pytest.raises(BadInput, match="not a table"):
        results.import_sqlite(tmp_path / "old.sqlite", tmp_path / "new")
