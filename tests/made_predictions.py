"""Predictions to make statistics of."""

import numpy as np
import polars as pl

from biobench.interfaces import Example


def make_table(n, *, n_classes=5, accuracy=0.7, group_size=0, seed=0, truth_seed=0):
    """Predictions of a made-up model; one truth_seed gives every model the same test set."""
    truth = np.random.default_rng([truth_seed, n]).integers(0, n_classes, n)
    rng = np.random.default_rng(seed + 1000)
    guess = (truth + rng.integers(1, max(n_classes, 2), n)) % max(n_classes, 2)
    pred = np.where(rng.random(n) < accuracy, truth, guess)
    return table_of(truth, pred, np.arange(n) // group_size if group_size else None)


def table_of(truth, pred, group=None, score=None):
    """A predictions table of integer labels; a prediction below 0 is None."""
    n = len(truth)
    score = (np.asarray(truth) == np.asarray(pred)).astype(float) if score is None else score
    return pl.DataFrame(
        {
            "example": [f"img-{i}" for i in range(n)],
            "subtask": pl.Series([None] * n, dtype=pl.String),
            "group": pl.Series(
                [None] * n if group is None else [f"camera-{g}" for g in group], dtype=pl.String
            ),
            "y_true": [f"class-{t}" for t in truth],
            "y_pred": [None if p < 0 else f"class-{p}" for p in pred],
            "score": np.asarray(score, float),
        }
    )


def examples_of(table):
    """The same as a report's examples."""
    return [
        Example(row.pop("example"), row.pop("score"), row) for row in table.iter_rows(named=True)
    ]
