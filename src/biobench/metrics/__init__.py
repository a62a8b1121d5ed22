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

import importlib
import typing

from biobench.errors import BadInput, did_you_mean
from biobench.metrics.base import (
    CLASS_LABELS,
    CLASS_SCORES,
    LABEL_COUNTS,
    OF_TRUTH,
    SUM,
    Counts,
    HasSlopes,
    Metric,
    code_rows,
    find_faults,
    get_bounds,
    get_columns,
    is_better_low,
    list_own_counts,
    needs_labels,
    needs_rows,
    needs_scores,
)
from biobench.metrics.labels import Accuracy, MacroAccuracy, MacroF1, MeanScore
from biobench.registry import Registry

if typing.TYPE_CHECKING:
    from biobench.metrics.examples import (
        RANKS,
        Brier,
        ExpectedCost,
        RankAccuracy,
        TaxonomicDistance,
        TopAccuracy,
        predicted,
    )
    from biobench.metrics.ratios import CostScore, RetrievalMap, RetrievalRecall
    from biobench.metrics.rows import ExampleMean, WeightedMetric, make_rows, tabulate
    from biobench.metrics.weighted import (
        Auroc,
        AveragePrecision,
        ExpectedCalibrationError,
        MacroAuroc,
        MeanAveragePrecision,
        OpenSetAuroc,
        OpenSetTnr,
    )

# These need polars, which whoever imports the contract need not wait for.
_LAZY = {
    "biobench.metrics.rows": ("ExampleMean", "WeightedMetric", "make_rows", "tabulate"),
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
    "LABEL_COUNTS",
    "METRICS",
    "OF_TRUTH",
    "RANKS",
    "SUM",
    "Accuracy",
    "Auroc",
    "AveragePrecision",
    "Brier",
    "CostScore",
    "Counts",
    "ExampleMean",
    "ExpectedCalibrationError",
    "ExpectedCost",
    "HasSlopes",
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
    "code_rows",
    "get_bounds",
    "get_columns",
    "get_metric",
    "is_better_low",
    "is_known",
    "list_further_metrics",
    "list_metrics",
    "list_own_counts",
    "make_rows",
    "needs_labels",
    "needs_rows",
    "needs_scores",
    "predicted",
    "register_metric",
    "tabulate",
]


def __getattr__(name: str) -> object:
    for module, names in _LAZY.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_LABELS = {
    "mean-score": "biobench.metrics.labels:MeanScore",
    "accuracy": "biobench.metrics.labels:Accuracy",
    "macro-f1": "biobench.metrics.labels:MacroF1",
    "macro-accuracy": "biobench.metrics.labels:MacroAccuracy",
}
_FURTHER = {
    "top5-accuracy": "biobench.metrics.examples:TopAccuracy",
    "brier": "biobench.metrics.examples:Brier",
    "taxonomic-distance": "biobench.metrics.examples:TaxonomicDistance",
    "ece": "biobench.metrics.weighted:ExpectedCalibrationError",
    "mean-average-precision": "biobench.metrics.weighted:MeanAveragePrecision",
    "macro-auroc": "biobench.metrics.weighted:MacroAuroc",
    "open-set-auroc": "biobench.metrics.weighted:OpenSetAuroc",
    "open-set-tnr95": "biobench.metrics.weighted:OpenSetTnr",
    "cost-score": "biobench.metrics.ratios:CostScore",
    "recall-at-1": "biobench.metrics.ratios:RetrievalRecall",
    "recall-at-1-apart": "biobench.metrics.ratios:RECALL_APART",
    "retrieval-map": "biobench.metrics.ratios:RetrievalMap",
    "retrieval-map-apart": "biobench.metrics.ratios:MAP_APART",
}


def _make(found: object) -> object:
    # A package may offer the class, which is then made without arguments, or a metric.
    return found() if isinstance(found, type) else found


METRICS: Registry[Metric] = Registry(
    "metric", "biobench.metrics", {**_LABELS, **_FURTHER}, find_faults, _make
)


def get_metric(name: str) -> Metric:
    """The metric of that name; raises BadInput naming the known ones."""
    if name in METRICS.registered or name in METRICS.builtins:
        return METRICS.load(name)
    from biobench.metrics import families

    family, _, argument = name.partition(":")
    if family in families.FAMILIES:
        placeholder, make = families.FAMILIES[family]
        if not argument:
            raise BadInput(f"Write the metric {family} as {family}:{placeholder}.")
        return make(argument)
    names = [*list_metrics(), *list_further_metrics()]
    if name not in names:
        hint = did_you_mean(name, names)
        raise BadInput(f"Unknown metric '{name}'; known: {', '.join(names)}.{hint}")
    return METRICS.load(name)


def is_known(name: object) -> bool:
    """Whether there is a metric of that name here that can be used."""
    try:
        get_metric(str(name))
    except BadInput:
        return False
    return True


def list_metrics() -> list[str]:
    """The name of every metric that needs truths, predicted labels and scores alone, and of those
    that this program registered."""
    return sorted({*_LABELS, *METRICS.registered})


def list_further_metrics() -> list[str]:
    """The metrics that need more of the predictions, and those that installed packages offer;
    FAMILY:ARGUMENT is written with a value."""
    from biobench.metrics import families

    written = [f"{family}:{word}" for family, (word, _) in families.FAMILIES.items()]
    return sorted([*(set(METRICS.names()) - set(list_metrics())), *written])


def register_metric(metric: Metric) -> None:
    """Make a metric known by its name; raises ValueError where the name is another's.

    Another's numbers under one name would be compared with its own, so none is replaced. Raises
    BadInput where it is no metric, naming what it lacks.
    """
    from biobench.metrics import families

    name = metric.name
    if name in METRICS.builtins or name.partition(":")[0] in families.FAMILIES:
        raise ValueError(f"The name '{name}' is taken by one of biobench's own metrics.")
    known = METRICS.registered.get(name, metric)
    if known != metric:
        raise ValueError(f"The name '{name}' is taken by {known!r}.")
    if name not in METRICS.registered:
        METRICS.register(name, metric)
