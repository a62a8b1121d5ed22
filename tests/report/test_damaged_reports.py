"""Every reader, on a results folder full of damage: what is bad is named, what is good is shown."""

import json
import os
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import damaged_reports as damaged
from biobench import report, results
from biobench.cli import main
from results_world import CLOSE, GOOD, START, make_report, tell
from schema_strategies import from_schema

NAMES = sorted(damaged.NASTY)


@pytest.fixture
def pair(keep):
    """Two models on one task, the runs and the folder that they lie in."""
    runs = [keep("birds", model, n=12, n_groups=4) for model in (GOOD, CLOSE)]
    return keep.root, runs


def add(root, run, text, number):
    """A copy of `run` with another report; its id is newer, so that it would be shown."""
    folder = run.with_name(f"20240101T000000.{number:06d}Z-{number:012x}")
    shutil.copytree(run, folder)
    (folder / "report.json").write_bytes(text)
    return folder


def read_all(capfd, root, tmp_path, number=0):
    """What every command says of a results folder; none may end in a traceback."""
    run = next(root.glob("*/*/*"))
    out = tmp_path / f"out-{number}"
    commands = {
        "leaderboard": ["leaderboard", "--results", root, "--format", "json"],
        "table": ["leaderboard", "--results", root],
        "latex": ["leaderboard", "--results", root, "--format", "latex"],
        "classes": ["leaderboard", "--results", root, "--by", "class"],
        "compare": ["compare", GOOD, CLOSE, "--results", root, "--format", "json"],
        "status": ["status", "--results", root],
        "page": ["report", "--results", root, "--out", out / "site"],
        "sqlite": ["export", "--results", root, "--to", out / "all.sqlite"],
        "csv": ["export", "--results", root, "--to", out / "runs.csv"],
        "import": ["import", root, "--results", out / "ours"],
        "reproduce": ["reproduce", run],
    }
    out.mkdir()
    said = {}
    for name, words in commands.items():
        code = main([str(word) for word in words])
        captured = capfd.readouterr()
        assert code in (0, 1, 2), name
        assert code == 0 or len(captured.err.strip().splitlines()) == 1, captured.err
        said[name] = (code, captured.out, captured.err)
    return said


def test_no_reader_stops_at_any_damage_and_each_names_it(pair, capfd, tmp_path):
    root, (run, _) = pair
    plain = json.loads((run / "report.json").read_text())
    paths = [path for path in damaged.list_paths(plain) if path[-1] not in ("format",)]
    texts = dict(damaged.TEXTS)
    for i, path in enumerate(paths):
        # Every field with some of the values; every value at some of the fields.
        for name in (NAMES[i % len(NAMES)], NAMES[(i * 7 + 3) % len(NAMES)]):
            texts[f"{path} {name}"] = damaged.replace(plain, path, name)
        texts[f"{path} missing"] = damaged.remove(plain, path)
    bad = []
    for number, text in enumerate(texts.values()):
        bad.append(add(root, run, text, number))
    named = {problem.path for problem in results.scan(root).problems}
    assert len(named) > len(bad) / 2
    said = read_all(capfd, root, tmp_path)
    assert {said[name][0] for name in said} <= {0, 2}
    assert said["leaderboard"][0] == said["page"][0] == said["sqlite"][0] == said["import"][0] == 0
    for folder in named:
        assert str(folder) in said["leaderboard"][2]
        assert str(folder) in said["sqlite"][2] and str(folder) in said["import"][2]


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(values=st.lists(from_schema(results.get_schema()), min_size=6, max_size=6))
def test_reports_that_only_the_schema_knows_stop_no_reader(pair, capfd, tmp_path_factory, values):
    root, (run, _) = pair
    tmp_path = tmp_path_factory.mktemp("schema")
    made = []
    try:
        for number, value in enumerate(values):
            made.append(add(root, run, json.dumps(value).encode(), number))
            plain = json.loads((run / "report.json").read_text())
            # In a run's own place, so that readers come as far as its predictions.
            kept = {name: plain[name] for name in ("run", "task", "model", "has_predictions")}
            made.append(add(root, run, json.dumps(value | kept).encode(), 100 + number))
        said = read_all(capfd, root, tmp_path)
        assert said["leaderboard"][0] == said["sqlite"][0] == said["import"][0] == 0
    finally:
        for folder in made:
            shutil.rmtree(folder)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_folder_whose_runs_are_all_damaged_ends_every_reader_in_one_sentence(
    pair, capfd, tmp_path, data
):
    root, runs = pair
    number = read_all.__dict__["n"] = read_all.__dict__.get("n", 0) + 1
    kept = [(run / "report.json").read_bytes() for run in runs]
    try:
        for run, text in zip(runs, kept, strict=True):
            plain = json.loads(text)
            for _ in range(data.draw(st.integers(1, 2))):
                path = data.draw(st.sampled_from(damaged.list_paths(plain)))
                (run / "report.json").write_bytes(
                    damaged.replace(plain, path, data.draw(st.sampled_from(NAMES)))
                )
        read_all(capfd, root, tmp_path, number)
    finally:
        for run, text in zip(runs, kept, strict=True):
            (run / "report.json").write_bytes(text)


