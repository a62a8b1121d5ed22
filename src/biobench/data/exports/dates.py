"""Dates as exports write them, beyond what `biobench.data.knowledge` reads: intervals, and UTC.

to_iso(pl.Series(["2024-05-03/2024-05-09", "2024-05-03 10:11:12 UTC"]))
# 2024-05, 2024-05-03T10:11:12Z
"""

import polars as pl

from biobench.data.knowledge import read_dates

__all__ = ["keep_dates", "to_iso"]

INTERVAL = r"^([^/]{4,})/([^/]{4,})$"
PRECISIONS = (10, 7, 4)
"""letters of a day, a month and a year."""


def to_iso(values: pl.Series) -> pl.Series:
    """Each date or time of a column of texts as ISO 8601; null what is none.

    As precise as it is written, with the time zone where it is given; of an interval what both its
    ends say stays.
    """
    text = values.cast(pl.String).str.strip_chars().str.replace(r"\s*UTC$", "Z")
    begin = read_dates(pl.select(pl.coalesce(text.str.extract(INTERVAL, 1), text)).to_series())
    end = read_dates(text.str.extract(INTERVAL, 2))
    if not end.count():
        return begin.alias(values.name)
    pairs = zip(begin, end, text.str.contains(INTERVAL).fill_null(False), strict=True)
    made = [_intersect(one, other) if is_interval else one for one, other, is_interval in pairs]
    return pl.Series(values.name, made, dtype=pl.String)


def keep_dates(values: pl.Series) -> pl.Series:
    """The same, with what is no date as it is written: the manifest says so, and lists it."""
    return to_iso(values).fill_null(values.cast(pl.String))


def _intersect(one: str | None, other: str | None) -> str | None:
    """What two dates have in common: all, the day, the month or the year."""
    if one is None or other is None or one == other:
        return one if one == other else None
    return next((one[:n] for n in PRECISIONS if len(one) >= n and one[:n] == other[:n]), None)
