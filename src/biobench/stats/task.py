"""Every model of one task at once, on shared resamples.

found = task_statistics("newt", {model: predictions, ...}, get_metric("mean-score"))
found.intervals, found.p, found.errors
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.errors import BadInput
from biobench.metrics import Metric
from biobench.stats.align import align
from biobench.stats.coded import code_models
from biobench.stats.compare import too_few_to_differ
from biobench.stats.contributions import Contributions, contributions_of
from biobench.stats.intervals import Interval, check_labels, make_interval
from biobench.stats.resample import Resampler
from biobench.stats.simultaneous import LEAST_UNITS, adjusted_p, flips_for, matrix_of
from biobench.stats.spread import Design, design_of, spread_of

__all__ = ["TaskStatistics", "task_statistics"]


@dataclasses.dataclass(frozen=True)
class TaskStatistics:
    """One task's models: their scores on the examples that all of them have."""

    task: str
    models: list[str]
    intervals: list[Interval]
    variances: Float64[np.ndarray, " m"]
    errors: Float64[np.ndarray, "m m"]
    """standard error of the difference of two models."""
    df: float
    p: Float64[np.ndarray, "m m"]
    """of no difference of two models, adjusted for all pairs; 1 on the diagonal."""
    contributions: Contributions
    """what the units add to the difference of each pair."""


def task_statistics(
    task: str,
    tables: Mapping[str, pl.DataFrame],
    metric: Metric,
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    seed: int = 42,
) -> TaskStatistics:
    """Intervals of the models of one task, and which of them differ.

    Raises BadInput, naming the task, where the tables do not fit together.
    """
    try:
        aligned, n_left_out = align(tables)
        models = code_models(aligned, by_group=by_group, metric=metric)
        check_labels(models[0], metric)
    except BadInput as error:
        raise BadInput(f"{task}: {error}") from error
    resampler = Resampler(models)
    scores = resampler.scores(metric)
    replicates = resampler.replicates(metric, n_resamples, seed)
    designs = [design_of(model, metric) for model in models]
    found = [
        spread_of(model, metric, float(score), values, design)
        for model, score, values, design in zip(models, scores, replicates, designs, strict=True)
    ]
    intervals = [
        make_interval(model, metric, float(score), spread, design, confidence, n_resamples)
        for model, score, spread, design in zip(models, scores, found, designs, strict=True)
    ]
    warnings = _warnings(models[0].n_units, len(models), n_left_out)
    intervals = [dataclasses.replace(i, warnings=(*i.warnings, *warnings)) for i in intervals]
    variances = np.array([spread.variance for spread in found])
    contributions = contributions_of(models, metric, seed)
    p = adjusted_p(contributions, n_flips=flips_for(contributions.values.shape[1]), seed=seed)
    return TaskStatistics(
        task=task,
        models=list(tables),
        intervals=intervals,
        variances=variances,
        errors=_errors(replicates, designs, variances),
        df=min(spread.df for spread in found),
        p=matrix_of(p, len(models)),
        contributions=contributions,
    )


def _warnings(n_units: int, n_models: int, n_left_out: int) -> list[str]:
    found = []
    if n_left_out:
        found.append(f"{n_left_out:,} examples that not every model has are left out.")
    if n_models > 1 and n_units < LEAST_UNITS:
        found.append(too_few_to_differ(n_units))
    return found


def _errors(
    replicates: Float64[np.ndarray, "m b"],
    designs: Sequence[Design],
    variances: Float64[np.ndarray, " m"],
) -> Float64[np.ndarray, "m m"]:
    # As compare.spread_of_difference, for all pairs; one resample says nothing of what is common.
    alone = replicates.shape[1] == 1
    covariance = np.diag(variances) if alone else np.atleast_2d(np.cov(replicates))
    own = np.diag(covariance)
    variance = np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0)
    correction = np.array([design.correction for design in designs])
    size = np.array([design.size for design in designs])
    extra = 1 / (np.minimum(size[:, None], size[None, :]) + 2) ** 2
    errors = np.sqrt(variance * np.maximum(correction[:, None], correction[None, :]) + extra)
    np.fill_diagonal(errors, 0)
    return errors