def test_odd_files_in_the_place_of_a_run_s_are_named(pair, capfd, tmp_path):
    root, (run, _) = pair
    plain = (run / "report.json").read_bytes()
    made = [add(root, run, plain, number) for number in range(8)]
    for folder in made[:3]:
        (folder / "report.json").unlink()
    (made[0] / "report.json").mkdir()
    (made[1] / "report.json").symlink_to("report.json")
    os.mkfifo(made[2] / "report.json")
    for folder in made[3:]:
        (folder / "predictions.parquet").unlink()
    (made[3] / "predictions.parquet").mkdir()
    (made[4] / "predictions.parquet").symlink_to("predictions.parquet")
    os.mkfifo(made[5] / "predictions.parquet")
    (made[6] / "predictions.parquet").write_bytes(b"PAR1")
    pl.DataFrame({"example": [[1]], "score": ["x"]}).write_parquet(made[7] / "predictions.parquet")
    (root / "loop").symlink_to("loop")
    (run.parent / "loop").symlink_to("loop")
    said = read_all(capfd, root, tmp_path)
    assert said["leaderboard"][0] == said["import"][0] == said["sqlite"][0] == 0
    for folder in made:
        assert str(folder) in said["sqlite"][2] and str(folder) in said["import"][2]


@pytest.mark.parametrize("kind", ["wrong types", "no truth", "no rows", "not finite", "no example"])
def test_predictions_that_cannot_be_scored_are_named(pair, capfd, tmp_path, kind):
    root, (run, _) = pair
    path = run / "predictions.parquet"
    table = pl.read_parquet(path)
    change = {
        "wrong types": lambda: table.with_columns(score=pl.lit("right")),
        "no truth": lambda: table.with_columns(y_true=pl.Series(["ant"] + [None] * 11)),
        "no rows": lambda: table.clear(),
        "not finite": lambda: table.with_columns(score=pl.lit(float("inf"))),
        "no example": lambda: table.with_columns(example=pl.lit(None, pl.String)),
    }
    change[kind]().write_parquet(path)
    said = read_all(capfd, root, tmp_path)
    rows = json.loads(said["leaderboard"][1])
    assert GOOD not in {row["model"] for row in rows}
    assert str(run) in said["leaderboard"][2]


