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
from biobench.metrics import Metric, is_better_low
from biobench.stats.comparing import too_few_to_differ
from biobench.stats.contributions import Contributions, pairs_of
from biobench.stats.draws import Crossed
from biobench.stats.intervals import Interval, interval_of_draws
from biobench.stats.pooled import PairOfDraws, Pooled, crossed_p
from biobench.stats.simultaneous import LEAST_UNITS, adjusted_p, flips_for, matrix_of
from biobench.stats.spread import Design

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
    sign: int
    """-1 where the lower score is the better one, as of an error or a cost; else 1."""
    bounds: tuple[float, float]
    """the lowest and the highest score there can be."""
    contributions: Contributions
    """what the units add to the difference of each pair."""
    pairs: list[PairOfDraws] | None = None
    """each pair over its training draws, in the order of `pairs_of`, where there are several."""

    def pair(self, i: int, j: int) -> tuple[float, Crossed]:
        """The difference of two models, by their places, and its variance."""
        if self.pairs is None:
            difference = self.intervals[i].score - self.intervals[j].score
            variance = float(self.errors[i, j] ** 2)
            return difference, Crossed(variance, self.df, 0.0, 0.0, self.intervals[i].n)
        first, second = sorted((i, j))
        n = len(self.models)
        found = self.pairs[first * n - first * (first + 1) // 2 + second - first - 1]
        return (found.difference if i < j else -found.difference), found.crossed


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
        pooled, n_left_out = Pooled.of(
            tables, metric, by_group=by_group, n_resamples=n_resamples, seed=seed
        )
    except BadInput as error:
        raise BadInput(f"{task}: {error}") from error
    intervals = [interval_of_draws(one, metric, confidence, n_resamples) for one in pooled.found]
    warnings = _warnings(intervals[0].n_groups, len(intervals), n_left_out)
    intervals = [dataclasses.replace(i, warnings=(*i.warnings, *warnings)) for i in intervals]
    spreads = [one.crossed.spread(confidence) for one in pooled.found]
    variances = np.array([spread.variance for spread in spreads])
    contributions = pooled.contributions(seed)
    p = adjusted_p(contributions, n_flips=flips_for(contributions.values.shape[1]), seed=seed)
    pairs = None
    if pooled.has_draws:
        pairs = pooled.pairs()
        first, second = pairs_of(len(intervals))
        scores = np.array([one.score for one in intervals])
        drawn = [(pair.difference, pair.crossed) for pair in pairs]
        # Units that are exchanged know nothing of other draws, and t nothing of skewed groups.
        p = np.maximum(p, crossed_p(drawn, scores[first] - scores[second]))
        errors = np.sqrt([pair.crossed.variance for pair in pairs])
        errors = matrix_of(errors, len(intervals)) * ~np.eye(len(intervals), dtype=bool)
    else:
        replicates = np.concatenate([one.replicates for one in pooled.found])
        errors = _errors(replicates, [one.designs[0] for one in pooled.found], variances)
    return TaskStatistics(
        task=task,
        models=list(tables),
        intervals=intervals,
        variances=variances,
        errors=errors,
        df=min(spread.df for spread in spreads),
        p=matrix_of(p, len(intervals)),
        sign=-1 if is_better_low(metric) else 1,
        bounds=(min(spread.lower for spread in spreads), max(spread.upper for spread in spreads)),
        contributions=contributions,
        pairs=pairs,
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
