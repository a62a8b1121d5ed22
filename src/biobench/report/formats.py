"""Leaderboards, breakdowns and comparisons as text for other programs: JSON, CSV, Markdown, LaTeX.

to_text(board, "latex")
comparison_to_text(comparison, "json")
"""

from collections.abc import Sequence

import polars as pl

from biobench import clean
from biobench.report.alarms import brief
from biobench.report.board import Leaderboard
from biobench.report.comparison import Comparison
from biobench.report.markup import latex_table, markdown_table
from biobench.report.parts import UNEVEN, Breakdown
from biobench.report.views import (
    BEST,
    SEEN,
    TIED,
    CellView,
    Note,
    PairView,
    view_cells,
    view_pairs,
    view_parts,
)

__all__ = [
    "breakdowns_to_text",
    "comparison_to_rows",
    "comparison_to_text",
    "to_rows",
    "to_text",
]


def to_text(board: Leaderboard, kind: str, *, explain: bool = False) -> str:
    """The board as "json", "csv", "markdown" or "latex".

    explain: all notes under the last two, instead of at most three lines.
    """
    if kind == "json":
        return clean.to_json(to_rows(board), indent=2)
    if kind == "csv":
        table = board.table.drop("warnings", "runs")
        return _to_csv(table.with_columns(pl.col("seeds", "doubts").list.join(" ")))
    if board.parts:
        return "\n\n".join(to_text(part, kind, explain=explain) for part in board.parts)
    escape, show, make = _MARKUP[kind]
    cells = view_cells(board.table, board.signs)
    rows = [
        [escape(model), *(show(cells.get((model, column))) for column in board.columns)]
        for model in board.models
    ]
    # Signs and ranks are not shown here: the typeface says what the signs do.
    notes = [note for note in board.notes if not note.is_of_marks]
    has_marks = any(cell.is_best for cell in cells.values())
    marks = f"Bold: {BEST.words}; underlined: {TIED.words} at 5%."
    has_seen = any(SEEN in cell.marks for cell in cells.values())
    if explain:
        notes = [Note(marks), *notes] if has_marks else notes
    else:
        scores = f"Scores by {board.metric}" if board.metric else "Scores"
        guide = f"{scores} with their 95% intervals.{f' {marks}' if has_marks else ''}"
        guide += f" {SEEN.sign} {SEEN.words}." * has_seen
        notes = brief(board.alarms, len(notes), guide)
    heads = [escape(board.head(column)) for column in board.columns]
    return make(["Model", *heads], rows, notes)


def to_rows(board: Leaderboard) -> list[dict[str, object]]:
    """The rows of `leaderboard --format json`."""
    return [
        {
            "model": cell.model,
            "task": cell.task,
            "score": cell.score,
            "ci": cell.ci,
            "n": cell.n,
            "rank": cell.rank,
            "rank_ci": cell.rank_ci,
            "tied_with_best": cell.tied_with_best,
            "run": cell.run,
            "runs": list(cell.runs),
            "seeds": list(cell.seeds),
            "heading": board.head(cell.task),
            "published": cell.published,
            "doubts": list(cell.doubts),
            "seen": cell.seen,
        }
        for cell in view_cells(board.table, board.signs).values()
    ]


