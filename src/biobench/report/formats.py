"""Leaderboards, breakdowns and comparisons as text for other programs: JSON, CSV, Markdown, LaTeX.

to_text(board, "latex")
comparison_to_text(comparison, "json")
"""

import typing
from collections.abc import Sequence

import polars as pl

from biobench import clean
from biobench.report.breakdown import UNEVEN, Breakdown
from biobench.report.brief import brief
from biobench.report.comparison import Comparison
from biobench.report.leaderboard import Leaderboard
from biobench.report.markup import latex_table, markdown_table
from biobench.report.notes import MEAN

__all__ = [
    "Cell",
    "breakdowns_to_text",
    "comparison_to_rows",
    "comparison_to_text",
    "get_cells",
    "get_columns",
    "is_tied",
    "show_detectable",
    "show_p",
    "to_rows",
    "to_text",
]

Cell = dict[str, typing.Any]
"""a row of a leaderboard's table, with `best`: whether it has the highest of several scores."""


def to_text(board: Leaderboard, kind: str, *, explain: bool = False) -> str:
    """The board as "json", "csv", "markdown" or "latex".

    explain: all notes under the last two, instead of at most three lines.
    """
    if kind == "json":
        return clean.to_json(to_rows(board), indent=2)
    if kind == "csv":
        table = board.table.rename({"low": "ci_low", "high": "ci_high"}).drop("warnings", "runs")
        return _to_csv(table.with_columns(pl.col("seeds").list.join(" ")))
    escape, show, make = _MARKUP[kind]
    columns, cells = get_columns(board), get_cells(board)
    rows = [
        [escape(model), *(show(cells.get((model, column))) for column in columns)]
        for model in board.models
    ]
    # Marks and ranks are not shown here: the typeface says what the marks do.
    notes = [note for note in board.notes if not note.startswith(("*", "Rank"))]
    has_marks = any(cell["best"] for cell in cells.values())
    marks = "Bold: best; underlined: not distinguishable from the best at 5%."
    if explain:
        notes = [marks, *notes] if has_marks else notes
    else:
        scores = f"Scores by {board.metric}" if board.metric else "Scores"
        guide = f"{scores} with their 95% intervals.{f' {marks}' if has_marks else ''}"
        notes = brief(board.alarms, len(notes), guide)
    heads = [escape(board.head(column)) for column in columns]
    return make(["Model", *heads], rows, notes)


def to_rows(board: Leaderboard) -> list[dict[str, object]]:
    """The rows of `leaderboard --format json`."""
    return [
        {
            "model": row["model"],
            "task": row["task"],
            "score": row["score"],
            "ci": _pair(row["low"], row["high"]),
            "n": row["n"],
            "rank": row["rank"],
            "rank_ci": _pair(row["rank_low"], row["rank_high"]),
            "tied_with_best": row["tied_with_best"],
            "run": row["run"],
            "runs": row["runs"] or [],
            "seeds": row["seeds"] or [],
            "heading": board.head(row["task"]),
        }
        for row in board.table.iter_rows(named=True)
    ]


def comparison_to_text(comparison: Comparison, kind: str, *, explain: bool = False) -> str:
    """The comparison as "json", "csv", "markdown" or "latex".

    explain: all notes under the last two, instead of at most three lines.
    """
    if kind == "json":
        return clean.to_json(comparison_to_rows(comparison), indent=2)
    if kind == "csv":
        table = comparison.table.rename({"low": "ci_low", "high": "ci_high"}).drop("warnings")
        # Six decimals would make nothing of a small one.
        small = [pl.Series(name, [f"{p:.6g}" for p in table[name]]) for name in ("p", "p_holm")]
        return _to_csv(table.with_columns(small))
    escape, _, make = _MARKUP[kind]
    header = ["Task", comparison.a, comparison.b, "Difference", "p", "p (Holm)", "n", "Detectable"]
    rows = [
        [
            comparison.head(row["task"]),
            f"{row['score_a']:.3f}",
            f"{row['score_b']:.3f}",
            f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]",
            show_p(row["p"]),
            show_p(row["p_holm"]),
            f"{row['n']:,}",
            show_detectable(row["detectable"]),
        ]
        for row in comparison.table.iter_rows(named=True)
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


