"""Dates as programs write them, as ISO 8601.

    to_iso(pl.Series(["2021:05:03 10:11:12", "3.5.2021"]))     # 2021-05-03T10:11:12, 2021-05-03

As precise as they are: a year stays a year. Of 03/05/2021 the column decides what is the day; where
none of its values can, nothing is made of it.
"""

import re

import polars as pl

__all__ = ["to_iso"]

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ISO = re.compile(
    r"^(\d{4})(?:[-:/.](\d{1,2})(?:[-:/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?"
    r"(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?)?)?$"
)
_OTHER = re.compile(
    r"^(\d{1,2})[-/. ](\d{1,2}|[A-Za-z]{3})[a-z]*[-/. ](\d{4})"
    r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?: ?([AaPp])[Mm])?)?$"
)


def to_iso(values: pl.Series) -> pl.Series:
    """Each date or time of a column of texts as ISO 8601; null what is none.

    The time zone stays where it is given. Of an interval what both its ends say stays.
    """
    texts = [text.strip() if text else "" for text in values.cast(pl.String).to_list()]
    day_first = _is_day_first(texts)
    made = [_convert(text, day_first) for text in texts]
    return pl.Series(values.name, made, dtype=pl.String)


def _is_day_first(texts: list[str]) -> bool | None:
    """None where every date with a slash may be read both ways."""
    found = [match for match in map(_OTHER.match, texts) if match and match[2].isdigit()]
    if any(int(match[1]) > 12 for match in found):
        return True
    if any(int(match[2]) > 12 for match in found):
        return False
    return True if found and any("." in match[0][:6] for match in found) else None


def _convert(text: str, day_first: bool | None) -> str | None:
    if len(ends := text.split("/")) == 2 and min(map(len, ends)) >= 4:
        return _intersect(*(_convert(end.strip(), day_first) for end in ends))
    if match := _ISO.match(text):
        return _join(*match.groups())
    if not (match := _OTHER.match(text)):
        return None
    first, second, year, hour, minute, seconds, half = match.groups()
    if second.isdigit():
        if day_first is None:
            return None
        day, month = (first, second) if day_first else (second, first)
    elif second.lower() in _MONTHS:
        day, month = first, str(_MONTHS.index(second.lower()) + 1)
    else:
        return None
    if half and hour:
        hour = str(int(hour) % 12 + 12 * (half.lower() == "p"))
    return _join(year, month, day, hour, minute, seconds, None)


def _join(
    year: str,
    month: str | None,
    day: str | None,
    hour: str | None,
    minute: str | None,
    seconds: str | None,
    zone: str | None,
) -> str | None:
    if not 1 <= int(month or 1) <= 12 or not 1 <= int(day or 1) <= 31 or int(hour or 0) > 23:
        return None
    date = "-".join([year, *(f"{int(part):02d}" for part in (month, day) if part)])
    if hour is None:
        return date
    zone = "Z" if zone == "UTC" else zone or ""
    return f"{date}T{int(hour):02d}:{minute}:{seconds or '00'}{zone}"


def _intersect(one: str | None, other: str | None) -> str | None:
    """What two dates have in common: the day, the month or the year."""
    if one is None or other is None:
        return one or other
    if one == other:
        return one
    return next((one[:n] for n in (10, 7, 4) if len(one) >= n and one[:n] == other[:n]), None)
