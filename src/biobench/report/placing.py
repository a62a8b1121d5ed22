"""Where scores of a published leaderboard stand: in which column, and in rows of their own.

    runs = place(runs)          # each bare one in the column of the protocol that it belongs to
    runs = name_rows(runs)      # never in a row with results of ours

A published score without predictions is *bare*: it is shown as it was published, with a mark.
"""

import json
from collections.abc import Sequence

import polars as pl

from biobench.results.published import BARE, PRESET, get_doubts

__all__ = ["BESIDE", "drop_said", "is_bare", "list_doubts", "name_rows", "place"]

BESIDE = "@published"
"""behind the name of a published model where there are runs of ours under the same name."""

is_bare = pl.col("published").is_not_null() & ~pl.col("has_predictions")
"""of rows of `results.Scan.runs`: whether they are published scores without predictions."""


def place(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs, each bare one with the `replicated` of the column that it is shown in; they last.

    That is the column of our runs under the leaderboard's preset on all training examples, by the
    same metric, where there is just one; else that of published predictions; else their own.
    """
    bare, rest = runs.filter(is_bare), runs.filter(~is_bare)
    if not bare.height:
        return runs
    whole = rest.filter(
        pl.Series([_is_of_preset(text) for text in rest["protocol"]], dtype=pl.Boolean),
        ~pl.col("few_shot"),
    )
    keys = []
    for task, metric, own in bare.select("task", "metric", "replicated").rows():
        found = whole.filter(pl.col("task") == task, pl.col("metric").eq_missing(metric))
        for kind in (pl.col("published").is_null(), pl.col("published").is_not_null()):
            columns = found.filter(kind)["replicated"].unique()
            if len(columns):
                keys.append(columns[0] if len(columns) == 1 else own)
                break
        else:
            keys.append(own)
    return pl.concat([rest, bare.with_columns(pl.Series("replicated", keys, dtype=pl.String))])


def _is_of_preset(protocol: str) -> bool:
    found = json.loads(protocol)
    return found.get("preset") == PRESET and not found.get("debug")


def name_rows(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs with published ones in rows of their own, and no bare one where predictions are.

    runs: with row and column.
    """
    ours = runs.filter(pl.col("published").is_null())["model"].unique()
    beside = pl.col("published").is_not_null() & pl.col("model").is_in(ours.implode())
    runs = runs.with_columns(
        pl.when(beside).then(pl.col("row") + f" {BESIDE}").otherwise("row").alias("row")
    )
    cells = runs.filter("has_predictions").select("row", "column").unique()
    rest, bare = runs.filter(~is_bare), runs.filter(is_bare)
    return pl.concat([rest, bare.join(cells, on=["row", "column"], how="anti")])


def list_doubts(cell: pl.DataFrame) -> list[str]:
    """What is the matter with the published scores of a cell, by kind."""
    return list(dict.fromkeys(kind for text in cell["published"] for kind in get_doubts(text)))


def drop_said(warnings: Sequence[str], cell: pl.DataFrame) -> list[str]:
    """The warnings of a cell without those that marks and notes on published scores say."""
    said = {BARE, *(one for text in cell["published"] for one in get_doubts(text).values())}
    return [text for text in warnings if text not in said]
