import io
import json
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from biobench import metrics, report, results, stats
from biobench.errors import BadInput
from biobench.report.parts import break_down_task, list_columns
from results_world import CLOSE, GOOD, POOR


@pytest.fixture
def board(suite):
    return report.leaderboard(suite)


def test_every_part_s_score_is_that_of_its_examples(board):
    (birds, _, _) = report.break_down(board, "site")
    assert birds.task == "birds" and birds.values == ["site-0", "site-1"]
    runs = dict(board.table.filter(task="birds").select("model", "run").rows())
    for row in birds.table.iter_rows(named=True):
        part = results.read_predictions(Path(runs[row["model"]])).filter(site=row["value"])
        assert row["score"] == pytest.approx(part["score"].mean()) and row["n"] == part.height
        assert row["ci_low"] <= row["score"] <= row["ci_high"]


def test_parts_are_those_of_statistics(board):
    (found,) = [one for one in report.break_down(board, "class") if one.task == "mammals"]
    run = board.table.filter(task="mammals", model=GOOD)["run"][0]
    expected = stats.breakdown(
        results.read_predictions(Path(run)), metrics.get_metric("macro-accuracy"), "class"
    )
    assert found.table.filter(model=GOOD)["ci_low"].to_list() == expected["ci_low"].to_list()


def test_models_stand_best_first_and_may_be_limited(board):
    one = break_down_task(board, "birds", "rarity", n_models=2)
    assert one.models == board.table.filter(task="birds").sort("rank")["model"].to_list()[:2]
    assert POOR not in one.models


def test_columns_with_few_values_are_offered(board):
    assert list_columns(board, "birds") == ["rarity", "class", "site"]


def test_a_column_that_no_task_knows_is_answered_with_those_there_are(board):
    with pytest.raises(BadInput, match="known: rarity, class, site"):
        report.break_down(board, "moon")


def test_a_task_that_does_not_know_the_column_is_left_out(board):
    run = Path(board.table.filter(task="birds")["run"][0])
    for path in run.parents[1].rglob("predictions.parquet"):
        pl.read_parquet(path).drop("site").write_parquet(path)
    assert [one.task for one in report.break_down(board, "site")] == ["flowers", "mammals"]


def test_breakdowns_print_in_every_format(board):
    parts = report.break_down(board, "site")
    rows = json.loads(report.breakdowns_to_text(parts, "json"))
    assert list(rows[0]) == ["task", "value", "model", "score", "ci", "n"]
    assert len(rows) == 2 * 8
    table = pl.read_csv(io.StringIO(report.breakdowns_to_text(parts, "csv")))
    assert table.height == 16 and "ci_low" in table.columns
    assert report.breakdowns_to_text(parts, "markdown").count("| site-0 | 100 |") == 3
    assert report.breakdowns_to_text(parts, "latex").count(r"\begin{tabular}") == 3
    console = Console(file=io.StringIO(), width=90)
    console.print(report.render_breakdowns(parts, 90))
    text = console.file.getvalue()
    assert "birds, by site" in text and "site-1 (n = 100)" in text and CLOSE in text
