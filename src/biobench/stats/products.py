"""How often each class is hit and predicted in each resample, for many models at once.

    counter = LabelCounter(models, atoms)
    for n_hit, n_pred in counter.count(copies, {"n_hit", "n_pred"}):    # a model each
        ...

All models answer the same examples, so what they hit of a class are rows of that class alone: a
small dense product for each class and all models together. Only wrong answers are spread over all
classes and need a sparse product. Counts are whole numbers below 2**24, so that single precision
holds them exactly and the order of a sum does not matter.
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
        """The counts of each model in turn; n_hit and n_pred are known.

        The next model's overwrite them.
        """
        n_resamples = copies.shape[1]
        step = max(_CELLS // (self.n_classes * n_resamples), 1)
        own = {name: np.empty((self.n_classes, n_resamples)) for name in fields}
        for first in range(0, len(self.models), step):
            some = self.models[first : first + step]
            right = np.stack([model.true == model.pred for model in some])
            n_hit = self._hits(right, copies)
            wrong = self._wrong(some, right, copies) if "n_pred" in fields else None
            for i in range(len(some)):
                if "n_hit" in own:
                    own["n_hit"][:] = n_hit[:, i]
                if wrong is not None:
                    np.add(n_hit[:, i], wrong[i], out=own["n_pred"])
                yield own

    def _hits(
        self, right: Bool[np.ndarray, "m n"], copies: Float32[np.ndarray, "a b"]
    ) -> Float32[np.ndarray, "c m b"]:
        by_cell = right[:, self.order].astype(np.float32)
        if len(self.start) < len(self.order):
            by_cell = np.add.reduceat(by_cell, self.start, axis=1)
        found = np.empty((self.n_classes, len(right), copies.shape[1]), np.float32)
        for label in range(self.n_classes):
            cells = slice(self.ends[label], self.ends[label + 1])
            np.matmul(by_cell[:, cells], copies[self.cell_atoms[cells]], out=found[label])
        return found

    def _wrong(
        self,
        models: Sequence[Coded],
        right: Bool[np.ndarray, "m n"],
        copies: Float32[np.ndarray, "a b"],
    ) -> Float32[np.ndarray, "m c b"]:
        preds = [model.pred for model in models if model.pred is not None]
        wrong = [~hit & (pred >= 0) for hit, pred in zip(right, preds, strict=True)]
        offsets = range(0, len(models) * self.n_classes, self.n_classes)
        codes = np.concatenate(
            [pred[w] + first for pred, w, first in zip(preds, wrong, offsets, strict=True)]
        )
        atoms = np.concatenate([self.atoms[one] for one in wrong])
        shape = (len(models) * self.n_classes, len(copies))
        tally = sparse.csr_array((np.ones(len(codes), np.float32), (codes, atoms)), shape=shape)
        found = np.empty((shape[0], copies.shape[1]), np.float32)
        for first in range(0, copies.shape[1], _COLUMNS):
            some = slice(first, first + _COLUMNS)
            found[:, some] = tally @ np.ascontiguousarray(copies[:, some])
        return found.reshape(len(models), self.n_classes, -1)
