"""Which pictures must stay on one side of a split, where it is made by what matters.

    kept = keep_together(table, "camera", source="cameras.csv")
    kept.units      # one text a row: rows of equal units stay together
    kept.one        # "camera", as it stands in a sentence
    kept.notes      # what could not be had

Cameras, days and observers are looked for under the names that programs give them; any other word
is the name of a column. Groups stay whole, too, unless that would leave too little to part.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import scipy.sparse
import scipy.sparse.csgraph

from biobench.data.exports.dates import to_iso
from biobench.data.exports.kind import plain
from biobench.errors import BadInput, find_close

__all__ = ["KINDS", "RANDOM", "Kept", "describe_torn", "keep_together"]

RANDOM = "random"
"""the split of examples, or of groups where there are some."""

KINDS = {
    "camera": (
        *("camera", "camera_id", "camera_trap", "location", "location_id", "station"),
        *("station_id", "site", "site_id", "deployment", "deployment_id"),
    ),
    "date": ("date", "datetime", "timestamp", "event_date", "observed_on", "date_time"),
    "observer": (
        *("observer", "observer_id", "recorded_by", "user_login", "user_id", "user_name"),
        *("photographer", "identified_by", "classified_by"),
    ),
}
"""what a split can be made by -> the names of its column, the first that the data have is it."""

WORDS = {"camera": "camera", "date": "day", "observer": "observer"}
MOST = 0.5
"""share of the examples above which a unit of joined groups is too large."""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What stays together."""

    units: list[str]
    one: str
    """a unit in words, behind "of one"."""
    values: pl.Series
    """of the column by which is split; null where it says nothing."""
    notes: tuple[str, ...]
    """what was chosen and what could not be had, one sentence each."""


def keep_together(
    table: pl.DataFrame, what: str, *, source: str, names: Mapping[str, str] | None = None
) -> Kept:
    """The unit of each row of `table` (columns example, maybe group, and what the data have).

    what: a kind of `KINDS`, or a column. names: what the source calls the columns by role.
    Rows without a value are one unit. Raises BadInput where there is no such column, or one value.
    """
    column = _find_column(table, what, source, names or {})
    said = table[column].cast(pl.String).str.strip_chars()
    said = pl.select(pl.when(said != "").then(said)).to_series()
    values = to_iso(said).str.slice(0, 10) if what == "date" else said
    one = WORDS.get(what, f"value of '{column}'")
    notes = [f"Split by {one}: none of the column '{column}' is on both sides."]
    unread = values.null_count() - said.null_count()
    if unread:
        raise BadInput(
            f"{source}: {unread:,} values of the column '{column}' are no date that can be read "
            f"for sure (the first is '{said.filter(values.is_null() & said.is_not_null())[0]}'); "
            "write them as 2024-05-31."
        )
    n = values.drop_nulls().n_unique()
    if n + (values.null_count() > 0) < 2:
        raise BadInput(
            f"{source}: all pictures are of one {one}, so no split by {what} can be made; split by "
            "another column."
        )
    if values.null_count():
        notes.append(
            f"Pictures without a {one} are kept together, as if of one: {values.null_count():,}."
        )
    units = (pl.lit("value/") + values).alias("unit")
    units = pl.select(units.fill_null("none")).to_series()
    joined = _join(units, table)
    if joined is not None and _measure(joined) > max(MOST, _measure(units.to_list())):
        notes.append(
            f"Groups are not kept whole: together with them, one {one} hangs on the other; some "
            "groups may stand on both sides."
        )
        joined = None
    return Kept(joined or units.to_list(), one, values, tuple(notes))


def describe_torn(labels: Sequence[str], kept: Kept) -> tuple[str, ...]:
    """What folds of whole units cannot have: classes of one unit are tested without training."""
    of_class: dict[str, set[str]] = collections.defaultdict(set)
    for label, unit in zip(labels, kept.units, strict=True):
        of_class[label].add(unit)
    single = sorted(label for label, units in of_class.items() if len(units) == 1)
    if not single:
        return ()
    shown = ", ".join(single[:3]) + (", …" if len(single) > 3 else "")
    return (
        f"{len(single):,} {'class' if len(single) == 1 else 'classes'} of one {kept.one} only "
        f"({shown}): in the fold that tests them nothing is trained on them.",
    )


def _find_column(table: pl.DataFrame, what: str, source: str, names: Mapping[str, str]) -> str:
    # What became a role is found by the name that the source gives it, too.
    there = {plain(name): name for name in table.columns}
    there |= {plain(name): role for role, name in names.items() if role in table.columns}
    known = (*KINDS.get(what, ()), what)
    found = next((there[plain(one)] for one in known if plain(one) in there), None)
    if found is None:
        own = ("image", "example", "label", "split", "box", "fold")
        further = [name for name in table.columns if name not in own]
        close = find_close(plain(what), map(plain, further))
        hint = f" Did you mean '{there[close]}'?" if close and what not in KINDS else ""
        raise BadInput(
            f"{source}: there is nothing to split by {what} (columns: "
            f"{', '.join(further) or 'none besides path and label'}); name another column with "
            f"--split-by.{hint}"
        )
    return found


def _join(units: pl.Series, table: pl.DataFrame) -> list[str] | None:
    """Units that share a group as one; None where there are no groups."""
    if "group" not in table.columns or not table["group"].count():
        return None
    alone = pl.lit("example/") + table["example"]
    group = (pl.lit("group/") + table["group"].cast(pl.String)).alias("group")
    groups = pl.select(pl.coalesce(group, alone)).to_series()
    names, unit = np.unique(units.to_numpy(), return_inverse=True)
    n_groups, other = np.unique(groups.to_numpy(), return_inverse=True)
    n = len(names) + len(n_groups)
    edges = scipy.sparse.coo_array(
        (np.ones(len(unit), bool), (unit, other + len(names))), shape=(n, n)
    )
    _, part = scipy.sparse.csgraph.connected_components(edges, directed=False)
    # Named by the first of its units, whatever the rows' order.
    first: dict[int, str] = {}
    for position, name in enumerate(names):
        first.setdefault(int(part[position]), str(name))
    return [first[int(part[position])] for position in unit]


def _measure(units: Sequence[str]) -> float:
    """The share of the largest unit."""
    return max(collections.Counter(units).values()) / max(len(units), 1)
