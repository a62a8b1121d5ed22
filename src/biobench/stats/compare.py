"""Two models on the same examples: is one better, by how much, and could we have seen it?

comparison = compare(predictions_a, predictions_b, get_metric("macro-f1"))
comparison.difference, comparison.low, comparison.high, comparison.p, comparison.detectable
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench.metrics import Metric, get_bounds
from biobench.stats import spread as spreads
from biobench.stats.align import align
from biobench.stats.coded import Coded, code_models
from biobench.stats.contributions import Contributions, contributions_of
from biobench.stats.intervals import FEW_GROUPS, check_labels, check_options
from biobench.stats.resample import Resampler
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
    """the first model's."""
    scores: tuple[float, float]
    spread: spreads.Spread
    """of the difference."""
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
        aligned, n_left_out = align(tables)
        models = code_models(aligned, by_group=by_group, metric=metric)
        check_labels(models[0], metric)
        resampler = Resampler(models)
        a, b = map(float, resampler.scores(metric))
        replicates = resampler.replicates(metric, n_resamples, seed)
        spread = spread_of_difference(models, metric, replicates[0] - replicates[1], a - b)
        contributions = contributions_of(models, metric, seed)
        return cls(models[0], (a, b), spread, contributions, n_left_out)

    def comparison(self, confidence: float, n_permutations: int, seed: int) -> Comparison:
        """The difference with its interval and p-value."""
        a, b = self.scores
        coded = self.coded
        low, high = interval_of_difference(a - b, self.spread, confidence)
        return Comparison(
            score_a=a,
            score_b=b,
            difference=a - b,
            low=low,
            high=high,
            p=float(adjusted_p(self.contributions, n_flips=n_permutations, seed=seed)[0]),
            detectable=detectable(self.spread, coded.n_units),
            n=coded.n,
            n_groups=coded.n_units,
            n_left_out=self.n_left_out,
            resampled="groups" if coded.grouped else "examples",
            warnings=_warnings(coded, self.n_left_out),
        )


def spread_of_difference(
    models: Sequence[Coded],
    metric: Metric,
    differences: Float64[np.ndarray, " b"],
    difference: float,
) -> spreads.Spread:
    """The spread of the difference of the scores of two models, from its value on resamples."""
    a, b = (spreads.design_of(model, metric) for model in models)
    size, df = min(a.size, b.size), min(a.df, b.df)
    variance = spreads.variance_of(differences, difference) * max(a.correction, b.correction)
    # One example on which they differ, so that agreement on a few is no proof of agreement
    # (Agresti and Min 2005).
    variance += 1 / (size + 2) ** 2
    reach = max(np.ptp(get_bounds(metric, model.score)) for model in models)
    return spreads.Spread(
        variance, spreads.df_of(df, len(differences)), size, lower=-reach, upper=reach
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


def _warnings(coded: Coded, n_left_out: int) -> tuple[str, ...]:
    found = []
    if coded.grouped and coded.n_units < FEW_GROUPS:
        found.append(f"Only {coded.n_units} groups: p and the interval rest on so few.")
    if coded.n_units < LEAST_UNITS:
        found.append(too_few_to_differ(coded.n_units))
    if n_left_out:
        found.append(f"{n_left_out:,} examples that not every model has are left out.")
    return tuple(found)
