"""Areas under curves of one ranking, for many weightings of its rows at once."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Num
from scipy import sparse

__all__ = ["Ranking"]


@dataclasses.dataclass(frozen=True)
class Ranking:
    """`r` rows, some of them positive, sorted by a score, the highest first; equals are one place.

    The curves turn only at the `t` places that hold a positive row, so rows are summed up between
    them: segment 2k is what lies above place k and below the one before it, 2k + 1 is the place.
    """

    segments: sparse.csr_array
    """[2 t, r] of ones: the rows of each segment."""
    positives: sparse.csr_array
    """[t, r] of ones: the positive rows of each place."""
    segment: Int64[np.ndarray, " r"]
    """of each row; 2 t where it lies below every positive."""
    positive: Bool[np.ndarray, " r"]

    @classmethod
    def of(cls, score: Float[np.ndarray, " r"], positive: Bool[np.ndarray, " r"]) -> "Ranking":
        """Rank the rows; scores may be -inf, but not NaN."""
        n = len(score)
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        place = np.zeros(n, np.int64)
        place[1:] = np.cumsum(ranked[1:] != ranked[:-1])
        held = np.zeros(n, bool)
        held[place[positive[order]]] = True
        above = np.cumsum(held) - held
        segment = np.empty(n, np.int64)
        segment[order] = 2 * above[place] + held[place]
        t = int(held.sum())
        segments = _indicator(np.where(segment < 2 * t, segment, -1), 2 * t)
        return cls(segments, _indicator(np.where(positive, segment // 2, -1), t), segment, positive)

    def average_precision(self, weights: Num[np.ndarray, "r b"]) -> Float64[np.ndarray, " b"]:
        """Sum over places of the recall gained there times the precision; NaN without positives.

        scikit-learn's `average_precision_score(sample_weight=weights)`.
        """
        gained, found, above = self._sums(weights)
        precision = np.divide(found, above, out=np.zeros_like(found), where=above > 0)
        total = gained.sum(axis=0)
        return _divide((gained * precision).sum(axis=0), total)

    def auroc(self, weights: Num[np.ndarray, "r b"]) -> Float64[np.ndarray, " b"]:
        """The chance that a positive row stands above another, half for an equal; NaN if there
        are not both. scikit-learn's `roc_auc_score(sample_weight=weights)`."""
        gained, found, above = self._sums(weights)
        total = gained.sum(axis=0)
        others = weights.sum(axis=0, dtype=np.float64) - total
        at = _of(self.segments, weights)[1::2] - gained
        below = others - (above - found)
        return _divide((gained * (below + 0.5 * at)).sum(axis=0), total * others)

    def true_negative_rate(
        self, weights: Num[np.ndarray, "r b"], recall: float
    ) -> Float64[np.ndarray, " b"]:
        """The share of the other rows that lie below the first place where so many positive rows
        are found; NaN if there are not both."""
        gained, found, above = self._sums(weights)
        total = gained.sum(axis=0)
        others = weights.sum(axis=0, dtype=np.float64) - total
        share = np.divide(found, total, out=np.zeros_like(found), where=total > 0)
        at = (share >= recall).argmax(axis=0)
        columns = np.arange(weights.shape[1])
        accepted = above[at, columns] - found[at, columns]
        return _divide(others - accepted, np.where(total > 0, others, 0))

    def average_precision_slopes(self) -> Float64[np.ndarray, " r"]:
        """How fast the average precision rises with each row's weight, all weights being 1."""
        gained, found, above = (part[:, 0] for part in self._sums(np.ones((len(self.segment), 1))))
        total = gained.sum()
        score = (gained * found / above).sum() / total
        # A positive row adds to the precision at every place from its own downwards, any row takes.
        adds = _from_here_down(gained / above / total)
        takes = _from_here_down(gained * found / above**2 / total)
        own = np.append(found / above, 0)[self.segment // 2]
        at = self.segment // 2
        return np.where(self.positive, (own - score) / total + adds[at], 0) - takes[at]

    def auroc_slopes(self) -> Float64[np.ndarray, " r"]:
        """How fast the area rises with each row's weight, all weights being 1 (DeLong's); NaN if
        there is no area."""
        if self.positive.all() or not self.positive.any():
            return np.full(len(self.positive), np.nan)
        gained, found, above = (part[:, 0] for part in self._sums(np.ones((len(self.segment), 1))))
        total = gained.sum()
        others = len(self.segment) - total
        at = np.bincount(self.segment, minlength=2 * len(gained))[1::2][: len(gained)] - gained
        below = (others - (above - found) + 0.5 * at) / others
        score = (gained * below).sum() / total
        beaten = np.append(found - gained, total)[self.segment // 2]
        beaten = beaten + 0.5 * np.append(gained, 0)[self.segment // 2] * (self.segment % 2)
        mine = np.append(below, 0)[self.segment // 2]
        return np.where(self.positive, (mine - score) / total, (beaten / total - score) / others)

    def _sums(self, weights: Num[np.ndarray, "r b"]) -> tuple[Float64[np.ndarray, "t b"], ...]:
        """At each place: positives there; positives and all rows there and above."""
        gained = _of(self.positives, weights)
        parts = _of(self.segments, weights)
        above = np.cumsum(parts, axis=0)[1::2]
        return gained, np.cumsum(gained, axis=0), above


def _indicator(code: Int64[np.ndarray, " r"], n_codes: int) -> sparse.csr_array:
    rows = np.flatnonzero(code >= 0)
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_array((ones, (code[rows], rows)), shape=(n_codes, len(code)))


def _of(indicator: sparse.csr_array, weights: Num[np.ndarray, "r b"]) -> Float64[np.ndarray, "s b"]:
    # Copies are whole numbers, whose sums single precision holds exactly.
    return (indicator.astype(weights.dtype, copy=False) @ weights).astype(np.float64)


def _divide(above: np.ndarray, below: np.ndarray) -> Float64[np.ndarray, " b"]:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def _from_here_down(values: Float64[np.ndarray, " t"]) -> Float64[np.ndarray, " u"]:
    return np.append(np.cumsum(values[::-1])[::-1], 0)
