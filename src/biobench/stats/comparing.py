"""Two models on the same examples: is one better, by how much, and could we have seen it?

comparison = compare(predictions_a, predictions_b, get_metric("macro-f1"))
comparison.difference, comparison.low, comparison.high, comparison.p, comparison.detectable
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl

from biobench.metrics import Metric
from biobench.stats import spread as spreads
from biobench.stats.coded import Coded
from biobench.stats.contributions import Contributions
from biobench.stats.few import FEW_GROUPS
from biobench.stats.intervals import check_options
from biobench.stats.pooled import PairOfDraws, Pooled
from biobench.stats.simultaneous import LEAST_UNITS, adjusted_p

__all__ = ["Comparison", "compare", "too_few_to_differ"]

POWER = 80


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A paired difference (a less b), with low <= difference <= high."""

    score_a: float
    score_b: float
    difference: float
    low: float
    high: float
    p: float
    """two-sided, of no difference."""
    detectable: float | None
    """the smallest true difference that this test set shows at 5% with 80% power; None where its
    units are so few that none can be shown."""
    n: int
    """rows that both models have."""
    n_groups: int
    """units exchanged: groups, or examples where there are no groups."""
    n_left_out: int
    """rows that only one of them has."""
    resampled: str
    """what was exchanged: "groups" or "examples"."""
    warnings: tuple[str, ...] = ()


def compare(
    predictions_a: pl.DataFrame,
    predictions_b: pl.DataFrame,
    metric: Metric,
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    n_permutations: int = 10_000,
    seed: int = 42,
    names: tuple[str, str] = ("the first model", "the second model"),
) -> Comparison:
    """Compare two predictions tables on their common rows.

    Of several training draws (`seeds.join_seeds`) those of the same seed are paired, and interval
    and p are over test sets and draws.
    by_group: resample and exchange groups (a row without one is its own) rather than examples.
    names: what the two are called in errors.
    Raises BadInput where under 95% of the rows are common, or on a table that cannot be scored.
    """
    check_options(confidence, n_resamples)
    tables = dict(zip(names, (predictions_a, predictions_b), strict=True))
    pair = PairOnTask.of(tables, metric, by_group=by_group, n_resamples=n_resamples, seed=seed)
    return pair.comparison(confidence, n_permutations, seed)


@dataclasses.dataclass(frozen=True)
class PairOnTask:
    """Two models' predictions of the same rows, resampled together."""

    coded: Coded
    """the first model's, of one training draw."""
    n_weighty: float
    """how many units of equal weight the units are worth (Kish's number)."""
    pair: PairOfDraws
    contributions: Contributions
    n_left_out: int

    @classmethod
    def of(
        cls,
        tables: Mapping[str, pl.DataFrame],
        metric: Metric,
        *,
        by_group: bool,
        n_resamples: int,
        seed: int,
    ) -> "PairOnTask":
        """Align and resample two tables, given by what their models are called in errors."""
        pooled, n_left_out = Pooled.of(
            tables, metric, by_group=by_group, n_resamples=n_resamples, seed=seed
        )
        coded = pooled.found[0].models[0]
        n_weighty = min(pooled.found[0].designs[0].n_weighty, float(coded.n_units))
        return cls(coded, n_weighty, pooled.pair(0, 1), pooled.contributions(seed), n_left_out)

    @property
    def has_draws(self) -> bool:
        """Whether the models are compared over several training draws."""
        return self.pair.n_draws > 1

    def comparison(self, confidence: float, n_permutations: int, seed: int) -> Comparison:
        """The difference with its interval and p-value."""
        a, b = self.pair.scores
        coded, spread = self.coded, self.pair.crossed.spread(confidence)
        p = float(adjusted_p(self.contributions, n_flips=n_permutations, seed=seed)[0])
        if self.has_draws:
            # Units that are exchanged know nothing of other draws, and t nothing of skewed groups.
            p = max(p, self.pair.crossed.p(a - b))
        low, high = interval_of_difference(a - b, spread, confidence)
        return Comparison(
            score_a=a,
            score_b=b,
            difference=a - b,
            low=low,
            high=high,
            p=p,
            detectable=detectable(spread, coded.n_units),
            n=coded.n,
            n_groups=coded.n_units,
            n_left_out=self.n_left_out,
            resampled="groups" if coded.grouped else "examples",
            warnings=_warnings(coded, self.n_weighty, self.n_left_out),
        )


def interval_of_difference(
    difference: float, spread: spreads.Spread, confidence: float
) -> tuple[float, float]:
    """The interval of a difference with that spread."""
    q = spreads.quantile(confidence, spread.df)
    half = q * spread.variance**0.5 if np.isfinite(q) else np.inf
    low, high = max(spread.lower, difference - half), min(spread.upper, difference + half)
    return float(min(difference, low)), float(max(difference, high))


def detectable(spread: spreads.Spread, n_units: int) -> float | None:
    """The smallest difference that a two-sided test at 5% finds with 80% power.

    None where no difference can be shown with so few units.
    """
    if n_units < LEAST_UNITS:
        return None
    shown = spreads.quantile(95, spread.df) + spreads.quantile(2 * POWER - 100, spread.df)
    return float(min(spread.upper, shown * spread.variance**0.5))


def too_few_to_differ(n_units: int) -> str:
    """Why no two models can be told apart on a test set of so few units."""
    return (
        f"With {n_units} independent {'unit' if n_units == 1 else 'units'} no difference between "
        f"two models can be shown at 5%, however large it is; that takes {LEAST_UNITS}."
    )


def _warnings(coded: Coded, n_weighty: float, n_left_out: int) -> tuple[str, ...]:
    # By the design alone, as of an interval: what so few groups do not show, no test can know.
    found = []
    if coded.grouped and n_weighty < FEW_GROUPS:
        found.append(
            f"Few groups: p and the interval rest on {coded.n_units} cameras, videos or specimens, "
            f"worth {n_weighty:.0f} of equal weight; where a few unlike ones decide which model is "
            "better, they may point the wrong way."
        )
    if coded.n_units < LEAST_UNITS:
        found.append(too_few_to_differ(coded.n_units))
    if n_left_out:
        found.append(f"{n_left_out:,} examples that not every model has are left out.")
    return tuple(found)
