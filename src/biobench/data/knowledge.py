"""What a picture knows besides its label: taxon, camera, date, place, box.

    facts = find_facts(table.columns)              # {"date": "eventDate", "latitude": "Lat"}
    table, notes = bring_into_form(table)          # the columns of `FACTS` in their types

Every manifest writes them alike, so that breakdowns, splits and reports need not know whose data
they are: the ranks, `camera`, `deployment` and `sequence` are texts; `date` is ISO 8601, as precise
as it is known (2019, 2019-07, 2019-07-31, 2019-07-31T05:44:19); `latitude` and `longitude` are
degrees; `box` is x, y, width, height in pixels of the stored picture (`biobench.data.box_columns`).
"""

import re
from collections.abc import Iterable

import polars as pl

__all__ = [
    "FACTS",
    "RANKS",
    "bring_into_form",
    "find_facts",
    "read_binomials",
    "read_dates",
    "read_degrees",
    "simplify",
]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
"""from the highest to the lowest."""

_LIMITS = {"latitude": 90.0, "longitude": 180.0}


def _name_rank(rank: str) -> tuple[str, ...]:
    return (rank, f"taxon_{rank}", f"taxon_{rank}_name", f"gbif_{rank}", f"{rank}_name")


FACTS: dict[str, tuple[str, ...]] = {
    **{rank: _name_rank(rank) for rank in RANKS[:-1]},
    "species": (*_name_rank("species"), "scientific_name", "scientificname", "binomial"),
    "camera": (
        *("camera", "camera_id", "cameraid", "camera_name", "camera_trap", "location_id"),
        *("locationid", "station", "station_id"),
    ),
    "deployment": ("deployment", "deployment_id", "deploymentid"),
    "sequence": (
        *("sequence", "sequence_id", "sequenceid", "seq_id", "event", "event_id", "eventid"),
        *("burst", "burst_id"),
    ),
    "date": (
        *("date", "datetime", "date_time", "timestamp", "date_captured", "date_taken"),
        *("date_time_original", "datetimeoriginal", "event_date", "eventdate", "observed_on"),
        *("time_observed_at", "capture_date", "captured_at", "taken_at", "visit_date"),
    ),
    "latitude": ("latitude", "lat", "decimal_latitude", "decimallatitude", "gps_latitude"),
    "longitude": (
        *("longitude", "lon", "lng", "long", "decimal_longitude", "decimallongitude"),
        "gps_longitude",
    ),
}
"""fact -> the names by which a table has it, simplified; the first that a table has is it."""

_TIME = r"(?:[T\s]+(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([AaPp][Mm])?\s*"
_TIME += r"(Z|[+-]\d{2}:?\d{2})?)?"
_YEAR_FIRST = rf"^(\d{{4}})(?:[-:/.](\d{{1,2}})(?:[-:/.](\d{{1,2}}){_TIME})?)?$"
_YEAR_LAST = rf"^(\d{{1,2}})([-/.])(\d{{1,2}})[-/.](\d{{4}}){_TIME}$"
_NAMED = rf"^(\d{{1,2}})[-\s]([A-Za-z]{{3}})[A-Za-z]*[-\s,]+(\d{{4}}){_TIME}$"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def simplify(name: str) -> str:
    """A column's name as it is looked up: scientificName and Scientific-Name are one."""
    return re.sub(r"[\s.\-]+", "_", name.strip()).lower()


def find_facts(names: Iterable[str]) -> dict[str, str]:
    """Fact -> the column of a table that holds it, by its usual names in any writing."""
    plain = {simplify(name): name for name in reversed(list(names))}
    found = {
        fact: next((plain[n] for n in known if n in plain), "") for fact, known in FACTS.items()
    }
    return {fact: name for fact, name in found.items() if name}


