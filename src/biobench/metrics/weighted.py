"""Scores of a whole ranking: average precision, areas under ROC curves, calibration, open sets."""

import dataclasses
import json
import typing

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Float64, Int64, Num

from biobench.errors import BadInput
from biobench.metrics._curves import Ranking
from biobench.metrics.base import CLASS_LABELS, CLASS_SCORES
from biobench.metrics.examples import require_probabilities
from biobench.metrics.rows import WeightedMetric, require_columns

__all__ = [
    "Auroc",
    "AveragePrecision",
    "ExpectedCalibrationError",
    "MacroAuroc",
    "MeanAveragePrecision",
    "OpenSetAuroc",
    "OpenSetTnr",
]


@dataclasses.dataclass(frozen=True)
class _Class:
    """One class of one subtask: its rows, ranked by its score."""

    rows: Int64[np.ndarray, " m"]
    ranking: Ranking


class _OverClasses(WeightedMetric):
    """A mean over the classes present in the truth, each against the others of its subtask.

    An example without a prediction, and every example of a class that the probe does not know,
    ranks last.
    """

    columns: typing.ClassVar[tuple[str, ...]] = ("subtask", "y_true", CLASS_LABELS, CLASS_SCORES)
    bounds: typing.ClassVar[tuple[float, float]] = (0.0, 1.0)

    def score_one(
        self, ranking: Ranking, weights: Num[np.ndarray, "m b"]
    ) -> Float64[np.ndarray, " b"]:
        """The score of one class; NaN where it is absent."""
        raise NotImplementedError

    def slopes_one(self, ranking: Ranking) -> Float64[np.ndarray, " m"]:
        """How fast the score of one class rises with the weight of each row."""
        raise NotImplementedError

    def wants(self, label: str) -> bool:
        """Whether a class belongs to the mean."""
        return True

    def prepare(self, predictions: pl.DataFrame) -> list[_Class]:
        """The classes with their rankings; raises BadInput without scores of all classes."""
        require_columns(predictions, ("y_true", CLASS_LABELS, CLASS_SCORES), self.name)
        truth = predictions["y_true"].cast(pl.String).to_numpy()
        n = len(truth)
        subtask = np.zeros(n, np.int64)
        if "subtask" in predictions.columns:
            subtask = predictions["subtask"].cast(pl.String).fill_null("").rank("dense").to_numpy()
        found = []
        for one in np.unique(subtask):
            rows = np.flatnonzero(subtask == one)
            labels = [label for label in np.unique(truth[rows].astype(str)) if self.wants(label)]
            columns = _columns_of(predictions[rows], labels)
            for label, score in zip(labels, columns, strict=True):
                found.append(_Class(rows, Ranking.of(score, truth[rows] == label)))
        if not found:
            raise BadInput(f"No test example is of a class that '{self.name}' is about.")
        return found

    def from_weights(
        self, rows: list[_Class], weights: Num[np.ndarray, "r b"]
    ) -> Float64[np.ndarray, " b"]:
        """The mean over the classes that each sample has."""
        total, n_present = np.zeros(weights.shape[1]), np.zeros(weights.shape[1])
        mine, of = weights[:0], None
        for one in rows:
            if of is not one.rows:
                of, mine = one.rows, weights[one.rows]
            score = self.score_one(one.ranking, mine)
            total += np.nan_to_num(score)
            n_present += np.isfinite(score)
        return np.divide(total, n_present, out=np.full(len(total), np.nan), where=n_present > 0)

    def count_independent(self, rows: list[_Class], n: int) -> float:
        """Examples of equally large classes."""
        return len(rows) ** 2 / sum(1 / one.ranking.positive.sum() for one in rows)

    def contributions(self, rows: list[_Class], n: int) -> Float64[np.ndarray, " {n}"]:
        """The mean of the classes' own."""
        out, n_present = np.zeros(n), 0
        for one in rows:
            slopes = self.slopes_one(one.ranking)
            if np.isfinite(slopes).all():
                out[one.rows] += slopes
                n_present += 1
        return out / max(n_present, 1)


@dataclasses.dataclass(frozen=True)
class MeanAveragePrecision(_OverClasses):
    """The average precision of each class against the rest, averaged over the classes present.

    scikit-learn's `average_precision_score(label_binarize(y_true), scores, average="macro")`.
    """

    name = "mean-average-precision"

    def of_class(self, label: str) -> WeightedMetric:
        """Its average precision."""
        return AveragePrecision(label)

    def score_one(
        self, ranking: Ranking, weights: Num[np.ndarray, "m b"]
    ) -> Float64[np.ndarray, " b"]:
        """The class's average precision."""
        return ranking.average_precision(weights)

    def slopes_one(self, ranking: Ranking) -> Float64[np.ndarray, " m"]:
        """Of the class's average precision."""
        return ranking.average_precision_slopes()


