"""Scores of labels: how often the prediction is the truth, over all examples or class by class."""

import collections
import dataclasses
import itertools
import operator
import typing
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from biobench.contract import Example
from biobench.errors import BadInput
from biobench.metrics.base import Counts, require_examples

__all__ = ["Accuracy", "MacroAccuracy", "MacroF1", "MeanScore"]


@dataclasses.dataclass(frozen=True)
class MeanScore:
    """The mean of the examples' scores."""

    name = "mean-score"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"score"})
    macro: typing.ClassVar[bool] = False

    def __call__(self, examples: Sequence[Example]) -> float:
        """The mean score; raises BadInput where there are no examples."""
        require_examples(examples, self.name)
        return float(sum(example.score for example in examples) / len(examples))

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The mean score of each sample."""
        return counts.score / counts.n

    def slopes(self, counts: Counts) -> Counts:
        """How fast the score rises with each count of predictions, at each sample."""
        return Counts(counts.n, score=1 / counts.n)


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The fraction of examples whose prediction is the truth."""

    name = "accuracy"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_hit"})
    macro: typing.ClassVar[bool] = False

    def __call__(self, examples: Sequence[Example]) -> float:
        """The accuracy; raises BadInput without examples or on one without labels."""
        n_true, _, n_hit = _count_labels(examples, self.name)
        return sum(n_hit.values()) / sum(n_true.values())

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The accuracy of each sample."""
        assert counts.n_hit is not None
        return counts.n_hit.sum(axis=0) / counts.n

    def slopes(self, counts: Counts) -> Counts:
        """How fast the score rises with each count of predictions, at each sample."""
        return Counts(counts.n, n_hit=np.ones_like(counts.n_hit) / counts.n)


@dataclasses.dataclass(frozen=True)
class MacroAccuracy:
    """Recall of each class, averaged over the classes present in the truth.

    Equal to scikit-learn's `recall_score(average="macro", labels=unique(y_true))`.
    """

    name = "macro-accuracy"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_true", "n_hit"})
    macro: typing.ClassVar[bool] = True

    def __call__(self, examples: Sequence[Example]) -> float:
        """The macro-accuracy; raises BadInput without examples or on one without labels."""
        n_true, _, n_hit = _count_labels(examples, self.name)
        return sum(n_hit[label] / n for label, n in n_true.items()) / len(n_true)

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The macro-accuracy of each sample, over the classes present in that sample."""
        assert counts.n_hit is not None and counts.n_true is not None
        return _mean_over_present(counts.n_hit, counts.n_true, counts.n_true)

    def slopes(self, counts: Counts) -> Counts:
        """How fast the score rises with each count of predictions, at each sample."""
        assert counts.n_true is not None
        present = np.count_nonzero(counts.n_true, axis=0)
        n_hit = (counts.n_true > 0) / np.maximum(counts.n_true, 1) / present
        return Counts(counts.n, n_hit=n_hit)


@dataclasses.dataclass(frozen=True)
class MacroF1:
    """F1 of each class, averaged over the classes present in the truth.

    Equal to scikit-learn's `f1_score(average="macro", labels=unique(y_true), zero_division=0)`.
    """

    name = "macro-f1"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_true", "n_pred", "n_hit"})
    macro: typing.ClassVar[bool] = True

    def __call__(self, examples: Sequence[Example]) -> float:
        """The macro-F1; raises BadInput without examples or on one without labels."""
        n_true, n_pred, n_hit = _count_labels(examples, self.name)
        total = sum(2 * n_hit[label] / (n + n_pred[label]) for label, n in n_true.items())
        return total / len(n_true)

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The macro-F1 of each sample, over the classes present in that sample."""
        assert counts.n_hit is not None and counts.n_true is not None
        assert counts.n_pred is not None
        return _mean_over_present(2 * counts.n_hit, counts.n_true + counts.n_pred, counts.n_true)

    def slopes(self, counts: Counts) -> Counts:
        """How fast the score rises with each count of predictions, at each sample."""
        assert counts.n_true is not None and counts.n_pred is not None
        present = np.count_nonzero(counts.n_true, axis=0)
        below = np.maximum(counts.n_true + counts.n_pred, 1)
        n_hit = 2 * (counts.n_true > 0) / below / present
        return Counts(counts.n, n_hit=n_hit, n_pred=-n_hit * counts.n_hit / below)


def _mean_over_present(
    above: Num[np.ndarray, "c b"], below: Num[np.ndarray, "c b"], n_true: Num[np.ndarray, "c b"]
) -> Float[np.ndarray, " b"]:
    # An absent class has no truth, so neither hits: its ratio is 0 whatever it is divided by.
    ratio = above / np.maximum(below, 1)
    return ratio.sum(axis=0, dtype=np.float64) / np.count_nonzero(n_true, axis=0)


LabelCounts = collections.Counter[object]


def _count_labels(
    examples: Sequence[Example], name: str
) -> tuple[LabelCounts, LabelCounts, LabelCounts]:
    require_examples(examples, name)
    try:
        y_true = [example.info["y_true"] for example in examples]
        y_pred = [example.info["y_pred"] for example in examples]
    except KeyError as error:
        lacking = next(example.id for example in examples if error.args[0] not in example.info)
        raise BadInput(
            f"Example '{lacking}' has no {error} in its info, which the metric '{name}' needs; "
            "give every example both, or score it with 'mean-score'."
        ) from error
    hits = itertools.compress(y_true, map(operator.eq, y_true, y_pred))
    n_true, n_pred, n_hit = map(collections.Counter, (y_true, y_pred, hits))
    # None is no prediction, even where somebody calls a class None.
    del n_pred[None], n_hit[None]
    return n_true, n_pred, n_hit
