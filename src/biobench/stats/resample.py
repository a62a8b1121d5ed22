"""Resampling by counts: how often each distinct (truth, prediction, score) was drawn.

    resampler = Resampler(coded)
    resampler.score(metric)                          # float
    resampler.replicates(metric, 500, seed)          # the score of each of 500 resamples

A resample gives every unit a whole number of copies, drawn independently with mean 1 and variance 1
(the Poisson bootstrap; docs/statistics.md says why not the multinomial one). Units that look the
same to a metric are drawn together, as one number of copies for all of them, which is why 500
resamples of 31,118 examples take milliseconds.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8
from scipy import sparse, stats

from biobench.interfaces import Example
from biobench.metrics import Counts, Metric
from biobench.stats.coded import Coded

__all__ = ["Resampler", "draw_copies", "rarity_of_units"]

N_LEVELS = 8
"""steps between the Poisson law of a unit's copies (0) and the law of a lone unit (N_LEVELS)."""


class Resampler:
    """Draws resamples of one set of predictions and scores them.

    An *atom* is a set of units that no metric can tell apart; `size` says how many units it has.
    """

    def __init__(self, coded: Coded):
        self.coded = coded
        self.atom_of_unit, self.first_unit = _merge_units(coded)
        self.size = np.bincount(self.atom_of_unit)
        self.level = rarity_of_units(coded)[self.first_unit]
        self._rows = _rows_of_units(coded, self.first_unit, self.atom_of_unit)

    def score(self, metric: Metric) -> float:
        """The metric's score of the predictions themselves."""
        return float(self._score_copies(metric, self.size[:, None].astype(np.float32))[0])

    def replicates(self, metric: Metric, n_resamples: int, seed: int) -> Float64[np.ndarray, " b"]:
        """The metric's score of each resample."""
        return self._score_copies(metric, draw_copies(self.size, self.level, n_resamples, seed))

    def replicates_of_callable(
        self,
        metric: Callable[[Sequence[Example]], float],
        examples: Sequence[Example],
        n_resamples: int,
        seed: int,
    ) -> Float64[np.ndarray, " b"]:
        """Any function's value on each resample: the same resamples as `replicates` draws."""
        copies = draw_copies(self.size, self.level, n_resamples, seed).astype(np.int64)
        rng = np.random.default_rng([seed, 1])
        members = np.argsort(self.atom_of_unit, kind="stable")
        start = np.cumsum(self.size) - self.size
        values = np.empty(n_resamples)
        for b in range(n_resamples):
            drawn = np.repeat(np.arange(len(self.size)), copies[:, b])
            units = members[start[drawn] + rng.integers(0, self.size[drawn])]
            values[b] = metric([examples[i] for i in units])
        return values

    def _score_copies(
        self, metric: Metric, copies: Float32[np.ndarray, "a b"]
    ) -> Float64[np.ndarray, " b"]:
        coded, rows, atoms = self.coded, *self._rows
        counts: dict[str, np.ndarray] = {}
        ones = np.ones(len(rows), np.float32)
        if metric.fields:
            true, pred = coded.true[rows], coded.pred[rows]
            codes = {"n_true": true, "n_pred": pred, "n_hit": np.where(true == pred, true, -1)}
            for name in metric.fields:
                keep = codes[name] >= 0
                matrix = sparse.csr_array(
                    (ones[keep], (codes[name][keep], atoms[keep])),
                    shape=(coded.n_classes, len(self.size)),
                )
                # Ratios of whole numbers, to the last digit as the plain loop makes them.
                counts[name] = (matrix @ copies).astype(np.float64)
        per_atom = np.bincount(atoms, minlength=len(self.size)).astype(np.float32)
        n = (per_atom @ copies).astype(np.float64)
        total = np.bincount(atoms, coded.score[rows], minlength=len(self.size)) @ copies
        return np.asarray(metric.from_counts(Counts(n=n, score=total, **counts)), np.float64)


