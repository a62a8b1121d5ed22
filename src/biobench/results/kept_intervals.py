"""The two intervals that a run carries: over its examples, and over its groups of examples."""

import dataclasses
import math
import typing

import polars as pl

from biobench.interfaces import TaskReport
from biobench.metrics import Metric

__all__ = ["CONFIDENCE", "Intervals", "compute", "compute_from_table", "get_shown"]

CONFIDENCE = 95.0
"""confidence of every stored interval, in percent."""


@dataclasses.dataclass(frozen=True)
class Intervals:
    """What `report.json` says about how sure its score is."""

    example: tuple[float, float]
    """examples drawn one by one."""
    group: tuple[float, float] | None
    """groups (cameras, videos, specimens) drawn whole; None where the examples have no groups."""
    n_groups: int | None
    warnings: list[str]
    """one sentence for each reason to read the intervals with care."""
    score: float = math.nan
    """that the intervals are of."""


def get_shown(report: dict[str, typing.Any]) -> list[float] | None:
    """The interval that stands beside a run's score wherever it is shown, of a `report.json`.

    Over groups where there are groups; None where the score could not be verified.
    """
    return report["group_ci"] or report["ci"]


def compute(report: TaskReport, predictions: pl.DataFrame) -> Intervals:
    """Intervals of the report's score; `predictions` is the table of its examples.

    A score that is not one of `biobench.metrics` is resampled by examples only.
    """
    if isinstance(report.calc_mean_score, Metric):
        return compute_from_table(predictions, report.calc_mean_score)
    example = report.get_confidence_interval(confidence=CONFIDENCE)
    if predictions["group"].null_count() == predictions.height:
        return Intervals(example, None, None, [])
    warning = (
        "The score is not one of biobench's metrics, so its interval treats examples of one group "
        "as independent."
    )
    return Intervals(example, None, None, [warning])


def compute_from_table(predictions: pl.DataFrame, metric: Metric) -> Intervals:
    """Intervals of one of biobench's metrics over a table of predictions."""
    # Late, because it needs SciPy's statistics, which take longer to load than a scan to run.
    from biobench import stats

    single = stats.interval_from_table(predictions, metric, by_group=False, confidence=CONFIDENCE)
    grouped = stats.interval_from_table(predictions, metric, by_group=True, confidence=CONFIDENCE)
    example = (single.low, single.high)
    if grouped.n_groups == predictions.height:
        return Intervals(example, None, None, list(single.warnings), single.score)
    # Where there are groups, their interval is the one that is shown.
    group = (grouped.low, grouped.high)
    return Intervals(example, group, grouped.n_groups, list(grouped.warnings), single.score)