@dataclasses.dataclass(frozen=True)
class AveragePrecision(MeanAveragePrecision):
    """The average precision of one class against the rest (scikit-learn's
    `average_precision_score`); of a class in several subtasks, the mean over them."""

    label: str

    @property
    def name(self) -> str:
        """`average-precision:CLASS`."""
        return f"average-precision:{self.label}"

    def wants(self, label: str) -> bool:
        """Only the class itself."""
        return label == self.label


@dataclasses.dataclass(frozen=True)
class MacroAuroc(_OverClasses):
    """The area under the ROC curve of each class against the rest, averaged over those present.

    scikit-learn's `roc_auc_score(y_true, scores, multi_class="ovr", average="macro")`.
    """

    name = "macro-auroc"

    def of_class(self, label: str) -> WeightedMetric:
        """Its area."""
        return Auroc(label)

    def score_one(
        self, ranking: Ranking, weights: Num[np.ndarray, "m b"]
    ) -> Float64[np.ndarray, " b"]:
        """The class's area."""
        return ranking.auroc(weights)

    def slopes_one(self, ranking: Ranking) -> Float64[np.ndarray, " m"]:
        """Of the class's area."""
        return ranking.auroc_slopes()


@dataclasses.dataclass(frozen=True)
class Auroc(MacroAuroc):
    """The area under the ROC curve of one class against the rest (scikit-learn's
    `roc_auc_score`); of a class in several subtasks, the mean over them."""

    label: str

    @property
    def name(self) -> str:
        """`auroc:CLASS`."""
        return f"auroc:{self.label}"

    def wants(self, label: str) -> bool:
        """Only the class itself."""
        return label == self.label


@dataclasses.dataclass(frozen=True)
class _Bins:
    """Each row's bin, and how far its confidence is above its being right."""

    bin: Int64[np.ndarray, " r"]
    gap: Float64[np.ndarray, " r"]


@dataclasses.dataclass(frozen=True)
class ExpectedCalibrationError(WeightedMetric):
    """How far the predicted class's probability is from the share that is right, bin by bin.

    Guo et al., ICML 2017: equally wide bins of the probability, weighted by their examples. An
    example without a prediction is a wrong one with probability 1.
    """

    bins: int = 15
    columns: typing.ClassVar[tuple[str, ...]] = ("y_true", "y_pred", "probability")
    better_low: typing.ClassVar[bool] = True
    bounds: typing.ClassVar[tuple[float, float]] = (0.0, 1.0)

    @property
    def name(self) -> str:
        """`ece`, or `ece:BINS`."""
        return "ece" if self.bins == ExpectedCalibrationError.bins else f"ece:{self.bins}"

    def prepare(self, predictions: pl.DataFrame) -> _Bins:
        """The examples' bins; raises BadInput without probabilities."""
        require_columns(predictions, self.columns, self.name)
        require_probabilities(predictions, "probability", self.name)
        table = predictions.select(
            p=pl.when(pl.col("y_pred").is_null()).then(1.0).otherwise("probability"),
            hit=(pl.col("y_true").cast(pl.String) == pl.col("y_pred").cast(pl.String)),
        )
        p, hit = table["p"].to_numpy(), table["hit"].fill_null(False).to_numpy()
        edges = np.linspace(0, 1, self.bins + 1)
        return _Bins(np.searchsorted(edges[1:-1], p), p - hit)

    def from_weights(
        self, rows: _Bins, weights: Num[np.ndarray, "r b"]
    ) -> Float64[np.ndarray, " b"]:
        """The error of each sample."""
        total = weights.sum(axis=0, dtype=np.float64)
        off = np.zeros(weights.shape[1])
        for one in np.unique(rows.bin):
            mine = rows.bin == one
            off += np.abs(rows.gap[mine] @ weights[mine].astype(np.float64))
        return np.divide(off, total, out=np.full(len(off), np.nan), where=total > 0)

    def contributions(self, rows: _Bins, n: int) -> Float64[np.ndarray, " {n}"]:
        """Each gap, with the sign of its bin's, less the error."""
        sums = np.bincount(rows.bin, rows.gap)
        return (np.sign(sums)[rows.bin] * rows.gap - np.abs(sums).sum() / n) / n


