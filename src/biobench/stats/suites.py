"""Many models on many tasks: the leaderboard, and how far it can be trusted.

cells = {(model, task): predictions, ...}       # any mapping; a value is read when needed
table = leaderboard(cells, {task: get_metric(name)})
found = suite(cells, metrics)
found.missing, found.rank_over_tasks, found.beats, found.leave_one_out
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64
from scipy import special

from biobench import progress
from biobench.metrics import Metric
from biobench.stats.comparing import too_few_to_differ
from biobench.stats.contributions import Contributions, mean_of, most_units, pairs_of
from biobench.stats.draws import average
from biobench.stats.intervals import check_options
from biobench.stats.pooled import crossed_p
from biobench.stats.ranking import better_over_tasks, rank_intervals, ranks
from biobench.stats.simultaneous import (
    LEAST_UNITS,
    adjusted_p,
    flips_for,
    matrix_of,
    shown_better,
)
from biobench.stats.spread import Spread, interval
from biobench.stats.task import TaskStatistics, task_statistics

__all__ = ["MEAN", "Suite", "leaderboard", "suite"]

MEAN = "mean"
"""what the mean over the tasks is called in a column of tasks."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """The statistics of a set of cells."""

    leaderboard: pl.DataFrame
    """a row a cell, best first within a task: model task score ci_low ci_high n n_groups resampled
    rank rank_low rank_high tied_with_best p_best warnings; and rows of task "mean" for the models
    that have every task."""
    missing: list[tuple[str, str]]
    """(model, task) of each cell that is not there; such a model has no mean."""
    rank_over_tasks: pl.DataFrame
    """model rank rank_low rank_high: of the mean, had other tasks like these been chosen; rank_low
    and rank_high are null where there are too few tasks to say."""
    beats: pl.DataFrame
    """a b probability: that a's expected mean score over these tasks is above b's."""
    leave_one_out: pl.DataFrame
    """left_out model score rank: the mean over the other tasks."""


def leaderboard(
    cells: Mapping[tuple[str, str], pl.DataFrame],
    metrics: Mapping[str, Metric],
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    seed: int = 42,
) -> pl.DataFrame:
    """The leaderboard of `suite`, whose arguments it takes."""
    options = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed}
    return suite(cells, metrics, by_group=by_group, **options).leaderboard


def suite(
    cells: Mapping[tuple[str, str], pl.DataFrame],
    metrics: Mapping[str, Metric],
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    seed: int = 42,
) -> Suite:
    """Scores, intervals, ranks and ties of every cell and of the mean over the tasks.

    cells: predictions by (model, task); any mapping, so that they can be read one task at a time.
    metrics: the metric of each task.
    All pairs of a task's models (or of the means) are tested at once, so that all that is claimed
    of them holds at the confidence. A model is tied with the best unless some model is shown to be
    better, which is to say where it may have rank 1. p_best is the least adjusted p of no
    difference from a model with a higher score; 1 where there is none.
    Raises BadInput where models of a task have too few examples in common.
    """
    check_options(confidence, n_resamples)
    tasks = list(dict.fromkeys(task for _, task in cells))
    models = list(dict.fromkeys(model for model, _ in cells))
    missing = [(m, t) for t in tasks for m in models if (m, t) not in cells]
    lacking = {model for model, _ in missing}
    complete = [model for model in models if model not in lacking]
    found, rows = [], []
    for i, task in enumerate(tasks):
        progress.report("statistics", i, len(tasks))
        tables = {m: cells[m, task] for m in models if (m, task) in cells}
        options = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed}
        one = task_statistics(task, tables, metrics[task], by_group=by_group, **options)
        rows += _rows_of_task(one, confidence)
        # Of many tasks the mean needs but few units each, and all of them would fill the memory.
        kept = one.contributions.of_models([i for i, m in enumerate(tables) if m in complete])
        kept = kept.merge(max(most_units(kept.n_models) // len(tasks), 1), seed)
        found.append(dataclasses.replace(one, contributions=kept))
    progress.report("statistics", len(tasks), len(tasks))
    # A score and an error have no mean that says anything.
    has_mean = bool(complete) and len({one.sign for one in found}) == 1
    mean = _Mean.of(found, complete, seed) if has_mean else None
    if mean:
        rows += mean.rows(confidence)
    return Suite(
        leaderboard=pl.DataFrame(rows, schema=_SCHEMA, orient="row"),
        missing=missing,
        rank_over_tasks=_rank_over_tasks(mean, confidence),
        beats=_beats(mean),
        leave_one_out=_leave_one_out(mean, tasks),
    )


_SCHEMA = {
    "model": pl.String,
    "task": pl.String,
    "score": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "n": pl.Int64,
    "n_groups": pl.Int64,
    "resampled": pl.String,
    "rank": pl.Int64,
    "rank_low": pl.Int64,
    "rank_high": pl.Int64,
    "tied_with_best": pl.Boolean,
    "p_best": pl.Float64,
    "warnings": pl.List(pl.String),
}


def _rows_of_task(found: TaskStatistics, confidence: float) -> list[tuple]:
    scores = found.sign * np.array([one.score for one in found.intervals])
    rank, claims = ranks(scores), _claims(scores, found.p, confidence)
    return [
        (
            found.models[i],
            found.task,
            one.score,
            one.low,
            one.high,
            one.n,
            one.n_groups,
            one.resampled,
            int(rank[i]),
            *claims[i],
            list(one.warnings),
        )
        for i, one in ((i, found.intervals[i]) for i in np.lexsort((np.array(found.models), rank)))
    ]


def _claims(
    scores: Float64[np.ndarray, " m"], p: Float64[np.ndarray, "m m"], confidence: float
) -> list[tuple[int, int, bool, float]]:
    """Of each model: rank_low, rank_high, tied_with_best and p_best, all from one set of claims."""
    low, high = rank_intervals(shown_better(scores, p, 1 - confidence / 100))
    behind = scores[None, :] > scores[:, None]
    p_best = np.min(np.where(behind, p, 1.0), axis=1)
    columns = (low.tolist(), high.tolist(), (low == 1).tolist(), p_best.tolist())
    return list(zip(*columns, strict=True))


@dataclasses.dataclass(frozen=True)
class _Mean:
    """The mean over the tasks of each model that has them all."""

    models: list[str]
    by_task: Float64[np.ndarray, "t m"]
    variances: Float64[np.ndarray, " m"]
    errors: Float64[np.ndarray, "m m"]
    """standard error of the difference of two models' means."""
    df: float
    p: Float64[np.ndarray, "m m"]
    """of no difference of two models' means, adjusted for all pairs."""
    n: int
    n_groups: int
    resampled: str
    sign: int
    """as those of its tasks."""
    bounds: tuple[float, float]
    warnings: list[list[str]]
    """of each model: what its tasks' rows are warned of."""

    @classmethod
    def of(cls, found: Sequence[TaskStatistics], models: list[str], seed: int) -> "_Mean":
        where = [[one.models.index(model) for model in models] for one in found]
        n_tasks = len(found)
        by_task = np.array(
            [[one.intervals[i].score for i in at] for one, at in zip(found, where, strict=True)]
        )
        variances = np.array([one.variances[at] for one, at in zip(found, where, strict=True)])
        squares = [one.errors[np.ix_(at, at)] ** 2 for one, at in zip(found, where, strict=True)]
        total = variances.mean(axis=1)
        parts = sum(v**2 / one.df for v, one in zip(total, found, strict=True))
        kinds = {one.intervals[0].resampled for one in found}
        tests = mean_of([one.contributions for one in found], seed)
        p = adjusted_p(tests, n_flips=flips_for(tests.values.shape[1]), seed=seed)
        if any(one.pairs for one in found):
            p = np.maximum(p, _crossed_p(found, where, by_task.mean(axis=0)))
        return cls(
            models=models,
            by_task=by_task,
            variances=variances.sum(axis=0) / n_tasks**2,
            errors=np.sqrt(sum(squares)) / n_tasks,
            df=float(total.sum() ** 2 / parts) if parts > 0 else np.inf,
            p=matrix_of(p, len(models)),
            n=sum(one.intervals[0].n for one in found),
            n_groups=sum(one.intervals[0].n_groups for one in found),
            resampled=kinds.pop() if len(kinds) == 1 else "groups",
            sign=found[0].sign,
            bounds=tuple(np.mean([one.bounds for one in found], axis=0).tolist()),
            warnings=[_gather_warnings(found, model, tests) for model in models],
        )

    @property
    def scores(self) -> Float64[np.ndarray, " m"]:
        return self.by_task.mean(axis=0)

    @property
    def merits(self) -> Float64[np.ndarray, " m"]:
        """The scores so turned that the higher is the better."""
        return self.sign * self.scores

    def rows(self, confidence: float) -> list[tuple]:
        scores, rank = self.scores, ranks(self.merits)
        claims = _claims(self.merits, self.p, confidence)
        rows = []
        for i in np.lexsort((np.array(self.models), rank)):
            spread = Spread(float(self.variances[i]), self.df, float(self.n_groups), *self.bounds)
            rows.append(
                (
                    self.models[i],
                    MEAN,
                    float(scores[i]),
                    *interval(float(scores[i]), spread, confidence),
                    self.n,
                    self.n_groups,
                    self.resampled,
                    int(rank[i]),
                    *claims[i],
                    self.warnings[i],
                )
            )
        return rows


