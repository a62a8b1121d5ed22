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

import difflib
import importlib

from biobench.errors import BadInput
from biobench.metrics.base import (
    CLASS_LABELS,
    CLASS_SCORES,
    Counts,
    Metric,
    get_bounds,
    get_columns,
    is_better_low,
    needs_labels,
)
from biobench.metrics.labels import Accuracy, MacroAccuracy, MacroF1, MeanScore

# These need polars, which whoever imports the contract need not wait for.
_LAZY = {
    "biobench.metrics.rows": ("ExampleMean", "WeightedMetric", "make_rows", "to_table"),
    "biobench.metrics.examples": (
        "RANKS",
        "Brier",
        "ExpectedCost",
        "RankAccuracy",
        "TaxonomicDistance",
        "TopAccuracy",
        "predicted",
    ),
    "biobench.metrics.ratios": ("CostScore", "RetrievalMap", "RetrievalRecall"),
    "biobench.metrics.weighted": (
        "Auroc",
        "AveragePrecision",
        "ExpectedCalibrationError",
        "MacroAuroc",
        "MeanAveragePrecision",
        "OpenSetAuroc",
        "OpenSetTnr",
    ),
}

__all__ = [
    "CLASS_LABELS",
    "CLASS_SCORES",
    "RANKS",
    "Accuracy",
    "Auroc",
    "AveragePrecision",
    "Brier",
    "CostScore",
    "Counts",
    "ExampleMean",
    "ExpectedCalibrationError",
    "ExpectedCost",
    "MacroAccuracy",
    "MacroAuroc",
    "MacroF1",
    "MeanAveragePrecision",
    "MeanScore",
    "Metric",
    "OpenSetAuroc",
    "OpenSetTnr",
    "RankAccuracy",
    "RetrievalMap",
    "RetrievalRecall",
    "TaxonomicDistance",
    "TopAccuracy",
    "WeightedMetric",
    "get_bounds",
    "get_columns",
    "get_metric",
    "is_better_low",
    "list_further_metrics",
    "list_metrics",
    "make_rows",
    "needs_labels",
    "predicted",
    "register_metric",
    "to_table",
]


def __getattr__(name: str) -> object:
    for module, names in _LAZY.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_metrics: dict[str, Metric] = {
    metric.name: metric for metric in (MeanScore(), Accuracy(), MacroF1(), MacroAccuracy())
}


def get_metric(name: str) -> Metric:
    """The metric of that name; raises BadInput naming the known ones."""
    if name in _metrics:
        return _metrics[name]
    from biobench.metrics import further

    if name in further.FURTHER:
        return further.FURTHER[name]
    family, _, argument = name.partition(":")
    if family in further.FAMILIES:
        placeholder, make = further.FAMILIES[family]
        if not argument:
            raise BadInput(f"Write the metric {family} as {family}:{placeholder}.")
        return make(argument)
    names = [*list_metrics(), *list_further_metrics()]
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise BadInput(f"Unknown metric '{name}'; known: {', '.join(names)}.{hint}")


def list_metrics() -> list[str]:
    """The name of every metric that needs truths, predicted labels and scores alone."""
    return sorted(_metrics)


def list_further_metrics() -> list[str]:
    """The metrics that need more of the predictions; FAMILY:ARGUMENT is written with a value."""
    from biobench.metrics import further

    families = [f"{family}:{word}" for family, (word, _) in further.FAMILIES.items()]
    return sorted([*further.FURTHER, *families])


def register_metric(metric: Metric) -> None:
    """Make a metric known by its name; raises ValueError where the name is another's."""
    from biobench.metrics import further

    if metric.name in further.FURTHER or metric.name.partition(":")[0] in further.FAMILIES:
        raise ValueError(f"The name '{metric.name}' is taken by one of biobench's own metrics.")
    known = _metrics.setdefault(metric.name, metric)
    if known != metric:
        raise ValueError(f"The name '{metric.name}' is taken by {known!r}.")
