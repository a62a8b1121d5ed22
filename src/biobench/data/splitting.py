"""Splits examples in two, or in folds: whole groups together, every class as evenly as can be.

    found = split(labels, units, seed=42)  # is_test: bool [n]; notes: what could not be had
    fold = fold(labels, units, 5, seed=42)    # int [n]

A unit is what must stay together: a specimen, a camera, or the example itself. The test set is the
one nearest to a fifth of every class (the sum over classes of the pictures too many or too few; a
class of two or more units that is not tested at all counts as off by all its pictures), among those
that keep every class in training.
"""

import dataclasses
import hashlib
import warnings
from collections.abc import Sequence

import numpy as np
import scipy.optimize
import scipy.sparse
from jaxtyping import Bool, Float, Int64, Shaped
from sklearn.model_selection import StratifiedGroupKFold

from biobench.errors import BadInput

__all__ = ["TEST_FRACTION", "Split", "fold", "split"]

Texts = Sequence[str] | Shaped[np.ndarray, " n"]

TEST_FRACTION = 0.2
_TOLERANCE = 0.02
"""an achieved share this near to the one asked for is not worth a word."""
_SMALL = 150
"""kinds of units up to which the search is exact, and has several starts."""
_NODES = 2000
_STARTS = 4
_FEW = 2000
"""kinds of units up to which exchanges are tried."""
_TRIED = 20
"""units that are tried for an exchange."""


@dataclasses.dataclass(frozen=True)
class Split:
    """Which examples are tested on, and how near that is to what was asked for."""

    is_test: Bool[np.ndarray, " n"]
    share: float
    """of all examples."""
    only_in_train: list[str]
    """classes of one unit, or whose units cannot be parted."""
    worst: tuple[str, float] | None
    """of the classes on both sides, the one farthest off in pictures, and its share."""
    notes: tuple[str, ...]
    """what could not be had, one sentence each."""


def split(
    labels: Texts,
    units: Texts,
    *,
    seed: int,
    fraction: float = TEST_FRACTION,
    unit_name: str = "group",
) -> Split:
    """The split of n examples nearest to `fraction` by class, whatever the rows' order.

    labels, units: n texts each; examples of one unit stay on one side.
    seed: which of equally near splits is taken. unit_name: what a unit is, in words.
    Raises BadInput where no unit can be tested on without its classes missing in training.
    """
    classes, y = np.unique(np.asarray(labels, dtype=object).astype(str), return_inverse=True)
    names, unit = np.unique(np.asarray(units, dtype=object).astype(str), return_inverse=True)
    shape = (len(names), len(classes))
    counts = scipy.sparse.csr_array((np.ones(len(y), np.int64), (unit, y)), shape=shape)
    counts.sum_duplicates()
    kind, first, n_units = _find_kinds(counts)
    problem = _Problem(counts[first].tocsr(), n_units, fraction)
    draws = np.array([_draw(seed, name) for name in names])
    taken = problem.solve(seed)
    if not taken.any():
        raise BadInput(
            f"every {unit_name} holds the only pictures of some class, so none can be tested on "
            "without that class missing in training; give pictures of more, or a column split"
        )
    # Of units that are alike the draw decides which go.
    order = np.lexsort((draws, kind))
    rank = np.empty(len(names), np.int64)
    starts = np.concatenate([[0], np.cumsum(n_units)[:-1]])
    rank[order] = np.arange(len(names)) - np.repeat(starts, n_units)
    is_test = (rank < taken[kind])[unit]
    return _report(is_test, y, classes, problem.n_units_of_class, fraction, unit_name)


