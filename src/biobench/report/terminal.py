"""Leaderboards, breakdowns and comparisons for people: rich tables that say how to read them.

console = biobench.console.CleanConsole()
console.print(render(board, console.width))
console.print(render_breakdowns(break_down(board, "rarity"), console.width))
console.print(render_comparison(comparison, console.width))

Models are rows, tasks columns; a table that is wider than the terminal continues below with its
further tasks. Under a table stand at most three lines, or, asked for, all that there is to say.
"""

from collections.abc import Mapping, Sequence

import polars as pl
from rich.console import Group
from rich.table import Table
from rich.text import Text

from biobench.clean import line
from biobench.metrics import get_metric, is_better_low
from biobench.report.alarms import brief
from biobench.report.board import Leaderboard
from biobench.report.comparison import Comparison
from biobench.report.notes import MEAN
from biobench.report.parts import UNEVEN, Breakdown
from biobench.report.views import (
    BEST,
    SEEN,
    TIED,
    CellView,
    Note,
    PairView,
    Verdict,
    view_cells,
    view_pairs,
    view_parts,
)

__all__ = ["render", "render_breakdowns", "render_comparison"]

MAX_MODEL = 48
MAX_COMPACT = 20
"""models of a board that is shown beside other things."""
WIDE = 100
"""characters from which on a comparison has each number in a column of its own."""
PADDING = 2


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
    if board.parts:
        shown = [
            render(part, width, explain=explain, compact=compact, how=how) for part in board.parts
        ]
        return Group(*(item for part in shown for item in (part, Text(""))))
    columns, cells = board.columns, view_cells(board.table, board.signs)
    ranked = MEAN if board.has_mean else columns[0] if len(columns) == 1 else None
    has_marks = any(cell.is_best for cell in cells.values())
    if ranked and any(cell.is_best for key, cell in cells.items() if key[1] == ranked):
        columns = [*columns, "rank"]
    models = _choose_compact(board) if compact else board.models
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
    has_seen = any(SEEN in cell.marks for cell in cells.values())
    guide = _describe_marks(board.metric, has_marks, has_seen)
    return Group(*tables, *_render_brief(brief(board.alarms, len(board.notes), guide, how), width))


def _choose_compact(board: Leaderboard) -> list[str]:
    """The first models, with those before all that are not only published scores; best first."""
    first = [*board.measured, *(one for one in board.models if one not in board.measured)]
    chosen = set(first[:MAX_COMPACT])
    return [model for model in board.models if model in chosen]


def _describe_marks(metric: str, has_marks: bool, has_seen: bool) -> str:
    marks = [f"{BEST.sign} best, {TIED.sign} may be the best"] * has_marks
    marks += [f"{SEEN.sign} {SEEN.words}"] * has_seen
    shown = f" {', '.join(marks)}." if marks else ""
    if not metric:
        return f"Below each score: 95% interval.{shown}"
    low = ", low is good" if is_better_low(get_metric(metric)) else ""
    return f"Score: {metric}{low}; below it 95% interval.{shown}"


def render_comparison(comparison: Comparison, width: int = WIDE, *, explain: bool = False) -> Group:
    """The comparison as a table at most `width` characters wide, then its notes.

    explain: all notes, instead of three lines.
    """
    names = Text(f"A  {line(comparison.a)}\nB  {line(comparison.b)}\n", style="bold")
    pairs = view_pairs(comparison.table)
    heads = [comparison.head(pair.task) for pair in pairs]
    table = (_tell_wide if width >= WIDE else _tell_narrow)(heads, pairs)
    if explain:
        return Group(names, table, _render_notes(comparison.notes))
    guide = "Detectable: what such a test set would show 4 times in 5."
    lines = brief(comparison.alarms, len(comparison.notes), guide)
    return Group(names, table, *_render_brief(lines, width))


