"""Metrics over the rows of the predictions: means of a value a row, and functions of weighted rows.

Needs polars, which the metrics of labels do not.
"""

import abc
import typing
from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Float, Float64, Num

from biobench.contract import Example
from biobench.errors import BadInput
from biobench.metrics.base import Counts, Metric, require_examples
from biobench.predictions import take_columns

__all__ = [
    "ExampleMean",
    "WeightedMetric",
    "make_rows",
    "require_columns",
    "tabulate",
]

OPTIONAL = ("subtask",)
"""columns that predictions need not have."""

_BLOCK = 2**25
"""weights that are worked on at once."""


class ExampleMean:
    """A metric that is the mean of one value an example; subclasses are frozen dataclasses.

    A subclass gives `name`, `columns` (of the predictions that it reads) and `values`.
    """

    name = ""
    """its name in a protocol and on the command line; each metric has its own."""
    fields: typing.ClassVar[frozenset[str]] = frozenset({"score"})
    macro: typing.ClassVar[bool] = False
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
        return float(self.values(tabulate(examples, self.columns, self.name)).mean())

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

    name = ""
    """its name in a protocol and on the command line; each metric has its own."""

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
        rows = self.prepare(tabulate(examples, self.columns, self.name))
        return self.require(float(self.from_weights(rows, np.ones((len(examples), 1)))[0]))

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The score of each sample, from the rows and their weights."""
        assert counts.weights is not None
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


def tabulate(examples: Sequence[Example], columns: Sequence[str], name: str) -> pl.DataFrame:
    """The columns that a metric reads, from the examples' info."""
    require_examples(examples, name)
    table = take_columns(examples, columns)
    require_columns(table, [c for c in columns if c not in OPTIONAL], name)
    return table
