"""How training examples are cut into folds, also where there are too few for five.

    splits = resolve_splits(Folds(5, "stratified-shuffle", seed=42), y)
    for train, test in splits: ...

The rule for small sets, the same for every probe that cross-validates:

- no more folds than the largest class has examples (stratified), and at least two examples in each
  fold (R² of a single one is undefined);
- no more folds than groups, where groups are kept whole;
- a class with fewer examples than folds is in only some of them, and scikit-learn's warning about
  it is silenced: long tails are the normal case here;
- fewer than two folds: no splits at all, and the probe takes its stated default penalty.
"""

import dataclasses
import typing
import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold, check_cv

from biobench.errors import BadInput

__all__ = ["FoldKind", "Folds", "Split", "resolve_splits"]

FoldKind = typing.Literal["stratified-shuffle", "stratified", "kfold", "group"]
Split = tuple[np.ndarray, np.ndarray]
"""(train index, test index), int64."""


@dataclasses.dataclass(frozen=True)
class Folds:
    """A scikit-learn splitter that makes do with few examples.

    kind: "stratified-shuffle": stratified, shuffled by `seed`; "stratified": scikit-learn's default
        for a classifier, in the order of the rows; "kfold": consecutive rows, no shuffling;
        "group": no group (a camera, a video) in two folds, as stratified as that allows, shuffled
        by `seed`: scikit-learn's StratifiedGroupKFold.
    """

    n_splits: int = 5
    kind: FoldKind = "stratified-shuffle"
    seed: int = 42

    def split(self, X, y, groups=None) -> Iterator[Split]:
        """Yield (train, test) index pairs; none at all where two folds cannot be made.

        Raises BadInput where folds by group are asked for and there are no groups.
        """
        y = np.asarray(y)
        n_splits = self._fit_to(y, groups)
        if n_splits < 2:
            return
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")
            for train, test in self._splitter(n_splits).split(np.zeros(len(y)), y, groups):
                # A few large groups may leave a fold empty.
                if len(test):
                    yield train, test

    def get_n_splits(self, X=None, y=None, groups=None) -> int:
        """How many folds `split` yields for these labels (at most `n_splits`, perhaps 0)."""
        if y is None:
            return self.n_splits
        n_splits = self._fit_to(np.asarray(y), groups)
        return n_splits if n_splits >= 2 else 0

    def _fit_to(self, y: np.ndarray, groups: np.ndarray | None) -> int:
        n_splits = min(self.n_splits, len(y) // 2)
        if self.kind == "group":
            if groups is None:
                raise BadInput(
                    "Folds by group need groups, but no training example has one; use other folds."
                )
            n_splits = min(n_splits, len(np.unique(groups)))
        if self.kind == "kfold" or n_splits == 0:
            return n_splits
        return min(n_splits, int(np.unique(y, return_counts=True)[1].max()))

    def _splitter(self, n_splits: int):
        if self.kind == "kfold":
            return KFold(n_splits)
        if self.kind == "group":
            return StratifiedGroupKFold(n_splits, shuffle=True, random_state=self.seed)
        if self.kind == "stratified":
            return StratifiedKFold(n_splits)
        return StratifiedKFold(n_splits, shuffle=True, random_state=self.seed)


def resolve_splits(
    cv,
    y: Shaped[np.ndarray, " n"],
    groups: Shaped[np.ndarray, " n"] | None = None,
    *,
    each_needs_two_classes: bool = False,
) -> list[Split]:
    """The splits of `y` under `cv`: an int (stratified, unshuffled), a splitter, or index pairs.

    groups: for splitters that keep groups whole.
    each_needs_two_classes: return no splits when some training part has a single class, for probes
        that cannot be fitted on it.
    """
    if isinstance(cv, int | np.integer):
        cv = Folds(int(cv), "stratified")
    elif not hasattr(cv, "split"):
        cv = check_cv(cv)
    splits = [(np.asarray(train), np.asarray(test)) for train, test in cv.split(y, y, groups)]
    if each_needs_two_classes and any(len(np.unique(y[train])) < 2 for train, _ in splits):
        return []
    return splits