def comparison_to_rows(comparison: Comparison) -> list[dict[str, object]]:
    """The rows of `compare --format json`."""
    names = ("task", "a", "b", "score_a", "score_b", "difference")
    further = ("p", "p_holm", "n", "n_groups", "n_left_out", "detectable")
    return [
        {
            **{name: row[name] for name in names},
            "ci": _pair(row["low"], row["high"]),
            **{name: row[name] for name in further},
            "heading": comparison.head(row["task"]),
        }
        for row in comparison.table.iter_rows(named=True)
    ]


def breakdowns_to_text(breakdowns: Sequence[Breakdown], kind: str) -> str:
    """Breakdowns as "json", "csv", "markdown" or "latex"; the last two as one table a task."""
    if kind in ("json", "csv"):
        table = pl.concat([one.table for one in breakdowns])
        if kind == "csv":
            named = table.rename({"low": "ci_low", "high": "ci_high"})
            return _to_csv(named)
        rows = [
            {
                **{name: row[name] for name in ("task", "value", "model", "score")},
                "ci": _pair(row["low"], row["high"]),
                "n": row["n"],
            }
            for row in table.iter_rows(named=True)
        ]
        return clean.to_json(rows, indent=2)
    escape, show, make = _MARKUP[kind]
    tables = []
    for one in breakdowns:
        cells = {(row["value"], row["model"]): row for row in one.table.iter_rows(named=True)}
        plain = {"best": False, "rank": None, "tied_with_best": None}
        rows = []
        for value in one.values:
            row = [cells.get((value, model)) for model in one.models]
            n = max(cell["n"] for cell in row if cell)
            rows.append([escape(value), f"{n:,}", *(show(cell and cell | plain) for cell in row)])
        header = [
            escape(text)
            for text in (f"{one.heading or one.task}, by {one.by}", "Examples", *one.models)
        ]
        notes = ["Scores with their 95% intervals.", *([UNEVEN] if one.is_uneven else [])]
        tables.append(make(header, rows, notes))
    return "\n\n".join(tables)


def get_columns(board: Leaderboard) -> list[str]:
    """The columns of scores, the mean last."""
    return [*board.tasks, MEAN] if board.has_mean else list(board.tasks)


def get_cells(board: Leaderboard) -> dict[tuple[str, str], Cell]:
    """Every row of the table by (model, task)."""
    sure = board.table.drop_nulls("low").group_by("task").agg(pl.col("score").max(), pl.len())
    top = {task: score for task, score, n in sure.rows() if n > 1}
    return {
        (row["model"], row["task"]): row
        | {"best": row["low"] is not None and row["score"] == top.get(row["task"])}
        for row in board.table.iter_rows(named=True)
    }


def show_detectable(value: float | None) -> str:
    """The smallest difference that could have been seen, or that there is none."""
    return "none" if value is None else f"{value:.3f}"


def show_p(p: float) -> str:
    """A probability with four decimals; a smaller one is not shown as none."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def is_tied(cell: Cell) -> bool:
    """Whether the cell is not distinguishable from the best, and not the best itself."""
    return cell["rank"] != 1 and bool(cell["tied_with_best"]) and not cell["best"]


def _to_csv(table: pl.DataFrame) -> str:
    return clean.csv_table(table).write_csv(float_precision=6).rstrip("\n")


def _pair(low: object, high: object) -> list[object] | None:
    return None if low is None else [low, high]


def _show_markdown(cell: Cell | None) -> str:
    if cell is None:
        return "–"
    score = f"{cell['score']:.3f}"
    if cell["low"] is None:
        return f"{score} (?)"
    score = f"**{score}**" if cell["best"] else f"<u>{score}</u>" if is_tied(cell) else score
    return f"{score} [{cell['low']:.3f}, {cell['high']:.3f}]"


def _show_latex(cell: Cell | None) -> str:
    if cell is None:
        return "--"
    score = f"{cell['score']:.3f}"
    if cell["low"] is None:
        return f"{score} (?)"
    if cell["best"]:
        score = rf"\textbf{{{score}}}"
    elif is_tied(cell):
        score = rf"\underline{{{score}}}"
    return rf"{score}$_{{[{cell['low']:.3f},\,{cell['high']:.3f}]}}$"


_MARKUP = {
    "markdown": (clean.markdown, _show_markdown, markdown_table),
    "latex": (clean.latex, _show_latex, latex_table),
}
