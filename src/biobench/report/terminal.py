"""Leaderboards, breakdowns and comparisons for people: rich tables that say how to read them.

console = biobench.console.CleanConsole()
console.print(render(board, console.width))
console.print(render_breakdowns(break_down(board, "rarity"), console.width))
console.print(render_comparison(comparison, console.width))

Models are rows, tasks columns; a table that is wider than the terminal continues below with its
further tasks. Under a table stand at most three lines, or, asked for, all that there is to say.
"""

import typing
from collections.abc import Mapping, Sequence

import polars as pl
from rich.console import Group
from rich.table import Table
from rich.text import Text

from biobench.clean import line
from biobench.metrics import get_metric, is_better_low
from biobench.report.breakdown import UNEVEN, Breakdown
from biobench.report.brief import brief
from biobench.report.comparison import Comparison
from biobench.report.formats import Cell, get_cells, get_columns, is_tied, show_detectable, show_p
from biobench.report.leaderboard import Leaderboard
from biobench.report.notes import MEAN

__all__ = ["render", "render_breakdowns", "render_comparison"]

MAX_MODEL = 48
MAX_COMPACT = 20
"""models of a board that is shown beside other things."""
WIDE = 100
"""characters from which on a comparison has each number in a column of its own."""
PADDING = 2
ALPHA = 0.05


def render(
    board: Leaderboard,
    width: int,
    *,
    explain: bool = False,
    compact: bool = False,
    how: str = "--explain",
) -> Group:
    """The board in tables at most `width` characters wide, then its notes.

    explain: all notes, instead of three lines. compact: at most 20 models, and not how sure their
    order is. how: what shows all notes.
    """
    columns, cells = get_columns(board), get_cells(board)
    ranked = MEAN if board.has_mean else columns[0] if len(columns) == 1 else None
    has_marks = any(cell["best"] for cell in cells.values())
    if ranked and any(cell["best"] for key, cell in cells.items() if key[1] == ranked):
        columns = [*columns, "rank"]
    models = board.models[:MAX_COMPACT] if compact else board.models
    heads = {column: board.head(column) for column in columns}
    tables: list[Table | Text] = [
        _make_table(models, part, cells, ranked, heads=heads)
        for part in _split(columns, models, width, heads)
    ]
    if board.order.height > 1 and not compact:
        tables.append(_render_order(board))
    more = len(board.models) - len(models)
    if more:
        tables.append(Text(f"and {more:,} more model{'s' * (more != 1)}"))
    if explain:
        return Group(*tables, _render_notes(board.notes))
    guide = _describe_marks(board.metric, has_marks)
    return Group(*tables, *_render_brief(brief(board.alarms, len(board.notes), guide, how), width))


def _describe_marks(metric: str, has_marks: bool) -> str:
    marks = " * best, = may be the best." if has_marks else ""
    if not metric:
        return f"Below each score: 95% interval.{marks}"
    low = ", low is good" if is_better_low(get_metric(metric)) else ""
    return f"Score: {metric}{low}; below it 95% interval.{marks}"


def render_comparison(comparison: Comparison, width: int = WIDE, *, explain: bool = False) -> Group:
    """The comparison as a table at most `width` characters wide, then its notes.

    explain: all notes, instead of three lines.
    """
    names = Text(f"A  {line(comparison.a)}\nB  {line(comparison.b)}\n", style="bold")
    rows = list(comparison.table.iter_rows(named=True))
    heads = [comparison.head(row["task"]) for row in rows]
    table = (_tell_wide if width >= WIDE else _tell_narrow)(heads, rows)
    if explain:
        return Group(names, table, _render_notes(comparison.notes))
    guide = "Detectable: what such a test set would show 4 times in 5."
    lines = brief(comparison.alarms, len(comparison.notes), guide)
    return Group(names, table, *_render_brief(lines, width))