def fold(labels: Texts, units: Texts, n_folds: int, *, seed: int) -> Int64[np.ndarray, " n"]:
    """The fold of each of n examples, 0 to n_folds - 1: scikit-learn's StratifiedGroupKFold.

    Whole units together, every class spread as evenly as that allows, whatever the rows' order.
    Raises BadInput where there are fewer units than folds.
    """
    labels, units = (np.asarray(x, dtype=object).astype(str) for x in (labels, units))
    n_units = len(np.unique(units))
    if not 2 <= n_folds <= n_units:
        raise BadInput(
            f"folds_test is {n_folds}; give 2 or more, and at most the number of groups "
            f"({n_units:,})."
        )
    order = np.lexsort((labels, units))
    # Its own random state orders the groups; their names only decide where that begins.
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    out = np.empty(len(labels), np.int64)
    with warnings.catch_warnings():
        # Of classes smaller than the number of folds, which is said elsewhere.
        warnings.simplefilter("ignore", UserWarning)
        try:
            parts = list(splitter.split(np.zeros(len(order)), labels[order], units[order]))
        except ValueError as err:
            raise BadInput(
                f"folds_test is {n_folds}, but no class has so many pictures; give fewer folds."
            ) from err
    for number, (_, test) in enumerate(parts):
        out[order[test]] = number
    empty = sorted(set(range(n_folds)) - set(out.tolist()))
    if empty:
        raise BadInput(
            f"folds_test is {n_folds}, but the groups fill only {n_folds - len(empty)} folds "
            "evenly; give fewer folds."
        )
    return out


