"""Resampling by counts: how often each distinct (truth, prediction, score) was drawn.

    resampler = Resampler([coded])
    resampler.scores(metric)                          # [1] the score of the predictions
    resampler.replicates(metric, 500, seed)           # [1, 500] the score of each resample

A resample gives every unit a whole number of copies, drawn independently from Poisson(1): the
Poisson bootstrap, equal to the multinomial one but for the resample's size, which a score is
divided by anyway. Units that look the same to a metric are drawn together, as one number of copies
for all of them, which is why 500 resamples of 31,118 examples take milliseconds. Several models on
the same examples share every draw.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8
from scipy import sparse, special

from biobench.contract import Example
from biobench.metrics import (
    OF_TRUTH,
    SUM,
    Counts,
    Metric,
    code_rows,
    needs_rows,
    needs_scores,
)
from biobench.stats.coded import Coded
from biobench.stats.products import LabelCounter

__all__ = ["Resampler", "draw_copies", "multiply"]

_BLOCK = 4096
"""atoms whose copies are held in double precision at once."""
_SOME = 256
"""atoms that are looked at first."""
_SMALL = 100_000
"""cells of a table of codes by atoms that is kept dense."""
Tally = sparse.csr_array | Float32[np.ndarray, "c a"]


class Resampler:
    """Draws resamples of the predictions of one or more models on the same rows and scores them.

    An *atom* is a set of units that no metric can tell apart; `size` says how many units it has,
    and `rows` are the rows of one unit of every atom, `atoms` the atom each of them belongs to.
    """

    def __init__(self, models: Sequence[Coded]):
        self.models = models
        self.atom_of_unit, first = _merge_units(models)
        self.size = np.bincount(self.atom_of_unit).astype(np.int64)
        chosen = np.zeros(models[0].n_units, bool)
        chosen[first] = True
        self.rows = np.flatnonzero(chosen[models[0].unit])
        self.atoms = self.atom_of_unit[models[0].unit[self.rows]]

    def scores(self, metric: Metric) -> Float64[np.ndarray, " m"]:
        """The metric's score of each model's predictions."""
        return self.score_copies(metric, self.size[:, None].astype(np.float32))[:, 0]

    def draw(self, n_resamples: int, seed: int) -> Float32[np.ndarray, "a {n_resamples}"]:
        """How many copies of its units each atom has in each resample."""
        return draw_copies(self.size, n_resamples, seed)

    def replicates(
        self, metric: Metric, n_resamples: int, seed: int
    ) -> Float64[np.ndarray, "m {n_resamples}"]:
        """The metric's score of each model on each resample; the models share the resamples.

        A resample that has no score, as an area under a curve has none without examples of both
        kinds, gets that of the predictions.
        """
        found = self.score_copies(metric, self.draw(n_resamples, seed))
        if np.isfinite(found).all():
            return found
        return np.where(np.isfinite(found), found, self.scores(metric)[:, None])

    def replicates_of_callable(
        self,
        metric: Callable[[Sequence[Example]], float],
        examples: Sequence[Example],
        n_resamples: int,
        seed: int,
    ) -> Float64[np.ndarray, " {n_resamples}"]:
        """Any function's value on each resample: the same resamples that `replicates` draws.

        examples: those that the (one) model was coded from, each a unit.
        """
        copies = draw_copies(self.size, n_resamples, seed).astype(np.int64)
        rng = np.random.default_rng([seed, 1])
        members = np.argsort(self.atom_of_unit, kind="stable")
        start = np.cumsum(self.size) - self.size
        values = np.empty(n_resamples)
        for b in range(n_resamples):
            drawn = np.repeat(np.arange(len(self.size)), copies[:, b])
            units = members[start[drawn] + rng.integers(0, self.size[drawn])]
            values[b] = metric([examples[i] for i in units])
        return values

    def tally(self, code: Int64[np.ndarray, " rows"], n_codes: int) -> Tally:
        """[n_codes, atoms]: rows of each code in one unit of each atom; codes below 0 are left."""
        keep = code >= 0
        code, atoms, shape = code[keep], self.atoms[keep], (n_codes, len(self.size))
        if n_codes * len(self.size) <= _SMALL:
            # Of a small table a sparse matrix is mostly overhead.
            cells = np.bincount(code * shape[1] + atoms, minlength=shape[0] * shape[1])
            return cells.reshape(shape).astype(np.float32)
        ones = np.ones(len(code), np.float32)
        return sparse.csr_array((ones, (code, atoms)), shape=shape)

    def _codes(self, model: Coded, name: str) -> Int64[np.ndarray, " rows"]:
        assert model.true is not None and model.pred is not None
        return code_rows(name, model.true[self.rows], model.pred[self.rows])

    def sum_scores(self, model: Coded) -> Float64[np.ndarray, " a"]:
        """The sum of the scores in one unit of each atom."""
        return np.bincount(self.atoms, model.score[self.rows], minlength=len(self.size))

    def score_copies(
        self, metric: Metric, copies: Float32[np.ndarray, "a b"]
    ) -> Float64[np.ndarray, "m b"]:
        """The metric's score of each model where each atom has so many copies."""
        # What all models share is counted once.
        shared = self.counts(self.models[:1], metric.fields & OF_TRUTH, copies)[0]
        scores = np.empty((len(self.models), copies.shape[1]))
        if needs_rows(metric):
            weights = copies[self.atoms]
            for i, model in enumerate(self.models):
                counts = Counts(n=shared.n, weights=weights, rows=model.rows)
                scores[i] = metric.from_counts(counts)
            return scores
        totals = self._totals(self.models, copies) if needs_scores(metric) else None
        for i, own in enumerate(self._each_label_counts(metric.fields - OF_TRUTH, copies)):
            total = None if totals is None else totals[i]
            scores[i] = metric.from_counts(dataclasses.replace(shared, score=total, **own))
        return scores

    def _each_label_counts(
        self, fields: frozenset[str], copies: Float32[np.ndarray, "a b"]
    ) -> Iterator[dict[str, Float64[np.ndarray, "c b"]]]:
        """Of each model in turn, which may overwrite those of the one before."""
        names = fields - {SUM}
        if names and len(self.rows) == self.models[0].n and len(self.models) > 1:
            return LabelCounter(self.models, self.atoms).count(copies, names)
        return (self._label_counts(model, names, copies) for model in self.models)

    def counts(
        self, models: Sequence[Coded], fields: frozenset[str], copies: Float32[np.ndarray, "a b"]
    ) -> list[Counts]:
        """What a metric needs to know of each resample of each of the models."""
        n_rows = np.bincount(self.atoms, minlength=len(self.size)).astype(np.float32)
        n = (n_rows @ copies).astype(np.float64)
        totals = self._totals(models, copies) if SUM in fields else [None] * len(models)
        return [
            Counts(n=n, score=total, **self._label_counts(model, fields, copies))
            for model, total in zip(models, totals, strict=True)
        ]

    def _totals(
        self, models: Sequence[Coded], copies: Float32[np.ndarray, "a b"]
    ) -> Float64[np.ndarray, "m b"]:
        sums = np.stack([self.sum_scores(model) for model in models])
        if np.array_equal(sums, np.rint(sums)):
            # Sums of whole numbers below 2**24 are exact in single precision.
            return (sums.astype(np.float32) @ copies).astype(np.float64)
        total = np.zeros((len(models), copies.shape[1]))
        for start in range(0, len(self.size), _BLOCK):
            block = slice(start, start + _BLOCK)
            total += sums[:, block] @ copies[block].astype(np.float64)
        return total

    def _label_counts(
        self, model: Coded, fields: frozenset[str], copies: Float32[np.ndarray, "a b"]
    ) -> dict[str, Float64[np.ndarray, "c b"]]:
        return {
            name: multiply(self.tally(self._codes(model, name), model.n_classes), copies)
            for name in sorted(fields - {SUM})
        }


