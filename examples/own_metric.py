"""A metric in a file of its own: the mean reciprocal rank of the truth.

biobench run --imports own_metric.py --metrics mean-reciprocal-rank --tasks newt …
biobench leaderboard --imports own_metric.py --metric mean-reciprocal-rank
"""

import dataclasses

import numpy as np

from biobench.metrics import ExampleMean, register_metric


@dataclasses.dataclass(frozen=True)
class ReciprocalRank(ExampleMean):
    """One over the rank of the truth among the five best classes, else 0 (Voorhees, TREC-8)."""

    name = "mean-reciprocal-rank"
    columns = ("y_true", "top_labels")
    bounds = (0.0, 1.0)

    def values(self, predictions):
        """One number a row of the predictions; intervals, pairs, groups and ranks follow."""
        pairs = predictions.select(self.columns).rows()
        # A picture that could not be read has no best classes.
        found = [best.index(true) + 1 if best and true in best else np.inf for true, best in pairs]
        return 1 / np.array(found, float)


register_metric(ReciprocalRank())
