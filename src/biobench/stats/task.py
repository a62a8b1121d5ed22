"""Every model of one task at once, on shared resamples.

found = task_statistics("newt", {model: predictions, ...}, get_metric("mean-score"))
found.intervals, found.p_best, found.errors
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.errors import BadInput
from biobench.metrics import Metric
from biobench.stats.coded import Coded, code_models
from biobench.stats.compare import align
from biobench.stats.exchange import exchange_p, tail_bound
from biobench.stats.intervals import Interval, check_labels, make_interval
from biobench.stats.resample import Resampler
from biobench.stats.spread import Design, design_of, spread_of

__all__ = ["TaskStatistics", "task_statistics"]

_N_PERMUTATIONS = 4000


@dataclasses.dataclass(frozen=True)
class TaskStatistics:
    """One task's models: their scores on the examples that all of them have."""

    task: str
    models: list[str]
    intervals: list[Interval]
    variances: Float64[np.ndarray, " m"]
    replicates: Float64[np.ndarray, "m b"]
    errors: Float64[np.ndarray, "m m"]
    """standard error of the difference of two models."""
    df: float
    p_best: Float64[np.ndarray, " m"]
    """of no difference from the best model, before Holm; 1 for the best itself."""


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
    """Intervals of the models of one task, and their differences from the best.

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
    if n_left_out:
        left_out = f"{n_left_out:,} examples that not every model has are left out."
        intervals = [
            dataclasses.replace(one, warnings=(*one.warnings, left_out)) for one in intervals
        ]
    variances = np.array([spread.variance for spread in found])
    errors = _errors(replicates, designs, variances)
    return TaskStatistics(
        task=task,
        models=list(tables),
        intervals=intervals,
        variances=variances,
        replicates=replicates,
        errors=errors,
        df=min(spread.df for spread in found),
        p_best=_p_best(models, metric, scores, errors, designs, n_resamples, seed),
    )


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


def _p_best(
    models: Sequence[Coded],
    metric: Metric,
    scores: Float64[np.ndarray, " m"],
    errors: Float64[np.ndarray, "m m"],
    designs: Sequence[Design],
    n_resamples: int,
    seed: int,
) -> Float64[np.ndarray, " m"]:
    best = int(np.argmax(scores))
    p = np.ones(len(models))
    for j in range(len(models)):
        if j == best:
            continue
        ahead = scores[best] - scores[j]
        # Exchanging keeps the difference itself in the variance, resampling does not; and three
        # standard errors more, to be sure before anything is exchanged.
        variance = errors[best, j] ** 2 + ahead**2 / designs[j].size
        p[j] = tail_bound(ahead, variance * (1 + 3 * (2 / n_resamples) ** 0.5))
        if p[j] > 1e-6:
            pair = Resampler([models[best], models[j]])
            p[j] = exchange_p(pair, metric, n_permutations=_N_PERMUTATIONS, seed=seed)
    return p
