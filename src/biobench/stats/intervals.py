"""The interval of a score: where the expected score of a fresh test set of the same size lies.

low, high = confidence_interval(report.examples, MacroF1())
interval = interval_from_table(predictions, get_metric("macro-f1"), by_group=True)
interval.low, interval.high, interval.warnings
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.contract import Example
from biobench.errors import BadInput
from biobench.metrics import (
    Metric,
    WeightedMetric,
    get_columns,
    get_metric,
    list_metrics,
    needs_labels,
)
from biobench.stats import spread as spreads
from biobench.stats.coded import Coded, from_examples
from biobench.stats.few import describe_few
from biobench.stats.resample import Resampler
from biobench.stats.seeds import Replicated, code_seeds

__all__ = ["Interval", "confidence_interval", "interval_from_table", "interval_of_draws"]


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
    resampled: str
    """what was resampled: "groups" or "examples"."""
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

    metric: one of biobench.metrics (fast), or any function from examples to a float, which is
        called on the same resamples one by one. One that gives a known metric's value on every
        resample is that metric, and gets the same interval to the last digit.
    confidence: in percent, 0 to 100.
    Raises BadInput without examples, on an option out of range, or where the function gives no
    finite number.
    """
    check_options(confidence, n_resamples)
    coded = from_examples(examples, metric if isinstance(metric, Metric) else None)
    resampler = Resampler([coded])
    if isinstance(metric, Metric):
        check_labels(coded, metric)
        score = float(metric(examples))
        replicates = resampler.replicates(metric, n_resamples, seed)[0]
        design = spreads.design_of(coded, metric)
        spread = spreads.spread_of(coded, metric, score, replicates, design)
    else:
        score = float(metric(examples))
        replicates = resampler.replicates_of_callable(metric, examples, n_resamples, seed)
        if not (math.isfinite(score) and np.isfinite(replicates).all()):
            raise BadInput(
                f"The metric {getattr(metric, '__name__', metric)!r} gave a value that is not "
                "finite on a resample; make it give a number for any list of examples."
            )
        known = _recognise(replicates, resampler, n_resamples, seed)
        if known is None:
            spread = spreads.spread_of_callable(coded, score, replicates)
        else:
            design = spreads.design_of(coded, known)
            spread = spreads.spread_of(coded, known, score, replicates, design)
    return spreads.interval(score, spread, confidence)


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
    Of several training draws in one table (`seeds.join_seeds`) the score is the mean, and the
    interval is over test sets and draws.
    Raises BadInput on a table that cannot be scored or an option out of range.
    """
    check_options(confidence, n_resamples)
    models = code_seeds(predictions, by_group=by_group, metric=metric)
    check_labels(models[0], metric)
    found = Replicated.resample(models, metric, n_resamples, seed)
    require_score(metric, found.score)
    return interval_of_draws(found, metric, confidence, n_resamples)


def interval_of_draws(
    found: Replicated, metric: Metric, confidence: float, n_resamples: int
) -> Interval:
    """The interval of the mean score of one or more training draws."""
    coded, design, spread = found.models[0], found.designs[0], found.crossed.spread(confidence)
    one = make_interval(coded, metric, found.score, spread, design, confidence, n_resamples)
    if len(found.models) == 1:
        return one
    method = f"{one.method} and that of {len(found.models)} training draws"
    return dataclasses.replace(one, method=method)


def make_interval(
    coded: Coded,
    metric: Metric,
    score: float,
    spread: spreads.Spread,
    design: spreads.Design,
    confidence: float,
    n_resamples: int,
) -> Interval:
    """The interval of a score with that spread, and what is to be said of it."""
    low, high = spreads.interval(score, spread, confidence)
    resampled = "groups" if coded.grouped else "examples"
    return Interval(
        score=score,
        low=low,
        high=high,
        n=coded.n,
        n_groups=coded.n_units,
        resampled=resampled,
        method=_method(coded, score, design, n_resamples),
        warnings=describe_few(coded, metric, design),
    )


def check_options(confidence: float, n_resamples: int) -> None:
    """Raise BadInput where an option of a statistic is out of range."""
    if not 0 <= confidence <= 100:
        raise BadInput(f"confidence is {confidence}; give a percentage between 0 and 100.")
    if n_resamples < 1:
        raise BadInput(f"n_resamples is {n_resamples}; give at least 1.")


def check_labels(coded: Coded, metric: Metric) -> None:
    """Raise BadInput where the metric needs labels that the predictions do not have."""
    if needs_labels(metric) and coded.true is None:
        raise BadInput(
            f"The metric '{metric.name}' needs y_true and y_pred of every example; give both, or "
            "score with 'mean-score'."
        )


def require_score(metric: Metric, score: float) -> float:
    """The score itself; raises BadInput where the examples define none."""
    return metric.require(score) if isinstance(metric, WeightedMetric) else score


def _recognise(
    values: Float64[np.ndarray, " b"], resampler: Resampler, n_resamples: int, seed: int
) -> Metric | None:
    # Macro averages first: where several fit (every answer is right), theirs is the wider interval.
    known = sorted(map(get_metric, list_metrics()), key=lambda metric: not metric.macro)
    for metric in known:
        if get_columns(metric):
            continue
        if needs_labels(metric) and resampler.models[0].true is None:
            continue
        if np.allclose(resampler.replicates(metric, n_resamples, seed), values, rtol=0, atol=1e-9):
            return metric
    return None


def _method(coded: Coded, score: float, design: spreads.Design, n_resamples: int) -> str:
    units = "groups" if coded.grouped else "examples"
    how = f"the variance of {n_resamples} resamples of {units}"
    if coded.true is not None and score in (0.0, 1.0):
        # No resample can differ, so the effective size is all that there is.
        kind = "right" if score else "wrong"
        how = f"every answer {kind}, {design.size:.0f} independent examples"
    elif design.variance is not None:
        how = f"the variance of leaving out one {units[:-1]} after another"
    return f"Wilson's interval with {how}"
