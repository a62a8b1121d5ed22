"""Is a difference more than chance? Tests that exchange two models' predictions, and Holm's rule.

    p = exchange_p(Resampler([coded_a, coded_b]), metric, n_permutations=10_000, seed=42)
    adjusted = holm([p, ...])

Where two models are as good as each other, it does not matter which of them gave which prediction:
exchanging the two predictions of any unit leaves the difference's distribution as it is.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64
from scipy import special

from biobench.metrics import Counts, Metric, needs_labels
from biobench.stats.resample import Resampler, multiply

__all__ = ["Exchange", "exchange_p", "holm", "tail_bound"]

_FIRST = 100
"""exchanges drawn first: enough to see that a difference is huge."""
_NEXT = 300, 1000
"""exchanges drawn at a time after that: few of many units, for memory's sake, many of few."""
_CELLS = 2**19
_ENOUGH = 100
"""differences as large as the observed one after which p is known to a tenth of itself."""
_TIE = 1e-12
"""two differences that differ by rounding only are equal."""


class Exchange:
    """Two models' predictions, ready to be exchanged unit by unit."""

    def __init__(self, resampler: Resampler, metric: Metric):
        self.metric = metric
        self.n_drawn = 0
        a, b = resampler.models
        ones = resampler.size[:, None].astype(np.float32)
        self._sides = resampler.counts((a, b), metric.fields, ones)
        self._tallies = {}
        moved = np.zeros(len(resampler.size), bool)
        for name in sorted(metric.fields - {"n_true", "score"}):
            self._tallies[name] = resampler.tally_difference(b, a, name)
            moved |= np.asarray((self._tallies[name] != 0).sum(axis=0)) > 0
        self._shift = np.zeros(len(resampler.size))
        if "score" in metric.fields:
            self._shift = resampler.sum_scores(b) - resampler.sum_scores(a)
            moved |= self._shift != 0
        self._size, self._shift = resampler.size[moved], self._shift[moved]
        self._tallies = {name: tally[:, moved] for name, tally in self._tallies.items()}
        self.observed = float(self.differences(np.zeros((len(self._size), 1), np.float32))[0])

    def exact_p(self) -> float | None:
        """The p-value in closed form where every unit that differs pulls equally hard, else None.

        For 0/1 scores of single examples that is McNemar's exact test.
        """
        if not len(self._size):
            return 1.0
        if self.metric.macro or self.metric.fields not in ({"score"}, {"n_hit"}):
            return None
        pull = self._shift
        if needs_labels(self.metric):
            pull = np.asarray(self._tallies["n_hit"].sum(axis=0), np.float64)
        heavy = pull != 0
        if not heavy.any():
            return 1.0
        if np.ptp(np.abs(pull[heavy])) > 0:
            return None
        n = int(self._size[heavy].sum())
        fewer = int(min(self._size[pull > 0].sum(), self._size[pull < 0].sum()))
        return float(min(1.0, 2 * special.bdtr(fewer, n, 0.5)))

    def get_step(self) -> int:
        """How many exchanges to draw at a time."""
        return int(np.clip(_CELLS // max(len(self._size), 1), *_NEXT))

    def draw(self, n: int, rng: np.random.Generator) -> Float64[np.ndarray, " {n}"]:
        """The difference after each of n random exchanges."""
        self.n_drawn += n
        flips = np.empty((len(self._size), n), np.float32)
        one = self._size == 1
        n_bits = np.count_nonzero(one) * n
        bits = np.unpackbits(np.frombuffer(rng.bytes(n_bits // 8 + 1), np.uint8), count=n_bits)
        flips[one] = bits.reshape(-1, n)
        flips[~one] = rng.binomial(self._size[~one, None], 0.5, (np.count_nonzero(~one), n))
        return self.differences(flips)

    def differences(self, flips: Float32[np.ndarray, "a b"]) -> Float64[np.ndarray, " b"]:
        """Score of the first less score of the second, so many units of each atom exchanged."""
        moved = {name: multiply(tally, flips) for name, tally in self._tallies.items()}
        total = self._shift @ flips
        scores = []
        for side, sign in zip(self._sides, (1, -1), strict=True):
            fields = {name: getattr(side, name) + sign * move for name, move in moved.items()}
            if side.n_true is not None:
                fields["n_true"] = np.broadcast_to(side.n_true, (len(side.n_true), len(total)))
            if side.score is not None:
                fields["score"] = side.score + sign * total
            counts = Counts(np.broadcast_to(side.n, len(total)), **fields)
            scores.append(self.metric.from_counts(counts))
        return scores[0] - scores[1]


def exchange_p(resampler: Resampler, metric: Metric, *, n_permutations: int, seed: int) -> float:
    """Two-sided p-value of the difference of the resampler's two models.

    Exact where it can be; else by up to `n_permutations` random exchanges, fewer where p is large
    and plain to see. Where none of them comes near, p is a bound on the tail of such a sum (Bentkus
    and Dzindzalieta 2015), which is above the true one.
    """
    exchange = Exchange(resampler, metric)
    p = exchange.exact_p()
    if p is not None:
        return p
    rng = np.random.default_rng([seed, 2])
    observed = abs(exchange.observed) - _TIE
    squares, variance, n_as_large = 0.0, 0.0, 0
    while exchange.n_drawn < n_permutations and n_as_large < _ENOUGH:
        step = exchange.get_step() if exchange.n_drawn else _FIRST
        drawn = np.abs(exchange.draw(min(step, n_permutations - exchange.n_drawn), rng))
        squares += float(drawn @ drawn)
        n_as_large += int(np.count_nonzero(drawn >= observed))
        # Two standard errors larger than it is likely to be.
        variance = squares / exchange.n_drawn * (1 + 2 * (2 / exchange.n_drawn) ** 0.5)
        if not n_as_large and tail_bound(observed, variance) < 1e-4:
            break
    p = (n_as_large + 1) / (exchange.n_drawn + 1)
    return p if n_as_large else min(p, tail_bound(observed, variance))


def tail_bound(observed: float, variance: float) -> float:
    """At least the two-sided p-value of a sum of exchanged differences of that variance."""
    if variance == 0:
        return 1.0
    # P(sum >= x) <= 3.18 P(normal >= x) for sums of independent symmetric two-valued variables.
    return float(min(1.0, 2 * 3.18 * special.ndtr(-observed / variance**0.5)))


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
