"""Counts of labels of many models at once are those of each alone, to the digit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.metrics import MacroAccuracy, MacroF1, MeanScore
from biobench.stats.coded import Coded
from biobench.stats.products import LabelCounter
from biobench.stats.resample import Resampler, draw_copies
from biobench.stats.spread import design_of, designs_of


def draw_models(seed: int, n: int, n_classes: int, n_units: int, n_models: int) -> list[Coded]:
    rng = np.random.default_rng(seed)
    true = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n)])
    unit = np.concatenate([np.arange(n_units), rng.integers(0, n_units, len(true))])[: len(true)]
    if n_units == len(true):
        unit = np.arange(len(true))
    models = []
    for _ in range(n_models):
        pred = np.where(rng.random(len(true)) < 0.5, true, rng.integers(-1, n_classes, len(true)))
        score = (pred == true).astype(np.float64)
        models.append(Coded(score, true, pred, n_classes, unit, n_units, n_units < len(true)))
    return models


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 9), st.booleans())
@settings(deadline=None)
def test_every_class_is_counted_as_by_going_through_the_rows(seed, n, n_classes, is_grouped):
    n_units = max((n + n_classes) // 3, 1) if is_grouped else n + n_classes
    models = draw_models(seed, n, n_classes, n_units, 3)
    copies = draw_copies(np.ones(n_units, np.int64), 5, seed)
    counter = LabelCounter(models, models[0].unit)
    fields = frozenset({"n_hit", "n_pred"})
    for model, found in zip(models, counter.count(copies, fields), strict=True):
        drawn = copies[model.unit]
        for label in range(n_classes):
            is_predicted = model.pred == label
            is_hit = is_predicted & (model.true == label)
            assert np.array_equal(found["n_pred"][label], drawn[is_predicted].sum(axis=0))
            assert np.array_equal(found["n_hit"][label], drawn[is_hit].sum(axis=0))


@pytest.mark.parametrize("n_units", [40, 1030])
@pytest.mark.parametrize("metric", [MeanScore(), MacroAccuracy(), MacroF1()])
def test_models_together_score_what_each_scores_alone(n_units, metric):
    models = draw_models(1, 1000, 30, n_units, 7)
    resampler = Resampler(models)
    copies = resampler.draw(50, seed=3)
    alone = resampler.counts(models, metric.fields, copies)
    expected = np.stack([metric.from_counts(counts) for counts in alone])
    assert np.array_equal(resampler.score_copies(metric, copies), expected)


@pytest.mark.parametrize("n_units", [40, 1030])
@pytest.mark.parametrize("metric", [MeanScore(), MacroAccuracy(), MacroF1()])
def test_designs_of_many_models_are_those_of_each_alone(n_units, metric):
    models = draw_models(2, 1000, 30, n_units, 4)
    assert designs_of(models, metric) == [design_of(model, metric) for model in models]