def draw_copies(
    size: Int64[np.ndarray, " a"], level: Int64[np.ndarray, " a"], n_resamples: int, seed: int
) -> Float32[np.ndarray, "a {n_resamples}"]:
    """How many copies of each atom's units every resample has, in whole numbers.

    size: units of the atom. level: the law of its units' copies, 0 to N_LEVELS.
    """
    rng = np.random.default_rng(seed)
    copies = np.empty((len(size), n_resamples), np.float32)
    kind = np.where(size == 1, -level, size)
    for one in np.unique(kind):
        atoms = np.flatnonzero(kind == one)
        shape = (len(atoms), n_resamples)
        if one <= 0:
            table = _law(int(-one)).tobytes()
            drawn = np.frombuffer(rng.bytes(shape[0] * shape[1]).translate(table), np.uint8)
        elif one <= 200:
            table = _sum_of_law(int(one), int(level[atoms[0]]))
            drawn = table[rng.integers(0, 2**16, shape[0] * shape[1], np.uint16)]
        else:
            drawn = rng.poisson(one, shape[0] * shape[1])
        copies[atoms] = drawn.reshape(shape)
    empty = copies.max(axis=0, initial=0) == 0
    copies[:, empty] = size[:, None]
    return copies


def rarity_of_units(coded: Coded) -> Int64[np.ndarray, " units"]:
    """The law of each unit's copies, by how few units share its classes."""
    if coded.true is None:
        return np.zeros(coded.n_units, np.int64)
    # How many equally large units would estimate the class as well as its units do (Kish).
    pairs, count = np.unique(coded.true * coded.n_units + coded.unit, return_counts=True)
    n = np.bincount(coded.true, minlength=coded.n_classes)
    squares = np.bincount(pairs // coded.n_units, count**2.0, minlength=coded.n_classes)
    effective = n**2 / squares
    rarity = np.interp(effective, [1, 2, 3], [N_LEVELS, 0.45 * N_LEVELS, 0])[coded.true]
    weight = 1 / n[coded.true]
    mean = np.bincount(coded.unit, weight * rarity) / np.bincount(coded.unit, weight)
    return np.rint(mean).astype(np.int64)


@functools.cache
def _law(level: int) -> UInt8[np.ndarray, " 256"]:
    # Whole counts out of 256 with mean 1 and variance 1 exactly: those of three copies and more
    # follow the mixture of Poisson(1) and {0, 2}, the rest is solved for.
    c3, c4, c5 = (round(c * (1 - level / N_LEVELS)) for c in (16, 4, 1))
    c2 = (256 - 6 * c3 - 12 * c4 - 20 * c5) // 2
    c1 = 256 - 2 * c2 - 3 * c3 - 4 * c4 - 5 * c5
    c0 = 256 - c1 - c2 - c3 - c4 - c5
    return np.repeat(np.arange(6, dtype=np.uint8), [c0, c1, c2, c3, c4, c5])


@functools.cache
def _sum_of_law(size: int, level: int) -> Float32[np.ndarray, " 65536"]:
    if level:
        one = np.bincount(_law(level)) / 256
        mass = one
        for _ in range(size - 1):
            mass = np.convolve(mass, one)
        cdf = np.cumsum(mass)
    else:
        cdf = stats.poisson.cdf(np.arange(size + 12 * int(size**0.5) + 12), size)
    edges = np.rint(cdf * 2**16).astype(np.int64)
    edges[-1] = 2**16
    repeats = np.diff(edges, prepend=0)
    return np.repeat(np.arange(len(repeats), dtype=np.float32), repeats)


def _merge_units(coded: Coded) -> tuple[Int64[np.ndarray, " units"], Int64[np.ndarray, " atoms"]]:
    if coded.n_units < coded.n:
        every = np.arange(coded.n_units, dtype=np.int64)
        return every, every
    _, key = np.unique(coded.score, return_inverse=True)
    if coded.true is not None:
        key = (key * coded.n_classes + coded.true) * (coded.n_classes + 1) + coded.pred + 1
    by_unit = np.empty(coded.n, np.int64)
    by_unit[coded.unit] = key
    _, first, atom = np.unique(by_unit, return_index=True, return_inverse=True)
    return atom, first


def _rows_of_units(
    coded: Coded, first: Int64[np.ndarray, " atoms"], atom: Int64[np.ndarray, " units"]
) -> tuple[Int64[np.ndarray, " rows"], Int64[np.ndarray, " rows"]]:
    # The rows of one unit of each atom, and the atom that each belongs to.
    chosen = np.zeros(coded.n_units, bool)
    chosen[first] = True
    rows = np.flatnonzero(chosen[coded.unit])
    return rows, atom[coded.unit[rows]]
