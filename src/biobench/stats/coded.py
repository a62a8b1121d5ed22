"""Predictions as arrays: what every statistic is computed from.

    coded = from_examples(examples)                      # a report's examples
    coded = from_table(predictions, by_group=True)       # a predictions table, resampled by group

A *unit* is what is resampled as a whole: an example (an image that stands in several subtasks is
one unit), or a group where there are groups.
"""

import dataclasses
import itertools
import typing
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from biobench.contract import Example
from biobench.errors import BadInput
from biobench.metrics import ExampleMean, Metric, code_rows, get_columns, make_rows, tabulate

__all__ = ["Coded", "code_models", "from_examples", "from_table"]


@dataclasses.dataclass(frozen=True)
class Coded:
    """One set of predictions, integer-coded: `n` scored rows in `n_units` units.

    true and pred are class codes, 0 to n_classes - 1 (pred may be -1: no class that is ever a
    truth, so it can only be wrong); both are None where the examples carry no labels.
    """

    score: Float64[np.ndarray, " n"]
    true: Int64[np.ndarray, " n"] | None
    pred: Int64[np.ndarray, " n"] | None
    n_classes: int
    unit: Int64[np.ndarray, " n"]
    n_units: int
    grouped: bool = False
    """whether a unit is a group, rather than an example."""
    rows: typing.Any = None
    """what a weighted metric reads of the rows; such a coding is for that metric alone."""
    classes: tuple[str, ...] = ()
    """the classes' names by code; empty where they are not known."""
    groups: tuple[str, ...] = ()
    """the units' names, where they are groups."""

    @property
    def n(self) -> int:
        """The number of scored rows."""
        return len(self.score)

    def code(self, count: str) -> Int64[np.ndarray, " n"]:
        """The class that each row adds to in a count of classes; below 0 for none."""
        assert self.true is not None and self.pred is not None
        return code_rows(count, self.true, self.pred)


def from_examples(examples: Sequence[Example], metric: Metric | None = None) -> Coded:
    """Code a report's examples, each its own unit; raises BadInput where there are none.

    metric: where it reads further columns, the coding is what it makes of them.
    """
    if not len(examples):
        raise BadInput("There is no example to make an interval of; the test set is empty.")
    score = np.fromiter((example.score for example in examples), np.float64, len(examples))
    true = pred = None
    n_classes = 0
    try:
        y_true = [example.info["y_true"] for example in examples]
        y_pred = [example.info["y_pred"] for example in examples]
    except KeyError:
        pass
    else:
        codes = {label: code for code, label in enumerate(dict.fromkeys(y_true))}
        n_classes = len(codes)
        true = np.fromiter(map(codes.__getitem__, y_true), np.int64, len(y_true))
        # None is no prediction, even where somebody calls a class None.
        known = {**codes, None: -1}
        pred = np.fromiter(map(known.get, y_pred, itertools.repeat(-1)), np.int64, len(y_pred))
    rows = None
    if metric is not None and get_columns(metric):
        table = tabulate(examples, get_columns(metric), metric.name)
        score, rows = _score_by(metric, table, score), make_rows(metric, table)
    unit = np.arange(len(examples), dtype=np.int64)
    names = tuple(map(str, codes)) if true is not None else ()
    n = len(examples)
    return Coded(_finite(score), true, pred, n_classes, unit, n, rows=rows, classes=names)


def from_table(predictions: pl.DataFrame, *, by_group: bool, metric: Metric | None = None) -> Coded:
    """Code a predictions table (columns of docs/architecture.md).

    by_group: a unit is a group (a row without one is its own); else it is an example.
    metric: where it reads further columns, the coding is what it makes of them.
    Raises BadInput on a missing column, an empty table or a score that is not finite.
    """
    lacking = [name for name in ("example", "score") if name not in predictions.columns]
    if lacking:
        raise BadInput(
            f"The predictions have no column '{lacking[0]}'; they need example, y_true, y_pred "
            "and score."
        )
    if predictions.is_empty():
        raise BadInput("The predictions table is empty, so it has no score.")
    score = _score_by(metric, predictions, _code_scores(predictions))
    true = pred = None
    n_classes = 0
    if _has_labels(predictions):
        true, pred, n_classes = _code_labels(predictions["y_true"], predictions["y_pred"])
    unit = _code_units(predictions, by_group=by_group)
    grouped = by_group and _has_groups(predictions)
    rows = make_rows(metric, predictions)
    n_units = int(unit.max()) + 1
    classes = () if true is None else tuple(_classes_of(predictions["y_true"]))
    groups = tuple(_name_units(predictions)) if grouped else ()
    return Coded(
        score, true, pred, n_classes, unit, n_units, grouped, rows, classes=classes, groups=groups
    )


