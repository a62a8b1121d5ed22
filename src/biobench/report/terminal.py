"""Leaderboards, breakdowns and comparisons for people: rich tables that say how to read them.

console = biobench.console.CleanConsole()
console.print(render(board, console.width))
console.print(render_breakdowns(break_down(board, "rarity"), console.width))
console.print(render_comparison(comparison))

Models are rows, tasks columns; a table that is wider than the terminal continues below with its
further tasks.
"""

from collections.abc import Sequence

import polars as pl
from rich.console import Group
from rich.table import Table
from rich.text import Text

from biobench.clean import line
from biobench.report.breakdown import UNEVEN, Breakdown
from biobench.report.comparison import Comparison
from biobench.report.formats import Cell, get_cells, get_columns, is_tied, show_detectable
from biobench.report.leaderboard import Leaderboard
from biobench.report.notes import MEAN

__all__ = ["render", "render_breakdowns", "render_comparison"]

MAX_MODEL = 48
PADDING = 2
ALPHA = 0.05


def render(board: Leaderboard, width: int) -> Group:
    """The board in tables at most `width` characters wide, then its notes."""
    columns, cells = get_columns(board), get_cells(board)
    ranked = MEAN if board.has_mean else columns[0] if len(columns) == 1 else None
    if ranked and any(cell["best"] for key, cell in cells.items() if key[1] == ranked):
        columns = [*columns, "rank"]
    tables = [
        _make_table(board.models, part, cells, ranked)
        for part in _split(columns, board.models, width)
    ]
    order = [_render_order(board)] if board.order.height > 1 else []
    return Group(*tables, *order, _render_notes(board.notes))


def render_comparison(comparison: Comparison) -> Group:
    """The comparison as a table, then its notes."""
    table = _new_table()
    table.add_column("task", overflow="fold")
    for name in ("A", "B", "A − B", "p", "p (Holm)", "examples", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in comparison.table.iter_rows(named=True):
        difference = Text(f"{row['difference']:+.3f}\n")
        difference.append(f"{row['low']:+.3f} to {row['high']:+.3f}", style="dim")
        found = row["p_holm"] < ALPHA
        better = "A" if row["difference"] > 0 else "B"
        verdict = Text(f"{better} is better", style="green") if found else Text(_explain(row))
        table.add_row(
            Text(line(row["task"])),
            f"{row['score_a']:.3f}",
            f"{row['score_b']:.3f}",
            difference,
            _show_p(row["p"]),
            _show_p(row["p_holm"]),
            f"{row['n']:,}",
            show_detectable(row["detectable"]),
            verdict,
        )
    names = Text(f"A  {line(comparison.a)}\nB  {line(comparison.b)}\n", style="bold")
    return Group(names, table, _render_notes(comparison.notes))


def render_breakdowns(breakdowns: Sequence[Breakdown], width: int) -> Group:
    """One table a task, its parts as rows and the models as columns."""
    shown = []
    for one in breakdowns:
        cells = {
            (row["value"], row["model"]): row
            | {"best": False, "rank": None, "tied_with_best": None}
            for row in one.table.iter_rows(named=True)
        }
        counts = dict(one.table.group_by("value").agg(pl.col("n").max()).rows())
        labels = {value: f"{value} (n = {counts[value]:,})" for value in one.values}
        named = {(labels[value], model): cell for (value, model), cell in cells.items()}
        rows = list(labels.values())
        shown.append(Text(line(f"{one.task}, by {one.by}"), style="bold"))
        for part in _split(one.models, rows, width):
            shown.append(_make_table(rows, part, named, None, head="part"))
        shown.append(Text(""))
    notes = ["Below each score its 95% interval; n: test examples of the part."]
    notes += [UNEVEN] * any(one.is_uneven for one in breakdowns)
    return Group(*shown, _render_notes(notes))


def _render_order(board: Leaderboard) -> Table:
    """How sure the order of the means is."""
    table = _new_table()
    table.title, table.title_justify, table.title_style = "\nRank by the mean", "left", "bold"
    table.add_column("model", max_width=MAX_MODEL, overflow="fold")
    for name in (
        "rank",
        "fresh\ntest sets",
        "other\ntasks",
        "one task\nleft out",
        "ahead of\nnext",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for row in board.order.iter_rows(named=True):
        beats = row["beats_next"]
        table.add_row(
            Text(line(row["model"])),
            str(row["rank"]),
            _show_range(row["rank_low"], row["rank_high"]),
            _show_range(row["tasks_low"], row["tasks_high"]),
            _show_range(row["left_low"], row["left_high"]),
            "" if beats is None else f"{beats:.0%}",
        )
    return table


def _show_range(low: int | None, high: int | None) -> str:
    return "–" if low is None else str(low) if low == high else f"{low}–{high}"


def _render_notes(notes: Sequence[str]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row()
    for note in notes:
        warns = note.startswith("Warning")
        style = "yellow" if warns else "dim"
        grid.add_row(Text("!" if warns else "·", style=style), Text(line(note), style=style))
    return grid


def _new_table() -> Table:
    return Table(box=None, padding=(0, PADDING, 0, 0), header_style="bold")


def _split(columns: Sequence[str], models: Sequence[str], width: int) -> list[list[str]]:
    """Columns in as many tables as the width asks for, at least one column in each."""
    room = width - min(max(len(line(model)) for model in models), MAX_MODEL) - PADDING
    parts, left = [[]], room
    for column in columns:
        widest = ["100–100"] if column == "rank" else [*_fold(column), "0.000–0.000"]
        need = max(map(len, widest)) + PADDING
        if parts[-1] and need > left:
            parts, left = [*parts, []], room
        parts[-1].append(column)
        left -= need
    return parts


def _make_table(
    models: Sequence[str],
    columns: Sequence[str],
    cells: dict[tuple[str, str], Cell],
    ranked: str | None,
    head: str = "model",
) -> Table:
    table = _new_table()
    table.add_column(head, max_width=MAX_MODEL, overflow="fold")
    for column in columns:
        table.add_column(Text("\n".join(_fold(column))), justify="right", no_wrap=True)
    for model in models:
        shown = [
            _show_rank(cells.get((model, ranked)))
            if column == "rank"
            else _show(cells.get((model, column)))
            for column in columns
        ]
        table.add_row(Text(line(model)), *shown)
    return table


def _show(cell: Cell | None) -> Text:
    if cell is None:
        return Text("–  \n", style="dim")
    if cell["low"] is None:
        return Text(f"{cell['score']:.3f} ?\n", style="dim")
    mark, style = ("*", "bold green") if cell["best"] else (" ", "")
    if is_tied(cell):
        mark, style = "=", "green"
    text = Text(f"{cell['score']:.3f} {mark}\n", style=style)
    # Appended to a styled text, the interval would be styled as the score is.
    return Text.assemble(text, (f"{cell['low']:.3f}–{cell['high']:.3f}", "not bold dim"))


def _show_rank(cell: Cell | None) -> Text:
    if cell is None or cell["rank"] is None:
        return Text("–\n", style="dim")
    return Text.assemble(
        f"{cell['rank']}\n", (_show_range(cell["rank_low"], cell["rank_high"]), "dim")
    )


def _explain(row: dict[str, object]) -> str:
    """Why no difference was found."""
    return "none could be shown" if row["detectable"] is None else "no difference seen"


def _show_p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _fold(column: str) -> list[str]:
    """A column's head in lines: the task, then what tells its protocol from the others."""
    task, _, protocol = line(column).partition(" [")
    return [task, *(f"[{protocol}".split(", ") if protocol else [])]
