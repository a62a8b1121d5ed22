import io
import xml.etree.ElementTree as ET

from rich.console import Console

from biobench import report
from results_world import CLOSE, GOOD, POOR


def show(renderable, width):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def test_every_model_task_and_interval_is_shown(suite):
    board = report.leaderboard(suite)
    text = show(report.render(board, 120), 120)
    for word in (GOOD, CLOSE, POOR, "birds", "flowers", "mammals", "mean", "rank"):
        assert word in text
    for low, high in board.table.select("ci_low", "ci_high").rows():
        assert f"{low:.3f}–{high:.3f}" in text


def test_how_sure_the_order_is_stands_below_the_scores(suite):
    board = report.leaderboard(suite)
    text = show(report.render(board, 120), 120)
    lines = text.split("Rank by the mean")[1].splitlines()
    (first,) = [line.split() for line in lines if line.startswith(board.models[0])]
    probability = board.order["beats_next"][0]
    assert first[1] == "1" and first[-1] == f"{probability:.0%}" and probability >= 0.5


def test_best_scores_are_starred_and_missing_cells_are_dashes(suite):
    lines = show(report.render(report.leaderboard(suite), 120), 120).splitlines()
    (row,) = [line for line in lines if line.startswith(POOR)]
    assert row.split()[2] == "–" and "*" not in row
    assert sum(line.count(" * ") for line in lines[: 2 * 3 + 1]) >= 4


def test_a_table_too_wide_for_the_terminal_goes_on_below(suite, keep):
    for i in range(12):
        keep(f"a-task-with-a-long-name-{i}", GOOD)
    board = report.leaderboard(suite)
    for width in (60, 100):
        text = show(report.render(board, width), width)
        assert max(map(len, text.splitlines())) <= width
        assert all(f"a-task-with-a-long-name-{i}" in text for i in range(12))
        # Of the lines under the tables a long warning is cut; --explain shows it whole.
        assert "…" not in text.split("· Below each score")[0]


def test_the_protocol_stands_below_the_task_in_a_column_s_head(keep):
    keep("birds", GOOD, n_train=10)
    keep("birds", GOOD)
    lines = show(report.render(report.leaderboard(keep.root), 100), 100).splitlines()
    assert "[n_train=10]" in lines[1] and "[n_train=all]" in lines[1]


def test_a_comparison_says_who_is_better_and_what_could_have_been_seen(suite, keep):
    text = show(report.render_comparison(report.compare(suite, GOOD, POOR)), 120)
    assert "A is better" in text and "detectable" in text and f"B  {POOR}" in text
    keep("birds", GOOD, backbone="1" * 16)
    keep("birds", GOOD, backbone="2" * 16)
    twins = report.compare(suite, f"{GOOD} @11111111", f"{GOOD} @22222222")
    text = show(report.render_comparison(twins), 120)
    assert "no difference seen" in text and "better" not in text


def test_the_picture_is_an_svg_that_needs_no_network(suite, tmp_path):
    report.write_picture(report.leaderboard(suite), tmp_path / "board.svg", command="make demo")
    text = (tmp_path / "board.svg").read_text()
    words = "".join(ET.fromstring(text).itertext()).replace("\xa0", " ")
    assert "$ make demo" in words and GOOD in words
    assert "url(http" not in text and "@font-face" not in text


def test_a_model_alone_is_not_called_the_best(keep):
    keep("birds", GOOD)
    keep("mammals", GOOD)
    board = report.leaderboard(keep.root)
    text = show(report.render(board, 100), 100)
    assert "*" not in text and "rank" not in text.lower()
    assert "**" not in report.to_text(board, "markdown")