def _crossed_p(
    found: Sequence[TaskStatistics], where: Sequence[list[int]], scores: Float64[np.ndarray, " m"]
) -> Float64[np.ndarray, " p"]:
    """Of no difference of two means, over test sets and training draws, for all pairs."""
    first, second = pairs_of(len(scores))
    drawn = []
    for i, j in zip(first, second, strict=True):
        parts = [one.pair(at[i], at[j]) for one, at in zip(found, where, strict=True)]
        difference = float(np.mean([difference for difference, _ in parts]))
        drawn.append((difference, average([crossed for _, crossed in parts])))
    return crossed_p(drawn, scores[first] - scores[second])


def _gather_warnings(found: Sequence[TaskStatistics], model: str, mean: Contributions) -> list[str]:
    texts: dict[str, None] = {}
    for one in found:
        texts.update(dict.fromkeys(one.intervals[one.models.index(model)].warnings))
        # What too few units of one task cannot show, those of all tasks together may.
        texts.pop(too_few_to_differ(one.contributions.n_units), None)
    if mean.n_models > 1 and mean.n_units < LEAST_UNITS:
        texts[too_few_to_differ(mean.n_units)] = None
    return list(texts)


def _rank_over_tasks(mean: _Mean | None, confidence: float) -> pl.DataFrame:
    schema = {"model": pl.String, "rank": pl.Int64, "rank_low": pl.Int64, "rank_high": pl.Int64}
    if mean is None:
        return pl.DataFrame(schema=schema)
    better = better_over_tasks(mean.sign * mean.by_task, 1 - confidence / 100)
    bounds = [None, None] if better is None else rank_intervals(better)
    columns = dict(zip(schema, (mean.models, ranks(mean.merits), *bounds), strict=True))
    return pl.DataFrame(columns, schema=schema).sort("rank", "model")


