"""Metrics against scikit-learn's, and their two forms against each other."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, recall_score

from biobench import metrics
from biobench.errors import BadInput
from biobench.interfaces import Example
from biobench.metrics import Accuracy, Counts, MacroAccuracy, MacroF1, MeanScore
from biobench.stats.coded import from_examples
from biobench.stats.resample import Resampler

LABELS = st.sampled_from(["cat", "dog", "eel", "fox", "gnu"])
PAIRS = st.lists(st.tuples(LABELS, st.one_of(st.none(), LABELS)), min_size=1, max_size=40)


def make_examples(pairs):
    return [
        Example(f"e{i}", float(true == pred), {"y_true": true, "y_pred": pred})
        for i, (true, pred) in enumerate(pairs)
    ]


def reference(name, pairs):
    true = [t for t, _ in pairs]
    pred = ["(no prediction)" if p is None else p for _, p in pairs]
    macro = {"average": "macro", "labels": np.unique(true), "zero_division": 0}
    return {
        "mean-score": lambda: accuracy_score(true, pred),
        "accuracy": lambda: accuracy_score(true, pred),
        "macro-f1": lambda: f1_score(true, pred, **macro),
        "macro-accuracy": lambda: recall_score(true, pred, **macro),
    }[name]()


@pytest.mark.parametrize("name", metrics.list_metrics())
@given(pairs=PAIRS)
@settings(max_examples=60, deadline=None)
def test_every_metric_equals_scikit_learns(name, pairs):
    found = metrics.get_metric(name)(make_examples(pairs))
    assert isinstance(found, float)
    assert found == pytest.approx(reference(name, pairs), abs=1e-12)


@pytest.mark.parametrize("name", metrics.list_metrics())
@given(pairs=PAIRS)
@settings(max_examples=60, deadline=None)
def test_the_counts_form_equals_the_plain_form(name, pairs):
    metric, examples = metrics.get_metric(name), make_examples(pairs)
    scores = Resampler([from_examples(examples)]).scores(metric)
    assert scores[0] == pytest.approx(metric(examples), abs=1e-12)


@pytest.mark.parametrize("name", metrics.list_metrics())
@given(pairs=PAIRS, order=st.permutations(["cat", "dog", "eel", "fox", "gnu"]))
@settings(max_examples=40, deadline=None)
def test_renaming_the_classes_changes_no_score(name, pairs, order):
    names = dict(zip(["cat", "dog", "eel", "fox", "gnu"], order, strict=True))
    renamed = [(names[true], names.get(pred)) for true, pred in pairs]
    metric = metrics.get_metric(name)
    assert metric(make_examples(renamed)) == pytest.approx(metric(make_examples(pairs)), abs=1e-12)


def test_labels_may_be_any_hashable_thing():
    pairs = [(("Felis", "catus"), ("Felis", "catus")), (3, 3), (3, "3"), (frozenset({1}), None)]
    assert MacroAccuracy()(make_examples(pairs)) == pytest.approx((1 + 0.5 + 0) / 3)


def test_a_missing_prediction_is_wrong_even_where_a_class_is_called_none():
    assert MacroF1()(make_examples([(None, None), ("cat", "cat")])) == 0.5
    assert Accuracy()(make_examples([(None, None), ("cat", "cat")])) == 0.5


def test_mean_score_takes_scores_that_are_not_right_or_wrong():
    examples = [Example("a", 0.25, {}), Example("b", 1.0, {}), Example("c", -2.0, {})]
    assert MeanScore()(examples) == pytest.approx(-0.25)


@pytest.mark.parametrize("name", metrics.list_metrics())
def test_no_examples_is_bad_input_and_not_nan(name):
    with pytest.raises(BadInput, match="no example"):
        metrics.get_metric(name)([])


def test_examples_without_labels_are_named():
    examples = [Example("left.jpg", 1.0, {"y_true": "a", "y_pred": "a"}), Example("r.jpg", 0.0, {})]
    with pytest.raises(BadInput, match=r"r\.jpg.*y_true.*macro-f1"):
        MacroF1()(examples)


def test_an_unknown_metric_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match=r"macro-f1.*Did you mean 'macro-f1'"):
        metrics.get_metric("macrof1")


@pytest.mark.parametrize("name", metrics.list_metrics())
def test_a_metric_is_a_frozen_value_with_its_name(name):
    metric = metrics.get_metric(name)
    assert metric.name == name and metric == type(metric)()
    assert dataclasses.is_dataclass(metric) and isinstance(metric, metrics.Metric)
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.name = "other"


@dataclasses.dataclass(frozen=True)
class WorstScore:
    """A metric of somebody else's."""

    name = "worst-score"
    fields = frozenset({"score"})
    macro = False

    def __call__(self, examples):
        return min(example.score for example in examples)

    def from_counts(self, counts: Counts):
        return np.zeros(len(counts.n))


def test_a_registered_metric_is_found_by_name_and_names_are_not_stolen(monkeypatch):
    monkeypatch.setattr(metrics.METRICS, "registered", {})
    metrics.register_metric(WorstScore())
    assert metrics.get_metric("worst-score") == WorstScore()
    metrics.register_metric(WorstScore())

    class Thief(WorstScore):
        name = "macro-f1"

    with pytest.raises(ValueError, match="macro-f1"):
        metrics.register_metric(Thief())
