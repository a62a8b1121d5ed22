"""The variance of a macro average over groups: what leaving one group out would change.

    variance = variance_over_groups(coded, MacroF1())

The bootstrap drops a class that stands in few groups so often that its variance needs a large
correction, which is right only where classes and groups have nothing to do with each other. Leaving
each group out in turn needs none for a class in one group (it goes), and one that is known for a
class in several. docs/statistics.md has the simulation.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy import sparse

from biobench.metrics import LABEL_COUNTS, Counts, Metric
from biobench.stats.coded import Coded

__all__ = ["SharedTruth", "is_known", "variance_over_groups"]

_LEAST_KEPT = 0.5
"""share of the covariance of classes that is supposed to be seen at least."""


def is_known(metric: Metric) -> bool:
    """Whether a metric is a mean over classes of something that each class's counts decide."""
    return metric.macro and metric.fields <= set(LABEL_COUNTS)


@dataclasses.dataclass(frozen=True)
class SharedTruth:
    """What the truth and the units alone decide of the variance: the same for every model."""

    kept: float
    """what part of the covariance of a unit's classes is seen."""
    n_units: float
    """how many units of equal weight the units are worth (Kish's number)."""

    @classmethod
    def of(cls, coded: Coded, classes: Bool[np.ndarray, " c"] | None = None) -> "SharedTruth":
        """Of the classes over which the average is taken; all of them where it is None."""
        cells = _Cells.of(dataclasses.replace(coded, pred=coded.true), classes)
        weight = np.bincount(cells.unit, cells.share / cells.n_classes)
        return cls(_kept(cells), 1 / np.sum(weight**2))


def variance_over_groups(
    coded: Coded,
    metric: Metric,
    classes: Bool[np.ndarray, " c"] | None = None,
    shared: SharedTruth | None = None,
) -> float:
    """Variance of a macro average (`is_known`), units being drawn as wholes.

    A unit's influence is the sum, over the classes, of what the class's value loses without it,
    times the root of what is left of the class (between the plain and the delete-one influence, and
    unbiased for equal units: CR2 in MacKinnon, Nielsen and Webb 2023), or of the class's distance
    from the mean where all of it is in that unit. What alike answers in different classes of a unit
    add is put right by `_kept`.

    classes: over which the average is taken; all of them where it is None. shared: what is known of
    the same truth and units already.
    """
    cells = _Cells.of(coded, classes)
    known = shared or SharedTruth.of(coded, classes)
    pull = _pull(cells, metric)
    total = np.sum(np.bincount(cells.unit, pull) ** 2)
    own = np.flatnonzero(cells.n_true)
    together = np.sum(np.bincount(cells.unit[own], pull[own]) ** 2) - np.sum(pull[own] ** 2)
    total += max(together, 0.0) * (1 / known.kept - 1)
    return float(total * known.n_units / max(known.n_units - 1, 0.5))