def bring_into_form(table: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """The table with the facts among its columns in their types, and what could not be read.

    What is no date, or no number of degrees, becomes null; the column as it was written is then
    kept beside, under its name with `_` behind.
    """
    notes = []
    for name in [name for name in FACTS if name in table.columns]:
        if name == "date":
            read = read_dates(table[name])
        elif name in _LIMITS:
            read = read_degrees(table[name], _LIMITS[name])
        else:
            read = _to_text(table[name])
        read = read.alias(name)
        written = _to_text(table[name])
        lost = written.is_not_null() & read.is_null()
        if lost.any():
            kept = f"{name}_"
            while kept in table.columns:
                kept += "_"
            what = "a date" if name == "date" else "degrees"
            shown = ", ".join(f"'{value}'" for value in written.filter(lost).unique().sort()[:2])
            notes.append(
                f"{int(lost.sum()):,} values of '{name}' cannot be read as {what} ({shown}) and "
                f"are left empty; '{kept}' has them as they are written."
            )
            table = table.with_columns(table[name].alias(kept))
        table = table.with_columns(read)
    return table, notes


def read_dates(column: pl.Series) -> pl.Series:
    """ISO 8601 of a column of dates, as precise as each is; null where it is none.

    Read are the year first (2019, 2019-07, 2019:07:31 05:44:19, with a zone, too), months in
    English words (31-Jul-2019), and the year last where some value of the column tells day from
    month (31/7/2019), or where dots are between (31.7.2019): then the day is first. Fractions of a
    second are cut off.
    """
    if column.dtype in (pl.Date, pl.Datetime):
        zone = "%:z" if getattr(column.dtype, "time_zone", None) else ""
        form = "%Y-%m-%d" if column.dtype == pl.Date else f"%Y-%m-%dT%H:%M:%S{zone}"
        return column.dt.to_string(form)
    text = _to_text(column).str.replace(r"^(\d{4})\.0$", "${1}")
    first = _Groups(text, _YEAR_FIRST)
    iso = _to_iso(first[1], first[2], first[3], first, 4)
    named = _Groups(text, _NAMED)
    if named.any():
        codes = {name: f"{number:02d}" for number, name in enumerate(_MONTHS, 1)}
        month = named[2].str.to_lowercase().replace_strict(
            codes, default=None, return_dtype=pl.String
        )  # fmt: skip
        iso = _coalesce(iso, _to_iso(named[3], month, named[1], named, 4))
    last = _Groups(text, _YEAR_LAST)
    if last.any():
        day_first = _tell_order(last)
        if day_first is not None:
            day, month = (last[1], last[3]) if day_first else (last[3], last[1])
            iso = _coalesce(iso, _to_iso(last[4], month, day, last, 5))
    return iso


def read_degrees(column: pl.Series, limit: float) -> pl.Series:
    """Numbers from -limit to limit (Float64); null where it is none. Commas may be decimal."""
    text = _to_text(column).str.replace(r"^([+-]?\d+),(\d+)$", "${1}.${2}")
    number = text.cast(pl.Float64, strict=False)
    inside = (number.abs() <= limit).fill_null(False) & number.is_finite().fill_null(False)
    return number.set(~inside, None)


def read_binomials(column: str) -> list[pl.Expr]:
    """`genus` and `species` of a column of scientific names, null where a name is no binomial.

    The species is the name without its author; a hybrid's sign is kept in the species alone.
    """
    sign = r"^\s*([\p{L}-]+)\s+((?:[×x]\s*)?\p{Ll}[\p{Ll}-]+)"
    name = pl.col(column)
    genus, epithet = name.str.extract(sign, 1), name.str.extract(sign, 2)
    return [
        genus.alias("genus"),
        pl.concat_str(genus, epithet, separator=" ").alias("species"),
    ]


class _Groups:
    """What a pattern's groups take of each text; null where it does not fit."""

    def __init__(self, text: pl.Series, pattern: str):
        self._text, self._pattern = text, pattern

    def __getitem__(self, number: int) -> pl.Series:
        return self._text.str.extract(self._pattern, number)

    def any(self) -> bool:
        return bool(self._text.str.contains(self._pattern).any())


def _tell_order(found: _Groups) -> bool | None:
    """Whether dates with the year last begin with the day; None where nothing tells."""
    first, second = (found[i].cast(pl.Int64, strict=False) for i in (1, 3))
    day_first, month_first = bool((first > 12).any()), bool((second > 12).any())
    if day_first == month_first:
        dots = (found[2].drop_nulls() == ".").all()
        return True if dots and not day_first else None
    return day_first


def _to_iso(
    year: pl.Series, month: pl.Series, day: pl.Series, found: _Groups, time: int
) -> pl.Series:
    """ISO 8601 of texts, null where there is no such day; `time`: the pattern's group of hours."""
    parts = pl.DataFrame(
        {
            "year": year,
            "month": month.str.zfill(2),
            "day": day.str.zfill(2),
            "hour": found[time].cast(pl.Int64, strict=False),
            "minute": found[time + 1],
            "second": found[time + 2],
            "half": found[time + 3].str.to_lowercase(),
            "zone": found[time + 4],
        }
    )
    hour = (
        pl.when(pl.col("half") == "pm")
        .then(pl.col("hour") % 12 + 12)
        .when(pl.col("half") == "am")
        .then(pl.col("hour") % 12)
        .otherwise("hour")
    )
    known = parts.with_columns(hour.cast(pl.String).str.zfill(2).alias("hour")).with_columns(
        date=pl.concat_str("year", "month", "day", separator="-", ignore_nulls=True),
        whole=pl.concat_str("year", "month", "day", separator="-"),
        clock=pl.when(pl.col("minute").is_not_null()).then(
            pl.concat_str("hour", "minute", "second", separator=":", ignore_nulls=True)
        ),
        whole_clock=pl.concat_str(
            "hour", "minute", pl.col("second").fill_null("00"), separator=":"
        ),
    )
    month_exists = pl.col("month").is_null() | pl.col("month").is_between(
        pl.lit("01"), pl.lit("12")
    )
    day_exists = pl.col("day").is_null() | (
        pl.col("whole").str.to_date("%Y-%m-%d", strict=False).is_not_null()
    )
    clock_exists = pl.col("clock").is_null() | (
        pl.col("whole_clock").str.to_time("%H:%M:%S", strict=False).is_not_null()
    )
    written = pl.concat_str(
        "date",
        pl.when(pl.col("clock").is_not_null()).then(
            pl.concat_str(pl.lit("T"), "clock", pl.col("zone").fill_null(""))
        ),
        ignore_nulls=True,
    )
    right = pl.col("year").is_not_null() & month_exists & day_exists & clock_exists
    return known.select(pl.when(right).then(written).alias("iso"))["iso"]


def _coalesce(first: pl.Series, second: pl.Series) -> pl.Series:
    return pl.select(pl.coalesce(first, second)).to_series()


def _to_text(column: pl.Series) -> pl.Series:
    """Stripped texts; null where nothing is written."""
    if column.dtype in (pl.Float32, pl.Float64) and column.is_nan().any():
        column = column.fill_nan(None)
    text = column.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)
