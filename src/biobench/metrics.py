"""A task's score: from scored examples, or from counts of them.

    >>> from biobench.interfaces import Example
    >>> from biobench.metrics import get_metric
    >>> examples = [
    ...     Example("a", 1.0, {"y_true": "cat", "y_pred": "cat"}),
    ...     Example("b", 0.0, {"y_true": "dog", "y_pred": None}),
    ... ]
    >>> get_metric("macro-f1")(examples)
    0.5

Every metric is a frozen dataclass, callable over a list of examples (so it can be a report's
`calc_mean_score`), and has a second form, `from_counts`, over many resamples at once, which
`biobench.stats` uses. A prediction of None (the picture could not be read) is a wrong one.
"""

import collections
import dataclasses
import difflib
import itertools
import operator
import typing
from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Float, Num

from biobench.errors import BadInput
from biobench.interfaces import Example

__all__ = [
    "Accuracy",
    "Counts",
    "MacroAccuracy",
    "MacroF1",
    "MeanScore",
    "Metric",
    "get_metric",
    "list_metrics",
    "needs_labels",
    "register_metric",
]


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a metric needs to know of `b` (re)samples of one set of predictions.

    n: number of examples. Further, and only where the metric asks for it: the sum of their scores;
    and for each class how often it is the truth (n_true), is predicted (n_pred), is both (n_hit).
    """

    n: Num[np.ndarray, " b"]
    score: Num[np.ndarray, " b"] | None = None
    n_true: Num[np.ndarray, "c b"] | None = None
    n_pred: Num[np.ndarray, "c b"] | None = None
    n_hit: Num[np.ndarray, "c b"] | None = None


@typing.runtime_checkable
class Metric(typing.Protocol):
    """A score with a vectorised form."""

    name: typing.ClassVar[str]
    """its name in a protocol and on the command line."""
    fields: typing.ClassVar[frozenset[str]]
    """which fields of `Counts` it reads besides n."""
    macro: typing.ClassVar[bool]
    """whether it is a mean over the classes present in the truth."""

    def __call__(self, examples: Sequence[Example]) -> float:
        """The score of the examples; raises BadInput where there are none."""
        ...

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The same score of `b` samples, each with at least one example."""
        ...


@dataclasses.dataclass(frozen=True)
class MeanScore:
    """The mean of the examples' scores."""

    name: typing.ClassVar[str] = "mean-score"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"score"})
    macro: typing.ClassVar[bool] = False

    def __call__(self, examples: Sequence[Example]) -> float:
        """The mean score; raises BadInput where there are no examples."""
        _require_examples(examples, self.name)
        return float(sum(example.score for example in examples) / len(examples))

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The mean score of each sample."""
        return counts.score / counts.n


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The fraction of examples whose prediction is the truth."""

    name: typing.ClassVar[str] = "accuracy"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_hit"})
    macro: typing.ClassVar[bool] = False

    def __call__(self, examples: Sequence[Example]) -> float:
        """The accuracy; raises BadInput without examples or on one without labels."""
        n_true, _, n_hit = _count_labels(examples, self.name)
        return sum(n_hit.values()) / sum(n_true.values())

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The accuracy of each sample."""
        return counts.n_hit.sum(axis=0) / counts.n


@dataclasses.dataclass(frozen=True)
class MacroAccuracy:
    """Recall of each class, averaged over the classes present in the truth.

    Equal to scikit-learn's `recall_score(average="macro", labels=unique(y_true))`.
    """

    name: typing.ClassVar[str] = "macro-accuracy"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_true", "n_hit"})
    macro: typing.ClassVar[bool] = True

    def __call__(self, examples: Sequence[Example]) -> float:
        """The macro-accuracy; raises BadInput without examples or on one without labels."""
        n_true, _, n_hit = _count_labels(examples, self.name)
        return sum(n_hit[label] / n for label, n in n_true.items()) / len(n_true)

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The macro-accuracy of each sample, over the classes present in that sample."""
        return _mean_over_present(counts.n_hit, counts.n_true, counts.n_true)


@dataclasses.dataclass(frozen=True)
class MacroF1:
    """F1 of each class, averaged over the classes present in the truth.

    Equal to scikit-learn's `f1_score(average="macro", labels=unique(y_true), zero_division=0)`.
    """

    name: typing.ClassVar[str] = "macro-f1"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_true", "n_pred", "n_hit"})
    macro: typing.ClassVar[bool] = True

    def __call__(self, examples: Sequence[Example]) -> float:
        """The macro-F1; raises BadInput without examples or on one without labels."""
        n_true, n_pred, n_hit = _count_labels(examples, self.name)
        total = sum(2 * n_hit[label] / (n + n_pred[label]) for label, n in n_true.items())
        return total / len(n_true)

    def from_counts(self, counts: Counts) -> Float[np.ndarray, " b"]:
        """The macro-F1 of each sample, over the classes present in that sample."""
        return _mean_over_present(2 * counts.n_hit, counts.n_true + counts.n_pred, counts.n_true)


def needs_labels(metric: Metric) -> bool:
    """Whether a metric reads y_true and y_pred, or scores alone."""
    return bool(metric.fields - {"score"})


_metrics: dict[str, Metric] = {
    metric.name: metric for metric in (MeanScore(), Accuracy(), MacroF1(), MacroAccuracy())
}


def get_metric(name: str) -> Metric:
    """The metric of that name; raises BadInput naming the known ones."""
    if name not in _metrics:
        close = difflib.get_close_matches(name, _metrics, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise BadInput(f"Unknown metric '{name}'; known: {', '.join(list_metrics())}.{hint}")
    return _metrics[name]


def list_metrics() -> list[str]:
    """The name of every metric."""
    return sorted(_metrics)


def register_metric(metric: Metric) -> None:
    """Make a metric known by its name; raises ValueError where the name is another's."""
    known = _metrics.setdefault(metric.name, metric)
    if known != metric:
        raise ValueError(f"The name '{metric.name}' is taken by {known!r}.")


def _mean_over_present(
    above: Num[np.ndarray, "c b"], below: Num[np.ndarray, "c b"], n_true: Num[np.ndarray, "c b"]
) -> Float[np.ndarray, " b"]:
    # An absent class has no truth, so neither hits: its ratio is 0 whatever it is divided by.
    ratio = above / np.maximum(below, 1)
    return ratio.sum(axis=0, dtype=np.float64) / np.count_nonzero(n_true, axis=0)


LabelCounts = collections.Counter[Hashable]


def _count_labels(
    examples: Sequence[Example], name: str
) -> tuple[LabelCounts, LabelCounts, LabelCounts]:
    _require_examples(examples, name)
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


def _require_examples(examples: Sequence[Example], name: str) -> None:
    if not len(examples):
        raise BadInput(f"There is no example to score with '{name}'; the test set is empty.")
