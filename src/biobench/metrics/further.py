"""The metrics that need more of the predictions than labels and scores, by name.

`FAMILY:ARGUMENT` names a metric that is made for its argument.
"""

from collections.abc import Callable

from biobench.errors import BadInput
from biobench.metrics.base import Metric
from biobench.metrics.examples import (
    N_TOP,
    RANKS,
    Brier,
    RankAccuracy,
    TaxonomicDistance,
    TopAccuracy,
    read_costs,
)
from biobench.metrics.ratios import CostScore, RetrievalMap, RetrievalRecall
from biobench.metrics.weighted import (
    Auroc,
    AveragePrecision,
    ExpectedCalibrationError,
    MacroAuroc,
    MeanAveragePrecision,
    OpenSetAuroc,
    OpenSetTnr,
)

__all__ = ["FAMILIES", "FURTHER"]

FURTHER: dict[str, Metric] = {
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
        CostScore(),
        RetrievalRecall(),
        RetrievalRecall(apart=True),
        RetrievalMap(),
        RetrievalMap(apart=True),
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


FAMILIES: dict[str, tuple[str, Callable[[str], Metric]]] = {
    "top-accuracy": ("K", _make_top),
    "average-precision": ("CLASS", AveragePrecision),
    "auroc": ("CLASS", Auroc),
    "rank-accuracy": ("RANK", _make_rank),
    "taxonomic-distance": ("RANK,RANK", _make_distance),
    "expected-cost": ("FILE", read_costs),
}
