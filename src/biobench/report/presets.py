"""Results of different protocol presets, which never stand in one row, column, rank or mean.

    parts = [make(preset, one) for preset, one in split_presets(selection).items()]
    board = join_boards(parts)              # for programs; people are shown one table for each part

The preset of a run is `preset` in its protocol; runs of the tasks' original protocols have none.
"""

import dataclasses
import json
from collections.abc import Iterable, Sequence

import polars as pl

from biobench.report.board_table import Leaderboard
from biobench.report.notes import MEAN
from biobench.report.selection import Selection
from biobench.report.views import Note

__all__ = ["find_presets", "join_boards", "name_mean", "split_presets"]


def find_presets(runs: pl.DataFrame) -> dict[str, str]:
    """The preset of each column, the original protocols' (empty) first."""
    found = runs.select("column", "protocol").unique(["column"], maintain_order=True)
    presets = {column: json.loads(text).get("preset") for column, text in found.rows()}
    texts = {column: one if isinstance(one, str) else "" for column, one in presets.items()}
    return dict(sorted(texts.items(), key=lambda item: item[1]))


def split_presets(selection: Selection) -> dict[str, Selection]:
    """The selection's runs by preset, those of the original protocols (empty) first."""
    columns: dict[str, list[str]] = {}
    for column, preset in find_presets(selection.runs).items():
        columns.setdefault(preset, []).append(column)
    parts = {}
    for preset, names in columns.items():
        runs = selection.runs.filter(pl.col("column").is_in(names))
        counts = dict(runs.group_by("task").agg(pl.col("column").n_unique()).rows())
        split = [task for task in selection.split if counts.get(task, 0) > 1]
        headings = {name: selection.headings[name] for name in names}
        parts[preset] = dataclasses.replace(selection, runs=runs, split=split, headings=headings)
    return parts


def name_mean(preset: str) -> str:
    """What the mean over the tasks of a preset is called beside that of another."""
    return f"{MEAN} [{preset}]" if preset else MEAN


def join_boards(boards: Sequence[Leaderboard]) -> Leaderboard:
    """One board of the boards of several presets: for programs, each mean under its own name.

    How sure the order of the means is stands in the parts, as there is no order of all.
    """
    if len(boards) == 1:
        return boards[0]
    tables, signs, headings = [], {}, {}
    for board in boards:
        mean = board.head(MEAN)
        tables.append(board.table.with_columns(pl.col("task").replace({MEAN: mean})))
        signs |= {mean if task == MEAN else task: sign for task, sign in board.signs.items()}
        headings |= {column: text for column, text in board.headings.items() if column != MEAN}
    first = Note(
        "Tables of different protocols: no score, rank or mean of one is comparable with those of "
        "another."
    )
    return dataclasses.replace(
        boards[0],
        table=pl.concat(tables),
        models=_unite(board.models for board in boards),
        tasks=sorted({task for board in boards for task in board.tasks}),
        order=boards[0].order.clear(),
        left_out=boards[0].left_out.clear(),
        notes=[first, *_unite(board.notes for board in boards)],
        problems=_unite(board.problems for board in boards),
        doubts=_unite(board.doubts for board in boards),
        unknown=_unite(board.unknown for board in boards),
        alarms=_unite(board.alarms for board in boards),
        signs=signs,
        headings=headings,
        preset="",
        parts=list(boards),
    )


def _unite(lists: Iterable[list]) -> list:
    """What stands in any of the lists, once, in order."""
    found: list = []
    for one in lists:
        found += [item for item in one if item not in found]
    return found
