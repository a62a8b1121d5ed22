"""What people see, kept as text in tests/shown (tests/shown.py says how to write it anew)."""

import pytest

from biobench import report, stats
from results_world import CLOSE, GOOD, POOR, tell
from shown import WIDTHS, compare, show

MOTHS = {"n": 30, "metric": "macro-f1", "manifest": "moths", "probe": "knn", "n_train": 5}


@pytest.fixture
def world(suite, keep):
    """`suite` with a fourth task, of five shots and another probe."""
    for model in (GOOD, CLOSE, POOR):
        keep("moths", model, seed=len(model), **MOTHS)
    return suite


@pytest.mark.parametrize("explain", [False, True])
def test_the_leaderboard(world, explain):
    board = report.leaderboard(world)
    name = "leaderboard-explained" if explain else "leaderboard"
    compare(name, lambda width: show(report.render(board, width, explain=explain), width))


@pytest.mark.parametrize("explain", [False, True])
def test_the_comparison(world, explain):
    found = report.compare(world, GOOD, POOR)
    name = "comparison-explained" if explain else "comparison"
    compare(
        name, lambda width: show(report.render_comparison(found, width, explain=explain), width)
    )


def read_notes(text):
    """The lines of notes below a table."""
    lines = [line for line in text.splitlines() if line.strip()]
    first = next(i for i, line in enumerate(lines) if line.startswith(("· ", "! ")))
    return lines[first:]


@pytest.mark.parametrize("width", WIDTHS)
def test_at_most_three_lines_stand_under_a_table_and_explain_shows_all(world, width):
    board, found = report.leaderboard(world), report.compare(world, GOOD, CLOSE)
    for text in (
        show(report.render(board, width), width),
        show(report.render_comparison(found, width), width),
    ):
        assert len(read_notes(text)) <= 3 and "--explain" in text
    for one, render in ((board, report.render), (found, report.render_comparison)):
        text = " ".join(show(render(one, width, explain=True), width).split())
        for note in tell(one):
            assert " ".join(note.split()) in text
    for to_text, one in ((report.to_text, board), (report.comparison_to_text, found)):
        for kind, mark in (("markdown", "- "), ("latex", "% ")):
            lines = [line for line in to_text(one, kind).splitlines() if line.startswith(mark)]
            assert len(lines) - (kind == "latex") <= 3
            assert len(to_text(one, kind, explain=True)) > len(to_text(one, kind))


def test_the_line_of_warning_names_the_small_classes_at_60_columns(keep):
    keep("moths", GOOD, n=30, metric="macro-f1")
    text = show(report.render(report.leaderboard(keep.root), 60), 60)
    (line,) = [line for line in text.splitlines() if line.startswith("! ")]
    assert "'cicada' has only 7, 'dragonfly' 7" in line


@pytest.mark.parametrize("width", WIDTHS)
def test_no_p_is_shown_as_none(keep, width, monkeypatch):
    compare_models = stats.compare_models

    def find_small(*args):
        import polars as pl

        return compare_models(*args).with_columns(p=pl.lit(3e-9), p_holm=pl.lit(6e-9))

    monkeypatch.setattr(stats, "compare_models", find_small)
    keep("birds", GOOD)
    keep("birds", POOR)
    found = report.compare(keep.root, GOOD, POOR)
    assert "< 0.0001" in show(report.render_comparison(found, width), width)
    for kind, shown in (("markdown", r"\< 0.0001"), ("latex", r"\textless{} 0.0001")):
        text = report.comparison_to_text(found, kind)
        assert shown in text and "0.0000 " not in text
    assert "3e-09,6e-09" in report.comparison_to_text(found, "csv")
