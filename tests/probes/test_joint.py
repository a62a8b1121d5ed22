"""One probe for several questions: each output is a column of the multi-label estimator."""

import dataclasses

import numpy as np
import pytest

from biobench import probes
from biobench.errors import BadInput
from biobench.probes import MultiLabelMlp, Problem, fit_predict_jointly


def make_problems(n=80, n_test=30):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(n, 6)), rng.normal(size=(n_test, 6))
    names = [("deep: no", "deep: yes"), ("benthic", "pelagic")]
    y = [(x[:, i] > 0).astype(int) for i in range(2)]
    labels = [np.array(name)[column] for name, column in zip(names, y, strict=True)]
    return [Problem(x, label, z, f"trait {i}") for i, label in enumerate(labels)], np.array(y).T


def test_every_output_is_a_column_of_the_estimator():
    problems, y = make_problems()
    keep = frozenset({"scores", "probabilities"})
    outputs = fit_predict_jointly("mlp", problems, seed=3, keep=keep, epochs=5)
    probe = MultiLabelMlp(random_state=3, epochs=5).fit(problems[0].x_train, y)
    p = probe.predict_proba(problems[0].x_test)
    for i, output in enumerate(outputs):
        yes = output.y_pred == output.classes[1]
        np.testing.assert_array_equal(yes, p[:, i] >= 0.5)
        np.testing.assert_allclose(output.probabilities[:, 1], p[:, i])
        np.testing.assert_array_equal(output.top_labels[:, 0], output.y_pred)
        np.testing.assert_allclose(output.top_scores.sum(axis=1), 1)
        assert output.scores.dtype == np.float16


def test_a_question_with_one_answer_has_that_answer():
    problems, _ = make_problems()
    same = np.full(len(problems[0].y_train), "never")
    problems[1] = dataclasses.replace(problems[1], y_train=same)
    output = fit_predict_jointly("mlp", problems, epochs=2)[1]
    assert set(output.y_pred) == {"never"} and output.top_labels.shape == (30, 1)


def test_other_examples_and_more_than_two_answers_are_refused():
    problems, _ = make_problems()
    moved = dataclasses.replace(problems[1], x_train=problems[1].x_train + 1)
    with pytest.raises(BadInput, match="'trait 1' has other examples than 'trait 0'"):
        fit_predict_jointly("mlp", [problems[0], moved])
    three = dataclasses.replace(problems[1], y_train=np.arange(80).astype(str))
    with pytest.raises(BadInput, match="'trait 1' has 80 labels"):
        fit_predict_jointly("mlp", [problems[0], three])


def test_a_joint_probe_is_made_and_described_by_its_name():
    assert [name for name in probes.list_probes() if probes.answers_jointly(name)] == ["mlp"]
    described = probes.describe("mlp")
    assert described["steps"] == ["MultiLabelMlp"] and described["hidden"] == 512
    assert not {"device", "random_state"} & set(described)
