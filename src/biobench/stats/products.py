"""How often each class is hit and predicted in each resample, for many models at once.

    counter = LabelCounter(models, atoms)
    for n_hit, n_pred in counter.count(copies, {"n_hit", "n_pred"}):    # a model each
        ...

All models answer the same examples, so what they hit of a class are rows of that class alone: a
small dense product for each class and all models together. Only what rows add to other classes than
their own (wrong answers) is spread over all classes and needs a sparse product. Counts are whole
numbers below 2**24, so that single precision holds them exactly and the order of a sum does not
matter.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from scipy import sparse

from biobench.stats.coded import Coded

__all__ = ["LabelCounter"]

_CELLS = 2**23
"""counts held at a time."""
_COLUMNS = 32
"""resamples in one sparse product: the copies of 20,000 units in so many stay in the cache."""

Found = dict[str, Float64[np.ndarray, "c b"]]
Inside = Float32[np.ndarray, "c m b"]
Outside = Float32[np.ndarray, "m c b"]


class LabelCounter:
    """Counts the labels of several models that have one truth, resample by resample."""

    def __init__(self, models: Sequence[Coded], atoms: Int64[np.ndarray, " n"]):
        """models: of the same rows. atoms: what each row is drawn with."""
        self.models, self.atoms = models, atoms
        true, n_atoms = models[0].true, int(atoms.max()) + 1
        assert true is not None
        self.n_classes = models[0].n_classes
        key = true * n_atoms + atoms
        self.order = np.argsort(key, kind="stable")
        cells, self.start = np.unique(key[self.order], return_index=True)
        self.cell_atoms = cells % n_atoms
        self.ends = np.searchsorted(cells, np.arange(self.n_classes + 1) * n_atoms)

    def count(self, copies: Float32[np.ndarray, "a b"], fields: frozenset[str]) -> Iterator[Found]:
        """The counts of each model in turn; fields: some of `LABEL_COUNTS`.

        The next model's overwrite them.
        """
        n_resamples = copies.shape[1]
        step = max(_CELLS // (self.n_classes * n_resamples), 1)
        own = {name: np.empty((self.n_classes, n_resamples)) for name in sorted(fields)}
        for first in range(0, len(self.models), step):
            some = self.models[first : first + step]
            parts = self._count_parts(some, copies, list(own))
            for i in range(len(some)):
                for name, (inside, outside) in parts.items():
                    if outside is None:
                        own[name][:] = inside[:, i]
                    else:
                        np.add(inside[:, i], outside[i], out=own[name])
                yield own

    def _count_parts(
        self, models: Sequence[Coded], copies: Float32[np.ndarray, "a b"], fields: Sequence[str]
    ) -> dict[str, tuple[Inside, Outside | None]]:
        """By count, what rows add to the class that is their truth, and to the others."""
        parts: dict[str, tuple[Inside, Outside | None]] = {}
        known: dict[bytes, Inside] = {}
        for name in fields:
            codes = np.stack([model.code(name) for model in models])
            is_inside = codes == models[0].true
            # Predictions and hits share their part inside.
            key = is_inside.tobytes()
            if key not in known:
                known[key] = self._count_inside(is_inside, copies)
            is_outside = ~is_inside & (codes >= 0)
            outside = self._count_outside(codes, is_outside, copies) if is_outside.any() else None
            parts[name] = known[key], outside
        return parts

    def _count_inside(
        self, is_inside: Bool[np.ndarray, "m n"], copies: Float32[np.ndarray, "a b"]
    ) -> Inside:
        by_cell = is_inside[:, self.order].astype(np.float32)
        if len(self.start) < len(self.order):
            by_cell = np.add.reduceat(by_cell, self.start, axis=1)
        found = np.empty((self.n_classes, len(is_inside), copies.shape[1]), np.float32)
        for label in range(self.n_classes):
            cells = slice(self.ends[label], self.ends[label + 1])
            np.matmul(by_cell[:, cells], copies[self.cell_atoms[cells]], out=found[label])
        return found

    def _count_outside(
        self,
        codes: Int64[np.ndarray, "m n"],
        is_outside: Bool[np.ndarray, "m n"],
        copies: Float32[np.ndarray, "a b"],
    ) -> Outside:
        model, row = np.nonzero(is_outside)
        where = codes[is_outside] + model * self.n_classes, self.atoms[row]
        shape = (len(codes) * self.n_classes, len(copies))
        tally = sparse.csr_array((np.ones(len(row), np.float32), where), shape=shape)
        found = np.empty((shape[0], copies.shape[1]), np.float32)
        for first in range(0, copies.shape[1], _COLUMNS):
            some = slice(first, first + _COLUMNS)
            found[:, some] = tally @ np.ascontiguousarray(copies[:, some])
        return found.reshape(len(codes), self.n_classes, -1)
