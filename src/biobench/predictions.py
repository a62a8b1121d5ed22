"""The table of predictions: one row a test example, from which every number can be computed again.

    table = to_table(report.examples)      # columns as in docs/architecture.md
    examples = to_examples(table)          # and back

Columns beyond the known ones are whatever the task put into `Example.info`. Values that a column
cannot hold together (a dict, or a number in one row and a text in the next) are kept as JSON text.
"""

import json
import typing
from collections.abc import Sequence

import polars as pl

from biobench.contract import CLASS_LABELS, CLASS_SCORES, Example

__all__ = [
    "KNOWN_COLUMNS",
    "take_columns",
    "to_examples",
    "to_table",
    "to_unicode",
    "write_classes",
]

KNOWN_COLUMNS = {
    "example": pl.String(),
    "subtask": pl.String(),
    "group": pl.String(),
    "y_true": pl.String(),
    "y_pred": pl.String(),
    "score": pl.Float64(),
    "top_labels": pl.List(pl.String()),
    "top_scores": pl.List(pl.Float64()),
    "train_count": pl.Int64(),
}

_READ = {
    **KNOWN_COLUMNS,
    "probability": pl.Float64(),
    "brier": pl.Float64(),
    "cost": pl.Float64(),
    "worst_cost": pl.Float64(),
    "recall_at_1": pl.Float64(),
    "recall_at_1_apart": pl.Float64(),
    "average_precision": pl.Float64(),
    "average_precision_apart": pl.Float64(),
    CLASS_SCORES: pl.List(pl.Float32()),
}
"""types of the columns that metrics read; the others are texts, as classes are compared."""

APART = (CLASS_LABELS, CLASS_SCORES)
"""what is kept in a file of its own (see `biobench.results.scores`)."""


def to_table(examples: Sequence[Example]) -> pl.DataFrame:
    """The table of `examples`, in their order; a known column that none of them has is null."""
    names = dict.fromkeys(name for example in examples for name in example.info)
    for name in APART:
        names.pop(name, None)
    columns = {
        "example": pl.Series([to_unicode(example.id) for example in examples], dtype=pl.String()),
        "score": pl.Series([float(example.score) for example in examples], dtype=pl.Float64()),
    }
    for name, dtype in KNOWN_COLUMNS.items():
        if name not in columns:
            values = [example.info.get(name) for example in examples]
            columns[name] = _known_column(values, dtype)
    for name in names:
        if name not in columns:
            columns[name] = _free_column([example.info.get(name) for example in examples])
    order = [*KNOWN_COLUMNS, *(name for name in names if name not in KNOWN_COLUMNS)]
    return pl.DataFrame({name: columns[name] for name in order})


def take_columns(examples: Sequence[Example], names: Sequence[str]) -> pl.DataFrame:
    """The column `example` and those of `names` that any example has, without the others."""
    columns = {"example": pl.Series([to_unicode(str(example.id)) for example in examples])}
    for name in names:
        if name not in examples[0].info and not any(name in one.info for one in examples):
            continue
        values: list[typing.Any] = [example.info.get(name) for example in examples]
        if name == CLASS_LABELS:
            columns[name] = pl.Series(write_classes(values), dtype=pl.String())
        else:
            columns[name] = _known_column(values, _READ.get(name, pl.String()))
    return pl.DataFrame(columns)


def write_classes(lists: Sequence[Sequence[object] | str | None]) -> list[str | None]:
    """Lists of class names as JSON; a text is written already."""
    # Examples share one list of classes; it is written out once.
    texts: dict[int, str | None] = {}
    for value in lists:
        if id(value) not in texts:
            if value is None or isinstance(value, str):
                texts[id(value)] = value
            else:
                texts[id(value)] = json.dumps([str(name) for name in value])
    return [texts[id(value)] for value in lists]


def to_examples(table: pl.DataFrame) -> list[Example]:
    """The rows of a table of predictions as objects; `info` holds the other columns."""
    return [
        Example(
            id=row["example"],
            score=row["score"],
            info={key: value for key, value in row.items() if key not in ("example", "score")},
        )
        for row in table.iter_rows(named=True)
    ]


def _known_column(values: list[object], dtype: typing.Any) -> pl.Series:
    if dtype == pl.String():
        values = [None if value is None else _to_text(value) for value in values]
    return pl.Series(values, dtype=dtype, strict=False)


def _to_text(value: object) -> str:
    # A class numbered 3 in the truth and 3.0 in the prediction is one class.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return to_unicode(str(value))


def to_unicode(text: str) -> str:
    """`text`, where a byte of a file's name that is no character stands as its code."""
    return text.encode("utf-8", "backslashreplace").decode()


def _free_column(values: list[object]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and not kinds & {dict, tuple, set, frozenset, bytes}:
        values = [to_unicode(value) if isinstance(value, str) else value for value in values]
        try:
            series = pl.Series(values, strict=True)
            if not series.dtype.is_(pl.Object) and series.to_list() == values:
                return series
        except (TypeError, OverflowError, pl.exceptions.PolarsError):
            pass
    return pl.Series(
        [None if value is None else json.dumps(value, default=str) for value in values],
        dtype=pl.String(),
    )
