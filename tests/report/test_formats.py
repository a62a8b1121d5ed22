import io
import json
import re

import polars as pl
import pytest

from biobench import report
from results_world import CLOSE, GOOD, POOR


@pytest.fixture
def board(suite):
    return report.leaderboard(suite)


def test_json_has_the_published_fields_and_the_mean(board):
    rows = json.loads(report.to_text(board, "json"))
    fields = ["model", "task", "score", "ci", "n", "rank", "rank_ci", "tied_with_best", "run"]
    fields += ["runs", "seeds", "heading", "published", "doubts", "seen"]
    assert all(list(row) == fields for row in rows)
    assert {row["task"] for row in rows} == {"birds", "flowers", "mammals", "mean"}
    assert len(rows) == 8 + 2
    for row in rows:
        assert row["ci"][0] <= row["score"] <= row["ci"][1]
        assert row["rank_ci"][0] <= row["rank"] <= row["rank_ci"][1]
        assert (row["run"] is None) == (row["task"] == "mean")


def test_csv_holds_the_table(board):
    table = pl.read_csv(io.StringIO(report.to_text(board, "csv")))
    assert table["model"].to_list() == board.table["model"].to_list()
    assert table["ci_low"].to_list() == pytest.approx(board.table["ci_low"].to_list(), abs=1e-6)


def test_markdown_is_one_table_with_every_model_and_missing_cells_marked(board):
    lines = [line for line in report.to_text(board, "markdown").splitlines() if line[:1] == "|"]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in cells} == {5}
    assert [row[0] for row in cells[2:]] == board.models
    assert cells[-1][0] == POOR and cells[-1][2] == "–" and cells[-1][4] == "–"
    assert sum(cell.startswith("**") for row in cells[2:] for cell in row) >= 4


def test_latex_is_a_booktabs_table_with_intervals_as_subscripts(board):
    text = report.to_text(board, "latex")
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{lcccc}"):
        assert part in text
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert len(body) == 3 and all(line.endswith(r"\\") and line.count("&") == 4 for line in body)
    assert len(re.findall(r"\\textbf\{0\.\d{3}\}\$_\{\[0\.\d{3},\\,[01]\.\d{3}\]\}\$", text)) >= 4
    assert text.count("{") == text.count("}")


def test_tied_models_are_underlined_in_latex(board):
    tied = board.table.filter("tied_with_best").height
    text = report.to_text(board, "latex")
    assert text.count(r"\textbf") + text.count(r"\underline") == tied


def test_names_are_escaped(keep):
    keep("a_b&c", "timm:x_y|z")
    board = report.leaderboard(keep.root)
    assert r"a\_b\&c" in report.to_text(board, "latex")
    assert r"timm:x\_y\|z" in report.to_text(board, "markdown")


def test_a_comparison_has_the_published_fields_in_front(suite):
    comparison = report.compare(suite, GOOD, POOR)
    rows = json.loads(report.comparison_to_text(comparison, "json"))
    fields = ["task", "a", "b", "score_a", "score_b", "difference", "ci", "p", "p_holm", "n"]
    assert all(list(row)[:10] == fields for row in rows)
    for row in rows:
        assert row["ci"][0] <= row["difference"] <= row["ci"][1]
        assert row["difference"] == pytest.approx(row["score_a"] - row["score_b"])


@pytest.mark.parametrize("kind", ["csv", "markdown", "latex"])
def test_a_comparison_has_one_row_a_task_in_every_format(suite, kind):
    comparison = report.compare(suite, GOOD, CLOSE)
    text = report.comparison_to_text(comparison, kind)
    for task in ("birds", "flowers", "mammals", "mean"):
        assert len(re.findall(rf"^(\| )?{task}\b", text, re.MULTILINE)) == 1