class _Problem:
    """How many units of each kind to test on: the integers nearest to a fraction of every class.

    counts: [k c] pictures by kind of unit and class; n_units: [k] units of each kind.
    """

    def __init__(
        self, counts: scipy.sparse.csr_array, n_units: Int64[np.ndarray, " k"], fraction: float
    ):
        self.counts, self.n_units = counts, n_units
        self.dense = counts.toarray() if counts.shape[0] <= _SMALL else None
        self.totals = counts.T @ n_units
        self.quota = fraction * self.totals
        self.n_units_of_class = (counts > 0).astype(np.int64).T @ n_units
        self.testable = self.n_units_of_class > 1
        self.penalty = np.where(self.testable, self.totals, 0)

    def solve(self, seed: int) -> Int64[np.ndarray, " k"]:
        if (np.diff(self.counts.indptr) == 1).all() and self.counts.data.max() == 1:
            return self._round()
        n_starts = _STARTS if len(self.n_units) <= _SMALL else 1
        starts = [self._descend(np.random.default_rng([seed, i])) for i in range(n_starts)]
        best = min(starts, key=self.cost)
        if len(self.n_units) <= _SMALL:
            exact = self._solve_exactly(seed)
            if exact is not None and self.cost(exact) <= self.cost(best) + 1e-9:
                return exact
        return best

    def cost(self, x: Int64[np.ndarray, " k"]) -> float:
        """Pictures too many or too few, over classes; infinite where a class has no training."""
        tested = self.counts.T @ x
        if (tested >= self.totals).any():
            return np.inf
        missing = self.penalty[tested == 0].sum()
        return float(np.abs(tested - self.quota).sum() + missing)

    def _round(self) -> Int64[np.ndarray, " k"]:
        """Where every unit is one picture, each class is by itself."""
        label = self.counts.indices
        x = np.floor(self.quota[label] + 0.5).astype(np.int64)
        return np.where(self.n_units > 1, np.clip(x, 1, self.n_units - 1), 0)

    def _descend(self, rng: np.random.Generator) -> Int64[np.ndarray, " k"]:
        """From nothing tested, one kind after the other as it helps, until nothing does."""
        x = np.zeros(len(self.n_units), np.int64)
        order = rng.permutation(len(x))
        sizes = self.counts.sum(axis=1)
        # Large units first: small ones can mend what they leave.
        order = order[np.argsort(-sizes[order], kind="stable")]
        while True:
            x = self._pass_over(x, order)
            step = self._find_exchange(x) if len(x) <= _FEW else None
            if step is None:
                return x
            x = x + step

    def _pass_over(
        self, x: Int64[np.ndarray, " k"], order: Int64[np.ndarray, " k"]
    ) -> Int64[np.ndarray, " k"]:
        # Plain lists: rows are short, and arrays of a few numbers are slow.
        low, label, n = (
            part.tolist() for part in (self.counts.indptr, self.counts.indices, self.counts.data)
        )
        totals, quota, penalty = self.totals.tolist(), self.quota.tolist(), self.penalty.tolist()
        tested = (self.counts.T @ x).tolist()
        x, n_units = x.tolist(), self.n_units.tolist()

        def change(kind: int, step: int) -> float:
            cost = 0.0
            for i in range(low[kind], low[kind + 1]):
                c = label[i]
                now, then = tested[c], tested[c] + step * n[i]
                if then >= totals[c]:
                    return float("inf")
                cost += abs(then - quota[c]) - abs(now - quota[c])
                cost += penalty[c] * ((then == 0) - (now == 0))
            return cost

        changed = True
        while changed:
            changed = False
            for kind in order.tolist():
                size = 1 << (n_units[kind].bit_length() - 1)
                while size:
                    for step in (size, -size):
                        while 0 <= x[kind] + step <= n_units[kind] and change(kind, step) < -1e-9:
                            x[kind] += step
                            for i in range(low[kind], low[kind + 1]):
                                tested[label[i]] += step * n[i]
                            changed = True
                    size >>= 1
        return np.array(x, np.int64)

    def _find_exchange(self, x: Int64[np.ndarray, " k"]) -> Int64[np.ndarray, " k"] | None:
        """One unit less and one more that together help; of the few that hurt least alone."""
        tested = self.counts.T @ x
        gain = self._gain(x, tested, -1)
        for out in np.argsort(-gain, kind="stable")[:_TRIED]:
            if not np.isfinite(gain[out]):
                break
            step = self._unit(int(out), -1)
            back = self._gain(x + step, tested - self.counts[[out]].toarray()[0], 1)
            into = int(np.argmax(back))
            if back[into] + gain[out] > 1e-9:
                return step + self._unit(into, 1)
        return None

    def _gain(
        self, x: Int64[np.ndarray, " k"], tested: Int64[np.ndarray, " c"], sign: int
    ) -> Float[np.ndarray, " k"]:
        """By how much the cost falls with one unit more (or less) of each kind."""
        label, n = self.counts.indices, sign * self.counts.data
        now, then = tested[label], tested[label] + n
        gain = np.abs(now - self.quota[label]) - np.abs(then - self.quota[label])
        gain += self.penalty[label] * ((now == 0) * 1.0 - (then == 0))
        gain[then >= self.totals[label]] = -np.inf
        row = np.repeat(np.arange(len(x)), np.diff(self.counts.indptr))
        total = np.zeros(len(x))
        np.add.at(total, row, gain)
        possible = x < self.n_units if sign > 0 else x > 0
        return np.where(possible, total, -np.inf)

    def _unit(self, kind: int, sign: int) -> Int64[np.ndarray, " k"]:
        step = np.zeros(len(self.n_units), np.int64)
        step[kind] = sign
        return step

    def _solve_exactly(self, seed: int) -> Int64[np.ndarray, " k"] | None:
        """By branch and bound; None where that does not end soon."""
        k, c = self.counts.shape
        # Units x, then what each class is off by, then whether it is missing in the test.
        assert self.dense is not None
        dense = self.dense.T.astype(float)
        eye, none = np.eye(c), np.zeros((c, c))
        above = scipy.optimize.LinearConstraint(np.hstack([dense, -eye, none]), ub=self.quota)
        below = scipy.optimize.LinearConstraint(np.hstack([dense, eye, none]), lb=self.quota)
        kept = scipy.optimize.LinearConstraint(np.hstack([dense, none, none]), ub=self.totals - 1.0)
        there = scipy.optimize.LinearConstraint(
            np.hstack([dense, none, eye]), lb=self.testable.astype(float)
        )
        tie = np.random.default_rng([seed, k]).random(k)
        tie *= 0.01 / max(1.0, float(self.n_units @ tie))
        # HiGHS gives up on some small problems for reasons of rounding, but not on both these ways.
        for options in ({"mip_rel_gap": 0.0}, {"mip_rel_gap": 1e-7, "presolve": False}):
            found = scipy.optimize.milp(
                np.concatenate([tie, np.ones(c), self.penalty.astype(float)]),
                integrality=np.concatenate([np.ones(k), np.zeros(c), np.ones(c)]),
                bounds=scipy.optimize.Bounds(
                    0, np.concatenate([self.n_units, self.totals, np.ones(c)])
                ),
                constraints=[above, below, kept, there],
                options={"node_limit": _NODES, **options},
            )
            if found.x is not None:
                return np.round(found.x[:k]).astype(np.int64)
        return None


