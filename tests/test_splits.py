"""Named sub-scores are the same numbers every time that they are computed."""

import polars as pl
import pytest

from biobench import newt, plantnet


def make_predictions(n_classes: int = 300) -> pl.DataFrame:
    rows = [(i % n_classes, (i * 7919) % 13 < 5) for i in range(n_classes * 7 + 11)]
    return pl.DataFrame(
        {
            "y_true": [str(label) for label, _ in rows],
            "subtask": [str(label) for label, _ in rows],
            "cluster": [str(label % 3) for label, _ in rows],
            "score": [float(right) for _, right in rows],
        }
    )


@pytest.mark.parametrize("task", [newt, plantnet], ids=["newt", "plantnet"])
def test_a_mean_of_means_is_the_same_to_the_last_digit(task):
    predictions = make_predictions()
    assert len({tuple(task.calc_splits(predictions).items()) for _ in range(100)}) == 1
