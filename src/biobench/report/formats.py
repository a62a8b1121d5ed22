"""A leaderboard as text for other programs: JSON, CSV, Markdown, LaTeX.

to_text(board, "latex")
"""

import json
import re

import polars as pl

from biobench.report.leaderboard import Leaderboard
from biobench.report.notes import MEAN

__all__ = ["Cell", "get_cells", "get_columns", "to_rows", "to_text"]

Cell = dict[str, object]


def to_text(board: Leaderboard, kind: str) -> str:
    """The board as "json", "csv", "markdown" or "latex"."""
    match kind:
        case "json":
            return json.dumps(to_rows(board), indent=2, ensure_ascii=False)
        case "csv":
            table = board.table.rename({"low": "ci_low", "high": "ci_high"})
            return table.write_csv(float_precision=6).rstrip("\n")
        case "markdown":
            return _to_markdown(board)
        case "latex":
            return _to_latex(board)
    raise ValueError(f"There is no format {kind!r}.")


def to_rows(board: Leaderboard) -> list[dict[str, object]]:
    """The rows of `leaderboard --format json`."""

    def pair(low: object, high: object) -> list[object] | None:
        return None if low is None else [low, high]

    return [
        {
            "model": row["model"],
            "task": row["task"],
            "score": row["score"],
            "ci": pair(row["low"], row["high"]),
            "n": row["n"],
            "rank": row["rank"],
            "rank_ci": pair(row["rank_low"], row["rank_high"]),
            "tied_with_best": row["tied_with_best"],
            "run": row["run"],
        }
        for row in board.table.iter_rows(named=True)
    ]


def get_columns(board: Leaderboard) -> list[str]:
    """The columns of scores, the mean last."""
    return [*board.tasks, MEAN] if board.has_mean else list(board.tasks)


def get_cells(board: Leaderboard) -> dict[tuple[str, str], Cell]:
    """Every row of the table by (model, task), with `best`: whether no score is higher."""
    top = dict(board.table.group_by("task").agg(pl.col("score").max()).rows())
    return {
        (row["model"], row["task"]): row | {"best": row["score"] == top[row["task"]]}
        for row in board.table.iter_rows(named=True)
    }


def _to_markdown(board: Leaderboard) -> str:
    columns, cells = get_columns(board), get_cells(board)

    def show(cell: Cell | None) -> str:
        if cell is None:
            return "–"
        score = f"{cell['score']:.3f}"
        score = f"**{score}**" if cell["best"] else f"<u>{score}</u>" if is_tied(cell) else score
        return score if cell["low"] is None else f"{score} [{cell['low']:.3f}, {cell['high']:.3f}]"

    lines = [
        "| " + " | ".join(["model", *(_escape_markdown(c) for c in columns)]) + " |",
        "|" + "---|" * (len(columns) + 1),
    ]
    for model in board.models:
        row = [_escape_markdown(model), *(show(cells.get((model, task))) for task in columns)]
        lines.append("| " + " | ".join(row) + " |")
    notes = ["**Bold**: best; <u>underlined</u>: tied with it.", *_keep_notes(board)]
    return "\n".join([*lines, "", *(f"- {note}" for note in notes)])


def _to_latex(board: Leaderboard) -> str:
    columns, cells = get_columns(board), get_cells(board)

    def show(cell: Cell | None) -> str:
        if cell is None:
            return "--"
        score = f"{cell['score']:.3f}"
        if cell["best"]:
            score = rf"\textbf{{{score}}}"
        elif is_tied(cell):
            score = rf"\underline{{{score}}}"
        if cell["low"] is None:
            return score
        return rf"{score}$_{{\,[{cell['low']:.3f},\,{cell['high']:.3f}]}}$"

    head = " & ".join(["Model", *map(_escape_latex, columns)])
    body = [
        " & ".join([_escape_latex(model), *(show(cells.get((model, task))) for task in columns)])
        for model in board.models
    ]
    notes = [r"Bold: best; underlined: tied with it.", *_keep_notes(board)]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            *(f"% {note}" for note in notes),
            rf"\begin{{tabular}}{{l{'c' * len(columns)}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{line} \\" for line in body),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def is_tied(cell: Cell) -> bool:
    """Whether the cell is tied with the best and not the best itself."""
    return bool(cell["tied_with_best"]) and not cell["best"]


def _keep_notes(board: Leaderboard) -> list[str]:
    # The line about marks speaks of the terminal's; here the typeface says it.
    return [note for note in board.notes if not note.startswith("*")]


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|*_\[\]<>`])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in text)