def draw_copies(
    size: Int64[np.ndarray, " a"], n_resamples: int, seed: int
) -> Float32[np.ndarray, "a {n_resamples}"]:
    """How many copies of its units each atom has in each resample, in whole numbers.

    size: the number of units of each atom. No resample is empty: one that would be is the original.
    """
    rng = np.random.default_rng(seed)
    copies = np.empty((len(size), n_resamples), np.float32)
    for one in np.unique(size):
        atoms = np.flatnonzero(size == one)
        n = len(atoms) * n_resamples
        if one == 1:
            drawn = np.frombuffer(rng.bytes(n).translate(_copies_of_one().tobytes()), np.uint8)
        elif one <= 200:
            drawn = _copies_of_many(int(one))[rng.integers(0, 2**16, n, np.uint16)]
        else:
            drawn = rng.poisson(one, n)
        drawn = drawn.reshape(len(atoms), n_resamples)
        copies[atoms if len(atoms) < len(size) else slice(None)] = drawn
    empty = np.flatnonzero(copies[:_SOME].max(axis=0, initial=0) == 0)
    empty = empty[copies[:, empty].max(axis=0, initial=0) == 0]
    copies[:, empty] = size[:, None]
    return copies


@functools.cache
def _copies_of_one() -> UInt8[np.ndarray, " 256"]:
    # Poisson(1) in 256ths, so that one byte is one draw: mean 1 and variance 1 exactly.
    return np.repeat(np.arange(6, dtype=np.uint8), [94, 95, 46, 16, 4, 1])


@functools.cache
def _copies_of_many(size: int) -> Float32[np.ndarray, " 65536"]:
    cdf = special.pdtr(np.arange(size + 12 * int(size**0.5) + 12), size)
    edges = np.rint(cdf * 2**16).astype(np.int64)
    edges[-1] = 2**16
    repeats = np.diff(edges, prepend=0)
    return np.repeat(np.arange(len(repeats), dtype=np.float32), repeats)


def multiply(tally: Tally, copies: Float32[np.ndarray, "a b"]) -> Float64[np.ndarray, "c b"]:
    """Counts of each code in each resample."""
    # In double, so that ratios of whole numbers agree with the plain loop's to the last digit.
    return (tally @ copies).astype(np.float64)


def _merge_units(
    models: Sequence[Coded],
) -> tuple[Int64[np.ndarray, " units"], Int64[np.ndarray, " atoms"]]:
    # The atom of each unit, and one unit of each atom.
    one = models[0]
    if one.n_units < one.n or len(models) > 2 or one.rows is not None:
        every = np.arange(one.n_units, dtype=np.int64)
        return every, every
    key = np.zeros(one.n, np.int64)
    for model in models:
        _, code = np.unique(model.score, return_inverse=True)
        _, key = np.unique(key * (code.max() + 1) + code, return_inverse=True)
        if one.true is not None and model.pred is not None:
            key = (key * one.n_classes + one.true) * (one.n_classes + 1) + model.pred + 1
    by_unit = np.empty(one.n, np.int64)
    by_unit[one.unit] = key
    _, first, atom = np.unique(by_unit, return_index=True, return_inverse=True)
    return atom.astype(np.int64), first.astype(np.int64)
