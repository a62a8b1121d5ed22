"""What the pretraining of a table's models has seen of its tasks, from the list of checkpoints.

table = add_seen(table, selection)       # with the column `seen`
explain_seen(table)                      # the note under it, where there is anything to say
"""

import polars as pl

from biobench import catalog
from biobench.report.notes import MEAN, name_some
from biobench.report.selection import Selection
from biobench.report.views import SEEN, Note

__all__ = ["add_seen", "explain_seen"]


def add_seen(table: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """The table with the column `seen`, of `catalog.STATUSES`; null where nothing is listed.

    A mean has the worst that any of its tasks has, where that is anything seen.
    table: with the columns model and task, which are rows and columns of the selection.
    """
    names = selection.runs.select("row", "column", "model", "task").unique().rows()
    seen = {(row, column): catalog.judge_by_name(model, task) for row, column, model, task in names}
    for row in table.filter(task=MEAN)["model"]:
        every = [status for (model, _), status in seen.items() if model == row]
        seen[row, MEAN] = next((one for one in catalog.SEEN if one in every), None)
    cells = table.select("model", "task").rows()
    return table.with_columns(pl.Series("seen", [seen.get(cell) for cell in cells], pl.String()))


def explain_seen(table: pl.DataFrame) -> list[Note]:
    """One note that names what is marked as seen, and what that means."""
    rows = table.filter(pl.col("seen").is_in(list(catalog.SEEN)), pl.col("task") != MEAN)
    if not rows.height:
        return []
    cells = rows.sort("task", "model").select("task", "model", "seen").rows()
    named = [f"{task} of {model} ({status})" for task, model, status in cells]
    kinds = ", ".join(f"{what} ({status})" for status, what in catalog.SEEN.items())
    return [
        Note(
            f"{SEEN.sign} {SEEN.words}, which is known to have held {kinds}: {name_some(named)}. "
            "Of what has no mark it is mostly not known; `biobench models ORG:CKPT --explain` has "
            "the sources."
        )
    ]