def _beats(mean: _Mean | None) -> pl.DataFrame:
    schema = {"a": pl.String, "b": pl.String, "probability": pl.Float64}
    if mean is None:
        return pl.DataFrame(schema=schema)
    scores, models = mean.merits, mean.models
    error = np.where(mean.errors > 0, mean.errors, 1)
    t = (scores[:, None] - scores[None, :]) / error
    probability = special.ndtr(t) if np.isinf(mean.df) else special.stdtr(mean.df, t)
    pairs = [
        (models[i], models[j], float(probability[i, j]))
        for i in range(len(models))
        for j in range(len(models))
        if i != j
    ]
    return pl.DataFrame(pairs, schema=schema, orient="row")


def _leave_one_out(mean: _Mean | None, tasks: Sequence[str]) -> pl.DataFrame:
    schema = {
        "left_out": pl.String,
        "model": pl.String,
        "score": pl.Float64,
        "rank": pl.Int64,
    }
    rows: list[tuple] = []
    if mean is not None and len(tasks) > 1:
        for i, task in enumerate(tasks):
            scores = np.delete(mean.by_task, i, axis=0).mean(axis=0)
            rank = ranks(mean.sign * scores)
            order = np.lexsort((np.array(mean.models), rank))
            rows += [(task, mean.models[j], float(scores[j]), int(rank[j])) for j in order]
    return pl.DataFrame(rows, schema=schema, orient="row")
