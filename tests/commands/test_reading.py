import json
import sqlite3
import subprocess
import sys

import pytest

from biobench import results
from biobench.cli import main
from published_files import make_result, write_json
from results_world import make_report

MODELS = ("timm:a", "open-clip:ViT-B-16/openai")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "results"
    for i, model in enumerate(MODELS):
        for task in ("birds", "mammals"):
            report = make_report(n=40, seed=i, backbone=model, accuracy=0.9 - 0.5 * i)
            results.write_run(root, task, tuple(model.split(":", 1)), report)
    return root


def run(capsys, *words):
    code = main([str(word) for word in words])
    return code, *capsys.readouterr()


def test_leaderboard_prints_a_table_a_person_can_read(root, capsys):
    code, out, err = run(capsys, "leaderboard", "--results", root)
    assert code == 0 and err == ""
    assert all(model in out for model in MODELS) and "95% interval" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("kind", ["json", "csv", "markdown", "latex"])
def test_leaderboard_prints_every_format_and_nothing_else(root, capsys, kind):
    code, out, err = run(capsys, "leaderboard", "--results", root, "--format", kind)
    assert code == 0 and out and err == ""
    if kind == "json":
        assert len(json.loads(out)) == 6


def test_leaderboard_keeps_what_it_is_told_to(root, capsys):
    words = ["--tasks", "birds", "--models", "timm:*", "--where", "n_train=all", "--format", "json"]
    _, out, _ = run(capsys, "leaderboard", "--results", root, *words)
    assert [(row["model"], row["task"]) for row in json.loads(out)] == [("timm:a", "birds")]


def test_unreadable_runs_go_to_the_error_stream(root, capsys):
    bad = results.scan(root).runs["run"][0]
    with open(f"{bad}/report.json", "w") as file:
        file.write("{")
    code, out, err = run(capsys, "leaderboard", "--results", root, "--format", "json")
    assert code == 0 and len(json.loads(out)) == 4
    assert "1 could not be read" in err and bad in err


def test_compare_prints_a_verdict(root, capsys):
    code, out, _ = run(capsys, "compare", *MODELS, "--results", root)
    assert code == 0 and "A is better" in out
    code, out, _ = run(capsys, "compare", *MODELS, "--results", root, "--format", "json")
    assert {row["task"] for row in json.loads(out)} == {"birds", "mammals", "mean"}


def test_report_writes_the_page_and_says_where(root, capsys, tmp_path):
    code, out, _ = run(capsys, "report", "--results", root, "--out", tmp_path / "site")
    assert code == 0 and out.strip() == str(tmp_path / "site" / "index.html")


def test_export_and_import_say_what_they_did(root, capsys, tmp_path):
    target = tmp_path / "out.sqlite"
    code, out, _ = run(capsys, "export", "--results", root, "--to", target)
    assert code == 0 and "4 runs, 8 splits, 160 predictions" in out
    code, out, _ = run(capsys, "import", root, "--results", tmp_path / "copy")
    assert code == 0 and "4 runs imported, 0 were there already, 0 left out" in out
    code, out, _ = run(capsys, "import", root, "--results", tmp_path / "copy")
    assert "0 runs imported, 4 were there already" in out


def test_import_takes_the_older_database(capsys, tmp_path):
    with sqlite3.connect(tmp_path / "reports.sqlite") as db:
        names = "model_org, model_ckpt, task_name, posix, mean_score, args, report"
        db.execute(f"CREATE TABLE reports ({names})")
        row = ("timm", "a", "NeWT", 1_700_000_000, 0.5, "{}", "{}")
        db.executemany("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?)", [row, (*row[:6], "[")])
    words = ("import", tmp_path / "reports.sqlite", "--results", tmp_path / "new")
    code, out, err = run(capsys, *words)
    assert code == 0 and "1 runs imported, 0 were there already, 1 left out" in out
    assert "row 2 of reports" in err


def test_import_takes_the_published_leaderboard_and_says_what_is_the_matter(capsys, tmp_path):
    rows = [make_result("newt"), make_result("fishnet", low=0.6, high=0.7), make_result("\x1b[2J")]
    path = write_json(tmp_path / "results.json", [*rows, {"task": "\x1b[2J"}])
    code, out, err = run(capsys, "import", path, "--results", tmp_path / "new")
    assert code == 0 and "3 runs imported, 0 were there already, 1 left out" in out
    assert "Models by their names (1): 1 open-clip." in out
    assert "Scores outside their own interval, marked ! (1): fishnet 1." in out
    assert "Scores known to be wrong, marked x (1): fishnet 1." in out
    assert "does not have, kept under their names: \\x1b[2J (1)." in out
    assert "result 4" in err and "\x1b" not in out + err
    code, out, _ = run(capsys, "import", path, "--results", tmp_path / "new")
    assert "0 runs imported, 3 were there already" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["leaderboard", "--results", "absent"], "no results folder absent"),
        (["leaderboard", "--where", "n_train"], "KEY=VALUE"),
        (["compare", "timm:x", "timm:y"], "no results folder"),
        (["export", "--to", "out.doc"], "suffix"),
        (["import", "absent.sqlite"], "no file absent.sqlite"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert code == 2 and out == ""
    assert said in err and "Traceback" not in err and err.count("\n") == 1


def test_reading_results_loads_no_torch(root):
    code = (
        "import sys; from biobench.cli import main\n"
        f"for words in (['leaderboard'], ['compare', {MODELS[0]!r}, {MODELS[1]!r}]):\n"
        f"    assert main([*words, '--results', {str(root)!r}]) == 0\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_leaderboard_breaks_scores_down(root, capsys):
    code, out, _ = run(capsys, "leaderboard", "--results", root, "--by", "site")
    assert code == 0 and "birds, by site" in out and "site-0 (n = 20)" in out
    code, _, err = run(capsys, "leaderboard", "--results", root, "--by", "moon")
    assert code == 2 and "known: rarity, class, site" in err
