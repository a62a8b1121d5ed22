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
from jaxtyping import Bool, Float64
from scipy import special

from biobench import progress
from biobench.metrics import Metric
from biobench.stats.exchange import holm
from biobench.stats.intervals import check_options
from biobench.stats.ranks import rank_intervals, ranks, ranks_over_tasks
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
    """model rank rank_low rank_high: of the mean, had other tasks like these been chosen."""
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
    A model is tied with the best if their difference is not significant at 5% after Holm over all
    pairs of the task's models (all, because the best was not chosen before the data were seen).
    Raises BadInput where models of a task have too few examples in common.
    """
    check_options(confidence, n_resamples)
    tasks = list(dict.fromkeys(task for _, task in cells))
    models = list(dict.fromkeys(model for model, _ in cells))
    found = []
    for i, task in enumerate(tasks):
        progress.report("statistics", i, len(tasks))
        tables = {m: cells[m, task] for m in models if (m, task) in cells}
        options = {"confidence": confidence, "n_resamples": n_resamples, "seed": seed}
        found.append(task_statistics(task, tables, metrics[task], by_group=by_group, **options))
    progress.report("statistics", len(tasks), len(tasks))
    missing = [(m, t) for t in tasks for m in models if (m, t) not in cells]
    lacking = {model for model, _ in missing}
    complete = [model for model in models if model not in lacking]
    rows = [row for one in found for row in _rows_of_task(one, confidence)]
    mean = _Mean.of(found, complete, seed) if complete else None
    if mean:
        rows += mean.rows(confidence)
    return Suite(
        leaderboard=pl.DataFrame(rows, schema=_SCHEMA, orient="row"),
        missing=missing,
        rank_over_tasks=_rank_over_tasks(mean, confidence, seed),
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
    scores = np.array([one.score for one in found.intervals])
    low, high = rank_intervals(scores, found.replicates, found.errors, found.df, confidence)
    tied, p = _ties(found.p_best, len(scores))
    rank = ranks(scores)
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
            *(int(value[i]) for value in (rank, low, high)),
            bool(tied[i]),
            float(p[i]),
            list(one.warnings),
        )
        for i, one in ((i, found.intervals[i]) for i in np.lexsort((found.models, rank)))
    ]


def _ties(
    p: Float64[np.ndarray, " m"], n_models: int
) -> tuple[Bool[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    # The best model's own p is 1, the last in Holm's order, so it changes no other.
    adjusted = holm(p, family=max(n_models * (n_models - 1) // 2, len(p)))
    return adjusted >= 0.05, adjusted


@dataclasses.dataclass(frozen=True)
class _Mean:
    """The mean over the tasks of each model that has them all."""

    models: list[str]
    by_task: Float64[np.ndarray, "t m"]
    replicates: Float64[np.ndarray, "m b"]
    variances: Float64[np.ndarray, " m"]
    errors: Float64[np.ndarray, "m m"]
    """standard error of the difference of two models' means."""
    df: float
    n: int
    n_groups: int
    resampled: str

    @classmethod
    def of(cls, found: Sequence[TaskStatistics], models: list[str], seed: int) -> "_Mean":
        where = [[one.models.index(model) for model in models] for one in found]
        rng = np.random.default_rng([seed, 3])
        n_tasks = len(found)
        by_task = np.array(
            [[one.intervals[i].score for i in at] for one, at in zip(found, where, strict=True)]
        )
        # Test sets of two tasks are independent: each task's resamples are shuffled, as a whole.
        replicates = sum(
            one.replicates[at][:, rng.permutation(one.replicates.shape[1])]
            for one, at in zip(found, where, strict=True)
        )
        variances = np.array([one.variances[at] for one, at in zip(found, where, strict=True)])
        squares = [one.errors[np.ix_(at, at)] ** 2 for one, at in zip(found, where, strict=True)]
        total = variances.mean(axis=1)
        parts = sum(v**2 / one.df for v, one in zip(total, found, strict=True))
        kinds = {one.intervals[0].resampled for one in found}
        return cls(
            models=models,
            by_task=by_task,
            replicates=replicates / n_tasks,
            variances=variances.sum(axis=0) / n_tasks**2,
            errors=np.sqrt(sum(squares)) / n_tasks,
            df=float(total.sum() ** 2 / parts) if parts > 0 else np.inf,
            n=sum(one.intervals[0].n for one in found),
            n_groups=sum(one.intervals[0].n_groups for one in found),
            resampled=kinds.pop() if len(kinds) == 1 else "groups",
        )

    @property
    def scores(self) -> Float64[np.ndarray, " m"]:
        return self.by_task.mean(axis=0)

    def rows(self, confidence: float) -> list[tuple]:
        scores, rank = self.scores, ranks(self.scores)
        best = int(np.argmax(scores))
        error = np.where(self.errors[best] > 0, self.errors[best], 1)
        t = (scores - scores[best]) / error
        p = 2 * (special.ndtr(t) if np.isinf(self.df) else special.stdtr(self.df, t))
        tied, adjusted = _ties(p, len(scores))
        low, high = rank_intervals(scores, self.replicates, self.errors, self.df, confidence)
        rows = []
        for i in np.lexsort((self.models, rank)):
            spread = Spread(float(self.variances[i]), self.df, float(self.n_groups))
            rows.append(
                (
                    self.models[i],
                    MEAN,
                    float(scores[i]),
                    *interval(float(scores[i]), spread, confidence),
                    self.n,
                    self.n_groups,
                    self.resampled,
                    *(int(value[i]) for value in (rank, low, high)),
                    bool(tied[i]),
                    float(adjusted[i]),
                    [],
                )
            )
        return rows


def _rank_over_tasks(mean: _Mean | None, confidence: float, seed: int) -> pl.DataFrame:
    schema = {"model": pl.String, "rank": pl.Int64, "rank_low": pl.Int64, "rank_high": pl.Int64}
    if mean is None:
        return pl.DataFrame(schema=schema)
    low, high = ranks_over_tasks(mean.by_task, confidence, seed)
    columns = (mean.models, ranks(mean.scores), low, high)
    return pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema).sort(
        "rank", "model"
    )


def _beats(mean: _Mean | None) -> pl.DataFrame:
    schema = {"a": pl.String, "b": pl.String, "probability": pl.Float64}
    if mean is None:
        return pl.DataFrame(schema=schema)
    scores, models = mean.scores, mean.models
    error = np.where(mean.errors > 0, mean.errors, 1)
    probability = special.ndtr((scores[:, None] - scores[None, :]) / error)
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
            rank = ranks(scores)
            order = np.lexsort((mean.models, rank))
            rows += [(task, mean.models[j], float(scores[j]), int(rank[j])) for j in order]
    return pl.DataFrame(rows, schema=schema, orient="row")
