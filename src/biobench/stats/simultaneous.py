"""Which of several models differ? One test of all pairs at once, for ties and for ranks alike.

    p = adjusted_p(contributions, n_flips=10_000, seed=42)     # of each pair
    shown = shown_better(scores, p, level=0.05)                # [m, m]: is i shown better than j?

Under the null of a pair it does not matter which of the two gave which predictions of a unit: the
signs of what units add to their difference are those of a fair coin. All pairs share the coins, and
each is held against the largest statistic of the pairs not yet shown to differ (the step-down
maximum of Romano and Wolf, Econometrica 2005), so that 5% holds for all of a table's claims.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from scipy import special

from biobench.stats.contributions import Contributions, pairs_of

__all__ = [
    "LEAST_UNITS",
    "adjusted_p",
    "flips_for",
    "holm",
    "matrix_of",
    "shown_better",
    "tail_bound",
]

LEAST_UNITS = 6
"""units below which no difference can reach 5%: of 2**5 pairs of opposite signs one is below."""
_ENUMERATED = 13
"""units up to which every assignment of signs is looked at."""
_CELLS = 2**20
"""statistics, or signs, held at a time."""
_TIE = 1e-5
"""two statistics that differ by so small a share of them differ by rounding only."""
_NOTHING = 1e-12
"""what a unit adds to a difference, below which it is rounding only."""
_SKEW = 2.0
"""how much of the observed skewness is corrected for; few units show about half of it."""


def adjusted_p(found: Contributions, *, n_flips: int, seed: int) -> Float64[np.ndarray, " p"]:
    """Two-sided p of each pair, adjusted for all of them (of one pair: its own).

    Exact for up to 13 units that differ; else (b + 1) / (n_flips + 1) of random signs. Never below
    2**(1 - units on which the pair differs), the least that signs can show.
    """
    values = np.where(np.abs(found.values) > _NOTHING, found.values, 0.0)
    differs = np.atleast_1d(values.any(axis=1))
    values = values[differs]
    units = _Units.of(found, differs) if found.grouped else None
    length = np.sqrt(np.sum(values**2, axis=0))
    values /= np.where(length > 0, length, 1.0)
    observed = _statistic(values, np.ones((1, len(values))), units)[0]
    order = np.argsort(-observed, kind="stable")
    observed, values = observed[order], values[:, order]
    few = len(values) <= _ENUMERATED
    n_drawn, n_as_large = 0, np.zeros(len(order))
    n, k = values.shape
    for signs in _all_signs(n, k) if few else _draw_signs(n, k, n_flips, seed):
        statistic = _statistic(values.astype(signs.dtype), signs, units)
        largest = np.maximum.accumulate(statistic[:, ::-1], axis=1)[:, ::-1]
        n_as_large += np.count_nonzero(largest >= observed * (1 - _TIE), axis=0)
        n_drawn += len(signs)
    # The signs that were observed are among all of them, and count as one of those drawn.
    p = n_as_large / n_drawn if few else (n_as_large + 1) / (n_drawn + 1)
    tails = np.ones(len(order)) if few or found.grouped else tail_bound(values.sum(axis=0))
    p = _bound(p, values, found.exact_p[order], tails)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def flips_for(n_pairs: int) -> int:
    """How many random signs to draw: 10,000 for up to some 300 pairs, fewer for very many."""
    return int(np.clip(3_000_000 // max(n_pairs, 1), 2_000, 10_000))


def matrix_of(p: Float64[np.ndarray, " p"], n_models: int) -> Float64[np.ndarray, "m m"]:
    """[m, m] from a value a pair; 1 on the diagonal."""
    whole = np.ones((n_models, n_models))
    first, second = pairs_of(n_models)
    whole[first, second] = whole[second, first] = p
    return whole


def shown_better(
    scores: Float64[np.ndarray, " m"], p: Float64[np.ndarray, "m m"], level: float
) -> Bool[np.ndarray, "m m"]:
    """Whether each model (row) is shown to be better than each other (column)."""
    return (scores[:, None] > scores[None, :]) & (p < level)


def tail_bound(z: Float64[np.ndarray, " p"]) -> Float64[np.ndarray, " p"]:
    """At least P(|sum| >= z) of a sum of values with random signs, whose squares add up to 1.

    P(sum >= z) <= 3.18 P(normal >= z) (Bentkus and Dzindzalieta 2015).
    """
    return np.minimum(1.0, 2 * 3.18 * special.ndtr(-np.abs(z)))


@dataclasses.dataclass(frozen=True)
class _Units:
    """What a group is worth, which is known before anything is predicted."""

    n: int
    """groups, those that do not differ included."""
    weights: Float64[np.ndarray, " u"]
    """of the groups that differ; all together add up to 1."""
    skewness: float
    """of the difference where each group's effect has a skewness of 1, over root n."""

    @classmethod
    def of(cls, found: Contributions, differs: Bool[np.ndarray, " g"]) -> "_Units":
        cubes, squares = np.sum(found.weights**3), np.sum(found.weights**2)
        skewness = float(cubes / squares**1.5) * len(differs) ** 0.5
        return cls(len(differs), found.weights[differs], skewness)