def _tell_wide(heads: Sequence[str], pairs: Sequence[PairView]) -> Table:
    table = _new_table()
    table.add_column("task", overflow="fold")
    for name in ("A", "B", "A − B", "p", "p (Holm)", "examples", "detectable"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict")
    for head, pair in zip(heads, pairs, strict=True):
        table.add_row(
            Text("\n".join(_fold(head))),
            f"{pair.score_a:.3f}",
            f"{pair.score_b:.3f}",
            _show_difference(pair),
            pair.shown_p,
            pair.shown_p_holm,
            pair.shown_n,
            pair.shown_detectable,
            _show_verdict(pair.verdict),
        )
    return table


def _tell_narrow(heads: Sequence[str], pairs: Sequence[PairView]) -> Table:
    """The same in two lines a row, its verdict below the task."""
    table = _new_table()
    table.add_column("task\nverdict", overflow="fold", min_width=9)
    for name in ("A\nB", "A − B\n95% interval", "p\n(Holm)", "examples\ndetectable"):
        table.add_column(name, justify="right", no_wrap=True)
    for head, pair in zip(heads, pairs, strict=True):
        table.add_row(
            Text.assemble("\n".join(_fold(head)), "\n", _show_verdict(pair.verdict), "\n"),
            f"{pair.score_a:.3f}\n{pair.score_b:.3f}",
            _show_difference(pair, ", "),
            f"{pair.shown_p}\n{pair.shown_p_holm}",
            f"{pair.shown_n}\n{pair.shown_detectable}",
        )
    return table


def _show_difference(pair: PairView, to: str = " to ") -> Text:
    difference = Text(f"{pair.difference:+.3f}\n")
    if pair.ci is None:
        return difference.append("–", style="dim")
    return difference.append(f"{pair.ci_low:+.3f}{to}{pair.ci_high:+.3f}", style="dim")


def _show_verdict(verdict: Verdict) -> Text:
    return Text(verdict.value, style="green" if verdict in (Verdict.A, Verdict.B) else "")


def render_breakdowns(breakdowns: Sequence[Breakdown], width: int) -> Group:
    """One table a task, its parts as rows and the models as columns."""
    shown = []
    for one in breakdowns:
        cells = view_parts(one.table)
        counts = dict(one.table.group_by("value").agg(pl.col("n").max()).rows())
        labels = {value: f"{value} (n = {counts[value]:,})" for value in one.values}
        named = {(labels[value], model): cell for (value, model), cell in cells.items()}
        rows = list(labels.values())
        shown.append(Text(line(f"{one.heading or one.task}, by {one.by}"), style="bold"))
        for part in _split(one.models, rows, width):
            shown.append(_make_table(rows, part, named, None, first="part"))
        shown.append(Text(""))
    notes = [Note("Below each score its 95% interval; n: test examples of the part.")]
    notes += [Note(UNEVEN)] * any(one.is_uneven for one in breakdowns)
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


def _render_brief(notes: Sequence[Note], width: int) -> list[Text]:
    """Each note on one line of the terminal, cut where it is longer."""
    shown = [Text("")]
    for note in notes:
        style, mark = _get_style(note)
        # A warning's sign says already what its label would.
        text = note.text if note.is_warning else note.sentence
        one = Text(f"{mark} {line(text)}", style, no_wrap=True)
        one.truncate(width, overflow="ellipsis")
        shown.append(one)
    return shown


def _render_notes(notes: Sequence[Note]) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row()
    for note in notes:
        style, mark = _get_style(note)
        grid.add_row(Text(mark, style=style), Text(line(note.sentence), style=style))
    return grid


def _get_style(note: Note) -> tuple[str, str]:
    return ("yellow", "!") if note.is_warning else ("dim", "·")


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
    cells: dict[tuple[str, str], CellView],
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
    n_beside = max((len(cell.beside) for cell in cells.values()), default=0)
    for model in models:
        shown = [
            _show_rank(cells.get((model, ranked)) if ranked else None)
            if column == "rank"
            else _show(cells.get((model, column)), n_beside)
            for column in columns
        ]
        table.add_row(Text(line(model)), *shown)
    return table


def _show(cell: CellView | None, n_beside: int) -> Text:
    """A score with its signs and interval; n_beside: signs that stand beside, in all cells."""
    if cell is None:
        return Text(f"–  {'':<{n_beside}}\n", style="dim")
    signs = f"{cell.sign or ' '}{cell.beside:<{n_beside}}"
    text = Text(f"{cell.score:.3f} {signs}\n", cell.mark.style if cell.mark else "")
    if cell.ci is None:
        return text
    # Appended to a styled text, the interval would be styled as the score is.
    return Text.assemble(text, (f"{cell.ci_low:.3f}–{cell.ci_high:.3f}", "not bold dim"))


def _show_rank(cell: CellView | None) -> Text:
    if cell is None or cell.rank is None:
        return Text("–\n", style="dim")
    return Text.assemble(f"{cell.rank}\n", (_show_range(cell.rank_low, cell.rank_high), "dim"))


def _fold(column: str) -> list[str]:
    """A column's head in lines: the task, then what tells its protocol from the others."""
    task, _, protocol = line(column).partition(" [")
    return [task, *(f"[{protocol}".split(", ") if protocol else [])]