def test_a_results_folder_that_is_a_link_to_itself_is_one_sentence(capfd, tmp_path):
    (tmp_path / "results").symlink_to("results")
    for words in (["leaderboard"], ["status"], ["report"], ["compare", "a:b", "c:d"]):
        assert main([*words, "--results", str(tmp_path / "results")]) == 2
        assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_working_directory_that_was_deleted_is_one_sentence(capfd, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for words in (["leaderboard"], ["status"], ["export", "--to", "a.csv"], ["run"]):
        assert main(words) == 2
        assert "directory" in capfd.readouterr().err


def read_board(capfd, root, *words):
    assert main(["leaderboard", "--results", str(root), "--format", "json", *words]) == 0
    captured = capfd.readouterr()
    return {row["model"]: row for row in json.loads(captured.out)}, captured.err


def change_report(run, **fields):
    path = run / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("score", [7.5, 0.11], ids=["impossible", "possible"])
def test_a_score_that_the_predictions_do_not_give_is_not_shown_and_named(pair, capfd, score):
    root, (run, _) = pair
    before = read_board(capfd, root)[0]
    change_report(run, score=score)
    rows, said = read_board(capfd, root)
    assert rows[GOOD]["score"] == pytest.approx(before[GOOD]["score"], abs=1e-12)
    assert rows[GOOD]["ci"] == pytest.approx(before[GOOD]["ci"], abs=0.05)
    assert str(run) in said and f"its report says {score:.6f}" in said


def test_edited_predictions_are_what_is_shown_and_named(pair, capfd, tmp_path):
    root, (run, other) = pair
    path = run / "predictions.parquet"
    table = pl.read_parquet(path).with_columns(y_pred=pl.lit("wrong"), score=pl.lit(0.0))
    table.write_parquet(path)
    rows, said = read_board(capfd, root)
    assert rows[GOOD]["score"] == 0.0 and str(run) in said and str(other) not in said
    assert main(["compare", GOOD, CLOSE, "--results", str(root), "--format", "json"]) == 0
    captured = capfd.readouterr()
    assert json.loads(captured.out)[0]["score_a"] == 0.0 and str(run) in captured.err
    target = tmp_path / "runs.json"
    assert main(["export", "--results", str(root), "--to", str(target)]) == 0
    assert str(run) in capfd.readouterr().err
    exported = {row["model"]: row for row in json.loads(target.read_text())}
    assert exported[GOOD]["score"] == 0.0 and exported[GOOD]["is_verified"] is False
    assert exported[CLOSE]["is_verified"] is True


def test_predictions_edited_to_the_same_score_are_named(pair, capfd):
    root, (run, _) = pair
    path = run / "predictions.parquet"
    table = pl.read_parquet(path)
    table.with_columns(example=table["example"].reverse()).write_parquet(path)
    assert "is not the file that was written" in read_board(capfd, root)[1]


def test_an_edited_interval_is_computed_again_and_named(pair, capfd):
    root, (run, _) = pair
    before = read_board(capfd, root)[0][GOOD]
    score = before["score"]
    change_report(run, ci=[score - 0.001, score + 0.001], group_ci=[score - 0.001, score + 0.001])
    rows, said = read_board(capfd, root)
    assert rows[GOOD]["ci"] == pytest.approx(before["ci"]) and str(run) in said


def test_of_very_many_cells_those_that_look_wrong_are_computed_again(pair, capfd, monkeypatch):
    monkeypatch.setattr(sys.modules["biobench.report.board"], "MAX_CELLS", 1)
    root, (run, other) = pair
    before = read_board(capfd, root)[0]
    change_report(run, score=7.5)
    table = pl.read_parquet(other / "predictions.parquet")
    table.with_columns(score=pl.lit(0.0)).write_parquet(other / "predictions.parquet")
    rows, said = read_board(capfd, root)
    assert rows[GOOD]["score"] == pytest.approx(before[GOOD]["score"])
    assert rows[CLOSE]["score"] == 0.0
    assert str(run) in said and str(other) in said
    board = report.leaderboard(root)
    assert any("scores were not computed again" in note for note in tell(board))


def test_a_run_without_predictions_has_no_interval_whatever_its_report_says(pair, capfd):
    root, (run, _) = pair
    change_report(run, has_predictions=False)
    rows, _ = read_board(capfd, root)
    assert rows[GOOD]["ci"] is None and rows[CLOSE]["ci"] is not None


def test_agreeing_runs_raise_no_doubt_though_models_have_other_examples(keep, capfd):
    keep("birds", GOOD, n=40, seed=1)
    keep("birds", CLOSE, n=30, seed=2)
    keep("fish", GOOD, n=30, n_groups=6, metric="macro-f1", seed=3)
    rows, said = read_board(capfd, keep.root)
    assert said == "" and rows


def test_the_only_run_damaged_is_one_sentence(tmp_path, capfd):
    run = results.write_run(tmp_path, "birds", ("a", "b"), make_report(n=8, posix_time=START))
    (run / "predictions.parquet").write_bytes(b"PAR1")
    for words in (["leaderboard"], ["report", "--out", str(tmp_path / "site")]):
        assert main([*words, "--results", str(tmp_path)]) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert str(Path(run)) in line
