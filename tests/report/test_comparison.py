import io
import json
import re
from pathlib import Path

import polars as pl
import pytest

from biobench import report, stats
from biobench.console import CleanConsole
from biobench.errors import BadInput
from results_world import CLOSE, GOOD, POOR, tell


def test_every_shared_task_is_compared_and_the_others_are_named(suite):
    comparison = report.compare(suite, GOOD, POOR)
    assert comparison.table["task"].to_list() == ["birds", "mammals", "mean"]
    assert any("Only one of the two has flowers" in note for note in tell(comparison))


def test_a_clear_difference_is_found(suite):
    clear = report.compare(suite, GOOD, POOR).table
    assert (clear["p_holm"] < 0.05).all() and (clear["ci_low"] > 0).all()


def test_models_that_answer_alike_do_not_differ(keep):
    keep("birds", GOOD)
    keep("birds", "timm:twin", accuracy=0.9)
    (row,) = report.compare(keep.root, GOOD, "timm:twin").table.iter_rows(named=True)
    assert (row["difference"], row["p"], row["p_holm"]) == (0, 1, 1)


def test_a_model_is_not_compared_with_itself(suite):
    with pytest.raises(BadInput, match="compared with itself"):
        report.compare(suite, GOOD, GOOD)


def test_turning_the_models_round_turns_the_difference_round(suite):
    there = report.compare(suite, GOOD, CLOSE).table
    back = report.compare(suite, CLOSE, GOOD).table
    assert there["difference"].to_list() == pytest.approx((-back["difference"]).to_list())


def test_the_scores_are_the_leaderboard_s(suite):
    board, comparison = report.leaderboard(suite), report.compare(suite, GOOD, CLOSE)
    scores = dict(board.table.filter(pl.col("model") == GOOD).select("task", "score").rows())
    for task, score in comparison.table.select("task", "score_a").rows():
        assert score == pytest.approx(scores[task])


def test_groups_are_said_where_they_were_exchanged_whole(suite):
    notes = tell(report.compare(suite, GOOD, CLOSE))
    assert any(note.startswith("Whole groups") and "mammals" in note for note in notes)
    assert not any(note.startswith("Whole groups") and "birds" in note for note in notes)


def test_an_unknown_model_is_answered_with_the_known(suite):
    with pytest.raises(BadInput, match="baseline:poor"):
        report.compare(suite, GOOD, "timm:absent")


def test_a_name_of_several_weights_must_say_which(keep):
    keep("birds", GOOD, backbone="1" * 16)
    keep("birds", GOOD, backbone="2" * 16, seed=3)
    with pytest.raises(BadInput, match="timm:good @11111111, timm:good @22222222"):
        report.compare(keep.root, GOOD, GOOD)
    table = report.compare(keep.root, f"{GOOD} @11111111", f"{GOOD} @22222222").table
    assert table.height == 1


def test_models_without_a_common_task_are_refused(keep):
    keep("birds", GOOD)
    keep("mammals", POOR)
    with pytest.raises(BadInput, match="share no task"):
        report.compare(keep.root, GOOD, POOR)


def test_protocols_are_compared_apart(keep):
    for n_train in (-1, 10):
        for model in (GOOD, POOR):
            keep("birds", model, n_train=n_train)
    table = report.compare(keep.root, GOOD, POOR).table
    assert sorted(table["task"]) == ["birds [n_train=10]", "birds [n_train=all]"]


def test_a_damaged_run_is_named(suite):
    runs = report.leaderboard(suite).table.filter(task="birds", model=GOOD)
    (Path(runs["run"][0]) / "predictions.parquet").write_bytes(b"")
    comparison = report.compare(suite, GOOD, CLOSE)
    assert "birds" not in comparison.table["task"]
    assert any("is damaged" in note for note in tell(comparison))


def test_where_nothing_could_be_shown_no_format_gives_a_number(suite, monkeypatch):
    compare_models = stats.compare_models

    def compare_too_few_groups(*args):
        return compare_models(*args).with_columns(detectable=pl.lit(None, pl.Float64))

    monkeypatch.setattr(stats, "compare_models", compare_too_few_groups)
    comparison = report.compare(suite, GOOD, CLOSE)
    (note,) = [note for note in tell(comparison) if note.startswith("Detectable none")]
    assert "birds" in note and "too few groups" in note
    rows = json.loads(report.comparison_to_text(comparison, "json"))
    assert [row["detectable"] for row in rows] == [None] * len(rows)
    table = pl.read_csv(io.StringIO(report.comparison_to_text(comparison, "csv")))
    assert table["detectable"].null_count() == table.height
    for kind, end in (("markdown", "none |"), ("latex", r"none \\")):
        lines = report.comparison_to_text(comparison, kind).splitlines()
        assert sum(line.endswith(end) for line in lines) == len(rows)
    console = CleanConsole(file=io.StringIO(), width=140)
    console.print(report.render_comparison(comparison))
    text = console.file.getvalue()
    assert len(re.findall(r" none +(. is better|none could be shown)", text)) == len(rows)


def test_what_could_have_been_seen_is_said_in_numbers_where_there_is_enough(suite):
    comparison = report.compare(suite, GOOD, CLOSE)
    assert comparison.table["detectable"].null_count() == 0
    assert not any(note.startswith("Detectable none") for note in tell(comparison))
