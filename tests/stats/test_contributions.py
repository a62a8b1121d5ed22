"""What units add to differences, against the metrics themselves."""

import dataclasses
import typing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.metrics import Counts, get_metric, list_metrics
from biobench.stats.coded import Coded, code_models
from biobench.stats.contributions import contributions_of, gradient, mean_of, pairs_of
from biobench.stats.resample import Resampler
from made_predictions import make_table

each_metric = pytest.mark.parametrize("name", list_metrics())


def coded(n=200, n_models=3, group_size=0, accuracy=0.7):
    tables = [
        make_table(n, n_classes=6, accuracy=accuracy - 0.1 * (s == 1), seed=s, truth_seed=9)
        for s in range(n_models)
    ]
    models = code_models(tables, by_group=False)
    if not group_size:
        return models
    unit = np.arange(n) // group_size
    return [dataclasses.replace(m, unit=unit, n_units=int(unit.max()) + 1) for m in models]


@dataclasses.dataclass(frozen=True)
class _HarmonicRecall:
    """A metric of one's own, whose slope depends on the predictions."""

    name: typing.ClassVar[str] = "harmonic-recall"
    fields: typing.ClassVar[frozenset[str]] = frozenset({"n_true", "n_hit"})
    macro: typing.ClassVar[bool] = True

    def __call__(self, examples):
        raise NotImplementedError

    def from_counts(self, counts):
        return len(counts.n_hit) / (counts.n_true / (counts.n_hit + 1)).sum(axis=0)


@pytest.mark.parametrize("metric", [*map(get_metric, list_metrics()), _HarmonicRecall()])
def test_the_slope_is_that_of_small_steps(metric):
    rng = np.random.default_rng(0)
    n_true = np.array([[3.0], [9.0], [30.0]])
    n_hit = np.floor(n_true * rng.random((3, 1)))
    counts = Counts(
        np.array([42.0]),
        score=np.array([20.0]),
        n_true=n_true,
        n_pred=n_hit + rng.integers(1, 9, (3, 1)),
        n_hit=n_hit,
    )
    step, rough = 1e-5, isinstance(metric, _HarmonicRecall)
    for name in metric.fields - {"n_true"}:
        found = np.atleast_2d(getattr(gradient(metric, counts), name))
        at = np.atleast_2d(getattr(counts, name))
        for row in range(len(at)):
            values = []
            for sign in (1, -1):
                moved = at.copy()
                moved[row] += sign * step
                moved = moved[0] if name == "score" else moved
                values.append(metric.from_counts(dataclasses.replace(counts, **{name: moved}))[0])
            slope = (values[0] - values[1]) / (2 * step)
            assert found[row, 0] == pytest.approx(slope, rel=0.1 if rough else 1e-6, abs=1e-9)


@each_metric
@pytest.mark.parametrize("group_size", [0, 8])
def test_they_add_up_to_the_differences(name, group_size):
    models, metric = coded(group_size=group_size), get_metric(name)
    scores = Resampler(models).scores(metric)
    first, second = pairs_of(3)
    found = contributions_of(models, metric, 0)
    # A tangent half way is wrong to the third order only.
    assert found.values.sum(axis=0) == pytest.approx(
        scores[first] - scores[second], abs=2e-3 if name == "macro-f1" else 1e-12
    )


@each_metric
def test_exchanging_a_unit_turns_the_sign_of_what_it_adds(name):
    models, metric = coded(n=60, n_models=2, group_size=6), get_metric(name)
    a, b = models
    moved = a.unit == 3
    exchanged = [
        dataclasses.replace(
            one,
            score=np.where(moved, other.score, one.score),
            pred=np.where(moved, other.pred, one.pred),
        )
        for one, other in ((a, b), (b, a))
    ]
    before, after = (contributions_of(m, metric, 0).values for m in (models, exchanged))
    before[3] *= -1
    assert after == pytest.approx(before, abs=1e-15)


@each_metric
def test_a_pair_adds_the_same_whoever_else_is_there(name):
    models, metric = coded(), get_metric(name)
    alone = contributions_of(models[1:], metric, 0)
    of_all = contributions_of(models, metric, 0).of_models([1, 2])
    assert of_all.values == pytest.approx(alone.values, abs=1e-15)
    assert of_all.exact_p == pytest.approx(alone.exact_p, nan_ok=True)


@given(n_units=st.integers(1, 40), most=st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_merging_units_keeps_the_sum_and_the_limit(n_units, most):
    score = np.random.default_rng(n_units).random((2, n_units))
    models = [Coded(s, None, None, 0, np.arange(n_units), n_units) for s in score]
    found = contributions_of(models, get_metric("mean-score"), 0)
    merged = found.merge(most, 0)
    assert len(merged.values) == min(most, n_units)
    assert merged.values.sum() == pytest.approx(found.values.sum())


def test_the_mean_s_units_are_those_of_its_tasks():
    tasks = [
        contributions_of(coded(n, group_size=g), get_metric(name), 0)
        for n, g, name in ((40, 10, "macro-f1"), (60, 0, "mean-score"))
    ]
    mean = mean_of(tasks, 0)
    assert mean.n_units == len(mean.values) == 4 + 60 and mean.grouped
    differences = [task.values.sum(axis=0) for task in tasks]
    assert mean.values.sum(axis=0) == pytest.approx(np.mean(differences, axis=0))
