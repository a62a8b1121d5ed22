"""A task's scores by everything that is known of its test examples, for a page.

for part in break_down_for_page(subject, task):
    part.title, part.rows, part.folded

A part of too few examples has no score here: what stands there would be 1.000 [0.018, 1.000].
"""

import dataclasses
from collections.abc import Sequence

from biobench.report.parts import UNEVEN, Breakdown, break_down_task, list_columns
from biobench.report.run_data import LEAST_OF_CLASS
from biobench.report.site.subject import Subject
from biobench.report.views import CellView, view_parts

__all__ = ["LEAST_OF_CLASS", "PartRow", "Parts", "break_down_for_page"]

MAX_MODELS = 6
"""of a task, best first, whose scores are broken down."""

MAX_PARTS = 30
"""shown of a breakdown, hardest first."""

_TITLES = {
    "rarity": "By training examples of the class",
    "class": "By class",
    "subtask": "By subtask",
    "location": "By place",
}


@dataclasses.dataclass(frozen=True)
class PartRow:
    """One part of the test examples."""

    value: str
    n: int
    n_groups: int | None
    """units that were resampled, which are the examples where there are no groups."""
    cells: Sequence[CellView | None]
    """one a model."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Scores of the best models of a task on parts of its test examples."""

    by: str
    title: str
    models: Sequence[str]
    rows: Sequence[PartRow]
    n_more: int
    """parts that are not shown, as they are easier than those that are."""
    folded: Sequence[PartRow]
    """parts of too few examples (groups, where there are groups), fewest first."""
    note: str


def break_down_for_page(subject: Subject, task: str) -> list[Parts]:
    """A breakdown of the task by each column that tells some of its examples apart."""
    found = (
        break_down_task(subject.board, task, by, n_models=MAX_MODELS)
        for by in list_columns(subject.board, task)
    )
    sign = subject.board.signs.get(task) or 1
    return [_make_parts(one, sign) for one in found if one is not None and len(one.values) > 1]


def _make_parts(found: Breakdown, sign: int) -> Parts:
    cells = view_parts(found.table)
    rows = []
    for value in found.values:
        row = [cells.get((value, model)) for model in found.models]
        n = max(cell.n or 0 for cell in row if cell)
        groups = [cell.n_groups for cell in row if cell and cell.n_groups is not None]
        rows.append(PartRow(value, n, max(groups, default=None), row))
    judged = [row for row in rows if _count(row) >= LEAST_OF_CLASS]
    if found.by != "rarity":
        judged.sort(key=lambda row: (sign * _mean(row), row.value))
    folded = [row for row in rows if _count(row) < LEAST_OF_CLASS]
    return Parts(
        by=found.by,
        title=_TITLES.get(found.by, f"By {found.by}"),
        models=found.models,
        rows=judged[:MAX_PARTS],
        n_more=max(0, len(judged) - MAX_PARTS),
        folded=sorted(folded, key=lambda row: (_count(row), row.value)),
        note=UNEVEN if found.is_uneven else "",
    )


def _count(row: PartRow) -> int:
    return row.n if row.n_groups is None else row.n_groups


def _mean(row: PartRow) -> float:
    scores = [cell.score for cell in row.cells if cell]
    return sum(scores) / len(scores)
