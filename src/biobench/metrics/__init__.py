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
from collections.abc import Callable

from biobench.errors import BadInput
from biobench.metrics.base import (
    CLASS_LABELS,
    CLASS_SCORES,
    Counts,
    ExampleMean,
    Metric,
    WeightedMetric,
    get_bounds,
    get_columns,
    is_better_low,
    make_rows,
    needs_labels,
)
from biobench.metrics.examples import (
    N_TOP,
    RANKS,
    Brier,
    ExpectedCost,
    RankAccuracy,
    TaxonomicDistance,
    TopAccuracy,
    predicted,
    read_costs,
)
from biobench.metrics.labels import Accuracy, MacroAccuracy, MacroF1, MeanScore
from biobench.metrics.weighted import (
    Auroc,
    AveragePrecision,
    ExpectedCalibrationError,
    MacroAuroc,
    MeanAveragePrecision,
    OpenSetAuroc,
    OpenSetTnr,
)

__all__ = [
    "CLASS_LABELS",
    "CLASS_SCORES",
    "RANKS",
    "Accuracy",
    "Auroc",
    "AveragePrecision",
    "Brier",
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
]

_metrics: dict[str, Metric] = {
    metric.name: metric for metric in (MeanScore(), Accuracy(), MacroF1(), MacroAccuracy())
}

_further: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        TopAccuracy(),
        Brier(),
        ExpectedCalibrationError(),
        MeanAveragePrecision(),
        MacroAuroc(),
        OpenSetAuroc(),
        OpenSetTnr(),
        TaxonomicDistance(),
    )
}


def _make_top(text: str) -> Metric:
    if not (text.isdecimal() and 1 <= int(text) <= N_TOP):
        raise BadInput(f"top-accuracy:{text}: give a number of classes from 1 to {N_TOP}.")
    return TopAccuracy(int(text))


def _make_rank(text: str) -> Metric:
    return RankAccuracy(_check_rank(text))


def _make_distance(text: str) -> Metric:
    return TaxonomicDistance(tuple(map(_check_rank, text.split(","))))


def _check_rank(text: str) -> str:
    if text not in RANKS:
        raise BadInput(f"'{text}' is no taxonomic rank; known: {', '.join(RANKS)}.")
    return text


_families: dict[str, tuple[str, Callable[[str], Metric]]] = {
    "top-accuracy": ("K", _make_top),
    "average-precision": ("CLASS", AveragePrecision),
    "auroc": ("CLASS", Auroc),
    "rank-accuracy": ("RANK", _make_rank),
    "taxonomic-distance": ("RANK,RANK", _make_distance),
    "expected-cost": ("FILE", read_costs),
}


def get_metric(name: str) -> Metric:
    """The metric of that name; raises BadInput naming the known ones."""
    for known in (_metrics, _further):
        if name in known:
            return known[name]
    family, _, argument = name.partition(":")
    if family in _families:
        placeholder, make = _families[family]
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
    families = [f"{family}:{placeholder}" for family, (placeholder, _) in _families.items()]
    return sorted([*_further, *families])


def register_metric(metric: Metric) -> None:
    """Make a metric known by its name; raises ValueError where the name is another's."""
    if metric.name in _further or metric.name.partition(":")[0] in _families:
        raise ValueError(f"The name '{metric.name}' is taken by one of biobench's own metrics.")
    known = _metrics.setdefault(metric.name, metric)
    if known != metric:
        raise ValueError(f"The name '{metric.name}' is taken by {known!r}.")
