"""What each unit of a test set adds to the difference of each two models' scores.

    found = contributions_of([coded_a, coded_b, ...], MacroF1(), seed=42)
    found.values.sum(axis=0)        # the difference of each pair, in the order of `pairs_of`

Exchanging two models' predictions of a unit turns the sign of what it adds. For a mean and for
macro-accuracy that is so exactly. A score that is no sum (macro-F1) is taken by its tangent at the
counts half way between the two models: an exchange leaves these as they are, so the test that
exchanges is exact, and the difference is wrong to the third order only.
"""

import dataclasses
import typing
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64
from scipy import sparse, special

from biobench.metrics import (
    LABEL_COUNTS,
    SUM,
    Counts,
    HasSlopes,
    Metric,
    WeightedMetric,
    list_own_counts,
    needs_scores,
)
from biobench.stats.coded import Coded

__all__ = [
    "Contributions",
    "contributions_of",
    "gradient",
    "mean_of",
    "most_units",
    "pairs_of",
]

_CELLS = 600_000
"""units by pairs above which several units, chosen by chance, are exchanged as one."""

_SMALL = 200_000
"""cells of a table of units by classes that are all counted."""


@dataclasses.dataclass(frozen=True)
class Contributions:
    """What `u` units add to the differences of `p` pairs of models."""

    values: Float64[np.ndarray, "u p"]
    exact_p: Float64[np.ndarray, " p"]
    """McNemar's exact p-value where the test is his, else nan."""
    n_models: int
    grouped: bool
    """whether a unit has several rows, so that what it adds may be skewed."""
    n_units: int
    """units of the test set, before any were merged."""
    weights: Float64[np.ndarray, " u"]
    """what part of the score each unit has, by its examples alone; they add up to 1."""

    def of_models(self, at: Sequence[int]) -> "Contributions":
        """Those of the models at these (increasing) places."""
        kept = np.isin(pairs_of(self.n_models), at).all(axis=0)
        return dataclasses.replace(
            self, values=self.values[:, kept], exact_p=self.exact_p[kept], n_models=len(at)
        )

    def merge(self, most: int, seed: int) -> "Contributions":
        """The same in at most so many blocks of units, drawn by chance.

        To exchange a block as a whole is one of the exchanges of its units, so the test stays
        exact; it only has fewer of them.
        """
        n, n_pairs = self.values.shape
        if n <= most:
            return self
        merged = _blocks(n, most, seed)
        values = np.zeros((most, n_pairs))
        np.add.at(values, merged, self.values)
        weights = np.bincount(merged, self.weights, most)
        return dataclasses.replace(self, values=values, weights=weights)


def pairs_of(n_models: int) -> Int64[np.ndarray, "2 p"]:
    """The models of each pair, the first the earlier one."""
    return np.stack(np.triu_indices(n_models, 1)).astype(np.int64)