def comparison_to_text(comparison: Comparison, kind: str, *, explain: bool = False) -> str:
    """The comparison as "json", "csv", "markdown" or "latex".

    explain: all notes under the last two, instead of at most three lines.
    """
    if kind == "json":
        return clean.to_json(comparison_to_rows(comparison), indent=2)
    if kind == "csv":
        table = comparison.table.drop("warnings")
        # Six decimals would make nothing of a small one.
        small = [
            pl.Series(name, [None if p is None else f"{p:.6g}" for p in table[name]], pl.String)
            for name in ("p", "p_holm")
        ]
        return _to_csv(table.with_columns(small))
    escape, _, make = _MARKUP[kind]
    header = ["Task", comparison.a, comparison.b, "Difference", "p", "p (Holm)", "n", "Detectable"]
    rows = [
        [
            comparison.head(pair.task),
            f"{pair.score_a:.3f}",
            f"{pair.score_b:.3f}",
            _show_difference(pair),
            pair.shown_p,
            pair.shown_p_holm,
            pair.shown_n,
            pair.shown_detectable,
        ]
        for pair in view_pairs(comparison.table)
    ]
    guide = (
        "Difference: first minus second on the same examples, with its 95% interval; detectable: "
        "what such a test set would show four times in five."
    )
    notes = comparison.notes if explain else brief(comparison.alarms, len(comparison.notes), guide)
    return make(
        [escape(text) for text in header],
        [[escape(text) for text in row] for row in rows],
        notes,
    )


def _show_difference(pair: PairView) -> str:
    interval = "" if pair.ci is None else f" [{pair.ci_low:+.3f}, {pair.ci_high:+.3f}]"
    return f"{pair.difference:+.3f}{interval or ' (not tested)'}"


def comparison_to_rows(comparison: Comparison) -> list[dict[str, object]]:
    """The rows of `compare --format json`."""
    return [
        {
            "task": pair.task,
            "a": pair.a,
            "b": pair.b,
            "score_a": pair.score_a,
            "score_b": pair.score_b,
            "difference": pair.difference,
            "ci": pair.ci,
            "p": pair.p,
            "p_holm": pair.p_holm,
            "n": pair.n,
            "n_groups": pair.n_groups,
            "n_left_out": pair.n_left_out,
            "detectable": pair.detectable,
            "heading": comparison.head(pair.task),
        }
        for pair in view_pairs(comparison.table)
    ]


def breakdowns_to_text(breakdowns: Sequence[Breakdown], kind: str) -> str:
    """Breakdowns as "json", "csv", "markdown" or "latex"; the last two as one table a task."""
    if kind in ("json", "csv"):
        table = pl.concat([one.table for one in breakdowns])
        if kind == "csv":
            return _to_csv(table)
        rows = [
            {
                "task": one.task,
                "value": value,
                "model": model,
                "score": cell.score,
                "ci": cell.ci,
                "n": cell.n,
            }
            for one in breakdowns
            for (value, model), cell in view_parts(one.table).items()
        ]
        return clean.to_json(rows, indent=2)
    escape, show, make = _MARKUP[kind]
    tables = []
    for one in breakdowns:
        cells = view_parts(one.table)
        rows = []
        for value in one.values:
            row = [cells.get((value, model)) for model in one.models]
            n = max(cell.n or 0 for cell in row if cell)
            rows.append([escape(value), f"{n:,}", *map(show, row)])
        header = [
            escape(text)
            for text in (f"{one.heading or one.task}, by {one.by}", "Examples", *one.models)
        ]
        notes = [Note("Scores with their 95% intervals."), *([Note(UNEVEN)] * one.is_uneven)]
        tables.append(make(header, rows, notes))
    return "\n\n".join(tables)


def _to_csv(table: pl.DataFrame) -> str:
    return clean.csv_table(table).write_csv(float_precision=6).rstrip("\n")


def _show_markdown(cell: CellView | None) -> str:
    if cell is None:
        return "–"
    score = f"{cell.score:.3f}"
    for mark in cell.marks:
        score = mark.markdown.format(score)
    return score if cell.ci is None else f"{score} [{cell.ci_low:.3f}, {cell.ci_high:.3f}]"


def _show_latex(cell: CellView | None) -> str:
    if cell is None:
        return "--"
    score = f"{cell.score:.3f}"
    for mark in cell.marks:
        score = mark.latex.format(score)
    return score if cell.ci is None else rf"{score}$_{{[{cell.ci_low:.3f},\,{cell.ci_high:.3f}]}}$"


_MARKUP = {
    "markdown": (clean.markdown, _show_markdown, markdown_table),
    "latex": (clean.latex, _show_latex, latex_table),
}