def code_models(
    tables: Sequence[pl.DataFrame], *, by_group: bool, metric: Metric | None = None
) -> list[Coded]:
    """Code the predictions of several models that have the same rows in the same order.

    Truth and units are those of the first. Raises BadInput where another has other truths.
    """
    first = from_table(tables[0], by_group=by_group, metric=metric)
    models = [first]
    labelled = first.true is not None
    classes = _classes_of(tables[0]["y_true"]) if labelled and len(tables) > 1 else None
    for table in tables[1:]:
        pred = None
        if classes is not None:
            _require_same_truth(tables[0], table)
            pred = _code_predictions(classes, table["y_pred"])
        score = _score_by(metric, table, _code_scores(table))
        own = {"score": score, "pred": pred, "rows": make_rows(metric, table)}
        models.append(dataclasses.replace(first, **own))
    return models


def _score_by(
    metric: Metric | None, table: pl.DataFrame, score: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """The metric's own value of each row where it has one, else the score."""
    return _finite(metric.values(table)) if isinstance(metric, ExampleMean) else score


def _has_labels(predictions: pl.DataFrame) -> bool:
    # A column without any truth is that of a task that has none, as a regression's.
    if not {"y_true", "y_pred"} <= set(predictions.columns):
        return False
    return predictions["y_true"].count() > 0


def _has_groups(predictions: pl.DataFrame) -> bool:
    """Whether any row stands in a group."""
    return "group" in predictions.columns and predictions["group"].count() > 0


def _code_labels(
    y_true: pl.Series, y_pred: pl.Series
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], int]:
    """Codes of truths and predictions by first appearance of the truth, and their number."""
    classes = _classes_of(y_true)
    true = y_true.cast(pl.String).cast(pl.Enum(classes)).to_physical().cast(pl.Int64)
    return true.to_numpy().copy(), _code_predictions(classes, y_pred), len(classes)


def _code_predictions(classes: pl.Series, y_pred: pl.Series) -> Int64[np.ndarray, " n"]:
    kind = y_pred.dtype
    if isinstance(kind, pl.Enum):
        # Names are looked up once a name, rather than once a row.
        codes = {label: code for code, label in enumerate(classes.to_list())}
        known = [codes.get(label, -1) for label in kind.categories.to_list()]
        at = y_pred.to_physical()
        if at.has_nulls():
            at = at.fill_null(len(known))
        return np.array([*known, -1])[at.to_numpy()]
    pred = y_pred.cast(pl.String).cast(pl.Enum(classes), strict=False).to_physical()
    return pred.cast(pl.Int64).fill_null(-1).to_numpy().copy()


def _code_scores(predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
    """The scores; raises BadInput where one is not finite."""
    score = predictions["score"].cast(pl.Float64)
    if score.has_nulls():
        score = score.fill_null(np.nan)
    return _finite(score.to_numpy().copy())


def _classes_of(y_true: pl.Series) -> pl.Series:
    classes = y_true.cast(pl.String).unique(maintain_order=True)
    if classes.has_nulls():
        raise BadInput("The predictions have a row without y_true; give every row its label.")
    return classes


def _require_same_truth(one: pl.DataFrame, other: pl.DataFrame) -> None:
    if one["y_true"].equals(other["y_true"], check_dtypes=True):
        return
    differ = one["y_true"].cast(pl.String) != other["y_true"].cast(pl.String)
    if differ.any():
        row = int(differ.arg_max() or 0)
        raise BadInput(
            f"Two models disagree on the truth of the example '{one['example'][row]}' "
            f"('{one['y_true'][row]}' and '{other['y_true'][row]}'); compare runs on the same "
            "labels."
        )


def _code_units(predictions: pl.DataFrame, *, by_group: bool) -> Int64[np.ndarray, " n"]:
    """Codes of the units by first appearance."""
    by_group = by_group and "group" in predictions.columns
    keys = predictions.select(_make_key(by_group=by_group).alias("key"))["key"]
    if keys.n_unique() == len(keys):
        return np.arange(len(keys), dtype=np.int64)
    kind = pl.Enum(keys.unique(maintain_order=True))
    return keys.cast(kind).to_physical().cast(pl.Int64).to_numpy().copy()


def _make_key(*, by_group: bool) -> pl.Expr:
    """What tells units apart."""
    key = pl.concat_str(pl.lit("example "), pl.col("example").cast(pl.String))
    if not by_group:
        return key
    return pl.coalesce(pl.concat_str(pl.lit("group "), pl.col("group").cast(pl.String)), key)


def _name_units(predictions: pl.DataFrame) -> list[str]:
    """The groups in the order of their codes; an example without one stands for itself."""
    group = pl.col("group").cast(pl.String)
    names = predictions.select(pl.coalesce(group, pl.col("example").cast(pl.String)).alias("name"))
    keys = predictions.select(_make_key(by_group=True).alias("key"))
    return names.hstack(keys).unique("key", keep="first", maintain_order=True)["name"].to_list()


def _finite(score: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    wrong = np.flatnonzero(~np.isfinite(score))
    if wrong.size:
        raise BadInput(
            f"Row {wrong[0]} of the predictions has no finite score; score every example, a wrong "
            "one with 0."
        )
    return score