def most_units(n_models: int) -> int:
    """How many units are exchanged at most: 1,000 of up to some 35 models, 200 of very many."""
    n_pairs = n_models * (n_models - 1) // 2
    return int(np.clip(_CELLS // max(n_pairs, 1), 200, 1000))


def contributions_of(models: Sequence[Coded], metric: Metric, seed: int) -> Contributions:
    """What the units add to the difference of each pair of models of the same rows."""
    one = models[0]
    n_blocks = min(one.n_units, most_units(len(models)))
    block = _blocks(one.n_units, n_blocks, seed)[one.unit]
    first, second = pairs_of(len(models))
    weights = np.bincount(block, _weigh(one, metric), n_blocks)
    known = (len(models), one.n_units < one.n, one.n_units, weights)
    if isinstance(metric, WeightedMetric):
        each_model = _of_weighted(models, metric, block, n_blocks)
        values = each_model[:, first] - each_model[:, second]
        return Contributions(values, np.full(len(first), np.nan), *known)
    names = _list_counts(metric)
    counts = [_counts(model, metric) for model in models]
    own = [gradient(metric, each) for each in counts]
    exact = np.full(len(first), np.nan)
    if all(np.array_equal(getattr(own[0], n), getattr(each, n)) for each in own for n in names):
        each_model = _of_each_model(models, own[0], names, block, n_blocks)
        values = each_model[:, first] - each_model[:, second]
        if one.n_units == one.n and not metric.macro:
            exact = _mcnemar(models, needs_scores(metric))
    else:
        values = _at_half_way(models, metric, counts, names, block, n_blocks)
    return Contributions(values, exact, *known)


def mean_of(tasks: Sequence[Contributions], seed: int) -> Contributions:
    """Of the mean over tasks, whose units are those of all of them."""
    most = max(most_units(tasks[0].n_models) // len(tasks), 1)
    merged = [one.merge(most, seed) for one in tasks]
    alone = len(tasks) == 1
    return Contributions(
        values=np.concatenate([one.values for one in merged]) / len(tasks),
        exact_p=tasks[0].exact_p if alone else np.full_like(tasks[0].exact_p, np.nan),
        n_models=tasks[0].n_models,
        grouped=any(one.grouped for one in tasks),
        n_units=sum(one.n_units for one in tasks),
        weights=np.concatenate([one.weights for one in merged]) / len(tasks),
    )


def gradient(metric: Metric, counts: Counts) -> Counts:
    """The metric's derivative by its counts of predictions, at each of `b` samples.

    Its own `slopes` where it has them, else central differences of half an example.
    """
    if isinstance(metric, HasSlopes):
        return metric.slopes(counts)
    found = {}
    for name in _list_counts(metric):
        whole = getattr(counts, name)
        at = np.atleast_2d(whole).astype(np.float64)
        slope = np.empty_like(at)
        for row in range(len(at)):
            sides = []
            for step in (0.5, -0.5):
                moved = at.copy()
                moved[row] += step
                moved = moved.reshape(whole.shape)
                sides.append(metric.from_counts(dataclasses.replace(counts, **{name: moved})))
            slope[row] = sides[0] - sides[1]
        found[name] = slope.reshape(whole.shape)
    return Counts(counts.n, **found)


def _list_counts(metric: Metric) -> list[str]:
    return [*list_own_counts(metric), *([SUM] if needs_scores(metric) else [])]


def _blocks(n_units: int, n_blocks: int, seed: int) -> Int64[np.ndarray, " {n_units}"]:
    if n_units <= n_blocks:
        return np.arange(n_units, dtype=np.int64)
    return np.random.default_rng([seed, 6]).permutation(n_units).astype(np.int64) % n_blocks


def _weigh(model: Coded, metric: Metric) -> Float64[np.ndarray, " n"]:
    """What part of the score each example has: where classes count the same, one of a rare class
    more."""
    if not metric.macro or model.true is None:
        return np.full(model.n, 1 / model.n)
    n_true = np.bincount(model.true, minlength=model.n_classes)
    return 1 / n_true[model.true] / np.count_nonzero(n_true)


def _counts(model: Coded, metric: Metric) -> Counts:
    """The counts of the predictions as they are, as one sample."""
    fields = {}
    if needs_scores(metric):
        fields[SUM] = np.array([model.score.sum()])
    for name in metric.fields.intersection(LABEL_COUNTS):
        code = model.code(name)
        counted = np.bincount(code[code >= 0], minlength=model.n_classes)
        fields[name] = counted[:, None].astype(np.float64)
    return Counts(np.array([float(model.n)]), **fields)


def _of_each_model(
    models: Sequence[Coded],
    slope: Counts,
    names: Sequence[str],
    block: Int64[np.ndarray, " n"],
    n_blocks: int,
) -> Float64[np.ndarray, "u m"]:
    values = np.zeros((n_blocks, len(models)))
    for i, model in enumerate(models):
        adds = np.zeros(model.n)
        for name in names:
            if name == SUM:
                adds += _rows(slope, SUM)[0, 0] * model.score
            else:
                # The last entry is that of a prediction of no class.
                code = model.code(name)
                adds += np.append(getattr(slope, name)[:, 0], 0)[code]
        values[:, i] = np.bincount(block, adds, n_blocks)
    return values


def _of_weighted(
    models: Sequence[Coded],
    metric: WeightedMetric,
    block: Int64[np.ndarray, " n"],
    n_blocks: int,
) -> Float64[np.ndarray, "u m"]:
    """An equal share of the score, and how fast the score rises with the weight of each unit.

    These are pseudo-values (DeLong's, where the score is an area). Two models' scores of examples
    may be on different scales, so neither model's rows are put among the other's.
    """
    values = np.zeros((n_blocks, len(models)))
    for i, model in enumerate(models):
        score = float(metric.from_weights(model.rows, np.ones((model.n, 1)))[0])
        adds = score / model.n + metric.contributions(model.rows, model.n)
        values[:, i] = np.bincount(block, adds, n_blocks)
    return values


def _at_half_way(
    models: Sequence[Coded],
    metric: Metric,
    counts: Sequence[Counts],
    names: Sequence[str],
    block: Int64[np.ndarray, " n"],
    n_blocks: int,
) -> Float64[np.ndarray, "u p"]:
    stacked = {n: np.concatenate([getattr(c, n) for c in counts], -1) for n in metric.fields}
    n = np.full(len(models), float(models[0].n))
    first, second = pairs_of(len(models))
    values = np.zeros((n_blocks, len(first)))
    for i, model in enumerate(models):
        half = {name: (at + at[..., [i]]) / 2 for name, at in stacked.items()}
        slope = gradient(metric, Counts(n, **half))
        parts = [_tally(model, name, block, n_blocks) @ _rows(slope, name) for name in names]
        adds: typing.Any = sum(parts)
        values[:, first == i] += adds[:, i + 1 :]
        values[:, second == i] -= adds[:, :i]
    return values


def _rows(slope: Counts, name: str) -> Float64[np.ndarray, "c m"]:
    return np.atleast_2d(getattr(slope, name))


def _tally(
    model: Coded, name: str, block: Int64[np.ndarray, " n"], n_blocks: int
) -> sparse.csr_array:
    """[blocks, classes] rows of each class, or the sum of scores, in each block."""
    if name == SUM:
        return sparse.csr_array(np.bincount(block, model.score, n_blocks)[:, None])
    code = model.code(name)
    kept = code >= 0
    block, code, shape = block[kept], code[kept], (n_blocks, model.n_classes)
    if n_blocks * model.n_classes <= _SMALL:
        # Counting into a small table is sooner done than sorting the cells.
        cells = np.bincount(block * model.n_classes + code, minlength=n_blocks * model.n_classes)
        return sparse.csr_array(cells.reshape(shape).astype(np.float64))
    return sparse.csr_array((np.ones(len(code)), (block, code)), shape=shape)


def _mcnemar(models: Sequence[Coded], by_score: bool) -> Float64[np.ndarray, " p"]:
    """McNemar's exact p-value of each pair of models whose answers are right or wrong, else nan."""
    first, second = pairs_of(len(models))
    right = np.stack([m.score if by_score else (m.true == m.pred) for m in models])
    if not np.isin(right, (0, 1)).all():
        return np.full(len(first), np.nan)
    # Counts below 2**24 are exact in single precision.
    right = right.astype(np.float32)
    both = (right @ right.T)[first, second].astype(np.float64)
    n_right = right.sum(axis=1, dtype=np.float64)
    wins, losses = n_right[first] - both, n_right[second] - both
    p = 2 * special.bdtr(np.minimum(wins, losses), (wins + losses).astype(np.int64), 0.5)
    return np.where(wins + losses > 0, np.minimum(p, 1), 1.0)
