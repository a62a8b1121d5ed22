"""What people read: the leaderboard, the comparison of two models, the static page.

    from biobench import report

    board = report.leaderboard(results)      # every current cell, ties and ranks
    board.table                              # one row a (model, task), a polars table
    report.to_text(board, "markdown")

Everything is computed from the runs in a results folder; nothing here loads torch.
"""

from biobench.report.formats import to_text
from biobench.report.leaderboard import Leaderboard, leaderboard
from biobench.report.terminal import render

__all__ = ["Leaderboard", "leaderboard", "render", "to_text"]
