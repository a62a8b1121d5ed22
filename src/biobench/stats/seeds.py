"""Predictions of several training draws in one table, and the score that they have together.

    table = join_seeds({"42": predictions, "43": predictions})
    models = code_seeds(table, by_group=True)    # one a seed, on the same rows
    replicated = Replicated.resample(models, metric, n_resamples=500, seed=42)
    replicated.score, replicated.crossed.spread()

A table without the column of seeds is that of one training draw.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.metrics import Metric
from biobench.stats.alignment import align
from biobench.stats.coded import Coded, code_models
from biobench.stats.draws import Crossed, cross
from biobench.stats.resample import Resampler
from biobench.stats.spread import Design, Spread, designs_of, interval, quantile, spread_of

__all__ = [
    "SEED",
    "Replicated",
    "align_seeds",
    "code_seeds",
    "join_seeds",
    "pair_seeds",
    "pool_intervals",
    "split_seeds",
]

SEED = "training_seed"
"""the column that says which training draw a prediction is of."""


def join_seeds(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The predictions of each seed in one table, with the seed; of one alone they stay as they are.

    Columns that not all have are left out.
    """
    if len(tables) == 1:
        return next(iter(tables.values()))
    first, *others = tables.values()
    names = [name for name in first.columns if all(name in other.columns for other in others)]
    return pl.concat(
        [
            table.select(names).with_columns(pl.lit(seed).alias(SEED))
            for seed, table in tables.items()
        ],
        how="vertical_relaxed",
    )


def split_seeds(predictions: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The predictions of each seed; of a table without seeds, itself under the name ""."""
    if SEED not in predictions.columns:
        return {"": predictions}
    parts = predictions.partition_by(SEED, maintain_order=True, as_dict=True, include_key=False)
    return {str(seed): table for (seed,), table in parts.items()}


def pair_seeds(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Which draws of two models to compare with each other, as positions in both.

    Two models' runs of one seed have the same training examples. Where under two seeds are common
    though both have more, the others are paired in order: they differ by more, and say so.
    """
    common = [(i, b.index(seed)) for i, seed in enumerate(a) if seed in b]
    if len(common) >= min(2, len(a), len(b)):
        return common
    rest_a = [i for i, seed in enumerate(a) if seed not in b]
    rest_b = [j for j, seed in enumerate(b) if seed not in a]
    return common + list(zip(rest_a, rest_b, strict=False))


def align_seeds(predictions: pl.DataFrame) -> list[pl.DataFrame]:
    """The predictions of each seed of one model, on the rows that all seeds have.

    Raises BadInput where the seeds do not have the same test set.
    """
    named = {f"the seed {seed}": table for seed, table in split_seeds(predictions).items()}
    return align(named)[0]


def code_seeds(
    predictions: pl.DataFrame, *, by_group: bool, metric: Metric | None = None
) -> list[Coded]:
    """The coded predictions of each seed of one model; raises what `align_seeds` and coding do."""
    return code_models(align_seeds(predictions), by_group=by_group, metric=metric)


@dataclasses.dataclass(frozen=True)
class Replicated:
    """One model's score over its training draws, on one test set."""

    models: list[Coded]
    designs: list[Design]
    scores: Float64[np.ndarray, " s"]
    replicates: Float64[np.ndarray, "s b"]
    """each draw's score on the same resamples."""
    crossed: Crossed

    @classmethod
    def of(
        cls,
        models: Sequence[Coded],
        metric: Metric,
        scores: Float64[np.ndarray, " s"],
        replicates: Float64[np.ndarray, "s b"],
        designs: Sequence[Design] | None = None,
    ) -> "Replicated":
        """From the coded predictions of each draw, their scores, and those on shared resamples.

        designs: where they are not those of the predictions alone.
        """
        designs = list(designs or designs_of(models, metric))
        spreads = [
            spread_of(model, metric, float(score), values, design)
            for model, score, values, design in zip(
                models, scores, replicates, designs, strict=True
            )
        ]
        return cls(list(models), designs, scores, replicates, cross(scores, spreads, replicates))

    @classmethod
    def resample(
        cls, models: Sequence[Coded], metric: Metric, n_resamples: int, seed: int
    ) -> "Replicated":
        """Score the predictions of each draw, and resample them together."""
        resampler = Resampler(models)
        replicates = resampler.replicates(metric, n_resamples, seed)
        return cls.of(models, metric, resampler.scores(metric), replicates)

    @property
    def score(self) -> float:
        """The mean over the draws."""
        return float(self.scores.mean())


def pool_intervals(
    scores: Float64[np.ndarray, " s"], intervals: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """The interval of the mean of scores of which only their own 95% intervals are known.

    As if another test set moved all draws alike, which makes it wide rather than narrow.
    """
    reach = 2 * quantile(95, np.inf)
    spreads = [
        Spread(((high - low) / reach) ** 2, np.inf, 1.0, -np.inf, np.inf) for low, high in intervals
    ]
    crossed = cross(scores, spreads, np.zeros((len(scores), 1)))
    mean = float(scores.mean())
    low, high = interval(mean, crossed.spread(), 95)
    # A score keeps to the range that its own intervals keep to.
    inside = min(low for low, _ in intervals) >= 0 and max(high for _, high in intervals) <= 1
    return (max(0.0, low), min(1.0, high)) if inside else (low, high)