class _OpenSet(WeightedMetric):
    """Examples of classes with training examples against those of classes without any.

    The confidence of an example is the score of its best class (Hendrycks and Gimpel, ICLR 2017).
    An example without a prediction stands where it does most harm.
    """

    columns: typing.ClassVar[tuple[str, ...]] = ("y_pred", "train_count", "top_scores")
    bounds: typing.ClassVar[tuple[float, float]] = (0.0, 1.0)

    @property
    def undefined(self) -> str:
        """Which examples have no such score, in words."""
        return "it needs test examples of classes with, and of classes without training examples"

    def prepare(self, predictions: pl.DataFrame) -> Ranking:
        """The examples by their confidence; raises BadInput without scores."""
        confidence, known = self._read(predictions)
        return Ranking.of(confidence, known)

    def count_independent(self, rows: Ranking, n: int) -> float:
        """The examples of the rarer kind."""
        n_known = int(rows.positive.sum())
        return float(max(min(n_known, n - n_known), 1))

    def _read(
        self, predictions: pl.DataFrame
    ) -> tuple[Float[np.ndarray, " r"], Bool[np.ndarray, " r"]]:
        require_columns(predictions, self.columns, self.name)
        table = predictions.select(
            best=pl.col("top_scores").list.first(),
            known=pl.col("train_count") > 0,
            unread=pl.col("y_pred").is_null(),
        )
        if (table["best"].is_null() & ~table["unread"]).any() or table["known"].has_nulls():
            raise BadInput(
                f"The predictions have no scores of the best classes, which '{self.name}' needs; "
                "use a probe that scores the classes."
            )
        known = table["known"].to_numpy()
        harm = np.where(known, -np.inf, np.inf)
        best = table["best"].fill_null(0).to_numpy()
        return np.where(table["unread"].to_numpy(), harm, best), known


@dataclasses.dataclass(frozen=True)
class OpenSetAuroc(_OpenSet):
    """The chance that an example of a known class has more confidence than one of an unknown.

    scikit-learn's `roc_auc_score(is_known, confidence)`.
    """

    name = "open-set-auroc"

    def from_weights(
        self, rows: Ranking, weights: Num[np.ndarray, "r b"]
    ) -> Float64[np.ndarray, " b"]:
        """The area of each sample."""
        return rows.auroc(weights)

    def contributions(self, rows: Ranking, n: int) -> Float64[np.ndarray, " {n}"]:
        """DeLong's."""
        return rows.auroc_slopes()


@dataclasses.dataclass(frozen=True)
class OpenSetTnr(_OpenSet):
    """The share of unknown examples that are rejected where 95% of the known ones are accepted.

    One less scikit-learn's `roc_curve` false-positive rate at the first true-positive rate of at
    least 95%.
    """

    recall: float = 0.95
    name = "open-set-tnr95"

    def from_weights(
        self, rows: Ranking, weights: Num[np.ndarray, "r b"]
    ) -> Float64[np.ndarray, " b"]:
        """The rate of each sample."""
        return rows.true_negative_rate(weights, self.recall)

    def contributions(self, rows: Ranking, n: int) -> Float64[np.ndarray, " {n}"]:
        """Rejected or not; and the known ones move the threshold along the ROC curve, whose slope
        there is taken over 2.5% of them to each side."""
        known = rows.positive
        # A row between two places lies half a place above the lower one.
        places = rows.segment // 2 - 0.5 * (rows.segment % 2 == 0)
        accepted, passed = np.sort(places[known]), np.sort(places[~known])
        n_known, n_other = len(accepted), len(passed)
        at = accepted[min(int(np.ceil(self.recall * n_known)), n_known) - 1]
        half = (1 - self.recall) / 2
        low, high = np.quantile(accepted, [self.recall - half, self.recall + half])
        steps = np.searchsorted(accepted, [low, high], "right") / n_known
        slope = np.ptp(np.searchsorted(passed, [low, high], "right") / n_other)
        slope = slope / max(np.ptp(steps), 1 / n_known)
        rejected = (places > at) - np.mean(passed > at)
        moved = slope * ((places <= at) - np.mean(accepted <= at))
        return np.where(known, moved / n_known, rejected / n_other)


def _columns_of(predictions: pl.DataFrame, labels: list[str]) -> list[Float[np.ndarray, " m"]]:
    """The score of each of the labels in each row; -inf where a row has none."""
    out = [np.full(predictions.height, -np.inf, np.float32) for _ in labels]
    names = predictions[CLASS_LABELS].cast(pl.String)
    scores = predictions[CLASS_SCORES]
    for text in names.unique(maintain_order=True).drop_nulls():
        rows = np.flatnonzero(((names == text) & scores.is_not_null()).fill_null(False).to_numpy())
        own = {label: i for i, label in enumerate(json.loads(text))}
        matrix = scores.gather(rows).cast(pl.List(pl.Float32)).list.to_array(len(own)).to_numpy()
        for column, label in zip(out, labels, strict=True):
            if label in own:
                column[rows] = matrix[:, own[label]]
    return out
