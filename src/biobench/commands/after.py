"""What `biobench run` says when it has ended: the data, the leaderboard, and what to type next."""

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biobench.launch import CellState, Plan
    from biobench.report import Leaderboard

__all__ = ["print_after"]

MAX_CELLS = 200
"""of the results folder, up to which ties and ranks are computed unasked after a run."""


def print_after(plan: "Plan", states: "list[CellState]") -> None:
    """Say what the runs were made of, show the results folder's leaderboard, and name the next
    command; nothing where no cell is done."""
    from biobench import clean, report
    from biobench.commands.printing import make_console
    from biobench.errors import BadInput
    from biobench.results import list_imports
    from biobench.screen import say

    runs = [plan.results / state.run for state in states if state.state == "done" and state.run]
    if not runs:
        return
    console = make_console()
    say("")
    for line in report.describe_runs(runs):
        say(_wrap(clean.line(line), console.width))
    try:
        board = report.leaderboard(plan.results, max_cells=MAX_CELLS)
    except BadInput as err:
        say(clean.sentence(str(err)))
        return
    results = show_path(plan.results)
    say("")
    console.print(report.render(board, console.width, compact=True, how="see below"))
    say("")
    where = ["--results", results]
    if needed := list_imports(runs, "metric"):
        where += ["--imports", *(show_path(Path(n)) if n.endswith(".py") else n for n in needed)]
    say(f"as a page: {clean.shell(['biobench', 'report', *where])}")
    say(f"explained: {clean.shell(['biobench', 'leaderboard', *where, '--explain'])}")
    say(f"next:      {clean.shell(_choose_next(plan, board, where))}")


def _wrap(line: str, width: int) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line.lstrip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def show_path(path: Path) -> str:
    """A path as one would type it here."""
    here = os.path.relpath(path)
    return str(path) if here.startswith(os.pardir) else here


def _choose_next(plan: "Plan", board: "Leaderboard", where: list[str]) -> list[str]:
    """The comparison of the two best models of this plan; of one alone, where it is good."""
    ours = {cell.model_name for cell in plan.cells}
    models = [model for model in board.measured if model.partition(" @")[0] in ours]
    if len(models) > 1:
        return ["biobench", "compare", *models[:2], *where]
    if len(board.measured) > 1 and models:
        other = next(model for model in board.measured if model != models[0])
        return ["biobench", "compare", models[0], other, *where]
    return ["biobench", "leaderboard", *where, "--by", "class"]
