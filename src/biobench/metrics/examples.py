"""Means of one value an example: top-k, Brier score, cost, taxonomic rank and distance."""

import dataclasses
import typing
from pathlib import Path

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.errors import BadInput
from biobench.metrics.rows import ExampleMean, require_columns

__all__ = [
    "RANKS",
    "Brier",
    "ExpectedCost",
    "RankAccuracy",
    "TaxonomicDistance",
    "TopAccuracy",
    "predicted",
    "read_costs",
]

RANKS = ("species", "genus", "tribe", "family", "order", "class", "phylum", "kingdom")
"""columns of a manifest that are taxonomic ranks, the lowest first."""

N_TOP = 5
"""classes whose scores are kept with every prediction."""

ANY = "*"
"""any other class, in a table of costs."""


def predicted(rank: str) -> str:
    """The column of the predictions that holds the predicted class's taxon of that rank."""
    return f"y_pred_{rank}"


@dataclasses.dataclass(frozen=True)
class TopAccuracy(ExampleMean):
    """The share of examples whose truth is among the k best classes.

    scikit-learn's `top_k_accuracy_score`, but that a class between equals is the one predicted
    first. An example without a prediction is wrong.
    """

    k: int = N_TOP
    bounds: typing.ClassVar[tuple[float, float]] = (0.0, 1.0)
    columns: typing.ClassVar[tuple[str, ...]] = ("y_true", "y_pred", "top_labels")

    @property
    def name(self) -> str:
        """`top5-accuracy`, or `top-accuracy:K`."""
        return "top5-accuracy" if self.k == N_TOP else f"top-accuracy:{self.k}"

    def values(self, predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
        """1 where the truth is among the k best, else 0."""
        require_columns(predictions, self.columns, self.name)
        lacking = predictions["y_pred"].is_not_null() & predictions["top_labels"].is_null()
        if lacking.any():
            raise BadInput(
                f"The predictions name no second-best classes, which '{self.name}' needs; use a "
                "probe that ranks the classes."
            )
        best = pl.col("top_labels").list.head(self.k)
        found = predictions.select(hit=best.list.contains(pl.col("y_true").cast(pl.String)))
        hit = found["hit"].fill_null(False) & predictions["y_pred"].is_not_null()
        return hit.cast(pl.Float64).to_numpy().copy()


@dataclasses.dataclass(frozen=True)
class Brier(ExampleMean):
    """The squared error of the probabilities, summed over the classes: 0 is best, 2 is worst.

    Brier (1950); scikit-learn's `brier_score_loss(scale_by_half=False)`. An example without a
    prediction has 2.
    """

    name = "brier"
    columns: typing.ClassVar[tuple[str, ...]] = ("y_pred", "brier")
    better_low: typing.ClassVar[bool] = True
    bounds: typing.ClassVar[tuple[float, float]] = (0.0, 2.0)

    def values(self, predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
        """The squared error of each example."""
        require_columns(predictions, self.columns, self.name)
        require_probabilities(predictions, "brier", self.name)
        worst = pl.when(pl.col("y_pred").is_null()).then(2.0).otherwise("brier")
        return predictions.select(value=worst)["value"].cast(pl.Float64).to_numpy().copy()


@dataclasses.dataclass(frozen=True)
class ExpectedCost(ExampleMean):
    """The mean cost of the predictions, by a table of what each mistake costs.

    costs: (truth, prediction, cost); "*" stands for every class that has no line of its own. A
        right prediction without a line costs nothing. An example without a prediction costs as much
        as the dearest mistake with its truth.
    source: the file that the table was read from, part of the name.
    """

    costs: tuple[tuple[str, str, float], ...]
    source: str = ""
    better_low: typing.ClassVar[bool] = True
    columns: typing.ClassVar[tuple[str, ...]] = ("y_true", "y_pred")

    @property
    def name(self) -> str:
        """`expected-cost:FILE`."""
        return f"expected-cost:{self.source}" if self.source else "expected-cost"

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest cost of the table."""
        costs = [cost for _, _, cost in self.costs]
        return min(0.0, *costs), max(0.0, *costs)

    def values(self, predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
        """The cost of each prediction; raises BadInput naming a mistake that the table lacks."""
        require_columns(predictions, self.columns, self.name)
        pairs = predictions.select(
            pl.col("y_true").cast(pl.String), pl.col("y_pred").cast(pl.String)
        )
        each = pairs.unique(maintain_order=True)
        known = {(true, pred): cost for true, pred, cost in self.costs}
        costs = pl.Series([self._cost(known, *pair) for pair in each.rows()], dtype=pl.Float64)
        joined = pairs.join(
            each.with_columns(cost=costs),
            on=["y_true", "y_pred"],
            nulls_equal=True,
            maintain_order="left",
        )
        return joined["cost"].to_numpy().copy()

    def _cost(self, known: dict[tuple[str, str], float], true: str, pred: str | None) -> float:
        if pred is None:
            return max([0.0, *(c for t, p, c in self.costs if t in (true, ANY) and p != true)])
        for pair in ((true, pred), (true, ANY), (ANY, pred), (ANY, ANY)):
            if pair in known and (true != pred or pair == (true, pred)):
                return known[pair]
        if true == pred:
            return 0.0
        raise BadInput(
            f"{self.source or 'The table of costs'} has no cost for the truth '{true}' predicted "
            f"as '{pred}'; add the line, or one with * for every other class."
        )


def read_costs(path: str) -> ExpectedCost:
    """The costs in a CSV file with the columns truth, prediction, cost; BadInput if it is none."""
    try:
        table = pl.read_csv(Path(path), infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as err:
        reason = (str(err) or type(err).__name__).splitlines()[0]
        raise BadInput(f"{path}: the table of costs cannot be read ({reason}).") from err
    wanted = ("truth", "prediction", "cost")
    if lacking := [name for name in wanted if name not in table.columns]:
        raise BadInput(
            f"{path}: there is no column '{lacking[0]}'; a table of costs has the columns truth, "
            "prediction, cost."
        )
    table = table.select(wanted).with_columns(pl.col("cost").cast(pl.Float64, strict=False))
    wrong = table.select(
        bad=pl.col("cost").is_finite().not_().fill_null(True)
        | pl.col("truth").is_null()
        | pl.col("prediction").is_null()
    )["bad"]
    if wrong.any() or not table.height:
        line = int(wrong.arg_max() or 0) + 2
        raise BadInput(f"{path}, line {line}: give a truth, a prediction and a cost, a number.")
    twice = table.select(pl.struct("truth", "prediction").is_duplicated().alias("twice"))["twice"]
    if twice.any():
        truth, prediction, _ = table.row(int(twice.arg_max() or 0))
        raise BadInput(f"{path}: two lines for the truth '{truth}' predicted as '{prediction}'.")
    return ExpectedCost(tuple(table.rows()), path)


@dataclasses.dataclass(frozen=True)
class RankAccuracy(ExampleMean):
    """The share of examples with the truth's taxon predicted at a rank, as the genus.

    The taxon is that of the predicted class, or what a probe predicts for the rank by itself
    (zero-shot). A class without such a taxon is right only where it is predicted itself.
    """

    rank: str
    bounds: typing.ClassVar[tuple[float, float]] = (0.0, 1.0)

    @property
    def name(self) -> str:
        """`rank-accuracy:RANK`."""
        return f"rank-accuracy:{self.rank}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Truth and prediction, and their taxa."""
        return ("y_true", "y_pred", self.rank, predicted(self.rank))

    def values(self, predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
        """1 where the taxon is right, else 0."""
        require_taxa(predictions, self.columns, self.name)
        both = pl.col(self.rank).is_not_null() & pl.col(predicted(self.rank)).is_not_null()
        is_right = pl.when(both).then(_shares(self.rank)).otherwise(_same("y_true", "y_pred"))
        right = predictions.select(right=is_right)["right"]
        return right.cast(pl.Float64).to_numpy().copy()


@dataclasses.dataclass(frozen=True)
class TaxonomicDistance(ExampleMean):
    """How many ranks up the truth and the prediction meet, on average; 0 where they are the same.

    The height of the lowest common ancestor (Bertinetto et al., CVPR 2020): with the ranks genus
    and family it is 1 within a genus, 2 within a family and 3 beyond, as for an example without a
    prediction.

    ranks: the lowest first.
    """

    ranks: tuple[str, ...] = ("genus", "family", "order", "class")
    better_low: typing.ClassVar[bool] = True

    @property
    def name(self) -> str:
        """`taxonomic-distance`, or `taxonomic-distance:RANK,RANK`."""
        own = self.ranks != TaxonomicDistance.ranks
        return "taxonomic-distance" + (f":{','.join(self.ranks)}" if own else "")

    @property
    def bounds(self) -> tuple[float, float]:
        """None, and one rank more than there are."""
        return 0.0, len(self.ranks) + 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Truth and prediction, and their taxa at every rank."""
        return ("y_true", "y_pred", *self.ranks, *map(predicted, self.ranks))

    def values(self, predictions: pl.DataFrame) -> Float64[np.ndarray, " n"]:
        """The distance of each prediction."""
        require_taxa(predictions, self.columns, self.name)
        height = pl.when(_same("y_true", "y_pred")).then(0.0)
        for i, rank in enumerate(self.ranks):
            height = height.when(_shares(rank)).then(i + 1.0)
        height = height.otherwise(len(self.ranks) + 1.0)
        return predictions.select(height=height)["height"].to_numpy().copy()


def require_probabilities(predictions: pl.DataFrame, column: str, name: str) -> None:
    """Raise BadInput where a readable example has no probability."""
    if (predictions["y_pred"].is_not_null() & predictions[column].is_null()).any():
        raise BadInput(
            f"The predictions have no calibrated probabilities, which the metric '{name}' needs; "
            f"run again with --metrics {name}."
        )


def require_taxa(predictions: pl.DataFrame, columns: tuple[str, ...], name: str) -> None:
    """Raise BadInput where the predictions lack a rank."""
    lacking = [column for column in columns if column not in predictions.columns]
    if lacking:
        raise BadInput(
            f"The predictions have no column '{lacking[0]}', which the metric '{name}' needs; the "
            "task's table gives the taxa of its labels in columns named as the ranks are."
        )


def _same(one: str, other: str) -> pl.Expr:
    return (pl.col(one).cast(pl.String) == pl.col(other).cast(pl.String)).fill_null(False)


def _shares(rank: str) -> pl.Expr:
    return _same(rank, predicted(rank)) & pl.col("y_pred").is_not_null()
