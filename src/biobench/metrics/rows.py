"""Metrics over the rows of the predictions: means of a value a row, and functions of weighted rows.

Needs polars, which the metrics of labels do not.
"""

import abc
import json
import typing
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Float64, Num

from biobench.contract import Example
from biobench.errors import BadInput
from biobench.metrics.base import CLASS_LABELS, CLASS_SCORES, Counts, Metric, require_examples

__all__ = [
    "ExampleMean",
    "WeightedMetric",
    "make_rows",
    "require_columns",
    "to_table",
]

OPTIONAL = ("subtask",)
"""columns that predictions need not have."""

_DTYPES = {
    "top_labels": pl.List(pl.String),
    "top_scores": pl.List(pl.Float64),
    "train_count": pl.Int64(),
    "probability": pl.Float64(),
    "brier": pl.Float64(),
    "cost": pl.Float64(),
    "worst_cost": pl.Float64(),
    "recall_at_1": pl.Float64(),
    "recall_at_1_apart": pl.Float64(),
    "average_precision": pl.Float64(),
    "average_precision_apart": pl.Float64(),
    CLASS_SCORES: pl.List(pl.Float32),
}
_BLOCK = 2**25
"""weights that are worked on at once."""


class ExampleMean:
    """A metric that is the mean of one value an example; subclasses are frozen dataclasses.

    A subclass gives `name`, `columns` (of the predictions that it reads) and `values`.
    """

    fields: typing.ClassVar[frozenset[str]] = frozenset({"score"})
    macro: typing.ClassVar[bool] = False
    name: typing.ClassVar[str]
    columns: typing.ClassVar[tuple[str, ...]]
    bounds: typing.ClassVar[tuple[float, float] | None] = None
    """the lowest and the highest value there can be; None: 0 to 1, wider where the values are."""
    better_low: typing.ClassVar[bool] = False
    """whether a lower value is the better one."""

    @abc.abstractmethod
    def values(self, predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
        """The value of each row of the predictions; raises BadInput where a row has none."""
        raise NotImplementedError

    def __call__(self, examples: Sequence[Example]) -> float:
        """The mean value; raises BadInput without examples, or where one lacks what is needed."""
        return float(self.values(to_table(examples, self.columns, self.name)).mean())

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The mean value of each sample, `counts.score` being the sum of the values."""
        return counts.score / counts.n


class WeightedMetric:
    """A metric that is a function of the examples and their weights; subclasses are frozen.

    A subclass gives `name`, `columns`, `prepare`, `from_weights` and, where it can be written down,
    `contributions`.
    """

    fields: typing.ClassVar[frozenset[str]] = frozenset({"weights"})
    macro: typing.ClassVar[bool] = False
    name: typing.ClassVar[str]
    columns: typing.ClassVar[tuple[str, ...]]
    bounds: typing.ClassVar[tuple[float, float] | None] = None
    better_low: typing.ClassVar[bool] = False

    @abc.abstractmethod
    def prepare(self, predictions: pl.DataFrame) -> typing.Any:
        """What `from_weights` needs of the `r` rows of the predictions: sorted, in arrays."""
        raise NotImplementedError

    @abc.abstractmethod
    def from_weights(
        self, rows: typing.Any, weights: Num[np.ndarray, "r b"]
    ) -> Float64[np.ndarray, " b"]:
        """The score where each row counts so often; NaN where such a sample has none."""
        raise NotImplementedError

    def contributions(self, rows: typing.Any, n: int) -> Float64[np.ndarray, " {n}"]:
        """How fast the score rises with the weight of each of the n rows (the infinitesimal
        jackknife; they sum to 0), here by leaving one row out at a time."""
        one = float(self.from_weights(rows, np.ones((n, 1)))[0])
        out = np.empty(n)
        step = max(1, _BLOCK // n)
        for start in range(0, n, step):
            left = np.arange(start, min(start + step, n))
            weights = np.ones((n, len(left)), np.float32)
            weights[left, left - start] = 0
            out[left] = one - self.from_weights(rows, weights)
        out[~np.isfinite(out)] = 0
        return out - out.mean()

    def of_class(self, label: str) -> "WeightedMetric | None":
        """The same score of one class alone; None where it is not one of classes."""
        return None

    def count_independent(self, rows: typing.Any, n: int) -> float:
        """How many examples the score is worth where each says the same: of n rows, those of the
        rarer kind."""
        return float(n)

    def __call__(self, examples: Sequence[Example]) -> float:
        """The score; raises BadInput without examples, or where they do not define one."""
        rows = self.prepare(to_table(examples, self.columns, self.name))
        return self.require(float(self.from_weights(rows, np.ones((len(examples), 1)))[0]))

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The score of each sample, from the rows and their weights."""
        step = max(1, _BLOCK // len(counts.weights))
        parts = [
            self.from_weights(counts.rows, counts.weights[:, start : start + step])
            for start in range(0, counts.weights.shape[1], step)
        ]
        return np.concatenate(parts)

    def require(self, score: float) -> float:
        """The score itself; raises BadInput where it is none."""
        if not np.isfinite(score):
            raise BadInput(f"These examples have no '{self.name}': {self.undefined}.")
        return score

    @property
    def undefined(self) -> str:
        """Which examples have no such score, in words."""
        return "it needs examples of both kinds"


def make_rows(metric: Metric | None, predictions: pl.DataFrame) -> typing.Any:
    """What a weighted metric's `from_counts` reads as `rows`; None for any other metric."""
    return metric.prepare(predictions) if isinstance(metric, WeightedMetric) else None


def require_columns(predictions: pl.DataFrame, columns: Sequence[str], name: str) -> None:
    """Raise BadInput where the predictions lack a column that a metric reads."""
    for column in columns:
        if column not in predictions.columns:
            raise BadInput(f"The predictions have no '{column}', which the metric '{name}' needs.")


def to_table(examples: Sequence[Example], columns: Sequence[str], name: str) -> pl.DataFrame:
    """The columns that a metric reads, from the examples' info."""
    require_examples(examples, name)
    found = {"example": pl.Series([str(example.id) for example in examples])}
    for column in columns:
        # A class is compared as text, as the stored predictions have it.
        dtype = _DTYPES.get(column, pl.String())
        if column not in examples[0].info and not any(column in e.info for e in examples):
            continue
        values = [example.info.get(column) for example in examples]
        if column == CLASS_LABELS:
            found[column] = _labels_as_text(values)
            continue
        if dtype == pl.String():
            values = [None if value is None else str(value) for value in values]
        found[column] = pl.Series(values, dtype=dtype, strict=False)
    table = pl.DataFrame(found)
    require_columns(table, [c for c in columns if c not in OPTIONAL], name)
    return table


def _labels_as_text(values: list) -> pl.Series:
    # Examples share one list of classes; it is written out once.
    texts: dict[int, str | None] = {}
    for value in values:
        if id(value) not in texts:
            known = value is None or isinstance(value, str)
            texts[id(value)] = value if known else json.dumps([str(label) for label in value])
    return pl.Series([texts[id(value)] for value in values], dtype=pl.String)
