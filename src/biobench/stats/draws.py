"""Several training draws of one model: what their mean score is worth.

    crossed = cross(scores, spreads, deviations)   # of S seeds on one test set
    crossed.spread()                               # of the mean over the seeds, for its interval
    crossed.p(difference)                          # where scores are differences of two models

Where few examples are trained on, another training draw moves the score as another test set does. A
seed is a training draw, and all of a model's draws answer the same test examples: a crossed design
of two random factors. The score of draw s on test example i is taken apart as

    score[i, s] = mean + example[i] + draw[s] + interaction[i, s]

so that the mean over n examples and S draws has the variance

    var(example) / n + var(draw) / S + var(interaction) / (n S)

The variance of the draws' scores *on the given test set* estimates var(draw) + var(interaction)/n,
hence 1/S of it holds the second and the third term. What is left, the first, is the covariance over
test sets of two draws' scores. The variance of the averaged scores over test sets would count the
interaction a second time. This is the analysis of several readers of the same medical images
(Obuchowski and Rockette 1995; Hillis 2014) with training draws for readers.

The two parts are known with unlike degrees of freedom, S - 1 and the test set's. Their intervals
are put together as Banerjee (1960) does: the squared half-width is the sum of each part times its
own squared quantile. That covers at least what it says at every level, which Satterthwaite's
degrees of freedom do not (docs/statistics.md has both in a simulation).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy import optimize, special

from biobench.stats.spread import Spread, quantile

__all__ = ["Crossed", "average", "cross"]

_LEAST_P = 1e-300


@dataclasses.dataclass(frozen=True)
class Crossed:
    """The variance of a mean over training draws, in its two independent parts."""

    test: float
    """what other test sets would change: the covariance of two draws' scores."""
    df_test: float
    draws: float
    """what other draws would change, the interaction included: 1/S of the draws' variance."""
    df_draws: float
    """one less than the number of draws; 0 where there is a single one, of which nothing is known.
    """
    size: float
    """as `Spread.size`."""
    lower: float = 0.0
    upper: float = 1.0

    @property
    def variance(self) -> float:
        """Of the mean over the draws."""
        return self.test + self.draws

    def half_width(self, confidence: float) -> float:
        """How far an interval of that confidence (percent) reaches to each side."""
        return sum(q * q * v for q, v in self._parts(confidence)) ** 0.5

    def p(self, difference: float) -> float:
        """Two-sided p-value of a mean that would be 0: 1 less the confidence that just reaches it.

        Where `cross` was given differences of two models.
        """
        if difference == 0 or self.variance == 0:
            return 1.0 if difference == 0 else _LEAST_P

        def beyond(log_p: float) -> float:
            parts = (
                (_upper_quantile(np.exp(log_p) / 2, df), variance)
                for df, variance in ((self.df_test, self.test), (self.df_draws, self.draws))
                if variance > 0
            )
            return sum(q * q * v for q, v in parts) - difference**2

        least = np.log(_LEAST_P)
        if beyond(least) <= 0:
            return _LEAST_P
        return float(np.exp(optimize.brentq(beyond, least, 0.0, xtol=1e-10)))

    def spread(self, confidence: float = 95) -> Spread:
        """As a variance with the degrees of freedom that give the same interval."""
        df = self._df(confidence) if 0 < confidence < 100 else self._df(95)
        return Spread(self.variance, df, self.size, self.lower, self.upper)

    def _df(self, confidence: float) -> float:
        if self.draws == 0:
            return self.df_test
        if self.test == 0:
            return self.df_draws
        wanted = self.half_width(confidence) / self.variance**0.5
        low, high = sorted((self.df_draws, min(self.df_test, 1e9)))

        def beyond(log_df: float) -> float:
            return quantile(confidence, float(np.exp(log_df))) - wanted

        ends = np.log(low), np.log(high)
        if beyond(ends[0]) <= 0 or low == high:
            return float(low)
        if beyond(ends[1]) >= 0:
            return float(high)
        return float(np.exp(optimize.brentq(beyond, *ends, xtol=1e-10)))

    def _parts(self, confidence: float) -> list[tuple[float, float]]:
        return [
            (quantile(confidence, df), variance)
            for df, variance in ((self.df_test, self.test), (self.df_draws, self.draws))
            if variance > 0
        ]


def cross(
    scores: Float64[np.ndarray, " s"],
    spreads: Sequence[Spread],
    deviations: Float64[np.ndarray, "s k"],
) -> Crossed:
    """The variance of the mean of the scores of S training draws on one test set.

    scores: of each draw; or the differences of two models that were trained on the same draw.
    spreads: of each of them over test sets. deviations: how they move together where the test set
    changes: each one's value on k shared resamples, or what each of k units contributes to it.
    """
    own = float(np.mean([one.variance for one in spreads]))
    return Crossed(
        test=own * _alike(deviations),
        df_test=min(one.df for one in spreads),
        draws=float(np.var(scores, ddof=1)) / len(scores) if len(scores) > 1 else 0.0,
        df_draws=float(len(scores) - 1),
        size=float(np.mean([one.size for one in spreads])),
        lower=min(one.lower for one in spreads),
        upper=max(one.upper for one in spreads),
    )


def average(parts: Sequence[Crossed]) -> Crossed:
    """The variance of the mean over several tasks, whose test sets and draws are independent."""
    test, df_test = _add([(one.test, one.df_test) for one in parts])
    draws, df_draws = _add([(one.draws, one.df_draws) for one in parts])
    squared = len(parts) ** 2
    return Crossed(
        test=test / squared,
        df_test=df_test,
        draws=draws / squared,
        df_draws=df_draws,
        size=sum(one.size for one in parts),
        lower=min(one.lower for one in parts),
        upper=max(one.upper for one in parts),
    )


def _add(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The sum of variances of the same kind, with Satterthwaite's degrees of freedom."""
    known = [(variance, df) for variance, df in parts if variance > 0]
    if not known:
        return 0.0, 0.0
    total = sum(variance for variance, _ in known)
    below = sum(variance**2 / df for variance, df in known)
    return total, total**2 / below if below > 0 else np.inf


def _alike(deviations: Float64[np.ndarray, "s k"]) -> float:
    """The covariance of two draws over their variance, 0 to 1; 1 where nothing is known of it."""
    n_draws, k = deviations.shape
    if n_draws == 1 or k == 1:
        return 1.0
    centred = deviations - deviations.mean(axis=1, keepdims=True)
    own = float(np.sum(centred**2))
    if own == 0:
        return 1.0
    together = float(np.sum(centred.sum(axis=0) ** 2))
    # The variance of a sum is the sum of the variances and twice that of the covariances.
    return float(np.clip((together - own) / (own * (n_draws - 1)), 0, 1))


def _upper_quantile(p: float, df: float) -> float:
    """What a t variable is above with probability p, to the last digit where p is tiny."""
    return float(-special.ndtri(p) if np.isinf(df) else -special.stdtrit(df, p))
