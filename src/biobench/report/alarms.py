"""The few lines that stand under a table unasked; all that is to be said stands in the notes.

lines = brief(board.alarms, len(board.notes), guide="Below each score: 95% interval.")

At most three: how to read the table, the worst that there is to say, and how much more there is.
"""

from collections.abc import Sequence

import polars as pl

from biobench import results
from biobench.report.notes import MEAN, count, name_some, sort_warnings
from biobench.report.published_notes import name_alarm
from biobench.report.selection import Selection
from biobench.report.views import Note

__all__ = ["MAX_LINES", "brief", "name_alarms", "name_alarms_of_pair"]

MAX_LINES = 3
"""of notes under any table."""


def brief(alarms: Sequence[str], n_notes: int, guide: str, how: str = "--explain") -> list[Note]:
    """At most three lines: the guide, the first alarm, and how to see the rest.

    n_notes: all notes that there are. how: what shows them.
    """
    n_alarms = len(alarms) - 1
    more = f"{count(n_alarms, 'more warning')} and all notes" if n_alarms > 0 else "All notes"
    rest = [Note(f"{more} ({n_notes:,}): {how}")] if n_notes else []
    return [Note(guide), *(Note(alarm, "Warning") for alarm in alarms[:1]), *rest]


def name_alarms(
    table: pl.DataFrame,
    selection: Selection,
    problems: Sequence[results.Problem],
    doubts: Sequence[str],
    notes: Sequence[Note],
) -> list[str]:
    """What a reader of a leaderboard must not miss, the worst first.

    notes: what is said of the table as a whole, as why it has no ties.
    """
    alarms = _name_problems(problems, doubts)
    lost = table.filter(pl.col("ci_low").is_null(), pl.col("task") != MEAN, ~pl.col("published"))
    if lost.height:
        names = [f"{task} of {model}" for task, model in lost.select("task", "model").rows()]
        alarms.append(f"cannot be verified (no predictions): {name_some(names, 2)}")
    alarms += name_alarm(table)
    alarms += [note.text for note in notes if not note.is_warning]
    alarms += [_shorten(where, text) for where, text in sort_warnings(table)]
    if selection.split:
        split = name_some(selection.split, 2)
        alarms.append(f"no mean, as there are several protocols or data sets of {split}")
    return alarms


def name_alarms_of_pair(
    table: pl.DataFrame,
    problems: Sequence[results.Problem],
    doubts: Sequence[str],
    alone: Sequence[str],
) -> list[str]:
    """What a reader of a comparison must not miss, the worst first."""
    alarms = _name_problems(problems, doubts)
    untested = table.filter(pl.col("p").is_null())["task"].to_list()
    if untested:
        alarms.append(f"not tested, without predictions of both: {name_some(untested, 2)}")
    nothing = table.filter(pl.col("detectable").is_null(), pl.col("p").is_not_null())[
        "task"
    ].to_list()
    if nothing:
        alarms.append(f"too few groups to show any difference in {name_some(nothing, 2)}")
    if alone:
        alarms.append(f"only one of the two has {name_some(alone, 2)}")
    rows = table.with_columns(model=pl.lit("both"))
    return alarms + [_shorten(where, text) for where, text in sort_warnings(rows)]


def _shorten(where: str, warning: str) -> str:
    """The first sentence of a warning, with its cause in front: a narrow terminal cuts the end."""
    return f"{warning.partition('. ')[0].rstrip('.')} ({where})"


def _name_problems(problems: Sequence[results.Problem], doubts: Sequence[str]) -> list[str]:
    alarms = []
    if doubts:
        more = f" ({len(doubts) - 1:,} more)" if len(doubts) > 1 else ""
        alarms.append(f"a report contradicts its predictions: {doubts[0]}{more}")
    if problems:
        reason = problems[0].reason
        alarms.append(f"{count(len(problems), 'run')} left out as unreadable: {reason}")
    return alarms