@dataclasses.dataclass(frozen=True)
class _Cells:
    """The pairs of a class and a unit in which the class is the truth or is predicted."""

    n_classes: int
    label: Int64[np.ndarray, " cells"]
    unit: Int64[np.ndarray, " cells"]
    n_true: Float64[np.ndarray, " cells"]
    n_pred: Float64[np.ndarray, " cells"]
    n_hit: Float64[np.ndarray, " cells"]

    @classmethod
    def of(cls, coded: Coded, classes: Bool[np.ndarray, " c"] | None) -> "_Cells":
        chosen = np.ones(coded.n_classes, bool) if classes is None else classes
        code = np.append(np.cumsum(chosen) - 1, -1)
        code[:-1][~chosen] = -1
        true, pred = code[coded.true], code[coded.pred]
        key = np.concatenate([true, pred]) * coded.n_units + np.tile(coded.unit, 2)
        key = key[np.concatenate([true, pred]) >= 0]
        cells, at = _unique(key, int(chosen.sum()) * coded.n_units)
        n_true = np.count_nonzero(true >= 0)
        hit = (true == pred)[true >= 0]
        counts = [
            np.bincount(some, minlength=len(cells)).astype(np.float64)
            for some in (at[:n_true], at[n_true:], at[:n_true][hit])
        ]
        return cls(int(chosen.sum()), cells // coded.n_units, cells % coded.n_units, *counts)

    def total(self, count: Float64[np.ndarray, " cells"]) -> Float64[np.ndarray, " c"]:
        """The sum over the units of each class."""
        return np.bincount(self.label, count, minlength=self.n_classes)

    @property
    def share(self) -> Float64[np.ndarray, " cells"]:
        """What part of its class's examples a cell holds."""
        return self.n_true / self.total(self.n_true)[self.label]


def _unique(
    key: Int64[np.ndarray, " keys"], n: int
) -> tuple[Int64[np.ndarray, " cells"], Int64[np.ndarray, " keys"]]:
    """The distinct keys, 0 to n - 1, in order, and which of them each key is."""
    if n > 10 * len(key):
        return np.unique(key, return_inverse=True)
    # Of a table that is not much larger than the keys, marking beats sorting.
    there = np.zeros(n, bool)
    there[key] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[key]


def _pull(cells: _Cells, metric: Metric) -> Float64[np.ndarray, " cells"]:
    """What each cell adds to the influence of its unit."""
    whole = [cells.total(count) for count in (cells.n_true, cells.n_pred, cells.n_hit)]
    value = _value_of_classes(metric, *whole)
    n_true, n_pred, n_hit = (
        count[cells.label] - own
        for count, own in zip(whole, (cells.n_true, cells.n_pred, cells.n_hit), strict=True)
    )
    without = _value_of_classes(metric, n_true, n_pred, n_hit)
    counted = whole[0] + whole[1] if "n_pred" in metric.fields else whole[0]
    left = n_true + n_pred if "n_pred" in metric.fields else n_true
    loss = (value[cells.label] - without) * np.sqrt(left / counted[cells.label])
    return np.where(n_true > 0, loss, value[cells.label] - value.mean()) / cells.n_classes


def _value_of_classes(
    metric: Metric,
    n_true: Float64[np.ndarray, " k"],
    n_pred: Float64[np.ndarray, " k"],
    n_hit: Float64[np.ndarray, " k"],
) -> Float64[np.ndarray, " k"]:
    # A class is a sample with one class; one without any truth has no value, and is not asked for.
    n_true = np.maximum(n_true, 1)
    return metric.from_counts(Counts(n_true, None, n_true[None], n_pred[None], n_hit[None]))


def _kept(cells: _Cells) -> float:
    """What part of the covariance of a unit's classes their influences show.

    Where all answers of a unit are alike, its classes vary together; but each class's mean has
    taken in some of that, and the influences are measured from the means. With the unit's effect
    a_g and the shares H_kg of class k in unit g, the influence of k in g is
    (a_g - sum_h H_kh a_h) H_kg / sqrt(1 - H_kg) / K, or where H_kg is 1 (a_g - sum_h c_h a_h) / K
    with c_g = sum_k H_kg / K.
    """
    own = np.flatnonzero(cells.n_true)
    label, unit, share = cells.label[own], cells.unit[own], cells.share[own]
    k, n_units = cells.n_classes, int(unit.max()) + 1
    alone = share == 1
    inner = np.where(alone, 0, share)
    scaled = np.where(alone, 0, share / np.sqrt(np.where(alone, 1, 1 - share)))
    weight = np.bincount(unit, share, n_units) / k
    n_alone = np.bincount(unit[alone], minlength=n_units) / k
    squares = np.sum(weight**2)
    by_unit = sparse.csr_array((scaled, (unit, label)), shape=(n_units, k))
    by_class = sparse.csr_array((inner, (label, unit)), shape=(k, n_units))
    reach = np.bincount(unit, scaled, n_units) / k + n_alone
    from_itself = np.bincount(unit, scaled * inner, n_units) / k + n_alone * weight
    from_all = _sum_of_squares(by_unit, by_class) / k**2
    from_all += 2 * np.sum((by_unit.T @ n_alone) * (by_class @ weight)) / k
    from_all += np.sum(n_alone**2) * squares
    seen = np.sum(reach**2) - 2 * np.sum(reach * from_itself) + from_all
    spread = np.bincount(label, share**2)[label]
    seen -= np.sum(scaled**2 * (1 - 2 * inner + spread)) / k**2
    seen -= np.sum(alone * (1 - 2 * weight[unit] + squares)) / k**2
    there = squares - np.sum(share**2) / k**2
    return float(np.clip(seen / there, _LEAST_KEPT, 1)) if there > 1e-12 else 1.0


def _sum_of_squares(left: sparse.csr_array, right: sparse.csr_array) -> float:
    """Of the entries of left @ right, by whichever product is the smaller."""
    per_class, per_unit = np.diff(right.indptr), np.diff(left.indptr)
    if np.sum(per_class.astype(float) ** 2) <= np.sum(per_unit.astype(float) ** 2):
        return float(np.sum((left @ right).data ** 2))
    return float((left.T @ left).multiply(right @ right.T).sum())
