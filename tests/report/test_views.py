"""One view is what every output draws from: cells, marks, notes, pairs."""

import dataclasses
import io
import re

import polars as pl
import pytest

from biobench import report
from biobench.console import CleanConsole
from biobench.report import views
from biobench.report.views import Note, Verdict, view_cells, view_pairs
from results_world import CLOSE, GOOD, POOR
from site_reader import read_site


def draw(board, kind, folder):
    """The board as a reader of one of the outputs has it."""
    if kind == "page":
        return read_site(report.write_site(board, folder))
    if kind == "terminal":
        console = CleanConsole(file=io.StringIO(), width=100)
        console.print(report.render(board, 100))
        return console.file.getvalue()
    return report.to_text(board, kind)


@pytest.mark.parametrize("kind", ["terminal", "markdown", "latex", "page"])
def test_a_mark_that_is_coded_once_is_drawn_by_every_output(suite, kind, monkeypatch, tmp_path):
    odd = views.Mark(
        name="odd",
        sign="%",
        words="an odd one",
        holds=lambda cell: cell.model == POOR and cell.task == "birds",
        style="red",
        markdown="~~{}~~",
        latex=r"\textsl{{{}}}",
    )
    signs = {"terminal": "%", "markdown": "~~", "latex": r"\textsl{", "page": "%"}
    place = suite if kind == "page" else report.leaderboard(suite)
    plain = draw(place, kind, tmp_path / "plain")
    monkeypatch.setattr(views, "MARKS", (odd, *views.MARKS))
    marked = draw(place, kind, tmp_path / "marked")
    assert marked.count(signs[kind]) > plain.count(signs[kind])


def test_every_row_of_the_table_is_a_cell_with_its_numbers(suite):
    board = report.leaderboard(suite)
    cells = view_cells(board.table, board.signs)
    for row in board.table.iter_rows(named=True):
        cell = cells[row["model"], row["task"]]
        assert cell.ci == [row["ci_low"], row["ci_high"]]
        for name in ("score", "n", "n_groups", "rank", "tied_with_best", "run"):
            assert getattr(cell, name) == row[name]
        assert (cell.mark is views.BEST) == (row["rank"] == 1)
        assert (cell.mark is views.TIED) == (row["tied_with_best"] and row["rank"] != 1)


def test_where_the_low_score_is_the_better_one_the_best_is_the_lowest():
    table = pl.DataFrame(
        {
            "model": ["a", "b", "c"],
            "task": ["t", "t", "t"],
            "score": [0.1, 0.2, 0.3],
            "ci_low": [0.05, 0.15, 0.25],
            "ci_high": [0.15, 0.25, 0.35],
            "n": [9, 9, 9],
            "rank": [1, 2, 3],
            "tied_with_best": [True, True, False],
            "runs": [["x"], ["y"], ["z"]],
            "seeds": [["42"], ["42"], ["42"]],
            "published": [False, False, False],
            "doubts": [[], [], []],
        }
    )
    cells = view_cells(table, {"t": -1})
    marks = [cells[model, "t"].mark for model in "abc"]
    assert marks == [views.BEST, views.TIED, None]


def test_a_score_without_an_interval_is_not_the_best_and_is_marked():
    cell = views.CellView("a", "t", 0.9, None, None, 9, rank=1, tied_with_best=True)
    assert cell.mark is views.UNVERIFIED and cell.sign == "?" and cell.ci is None


def test_a_note_says_what_it_is_of_and_whether_it_warns():
    assert Note("few groups", "Warning (birds)").sentence == "Warning (birds): few groups"
    assert Note("few groups", "Warning (birds)").is_warning
    assert Note("Mean: of all.").sentence == "Mean: of all." and not Note("x").is_warning


def test_a_verdict_follows_from_the_corrected_p_and_the_sign(suite):
    (pair, *_) = view_pairs(report.compare(suite, GOOD, POOR).table)
    same = view_pairs(report.compare(suite, GOOD, CLOSE).table)[0]
    assert pair.p_holm < 0.05 and pair.difference > 0 and pair.verdict is Verdict.A
    flipped = dataclasses.replace(pair, difference=-pair.difference)
    assert flipped.verdict is Verdict.B
    weak = dataclasses.replace(same, p_holm=0.5, detectable=0.1)
    assert weak.verdict is Verdict.NOT_SEEN
    assert dataclasses.replace(weak, detectable=None).verdict is Verdict.NOT_SHOWABLE
    assert re.fullmatch(r"0\.\d{4}|< 0\.0001", pair.shown_p)
