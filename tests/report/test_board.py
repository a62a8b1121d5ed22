import dataclasses
import importlib
import shutil
from pathlib import Path

import polars as pl
import pytest

from biobench import metrics, report, results, stats
from biobench.interfaces import Provenance
from biobench.results.store import write_folder
from results_world import CLOSE, GOOD, POOR, START, make_report, tell
from site_reader import read_site


def get(board, model, task):
    return board.table.row(
        by_predicate=(pl.col("model") == model) & (pl.col("task") == task), named=True
    )


def test_every_score_is_what_its_run_s_predictions_give(suite):
    board = report.leaderboard(suite)
    for row in board.table.filter(pl.col("task") != "mean").iter_rows(named=True):
        run = results.read_report(Path(row["run"]))
        metric = metrics.get_metric(run["provenance"]["protocol"]["metric"])
        table = results.read_predictions(Path(row["run"]))
        assert row["score"] == pytest.approx(metric(results.to_examples(table)))
        assert row["ci_low"] <= row["score"] <= row["ci_high"]


def test_the_mean_is_that_of_the_scores_over_models_with_every_task(suite):
    board = report.leaderboard(suite)
    for model in (GOOD, CLOSE):
        scores = [get(board, model, task)["score"] for task in ("birds", "flowers", "mammals")]
        assert get(board, model, "mean")["score"] == pytest.approx(sum(scores) / 3)
    assert board.models[-1] == POOR
    assert board.table.filter(pl.col("task") == "mean", pl.col("model") == POOR).height == 0
    assert any("flowers of baseline:poor" in note for note in tell(board))


def test_the_poor_model_is_not_tied_and_the_close_one_is(suite):
    board = report.leaderboard(suite)
    best = max((GOOD, CLOSE), key=lambda model: get(board, model, "birds")["score"])
    assert get(board, best, "birds")["rank"] == 1
    assert get(board, CLOSE, "birds")["tied_with_best"]
    assert not get(board, POOR, "birds")["tied_with_best"]
    assert get(board, POOR, "birds")["rank"] == 3


def test_grouped_tasks_show_the_grouped_interval_and_say_so(suite):
    board = report.leaderboard(suite)
    row = get(board, GOOD, "mammals")
    run = results.read_report(Path(row["run"]))
    assert [row["ci_low"], row["ci_high"]] == run["group_ci"] != run["ci"]
    assert row["n_groups"] == 40 and get(board, GOOD, "birds")["n_groups"] is None
    assert any("mammals (40 groups)" in note for note in tell(board))


def test_shown_intervals_are_those_that_statistics_gives(suite):
    board = report.leaderboard(suite)
    row = get(board, GOOD, "flowers")
    table = results.read_predictions(Path(row["run"]))
    expected = stats.interval_from_table(table, metrics.get_metric("macro-f1"))
    assert (row["ci_low"], row["ci_high"]) == (expected.low, expected.high)


def test_several_protocols_of_a_task_leave_no_mean(suite, keep):
    keep("birds", GOOD, n=200, n_train=10, manifest="birds")
    board = report.leaderboard(suite)
    assert not board.has_mean
    assert "birds [n_train=10]" in board.tasks and "birds [n_train=all]" in board.tasks
    assert any(note.startswith("No mean over tasks") and "birds" in note for note in tell(board))
    assert report.leaderboard(suite, where={"n_train": "all"}).has_mean


def test_few_tasks_give_no_rank_over_others_and_say_so(suite):
    board = report.leaderboard(suite)
    assert board.order["tasks_low"].null_count() == board.order.height == 2
    assert "Too few tasks to rank over others (3; it takes 6)." in tell(board)


def test_ties_say_which_family_they_are_of(suite):
    (note,) = [note for note in tell(report.leaderboard(suite)) if note.startswith("* best")]
    assert "All pairs of a task's models" in note and "Holm" not in note


def test_one_task_has_no_mean(suite):
    board = report.leaderboard(suite, tasks=["birds"])
    assert board.tasks == ["birds"] and not board.has_mean


def test_a_damaged_run_is_left_out_and_named(suite):
    bad = Path(report.leaderboard(suite).table["run"][0])
    (bad / "predictions.parquet").write_bytes(b"PAR1 and then nothing")
    board = report.leaderboard(suite)
    assert str(bad) not in board.table["run"].to_list()
    assert [problem.path for problem in board.problems] == [bad]
    assert any("1 run left out" in note and str(bad) in note for note in tell(board))


def test_beyond_the_limit_stored_scores_are_shown_and_said(suite, monkeypatch):
    full = report.leaderboard(suite)
    module = importlib.import_module("biobench.report.board")
    monkeypatch.setattr(module, "MAX_CELLS", 3)
    board = report.leaderboard(suite)
    assert board.table["rank"].null_count() == board.table.height == 8
    assert any("--full" in note for note in tell(board))
    stored = full.table.filter(pl.col("task") != "mean").sort("task", "model")
    assert board.table["ci_low"].to_list() == stored["ci_low"].to_list()
    assert report.leaderboard(suite, full=True).table.equals(full.table)


