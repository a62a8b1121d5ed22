"""What a metric is: a score of examples, and of many resamples of them at once.

Three kinds, by what a resample tells them:

- a count metric reads counts of classes or the sum of scores (`Counts`);
- a mean over examples (`ExampleMean`) is the mean of one value an example;
- a weighted metric (`WeightedMetric`) is any function of the examples and a weight for each.

All three have `name`, `fields`, `macro`, `__call__` and `from_counts`, so whoever resamples needs
to know no metric by its name.
"""

import dataclasses
import typing
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64, Num

from biobench.contract import CLASS_LABELS, CLASS_SCORES, Example
from biobench.errors import BadInput
from biobench.registry import list_lacking

__all__ = [
    "CLASS_LABELS",
    "CLASS_SCORES",
    "LABEL_COUNTS",
    "OF_TRUTH",
    "SUM",
    "Counts",
    "HasSlopes",
    "Metric",
    "code_rows",
    "find_faults",
    "get_bounds",
    "get_columns",
    "is_better_low",
    "list_own_counts",
    "needs_labels",
    "needs_rows",
    "needs_scores",
    "require_examples",
]

SUM = "score"
"""the count that is the sum of the examples' scores, or of a metric's own values."""
LABEL_COUNTS = ("n_true", "n_pred", "n_hit")
"""the counts of classes that a metric may declare among its `fields`."""
OF_TRUTH = frozenset({"n_true"})
"""those of them that the truth decides, so that all models of one test set share them."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a metric needs to know of `b` (re)samples of one set of predictions.

    n: number of examples. Further, and only where the metric asks for it: the sum of their scores;
    for each class how often it is the truth (n_true), is predicted (n_pred), is both (n_hit); or
    the examples themselves (rows, as the metric's `prepare` made them) with how often each of the
    `r` of them was drawn (weights).
    """

    n: Num[np.ndarray, " b"]
    score: Num[np.ndarray, " b"] | None = None
    n_true: Num[np.ndarray, "c b"] | None = None
    n_pred: Num[np.ndarray, "c b"] | None = None
    n_hit: Num[np.ndarray, "c b"] | None = None
    weights: Num[np.ndarray, "r b"] | None = None
    rows: typing.Any = None


@typing.runtime_checkable
class Metric(typing.Protocol):
    """A score with a vectorised form."""

    @property
    def name(self) -> str:
        """Its name in a protocol and on the command line."""
        ...

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


def find_faults(name: str, metric: typing.Any) -> list[str]:
    """What an object lacks to be the metric of that name, in words; empty where nothing."""
    lacking = list_lacking(metric, Metric)
    for base in type(metric).__mro__:
        # What a descendant of ExampleMean or WeightedMetric has to give, and did not.
        declared: dict[str, object] = vars(base).get("__annotations__", {})
        lacking += [one for one in declared if not one.startswith("_") and not hasattr(metric, one)]
        lacking += [one for one in vars(base) if _is_abstract(getattr(metric.__class__, one, None))]
    if lacking:
        return [f"it has no {', '.join(dict.fromkeys(lacking))}"]
    faults: list[str] = []
    if metric.name != name:
        faults.append(f"its name is '{metric.name}'")
    known = {field.name for field in dataclasses.fields(Counts)} - {"n", "rows"}
    if unknown := sorted(set(metric.fields) - known):
        faults.append(
            f"it needs the counts {', '.join(unknown)}, which there are not (there are: "
            f"{', '.join(sorted(known))})"
        )
    return faults


def _is_abstract(member: object) -> bool:
    return bool(getattr(member, "__isabstractmethod__", False))


@typing.runtime_checkable
class HasSlopes(typing.Protocol):
    """A metric of counts that knows its derivative, which is else found by differences."""

    def slopes(self, counts: Counts) -> Counts:
        """How fast the score rises with each count of predictions, at each sample."""
        ...


def code_rows(
    count: str, true: Int64[np.ndarray, " n"], pred: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """The class that each row adds to in a count of `LABEL_COUNTS`; below 0 for none.

    true, pred: codes of the classes, pred below 0 for none of them.
    """
    if count == "n_hit":
        return np.where(true == pred, true, -1)
    return true if count == "n_true" else pred


def needs_labels(metric: Metric) -> bool:
    """Whether a metric counts truths and predictions, rather than reading scores or columns."""
    return not metric.fields.isdisjoint(LABEL_COUNTS)


def needs_scores(metric: Metric) -> bool:
    """Whether a metric reads the sum of the scores, or of its own values, of a sample."""
    return SUM in metric.fields


def needs_rows(metric: Metric) -> bool:
    """Whether a metric reads the rows themselves and how often each was drawn."""
    return "weights" in metric.fields


def list_own_counts(metric: Metric) -> list[str]:
    """The counts of classes that a metric reads and that differ from model to model, in order."""
    return sorted(metric.fields.intersection(LABEL_COUNTS) - OF_TRUTH)


def get_columns(metric: Metric) -> tuple[str, ...]:
    """The columns of the predictions that a metric reads besides score, y_true and y_pred."""
    return tuple(getattr(metric, "columns", ()))


def is_better_low(metric: Metric) -> bool:
    """Whether the lower of two scores is the better one, as of an error or a cost."""
    return bool(getattr(metric, "better_low", False))


def get_bounds(metric: Metric, values: Float[np.ndarray, " n"]) -> tuple[float, float]:
    """The range of a metric's score: its own, else 0 to 1, wider where the values are."""
    if needs_labels(metric):
        return 0.0, 1.0
    own = getattr(metric, "bounds", None)
    return own or (min(0.0, float(values.min())), max(1.0, float(values.max())))


def require_examples(examples: Sequence[Example], name: str) -> None:
    """Raise BadInput where there is no example."""
    if not len(examples):
        raise BadInput(f"There is no example to score with '{name}'; the test set is empty.")
