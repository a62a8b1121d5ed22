"""Resampling by counts: how often each distinct (truth, prediction, score) was drawn."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64
from scipy import sparse

from biobench.interfaces import Example
from biobench.metrics import Counts, Metric
from biobench.stats.coded import Coded

__all__ = ["Resampler"]


class Resampler:
    """Draws resamples of one set of predictions and scores them."""

    def __init__(self, coded: Coded):
        self.coded = coded

    def score(self, metric: Metric) -> float:
        """The metric's score of the predictions themselves."""
        return float(self._from_weights(metric, np.ones((self.coded.n_units, 1), np.float32))[0])

    def replicates(self, metric: Metric, n_resamples: int, seed: int) -> Float64[np.ndarray, " b"]:
        """The metric's score of each resample."""
        return self._from_weights(metric, self._weights(n_resamples, seed))

    def replicates_of_callable(
        self,
        metric: Callable[[Sequence[Example]], float],
        examples: Sequence[Example],
        n_resamples: int,
        seed: int,
    ) -> Float64[np.ndarray, " b"]:
        """Any function's value on each resample."""
        weights = self._weights(n_resamples, seed).astype(np.int64)
        return np.array(
            [
                float(metric([examples[i] for i in np.repeat(np.arange(len(examples)), column)]))
                for column in weights.T
            ]
        )

    def _weights(self, n_resamples, seed):
        weights = np.random.default_rng(seed).poisson(1, (self.coded.n_units, n_resamples))
        weights[:, weights.sum(axis=0) == 0] = 1
        return weights.astype(np.float32)

    def _from_weights(self, metric, weights):
        coded = self.coded
        ones = np.ones(coded.n)

        def tally(code, value, n_codes):
            keep = code >= 0
            shape = (n_codes, coded.n_units)
            matrix = sparse.csr_array((value[keep], (code[keep], coded.unit[keep])), shape=shape)
            return matrix @ weights

        nothing = np.zeros(coded.n, np.int64)
        counts = Counts(
            n=tally(nothing, ones, 1)[0],
            score=tally(nothing, coded.score, 1)[0],
            n_true=tally(coded.true, ones, coded.n_classes) if "n_true" in metric.fields else None,
            n_pred=tally(coded.pred, ones, coded.n_classes) if "n_pred" in metric.fields else None,
            n_hit=tally(np.where(coded.true == coded.pred, coded.true, -1), ones, coded.n_classes)
            if "n_hit" in metric.fields
            else None,
        )
        return metric.from_counts(counts)