def _statistic(
    values: Float[np.ndarray, "u p"], signs: Float[np.ndarray, "b u"], units: _Units | None
) -> Float[np.ndarray, "b p"]:
    """How far each pair's signed sum lies from 0: studentised, larger is further.

    values: what units add, over the root of the sum of their squares, so that a sum with signs
    orders them as Student's t does. units: None where the sum is the statistic. Of groups, whose
    effects may be skewed, the statistic is Hall's transformation of t (Journal of the Royal
    Statistical Society B 1992), by which a difference that rests on the absence of rare large
    effects to the other side counts for less. The skewness is that of what a group adds for its
    weight: of a few groups of uneven weight the largest alone decide that of the sums.
    """
    total = signs @ values
    if units is None:
        return np.abs(total)
    # By products, not powers: this is most of the work.
    n = units.n
    mean = total * (1 / n)
    variance = np.maximum(1 / n - mean * mean, 1e-5 / n)
    t = mean / np.sqrt(variance)
    each = values / units.weights.astype(values.dtype)[:, None]
    squares = np.sum(values * each, axis=0)
    cubes = signs @ (values * each * each)
    third = cubes - total * (3 * squares - 2 * total * total)
    second = np.maximum(squares - total * total, 1e-5 * np.maximum(squares, 1))
    # A third of the skewness, in Hall's t + skew t^2 / 3 + skew^2 t^3 / 27 + skew / 6n.
    skew = third * (_SKEW / 3 * units.skewness) / (second * np.sqrt(second))
    bent = skew * t
    cubic = t * (1 + bent + bent * bent * (1 / 3)) + skew * (1 / (2 * n))
    return np.maximum(n**0.5 * np.sign(t) * cubic, 0)


def _all_signs(n_units: int, n_pairs: int) -> Iterator[Float64[np.ndarray, "b u"]]:
    """Every assignment of signs in which the first unit's is 1; the others are their opposites."""
    step = _step(n_units, n_pairs)
    n_all = 2 ** max(n_units - 1, 0)
    for start in range(0, n_all, step):
        number = 2 * np.arange(start, min(start + step, n_all))
        yield 1.0 - 2 * (number[:, None] >> np.arange(n_units) & 1)


def _draw_signs(
    n_units: int, n_pairs: int, n_flips: int, seed: int
) -> Iterator[Float32[np.ndarray, "b u"]]:
    rng = np.random.default_rng([seed, 2])
    left = n_flips
    while left:
        step = min(left, _step(n_units, n_pairs))
        n_bits = step * n_units
        bits = np.unpackbits(np.frombuffer(rng.bytes(n_bits // 8 + 1), np.uint8), count=n_bits)
        yield 1 - 2 * bits.reshape(step, n_units).astype(np.float32)
        left -= step


def _step(n_units: int, n_pairs: int) -> int:
    return max(_CELLS // max(n_units, n_pairs, 1), 1)


def _bound(
    p: Float64[np.ndarray, " p"],
    values: Float64[np.ndarray, "u p"],
    exact: Float64[np.ndarray, " p"],
    tails: Float64[np.ndarray, " p"],
) -> Float64[np.ndarray, " p"]:
    """Put p between what a pair's own test says and what is known of the largest of those left."""
    known = ~np.isnan(exact)
    least = np.minimum(2.0 ** (1 - np.count_nonzero(values, axis=0)), 1)
    left = len(p) - np.arange(len(p))
    most = np.where(known & (left == 1), exact, np.minimum(left * tails, 1))
    return np.maximum(np.where(known, exact, least), np.minimum(p, most))


def holm(
    p: Sequence[float] | Float64[np.ndarray, " m"], family: int | None = None
) -> Float64[np.ndarray, " m"]:
    """Holm's adjusted p-values: below 0.05 means significant with a family error of 5%.

    family: the number of tests in the family, where `p` are only some of them; the others count as
        if they were larger, which is on the safe side.
    """
    p = np.asarray(p, np.float64)
    family = len(p) if family is None else family
    order = np.argsort(p, kind="stable")
    scaled = p[order] * (family - np.arange(len(p)))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return adjusted
