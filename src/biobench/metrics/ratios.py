"""Scores that are one sum over the examples divided by another: costs, and retrieval's means."""

import dataclasses
import typing

import numpy as np
import polars as pl
from jaxtyping import Float64, Num

from biobench.metrics.rows import WeightedMetric, require_columns

__all__ = ["CostScore", "RetrievalMap", "RetrievalRecall"]


class _Ratio(WeightedMetric):
    """A ratio of two sums; subclasses say what an example adds to each."""

    bounds: typing.ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def read(self, predictions: pl.DataFrame) -> pl.DataFrame:
        """The columns above and below."""
        raise NotImplementedError

    def prepare(self, predictions: pl.DataFrame) -> Float64[np.ndarray, "2 r"]:
        """What each row adds above and below; raises BadInput without the columns."""
        require_columns(predictions, self.columns, self.name)
        table = self.read(predictions).select(pl.col("above", "below").cast(pl.Float64))
        return np.stack([table["above"].to_numpy(), table["below"].to_numpy()])

    def from_weights(
        self, rows: Float64[np.ndarray, "2 r"], weights: Num[np.ndarray, "r b"]
    ) -> Float64[np.ndarray, " b"]:
        """The ratio of each sample; NaN where nothing is below."""
        above, below = rows @ weights.astype(np.float64)
        return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)

    def contributions(
        self, rows: Float64[np.ndarray, "2 r"], n: int
    ) -> Float64[np.ndarray, " {n}"]:
        """The linear part of the ratio."""
        above, below = rows
        total = below.sum()
        return (above - above.sum() / total * below) / total

    def count_independent(self, rows: Float64[np.ndarray, "2 r"], n: int) -> float:
        """Kish's count: that of as many examples as weigh the same."""
        below = rows[1]
        return float(below.sum() ** 2 / (below**2).sum())


@dataclasses.dataclass(frozen=True)
class CostScore(_Ratio):
    """One less the mean cost over the highest mean cost that the truths allow: 1 is perfect.

    Reads `cost`, what each prediction costs, and `worst_cost`, what the dearest one with its truth
    would; the task says what costs how much. Without a prediction an example costs the worst.
    """

    name = "cost-score"
    columns: typing.ClassVar[tuple[str, ...]] = ("y_pred", "cost", "worst_cost")

    @property
    def undefined(self) -> str:
        """Which examples have no such score, in words."""
        return "it needs an example that a prediction can be wrong about"

    def read(self, predictions: pl.DataFrame) -> pl.DataFrame:
        """What was saved of the worst."""
        cost = pl.when(pl.col("y_pred").is_null()).then("worst_cost").otherwise("cost")
        return predictions.select(above=pl.col("worst_cost") - cost, below="worst_cost")


@dataclasses.dataclass(frozen=True)
class _OverQueries(_Ratio):
    """A mean over the queries that have another example of their class to be found.

    apart: whether examples of one occasion (`Protocol.apart`) were not to be found by each other.
    """

    apart: bool = False
    stem: typing.ClassVar[str]
    column: typing.ClassVar[str]

    @property
    def name(self) -> str:
        """The metric's name, with `-apart` behind it."""
        return f"{self.stem}-apart" if self.apart else self.stem

    @property
    def columns(self) -> tuple[str, ...]:
        """The value of each query."""
        return ("y_pred", f"{self.column}_apart" if self.apart else self.column)

    @property
    def undefined(self) -> str:
        """Which examples have no such score, in words."""
        return "no example has another of its class to be found"

    def read(self, predictions: pl.DataFrame) -> pl.DataFrame:
        """The value of each; one without a prediction (it could not be read) finds nothing."""
        value = pl.col(self.columns[1])
        value = pl.when(pl.col("y_pred").is_null()).then(0.0).otherwise(value)
        return predictions.select(above=value.fill_null(0), below=value.is_not_null())


@dataclasses.dataclass(frozen=True)
class RetrievalRecall(_OverQueries):
    """Recall@1: the share of queries whose nearest neighbour is of their class."""

    stem: typing.ClassVar[str] = "recall-at-1"
    column: typing.ClassVar[str] = "recall_at_1"


@dataclasses.dataclass(frozen=True)
class RetrievalMap(_OverQueries):
    """Mean average precision of retrieval: of each query's ranking of all others, averaged.

    scikit-learn's `average_precision_score(same_class, -distance)` of each query.
    """

    stem: typing.ClassVar[str] = "retrieval-map"
    column: typing.ClassVar[str] = "average_precision"


RECALL_APART = RetrievalRecall(apart=True)
MAP_APART = RetrievalMap(apart=True)
