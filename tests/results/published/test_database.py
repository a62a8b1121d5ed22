import json
import sqlite3

import jsonschema
import pytest
from sklearn.metrics import f1_score

from biobench import results
from biobench.errors import BadInput
from published_files import make_cell, make_predictions, write_database

PAIRS = [(0, 0), (0, 1), (1, 1), (2, 1), (2, 2), (0, 0)]


def take(tmp_path, cells, predictions, name="board.sqlite"):
    path = tmp_path / name
    path.unlink(missing_ok=True)
    return results.import_any(write_database(path, cells, predictions), tmp_path / "new")


def read_all(tmp_path):
    found = results.scan(tmp_path / "new")
    assert found.problems == []
    reports = [results.read_report(tmp_path / run) for run in found.runs["run"]]
    for report in reports:
        jsonschema.validate(report, results.get_schema())
    return found.runs, reports


@pytest.mark.parametrize("names", [("y_true", "y_pred"), ("true_y", "pred_y")])
def test_predictions_give_score_and_interval_anew(tmp_path, names):
    done = take(tmp_path, [make_cell()], make_predictions(PAIRS, names=names))
    assert (done.n_imported, done.problems) == (1, [])
    runs, (report,) = read_all(tmp_path)
    truth, guess = zip(*PAIRS, strict=True)
    f1 = f1_score(truth, guess, average="macro")
    assert report["score"] == pytest.approx(f1) and report["ci"][0] <= f1 <= report["ci"][1]
    assert (report["n"], report["has_predictions"], runs["metric"][0]) == (6, True, "macro-f1")
    table = results.read_predictions(tmp_path / runs["run"][0])
    assert table["y_true"].to_list() == [str(t) for t in truth]
    assert table["example"].to_list() == [f"img-{i}" for i in range(6)]
    protocol = report["provenance"]["protocol"]
    assert (protocol["preset"], protocol["seed"], protocol["n_train"]) == ("2026", 17, -1)
    assert report["argv"][0] == "benchmark.py" and report["commit"] == "b" * 40
    assert report["posix_time"] == 1_700_000_000 and report["hostname"] == "node"
    assert report["provenance"]["published"]["recomputable"] is True
    assert json.loads(report["provenance"]["published"]["exp_cfg"]) == {"seed": 17}


def test_importing_twice_or_from_a_grown_database_adds_only_what_is_new(tmp_path):
    cells, predictions = [make_cell()], make_predictions(PAIRS)
    assert take(tmp_path, cells, predictions).n_imported == 1
    again = take(tmp_path, cells, predictions)
    assert (again.n_imported, again.n_present) == (0, 1)
    # Under another id in another database it is the same run.
    grown = [make_cell(7), make_cell(9, ckpt="a.b")]
    rows = make_predictions(PAIRS, 7) + make_predictions(PAIRS[::-1], 9)
    done = take(tmp_path, grown, rows, "other.sqlite")
    assert (done.n_imported, done.n_present) == (1, 1)


def test_predictions_without_labels_are_scored_by_their_mean_in_a_column_of_its_own(tmp_path):
    rows = [(f"img-{i}", float(i % 2), "{}", 1) for i in range(4)]
    take(tmp_path, [make_cell()], rows)
    runs, (report,) = read_all(tmp_path)
    assert report["score"] == 0.5 and runs["metric"][0] == "mean-score"
    assert "lack y_true, y_pred, which macro-f1 reads" in report["warnings"][0]


def test_the_mean_of_newt_needs_no_labels_and_its_tasks_are_subtasks(tmp_path):
    rows = [(f"img-{i}", float(i % 2), json.dumps({"task": f"t{i % 2}"}), 1) for i in range(4)]
    take(tmp_path, [make_cell(task="newt")], rows)
    runs, (report,) = read_all(tmp_path)
    assert report["score"] == 0.5 and not any("lack" in text for text in report["warnings"])
    table = results.read_predictions(tmp_path / runs["run"][0])
    assert table["subtask"].to_list() == ["t0", "t1", "t0", "t1"]


def test_a_prediction_that_stands_there_twice_is_kept_and_said(tmp_path):
    rows = make_predictions(PAIRS)
    take(tmp_path, [make_cell()], [*rows, rows[0]])
    runs, (report,) = read_all(tmp_path)
    assert report["n"] == 7 and any("1 predictions have the id" in w for w in report["warnings"])
    assert "img-0 (2)" in results.read_predictions(tmp_path / runs["run"][0])["example"].to_list()


def test_what_cannot_be_understood_is_named_and_loses_nothing(tmp_path):
    odd = [
        make_cell(2, task=""),
        make_cell(3, posix="yesterday"),
        make_cell(4, n_train="all"),
        make_cell(5, ckpt=None),
        make_cell(6),
        make_cell(7),
        make_cell(8),
    ]
    rows = make_predictions(PAIRS)
    for key in (2, 3, 4, 5):
        rows += make_predictions(PAIRS, key)
    rows += [("a", 1.0, "{", 6), ("a", "high", "{}", 7), ("a", 1.0, "{}", 99)]
    done = take(tmp_path, [make_cell(), *odd], rows)
    assert done.n_imported == 1
    said = " ".join(problem.reason for problem in done.problems)
    assert len(done.problems) == 8
    for key in range(2, 8):
        assert f"row {key} of" in said
    assert "row 8 of experiments has no predictions" in said
    assert "1 predictions are of row 99" in said


def test_known_wrong_tasks_are_doubted_here_too(tmp_path):
    done = take(tmp_path, [make_cell(task="plankton")], make_predictions(PAIRS))
    _, (report,) = read_all(tmp_path)
    assert "wrong" in report["provenance"]["published"]["doubts"]
    assert any("known to be wrong" in note for note in done.notes)


def test_a_database_that_lacks_a_column_or_has_views_is_refused(tmp_path):
    with sqlite3.connect(tmp_path / "a.sqlite") as db:
        db.execute("CREATE TABLE experiments (id)")
        db.execute("CREATE TABLE predictions (img_id)")
    with pytest.raises(BadInput, match="lacks the columns task_name"):
        results.import_any(tmp_path / "a.sqlite", tmp_path / "new")
    with sqlite3.connect(tmp_path / "b.sqlite") as db:
        db.execute("CREATE VIEW experiments AS SELECT 1 AS id")
        db.execute("CREATE VIEW predictions AS SELECT 1 AS img_id")
    with pytest.raises(BadInput, match="not a database with a table reports"):
        results.import_any(tmp_path / "b.sqlite", tmp_path / "new")


def test_the_older_layout_is_still_told_from_the_published_one(tmp_path):
    with sqlite3.connect(tmp_path / "old.sqlite") as db:
        db.execute("CREATE TABLE reports (model_org)")
    done = results.import_any(tmp_path / "old.sqlite", tmp_path / "new")
    assert (done.n_imported, done.problems) == (0, [])


@pytest.mark.parametrize("name", ["<b>", "\x1b[2J", "../../up", "a\udcff"])
def test_hostile_names_in_a_database_stay_inside(tmp_path, name):
    shown = name.encode("utf-8", "backslashreplace").decode()
    info = json.dumps({"y_true": shown, "y_pred": shown, "example": 1, "score": {"a": [1]}})
    done = take(tmp_path, [make_cell(ckpt=shown)], [(shown, 1.0, info, 1)])
    assert (done.n_imported, done.problems) == (1, [])
    assert {path.name for path in tmp_path.iterdir()} == {"board.sqlite", "new"}
    runs, _ = read_all(tmp_path)
    assert results.read_predictions(tmp_path / runs["run"][0])["example"].to_list() == [shown]
