"""Parts of a test set by a column's values, by ranges of numbers, or by parts of dates.

    found = find_bins(predictions, "date:year")     # or date:month, date:year-month, date:hour
    found = find_bins(predictions, "latitude:5")    # from …, 45 to 50, 50 to 55, …
    found = find_bins(predictions, "place:10")      # cells of 10 degrees of latitude and longitude
    found = find_bins(predictions, "rank:class")    # the taxon, where "class" is the truth
    found.codes, found.texts                        # which part each row is in, and its name

A date is ISO 8601, as precise as it is known; what is not known as precisely as that is in the part
of rows without a value.
"""

import dataclasses
import math

import numpy as np
import polars as pl
from jaxtyping import Int64

from biobench.errors import BadInput

__all__ = ["DATE_PARTS", "PLACE", "Bins", "find_bins", "list_columns_of"]

DATE_PARTS = {
    "year": r"^(\d{4})",
    "month": r"^\d{4}-(\d{2})",
    "year-month": r"^(\d{4}-\d{2})",
    "hour": r"^\d{4}-\d{2}-\d{2}[T ](\d{2})",
}
"""what a date can be broken down by -> where it stands."""
PLACE = ("latitude", "longitude")
RANK = "rank"
NONE = "(none)"
MIN_WIDTH = 0.001
_CELLS = 1_000_000
"""more than there are cells around the world at the least width."""
_NAMED = {"class": "y_true", "rarity": "train_count"}


@dataclasses.dataclass(frozen=True)
class Bins:
    """Which part each row is in."""

    codes: Int64[np.ndarray, " n"]
    """positions in `texts`."""
    texts: list[str]
    """what the parts are called, in order; rows without a value are the last one."""


def list_columns_of(by: str, columns: list[str]) -> tuple[str, ...]:
    """The columns that a breakdown reads, of a table that has `columns`."""
    if by in _NAMED or by in columns:
        return (_NAMED.get(by, by),)
    name, sign, how = by.rpartition(":")
    if not sign or name == RANK:
        return (how,)
    return PLACE if name == "place" and name not in columns else (name,)


def find_bins(predictions: pl.DataFrame, by: str) -> Bins:
    """The parts of a table of predictions.

    by: "class" (the truth), "rarity" (train_count in decades), a column, or a column and a part of
        a date or a width behind a colon.
    Raises BadInput on an unknown column, one of lists, or one that cannot be cut so.
    """
    columns = list_columns_of(by, predictions.columns)
    for column in columns:
        _check(predictions, column)
    if by == "rarity":
        return _cut_decades(predictions["train_count"])
    if by in predictions.columns or ":" not in by or by.startswith(f"{RANK}:"):
        values = predictions[columns[0]]
        return _number(
            values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values
        )
    how = by.rpartition(":")[2]
    if how in DATE_PARTS and columns != PLACE:
        return _number(_cut_dates(predictions[columns[0]], how, by))
    width = _read_width(how, by)
    if columns == PLACE:
        return _cut_place(predictions, width, by)
    return _cut_numbers(predictions[columns[0]], width, by)


def _check(predictions: pl.DataFrame, column: str) -> None:
    if column not in predictions.columns:
        known = ", ".join([*_NAMED, *predictions.columns])
        raise BadInput(
            f"The predictions have no column '{column}' to break the score down by; known: {known}."
        )
    if predictions[column].dtype.is_nested():
        raise BadInput(
            f"The column '{column}' holds lists; break the score down by a plain column."
        )


def _number(values: pl.Series) -> Bins:
    """A part for every value, in the order of the values."""
    order = values.unique().sort(nulls_last=True)
    texts = [NONE if value is None else str(value) for value in order]
    return Bins(_place(values, order), texts)


def _place(values: pl.Series, order: pl.Series) -> Int64[np.ndarray, " n"]:
    parts = pl.DataFrame({"value": order, "part": np.arange(len(order))})
    rows = pl.DataFrame({"value": values})
    joined = rows.join(parts, on="value", how="left", nulls_equal=True, maintain_order="left")
    return joined["part"].to_numpy().astype(np.int64)


def _cut_decades(values: pl.Series) -> Bins:
    digits = values.cast(pl.String).str.len_chars().cast(pl.Int64)
    decades = pl.select(
        pl.when(values > 0).then(digits).otherwise(pl.when(values == 0).then(0))
    ).to_series()
    order = decades.unique().sort(nulls_last=True)
    names = []
    for digits in order:
        if digits is None:
            names.append(NONE)
        elif digits == 0:
            names.append("0")
        else:
            names.append(f"{10 ** (digits - 1):,}\u2013{10**digits - 1:,}")
    return Bins(_place(decades, order), names)


def _cut_dates(values: pl.Series, how: str, by: str) -> pl.Series:
    text = values.cast(pl.String)
    found = text.str.extract(DATE_PARTS[how], 1)
    if text.count() and not text.str.contains(DATE_PARTS["year"]).any():
        raise BadInput(
            f"'{by}': the column holds no dates as 2019-07-31 (but '{text.drop_nulls()[0]}')."
        )
    return found


def _cut_numbers(values: pl.Series, width: float, by: str) -> Bins:
    bins = _floor(values, width, by)
    order = bins.unique().sort(nulls_last=True)
    return Bins(_place(bins, order), [NONE if k is None else _say(k, width) for k in order])


def _cut_place(predictions: pl.DataFrame, width: float, by: str) -> Bins:
    lat, lon = (_floor(predictions[name], width, by) for name in PLACE)
    cells = lat * _CELLS + lon + _CELLS // 2
    order = cells.unique().sort(nulls_last=True)
    texts = []
    for cell in order:
        if cell is None:
            texts.append(NONE)
            continue
        k_lat, k_lon = divmod(cell, _CELLS)
        k_lon -= _CELLS // 2
        texts.append(f"latitude {_say(k_lat, width)}, longitude {_say(k_lon, width)}")
    return Bins(_place(cells, order), texts)


def _floor(values: pl.Series, width: float, by: str) -> pl.Series:
    """The number of each value's range; null where it has none."""
    numbers = values.cast(pl.Float64, strict=False)
    if values.count() and not numbers.count():
        raise BadInput(f"'{by}': the column holds no numbers; break down by the column as it is.")
    # A value on an edge, as 0.3 of 0.1, is not below it by the last bit of a quotient.
    bins = (numbers / width).round(9).floor()
    return bins.set(~bins.is_finite().fill_null(True), None).cast(pl.Int64)


def _say(number: int, width: float) -> str:
    return f"{number * width:.10g} to {(number + 1) * width:.10g}"


def _read_width(how: str, by: str) -> float:
    try:
        width = float(how)
    except ValueError:
        width = math.nan
    if not MIN_WIDTH <= width < math.inf:
        raise BadInput(
            f"'{by}': behind the colon goes {', '.join(DATE_PARTS)} of a date, or a width of at "
            f"least {MIN_WIDTH:g}, as latitude:5 or place:10."
        )
    return width