def test_runs_without_predictions_are_shown_without_an_interval(suite, keep):
    run = keep("birds", "timm:old", n=8, manifest="birds")
    kept = results.read_report(run)
    old = kept | {
        **{"has_predictions": False, "ci": None, "group_ci": None, "n": None, "score": 0.99},
        "warnings": [],
    }
    shutil.rmtree(run)
    write_folder(keep.root, old, None)
    board = report.leaderboard(suite)
    row = get(board, "timm:old", "birds")
    assert (row["score"], row["ci_low"], row["rank"]) == (0.99, None, None)
    assert get(board, board.models[0], "birds")["rank"] == 1
    assert any("verified: birds of timm:old" in note for note in tell(board))


def test_unreadable_pictures_and_warnings_are_said(suite):
    notes = tell(report.leaderboard(suite))
    assert any("8 pictures in 8 runs could not be read" in note for note in notes)


def test_a_run_of_a_metric_of_its_own_is_shown_with_its_stored_interval(suite, keep):
    provenance = Provenance(protocol={}, manifest="m", backbone={"digest": "d"})
    changes = {"provenance": provenance, "calc_mean_score": lambda examples: 0.25}
    own = dataclasses.replace(make_report(n=8), **changes)
    results.write_run(keep.root, "own", ("timm", "a"), own)
    board = report.leaderboard(suite)
    assert not board.has_mean and any("ranks in own" in note for note in tell(board))
    row = get(board, "timm:a", "own")
    assert row["score"] == 0.25 and row["ci_low"] <= 0.25 <= row["ci_high"] and row["rank"] is None


def test_models_of_different_test_sets_are_not_compared_and_the_other_tasks_are(suite):
    run = Path(report.leaderboard(suite).table.filter(task="birds", model=GOOD)["run"][0])
    path = run / "predictions.parquet"
    pl.read_parquet(path).head(100).write_parquet(path)
    board = report.leaderboard(suite)
    assert any(note.startswith("Not compared: birds: Only 100 of 200") for note in tell(board))
    assert get(board, CLOSE, "birds")["rank"] is None
    assert get(board, CLOSE, "flowers")["rank"] is not None
    assert not board.has_mean


def test_examples_that_some_models_lack_are_left_out_for_all_and_said(suite):
    run = Path(report.leaderboard(suite).table.filter(task="birds", model=GOOD)["run"][0])
    path = run / "predictions.parquet"
    kept = pl.read_parquet(path).head(195)
    kept.write_parquet(path)
    board = report.leaderboard(suite)
    row = get(board, CLOSE, "birds")
    table = results.read_predictions(Path(row["run"])).head(195)
    assert row["n"] == 195 and row["score"] == pytest.approx(table["score"].mean())
    assert any("5 examples that not every model has" in note for note in tell(board))


def test_a_score_over_common_examples_is_told_from_the_run_s_own(keep, tmp_path):
    keep("birds", GOOD)
    short = dataclasses.replace(make_report(backbone=CLOSE), posix_time=START)
    short = dataclasses.replace(short, examples=short.examples[2:])
    results.write_run(keep.root, "birds", tuple(CLOSE.split(":")), short)
    board = report.leaderboard(keep.root)
    (row,) = board.table.filter(model=GOOD).iter_rows(named=True)
    own = results.read_report(Path(row["run"]))
    assert row["n"] == 58 and own["n"] == 60 and row["score"] != own["score"]
    (note,) = [note for note in tell(board) if "58 examples that every model has" in note]
    assert note.startswith("Scores on birds are over") and "run" in note
    page = read_site(report.write_site(keep.root, tmp_path / "site"))
    assert f"{own['score']:.3f} on all of its 60 examples" in page
    (part,) = report.break_down(board, "class")
    assert part.is_uneven
    assert "not all have the same" in report.breakdowns_to_text([part], "markdown")
    assert "not all have the same" in page


def test_models_with_the_same_examples_are_not_told_apart(suite):
    board = report.leaderboard(suite)
    assert not any("that every model has" in note for note in tell(board))
    assert not any(part.is_uneven for part in report.break_down(board, "class"))


def test_a_folder_s_name_is_no_pattern(tmp_path):
    """A polars reader takes `results[12]` for results1 and results2."""
    shown = []
    for name, accuracy in (("results1", 0.2), ("results[12]", 0.9), ("results*", 0.6)):
        made = make_report(n=100, accuracy=accuracy, seed=3)
        results.write_run(tmp_path / name, "birds", tuple(GOOD.split(":")), made)
        board = report.leaderboard(tmp_path / name)
        (run,) = board.table["run"].to_list()
        own = results.read_report(Path(run))["score"]
        assert metrics.MeanScore()(results.to_examples(results.read_predictions(Path(run)))) == own
        assert board.problems == []
        (part,) = report.break_down(board, "site")
        shown.append(sum(part.table["score"] * part.table["n"]) / sum(part.table["n"]))
        assert shown[-1] == pytest.approx(own)
    assert len(set(shown)) == 3
