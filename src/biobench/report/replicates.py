"""One row of the leaderboard from the runs that are replicates of each other.

    table, problems = pool_runs(selection.runs, schema)

A run alone keeps the score and the interval that it was written with. Runs that differ in their
seed alone have the mean of their scores, and an interval over test sets and training draws.
"""

import typing
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from biobench import metrics, results, stats
from biobench.errors import BadInput
from biobench.report.cells import Cells, Unreadable, get_scorable
from biobench.report.placing import drop_said, is_bare, list_doubts

__all__ = ["pool_runs"]


def pool_runs(
    runs: pl.DataFrame, schema: Mapping[str, typing.Any]
) -> tuple[pl.DataFrame, list[results.Problem]]:
    """A row a cell without ties and ranks, and the runs that turned out to be damaged.

    runs: those of a `Selection`. schema: the columns of the leaderboard's table.
    """
    rows, problems = [], []
    for _, cell in runs.sort("posix_time", "run").group_by("column", "row", maintain_order=True):
        row, damaged = _pool(cell)
        rows += [row | {"warnings": drop_said(row["warnings"], cell)}] if row else []
        problems += damaged
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.sort("task", "model"), problems


def _pool(cell: pl.DataFrame) -> tuple[dict[str, typing.Any] | None, list[results.Problem]]:
    problems = []
    while cell.height > 1:
        try:
            return _describe(cell) | _score(cell), problems
        except Unreadable as err:
            problems.append(err.problem)
            cell = cell.filter(pl.col("run") != str(err.problem.path))
    return (_describe(cell) | _get_stored(cell) if cell.height else None), problems


def _describe(cell: pl.DataFrame) -> dict[str, object]:
    newest_first = cell.reverse()
    bare = cell.select(is_bare.all()).item()
    return {
        "model": cell["row"][0],
        "task": cell["column"][0],
        "run": newest_first["run"][0],
        "runs": newest_first["run"].to_list(),
        # Of a published score the seed is not known, and is none that others could lack.
        "seeds": [] if bare else newest_first["seed"].to_list(),
        "published": bare,
        "doubts": list_doubts(cell),
    }


def _get_stored(cell: pl.DataFrame) -> dict[str, typing.Any]:
    row = cell.row(0, named=True)
    kept = {name: row[name] for name in ("score", "n", "n_groups", "warnings")}
    for end in ("ci_low", "ci_high"):
        over_groups = row[f"group_{end}"]
        kept[end] = row[end] if over_groups is None else over_groups
    return kept


def _score(cell: pl.DataFrame) -> dict[str, object]:
    """The mean over several runs with its interval; raises Unreadable on a damaged one."""
    key = cell["row"][0], cell["column"][0]
    if get_scorable(cell).height == cell.height:
        paths = dict(zip(cell["seed"], map(Path, cell["run"]), strict=True))
        metric = metrics.get_metric(cell["metric"][0])
        table = Cells({key: paths}, {key[1]: metric})[key]
        try:
            one = stats.interval_from_table(table, metric)
        except BadInput:
            # Such as seeds with unlike test sets, of which the suite's own error tells.
            return _score_stored(cell)
        grouped = one.resampled == "groups"
        return {
            "score": one.score,
            "ci_low": one.low,
            "ci_high": one.high,
            "n": one.n,
            "n_groups": one.n_groups if grouped else None,
            "warnings": _join_warnings(cell, list(one.warnings)),
        }
    return _score_stored(cell)


def _score_stored(cell: pl.DataFrame) -> dict[str, object]:
    """The mean of scores that cannot be computed again, by what they were written with."""
    stored = [_get_stored(cell[i]) for i in range(cell.height)]
    scores = np.array([one["score"] for one in stored])
    low, high = None, None
    if all(one["ci_low"] is not None for one in stored):
        low, high = stats.pool_intervals(
            scores, [(one["ci_low"], one["ci_high"]) for one in stored]
        )
    return {
        "score": float(scores.mean()),
        "ci_low": low,
        "ci_high": high,
        "n": cell["n"].max(),
        "n_groups": cell["n_groups"].max(),
        "warnings": _join_warnings(cell, []),
    }


def _join_warnings(cell: pl.DataFrame, further: list[str]) -> list[str]:
    stored = [text for texts in cell["warnings"].to_list() for text in texts or []]
    return list(dict.fromkeys([*stored, *further]))
