"""What people read: the leaderboard, the comparison of two models, the static site.

    from biobench import report

    board = report.leaderboard(results)      # every current cell, ties and ranks
    board.table                              # one row a (model, task), a polars table
    report.to_text(board, "markdown")

Everything is computed from the runs in a results folder; nothing here loads torch.
"""

from biobench.report.board import Leaderboard, leaderboard
from biobench.report.comparison import Comparison, compare
from biobench.report.formats import breakdowns_to_text, comparison_to_text, to_text
from biobench.report.parts import Breakdown, break_down
from biobench.report.run_data import describe_runs
from biobench.report.screenshot import write_picture
from biobench.report.site import serve, write_site
from biobench.report.terminal import render, render_breakdowns, render_comparison

__all__ = [
    "Breakdown",
    "Comparison",
    "Leaderboard",
    "break_down",
    "breakdowns_to_text",
    "compare",
    "comparison_to_text",
    "describe_runs",
    "leaderboard",
    "render",
    "render_breakdowns",
    "render_comparison",
    "serve",
    "to_text",
    "write_picture",
    "write_site",
]
