"""Several models on one task, each with one or more training draws.

    pooled, n_left_out = Pooled.of(tables, metric, by_group=True, n_resamples=500, seed=42)
    pooled.found[0].score               # the first model's mean over its draws
    pair = pooled.pair(0, 1)            # of the first two: pair.difference, pair.crossed
    p = pooled.p(seed=42)               # of each pair, adjusted for all, where there are draws

Two models' runs of one seed were trained on the same examples, so models are paired by seed as they
are by test example: what is studied is the difference of each seed.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.metrics import Metric, get_bounds
from biobench.stats import spread as spreads
from biobench.stats.alignment import align
from biobench.stats.coded import Coded, code_models
from biobench.stats.contributions import Contributions, contributions_of, pairs_of
from biobench.stats.draws import Crossed, cross
from biobench.stats.intervals import check_labels
from biobench.stats.resample import Resampler
from biobench.stats.seeds import Replicated, pair_seeds, split_seeds
from biobench.stats.simultaneous import holm

__all__ = ["PairOfDraws", "Pooled", "crossed_p"]


@dataclasses.dataclass(frozen=True)
class PairOfDraws:
    """Two models over the training draws in which they are compared."""

    scores: tuple[float, float]
    crossed: Crossed
    """of the difference."""
    n_draws: int

    @property
    def difference(self) -> float:
        """Of the first less the second."""
        return self.scores[0] - self.scores[1]


@dataclasses.dataclass(frozen=True)
class Pooled:
    """The predictions of several models' training draws, on the rows that all of them have."""

    metric: Metric
    seeds: list[list[str]]
    """of each model."""
    found: list[Replicated]

    @classmethod
    def of(
        cls,
        tables: Mapping[str, pl.DataFrame],
        metric: Metric,
        *,
        by_group: bool,
        n_resamples: int,
        seed: int,
    ) -> tuple["Pooled", int]:
        """Align, code, score and resample the tables, given by what their models are called.

        Also the number of rows that some lack. Where no model's draws differ in anything, as those
        of a probe that has nothing to draw, one of each is kept.
        """
        parts = {name: split_seeds(table) for name, table in tables.items()}
        aligned, n_left_out = align(
            {
                f"{name}, seed {one}" if one else name: table
                for name, draws in parts.items()
                for one, table in draws.items()
            }
        )
        coded = code_models(aligned, by_group=by_group, metric=metric)
        check_labels(coded[0], metric)
        seeds = [list(draws) for draws in parts.values()]
        models = _split(coded, [len(one) for one in seeds])
        if all(_is_same(draws[0], other) for draws in models for other in draws[1:]):
            seeds, models = [one[:1] for one in seeds], [draws[:1] for draws in models]
        counts = [len(draws) for draws in models]
        every = [one for draws in models for one in draws]
        resampler = Resampler(every)
        designs = _split(spreads.designs_of(every, metric), counts)
        scores = _split(resampler.scores(metric), counts)
        replicates = _split(resampler.replicates(metric, n_resamples, seed), counts)
        found = [
            Replicated.of(one, metric, *known)
            for one, *known in zip(models, scores, replicates, designs, strict=True)
        ]
        return cls(metric, seeds, found), n_left_out

    @property
    def has_draws(self) -> bool:
        """Whether any model has several draws, that do not all say the same."""
        return any(len(one.models) > 1 for one in self.found)

    def pair(self, i: int, j: int) -> PairOfDraws:
        """Two of the models, by their places, over the draws in which they can be compared."""
        at = pair_seeds(self.seeds[i], self.seeds[j])
        a, b = self.found[i], self.found[j]
        first, second = np.array(at).T
        ahead = a.scores[first] - b.scores[second]
        moved = a.replicates[first] - b.replicates[second]
        each = [
            _spread_of_difference(
                (a.models[k], b.models[h]),
                (a.designs[k], b.designs[h]),
                self.metric,
                values,
                float(one),
            )
            for (k, h), values, one in zip(at, moved, ahead, strict=True)
        ]
        scores = float(a.scores[first].mean()), float(b.scores[second].mean())
        return PairOfDraws(scores, cross(ahead, each, moved), len(at))

    def pairs(self) -> list[PairOfDraws]:
        """Every pair, in the order of `contributions.pairs_of`."""
        return [self.pair(i, j) for i, j in pairs_of(len(self.found)).T.tolist()]

    def contributions(self, seed: int) -> Contributions:
        """What units add to the difference of each pair, on average over their draws."""
        models = [one.models for one in self.found]
        if not self.has_draws:
            return contributions_of([draws[0] for draws in models], self.metric, seed)
        if all(one == self.seeds[0] for one in self.seeds):
            together = [list(draws) for draws in zip(*models, strict=True)]
            parts = [contributions_of(draws, self.metric, seed) for draws in together]
            return _average(parts, len(models))
        each = []
        for i, j in pairs_of(len(models)).T.tolist():
            at = pair_seeds(self.seeds[i], self.seeds[j])
            parts = [
                contributions_of([models[i][k], models[j][h]], self.metric, seed) for k, h in at
            ]
            each.append(_average(parts, 2).values)
        return dataclasses.replace(
            _average(parts, len(models)),
            values=np.concatenate(each, axis=1),
            exact_p=np.full(len(each), np.nan),
        )


def crossed_p(
    pairs: Sequence[tuple[float, Crossed]], ahead: Float64[np.ndarray, " p"]
) -> Float64[np.ndarray, " p"]:
    """Two-sided p of each pair over test sets and training draws, adjusted for all by Holm.

    pairs: each one's difference with its variance. ahead: the difference as shown, of all draws of
    both models; where the draws in which they can be compared say the opposite, p is 1.
    """
    p = holm([crossed.p(difference) for difference, crossed in pairs])
    against = np.array([difference for difference, _ in pairs]) * ahead < 0
    return np.where(against, 1.0, p)


def _spread_of_difference(
    models: tuple[Coded, Coded],
    designs: tuple[spreads.Design, spreads.Design],
    metric: Metric,
    differences: Float64[np.ndarray, " b"],
    difference: float,
) -> spreads.Spread:
    """The spread of the difference of the scores of two models, from its value on resamples."""
    a, b = designs
    size, df = min(a.size, b.size), min(a.df, b.df)
    variance = spreads.variance_of(differences, difference) * max(a.correction, b.correction)
    # One example on which they differ, so that agreement on a few is no proof of agreement
    # (Agresti and Min 2005).
    variance += 1 / (size + 2) ** 2
    reach = max(float(np.ptp(get_bounds(metric, model.score))) for model in models)
    return spreads.Spread(
        variance, spreads.df_of(df, len(differences)), size, lower=-reach, upper=reach
    )


def _average(parts: Sequence[Contributions], n_models: int) -> Contributions:
    values = np.mean([one.values for one in parts], axis=0)
    exact_p = np.full_like(parts[0].exact_p, np.nan) if len(parts) > 1 else parts[0].exact_p
    return dataclasses.replace(parts[0], values=values, exact_p=exact_p, n_models=n_models)


def _split(values: list | np.ndarray, counts: Sequence[int]) -> list:
    ends = np.cumsum(counts).tolist()
    return [values[end - n : end] for n, end in zip(counts, ends, strict=True)]


def _is_same(one: Coded, other: Coded) -> bool:
    same = one.rows is None and np.array_equal(one.score, other.score)
    if one.pred is None or other.pred is None:
        return same and one.pred is other.pred
    return same and np.array_equal(one.pred, other.pred)
