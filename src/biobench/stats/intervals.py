"""The interval of a score: where the expected score of a fresh test set of the same size lies.

low, high = confidence_interval(report.examples, MacroF1())
interval = interval_from_table(predictions, get_metric("macro-f1"), by_group=True)
interval.low, interval.high, interval.warnings
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.errors import BadInput
from biobench.interfaces import Example
from biobench.metrics import Metric
from biobench.stats.coded import Coded, from_examples, from_table
from biobench.stats.resample import Resampler

__all__ = ["Interval", "confidence_interval", "interval_from_table"]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A score with its interval; low <= score <= high, always finite."""

    score: float
    low: float
    high: float
    n: int
    """scored rows."""
    n_groups: int
    """units resampled: groups, or examples where there are no groups."""
    method: str
    """how the interval was made, in words."""
    warnings: tuple[str, ...] = ()
    """one sentence for each reason to read the interval with care."""


def confidence_interval(
    examples: Sequence[Example],
    metric: Metric | Callable[[Sequence[Example]], float],
    *,
    confidence: float = 95,
    n_resamples: int = 500,
    seed: int = 42,
) -> tuple[float, float]:
    """Interval (low, high) of the expected score on a fresh test set of the same size.

    metric: one of biobench.metrics (fast), or any function from examples to a float (one call a
        resample); both make the same estimate from the same draws.
    confidence: in percent, 0 to 100.
    Raises BadInput without examples, or on a confidence or n_resamples out of range.
    """
    coded = from_examples(examples)
    check_options(confidence, n_resamples)
    resampler = Resampler(coded)
    if isinstance(metric, Metric):
        score = resampler.score(metric)
        replicates = resampler.replicates(metric, n_resamples, seed)
    else:
        score = float(metric(examples))
        replicates = resampler.replicates_of_callable(metric, examples, n_resamples, seed)
    return _make(score, replicates, coded, confidence)


def interval_from_table(
    predictions: pl.DataFrame,
    metric: Metric,
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    seed: int = 42,
) -> Interval:
    """Score and interval of a predictions table (columns of docs/architecture.md).

    by_group: resample groups (a row without one is its own group) rather than examples.
    Raises BadInput on a table that cannot be scored.
    """
    check_options(confidence, n_resamples)
    coded = from_table(predictions, by_group=by_group)
    resampler = Resampler(coded)
    score = resampler.score(metric)
    low, high = _make(score, resampler.replicates(metric, n_resamples, seed), coded, confidence)
    kind = "groups" if by_group and coded.n_units < coded.n else "examples"
    return Interval(score, low, high, coded.n, coded.n_units, f"bootstrap over {kind}", ())


def check_options(confidence: float, n_resamples: int) -> None:
    """Raise BadInput where an option of a statistic is out of range."""
    if not 0 <= confidence <= 100:
        raise BadInput(f"confidence is {confidence}; give a percentage between 0 and 100.")
    if n_resamples < 1:
        raise BadInput(f"n_resamples is {n_resamples}; give at least 1.")


def _make(
    score: float, replicates: Float64[np.ndarray, " b"], coded: Coded, confidence: float
) -> tuple[float, float]:
    from scipy import special

    z = float(special.ndtri(0.5 + confidence / 200))
    variance = float(np.mean((replicates - score) ** 2))
    size = score * (1 - score) / variance if variance > 0 else coded.n_units
    if not np.isfinite(z):
        return 0.0, 1.0
    centre = (score + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(score * (1 - score) / size + (z / (2 * size)) ** 2)
    return min(score, max(0.0, centre - half)), max(score, min(1.0, centre + half))