def _find_kinds(
    counts: scipy.sparse.csr_array,
) -> tuple[Int64[np.ndarray, " u"], Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Units with the same pictures of each class are of one kind: each unit's kind, the first unit
    of each kind, and the number of its units."""
    if counts.nnz == counts.data.sum() == counts.shape[0]:
        # One picture a unit, as where there are no groups: the class is the kind.
        _, first, kind = np.unique(counts.indices, return_index=True, return_inverse=True)
        return kind, first, np.bincount(kind)
    kinds: dict[tuple[bytes, bytes], int] = {}
    first, kind = [], np.empty(counts.shape[0], np.int64)
    counts.sort_indices()
    for row, (low, high) in enumerate(zip(counts.indptr[:-1], counts.indptr[1:], strict=True)):
        key = counts.indices[low:high].tobytes(), counts.data[low:high].tobytes()
        kind[row] = kinds.setdefault(key, len(kinds))
        if len(kinds) > len(first):
            first.append(row)
    return kind, np.array(first, np.int64), np.bincount(kind)


def _draw(seed: int, unit: str) -> float:
    digest = hashlib.sha256(f"{seed}/{unit}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _report(
    is_test: Bool[np.ndarray, " n"],
    y: Int64[np.ndarray, " n"],
    classes: np.ndarray,
    n_units: Int64[np.ndarray, " c"],
    fraction: float,
    unit_name: str,
) -> Split:
    totals = np.bincount(y, minlength=len(classes))
    shares = np.bincount(y[is_test], minlength=len(classes)) / totals
    share = float(is_test.mean())
    absent = np.flatnonzero(shares == 0)
    both = np.flatnonzero(shares > 0)
    # By pictures, as it was searched for: a class of two is half tested on whatever one does.
    excess = np.abs(shares - fraction) * totals
    worst = both[np.argmax(excess[both])] if len(both) else None
    notes = []
    single = absent[n_units[absent] == 1]
    if len(single):
        notes.append(
            f"{_count(single, 'class', 'classes')} of one {unit_name} or picture only "
            f"({_name(classes[single])}) can be trained on but not tested."
        )
    torn = absent[n_units[absent] > 1]
    if len(torn):
        notes.append(
            f"{_count(torn, 'class', 'classes')} ({_name(classes[torn])}) are not tested on: "
            f"with any whole {unit_name} of theirs for testing, other classes would be farther off."
        )
    if abs(share - fraction) > _TOLERANCE or (
        worst is not None and excess[worst] >= 1 and abs(shares[worst] - fraction) > 0.1
    ):
        far = (
            ""
            if worst is None
            else (f"; farthest off is class '{classes[worst]}' with {shares[worst]:.0%}")
        )
        notes.append(
            f"The split nearest to {fraction:.0%} for testing that keeps each {unit_name} whole "
            f"and every class in training has {share:.0%}{far}."
        )
    return Split(
        is_test,
        share,
        classes[absent].tolist(),
        None if worst is None else (str(classes[worst]), float(shares[worst])),
        tuple(notes),
    )


def _count(items: np.ndarray, one: str, many: str) -> str:
    return f"{len(items):,} {one if len(items) == 1 else many}"


def _name(classes: np.ndarray) -> str:
    return ", ".join(map(str, classes[:3])) + (", …" if len(classes) > 3 else "")
