"""The leaderboard for people: a rich table that says below itself how it is to be read.

console.print(render(board, console.width))

Models are rows, tasks columns; a table that is wider than the terminal continues below with its
further tasks.
"""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from biobench.report.formats import Cell, get_cells, get_columns, is_tied
from biobench.report.leaderboard import Leaderboard
from biobench.report.notes import MEAN

__all__ = ["render"]

MAX_MODEL = 48
PADDING = 3


def render(board: Leaderboard, width: int) -> Group:
    """The board in tables at most `width` characters wide, then its notes."""
    columns, cells = get_columns(board), get_cells(board)
    if any(board.table["task"] == MEAN) or len(columns) == 1:
        columns = [*columns, "rank"]
    tables = [_make_table(board, part, cells) for part in _split(columns, board.models, width)]
    notes = [Text(f"{note}", style="dim") for note in board.notes]
    return Group(*tables, *notes)


def _split(columns: Sequence[str], models: Sequence[str], width: int) -> list[list[str]]:
    """Columns in as many tables as the width asks for, at least one column in each."""
    room = width - min(max(map(len, models)), MAX_MODEL) - PADDING
    parts, left = [[]], room
    for column in columns:
        need = max(len(line) for line in [*_fold(column), "0.000–0.000"]) + PADDING
        if parts[-1] and need > left:
            parts, left = [*parts, []], room
        parts[-1].append(column)
        left -= need
    return parts


def _make_table(
    board: Leaderboard, columns: Sequence[str], cells: dict[tuple[str, str], Cell]
) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("model", max_width=MAX_MODEL, overflow="fold")
    for column in columns:
        table.add_column("\n".join(_fold(column)), justify="right", no_wrap=True)
    for model in board.models:
        shown = []
        for column in columns:
            if column == "rank":
                key = MEAN if board.has_mean else board.tasks[0]
                shown.append(_show_rank(cells.get((model, key))))
            else:
                shown.append(_show(cells.get((model, column))))
        table.add_row(Text(model), *shown)
    return table


def _show(cell: Cell | None) -> Text:
    if cell is None:
        return Text("–\n", style="dim")
    text = Text()
    if cell["low"] is None:
        return text.append(f"{cell['score']:.3f} ?\n", style="dim")
    mark = "*" if cell["best"] else "=" if is_tied(cell) else " "
    style = "bold green" if cell["best"] else "green" if is_tied(cell) else ""
    text.append(f"{cell['score']:.3f} {mark}\n", style=style)
    return text.append(f"{cell['low']:.3f}–{cell['high']:.3f}", style="dim")


def _show_rank(cell: Cell | None) -> Text:
    if cell is None or cell["rank"] is None:
        return Text("–\n", style="dim")
    text = Text(f"{cell['rank']}\n")
    return text.append(f"{cell['rank_low']}–{cell['rank_high']}", style="dim")


def _fold(column: str) -> list[str]:
    """A column's head in lines: the task, then what tells its protocol from the others."""
    task, _, protocol = column.partition(" [")
    return [task, *(f"[{protocol}".split(", ") if protocol else [])]