def _tell_wide(heads: Sequence[str], rows: Sequence[dict[str, typing.Any]]) -> Table:
    table = _new_table()
    table.add_column("task", overflow="fold")
    for name in ("A", "B", "A − B", "p", "p (Holm)", "examples", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for head, row in zip(heads, rows, strict=True):
        table.add_row(
            Text("\n".join(_fold(head))),
            f"{row['score_a']:.3f}",
            f"{row['score_b']:.3f}",
            _show_difference(row),
            show_p(row["p"]),
            show_p(row["p_holm"]),
            f"{row['n']:,}",
            show_detectable(row["detectable"]),
            _judge(row),
        )
    return table


def _tell_narrow(heads: Sequence[str], rows: Sequence[dict[str, typing.Any]]) -> Table:
    """The same in two lines a row, its verdict below the task."""
    table = _new_table()
    table.add_column("task\nverdict", overflow="fold", min_width=9)
    for name in ("A\nB", "A − B\n95% interval", "p\n(Holm)", "examples\ndetectable"):
        table.add_column(name, justify="right", no_wrap=True)
    for head, row in zip(heads, rows, strict=True):
        table.add_row(
            Text.assemble("\n".join(_fold(head)), "\n", _judge(row), "\n"),
            f"{row['score_a']:.3f}\n{row['score_b']:.3f}",
            _show_difference(row, ", "),
            f"{show_p(row['p'])}\n{show_p(row['p_holm'])}",
            f"{row['n']:,}\n{show_detectable(row['detectable'])}",
        )
    return table


def _show_difference(row: dict[str, object], to: str = " to ") -> Text:
    difference = Text(f"{row['difference']:+.3f}\n")
    return difference.append(f"{row['low']:+.3f}{to}{row['high']:+.3f}", style="dim")


def _judge(row: dict[str, typing.Any]) -> Text:
    if row["p_holm"] < ALPHA:
        return Text("A is better" if row["difference"] > 0 else "B is better", style="green")
    return Text(_explain(row))


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
        shown.append(Text(line(f"{one.heading or one.task}, by {one.by}"), style="bold"))
        for part in _split(one.models, rows, width):
            shown.append(_make_table(rows, part, named, None, first="part"))
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
        "fresh\ntests",
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


def _render_brief(lines: Sequence[str], width: int) -> list[Text]:
    """Each line on one line of the terminal, cut where it is longer."""
    shown = [Text("")]
    for text in lines:
        warns = text.startswith("Warning: ")
        style = "yellow" if warns else "dim"
        mark = "! " if warns else "· "
        one = Text(mark + line(text.removeprefix("Warning: ")), style, no_wrap=True)
        one.truncate(width, overflow="ellipsis")
        shown.append(one)
    return shown


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


def _split(
    columns: Sequence[str],
    models: Sequence[str],
    width: int,
    heads: Mapping[str, str] | None = None,
) -> list[list[str]]:
    """Columns in as many tables as the width asks for, at least one column in each."""
    room = width - min(max((len(line(model)) for model in models), default=0), MAX_MODEL) - PADDING
    parts, left = [[]], room
    for column in columns:
        head = (heads or {}).get(column, column)
        widest = ["100–100"] if column == "rank" else [*_fold(head), "0.000–0.000"]
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
    *,
    first: str = "model",
    heads: Mapping[str, str] | None = None,
) -> Table:
    table = _new_table()
    table.add_column(first, max_width=MAX_MODEL, overflow="fold")
    for column in columns:
        head = (heads or {}).get(column, column)
        table.add_column(Text("\n".join(_fold(head))), justify="right", no_wrap=True)
    for model in models:
        shown = [
            _show_rank(cells.get((model, ranked)) if ranked else None)
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


def _fold(column: str) -> list[str]:
    """A column's head in lines: the task, then what tells its protocol from the others."""
    task, _, protocol = line(column).partition(" [")
    return [task, *(f"[{protocol}".split(", ") if protocol else [])]
