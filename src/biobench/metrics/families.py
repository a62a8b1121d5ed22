"""The metrics that are made for an argument, written FAMILY:ARGUMENT."""

from collections.abc import Callable

from biobench.errors import BadInput
from biobench.metrics.base import Metric
from biobench.metrics.examples import (
    N_TOP,
    RANKS,
    RankAccuracy,
    TaxonomicDistance,
    TopAccuracy,
    read_costs,
)
from biobench.metrics.weighted import Auroc, AveragePrecision

__all__ = ["FAMILIES"]


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
