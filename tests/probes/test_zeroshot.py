"""Zero-shot is the cosine to the mean of a class's prompts, with the model's own probabilities."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.metrics.pairwise import cosine_similarity

from biobench import probes


def make_prompts(seed=0, n_classes=5, n_templates=7, dim=12):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_classes * n_templates, dim)) * rng.uniform(
        0.1, 9, (n_classes * n_templates, 1)
    )
    y = np.repeat([f"class {i}" for i in range(n_classes)], n_templates)
    return x.astype(np.float32), y, rng.normal(size=(200, dim)).astype(np.float32)


def ensemble(x, y, classes):
    """As CLIP's and OpenCLIP's classifiers are built, in torch."""
    means = [
        torch.nn.functional.normalize(torch.tensor(x[y == label]).double(), dim=-1).mean(0)
        for label in classes
    ]
    return torch.nn.functional.normalize(torch.stack(means), dim=-1)


def test_scores_are_the_logits_of_an_ensemble_of_prompts():
    x, y, z = make_prompts()
    probe = probes.ZeroShot(logit_scale=14.0, logit_bias=-3.0).fit(x, y)
    expected = 14 * cosine_similarity(z, ensemble(x, y, probe.classes_).numpy()) - 3
    np.testing.assert_allclose(probe.class_scores(z), expected, rtol=1e-6, atol=1e-6)
    assert (probe.predict(z) == probe.classes_[expected.argmax(axis=1)]).all()


def test_probabilities_are_clips_softmax():
    x, y, z = make_prompts()
    probe = probes.ZeroShot(logit_scale=30.0).fit(x, y)
    logits = torch.tensor(probe.class_scores(z))
    np.testing.assert_allclose(probe.predict_proba(z), logits.softmax(dim=1).numpy())


def test_probabilities_of_siglip_are_its_sigmoids_by_their_sum():
    x, y, z = make_prompts()
    probe = probes.ZeroShot(logit_scale=10.0, logit_bias=-8.0, link="sigmoid").fit(x, y)
    sigmoids = expit(probe.class_scores(z))
    expected = sigmoids / sigmoids.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probe.predict_proba(z), expected)
    assert (probe.predict_proba(z).argmax(1) == probe.class_scores(z).argmax(1)).all()


def test_probabilities_that_all_vanish_are_still_some():
    x, y, z = make_prompts()
    probe = probes.ZeroShot(logit_scale=1.0, logit_bias=-2000.0, link="sigmoid").fit(x, y)
    assert np.allclose(probe.predict_proba(z).sum(axis=1), 1)


@pytest.mark.parametrize("link", ["softmax", "sigmoid"])
def test_what_is_kept_of_a_problem_is_what_the_probe_says(link):
    x, y, z = make_prompts()
    params = dict(logit_scale=20.0, logit_bias=-4.0, link=link)
    problem = probes.Problem(x_train=x, y_train=y, x_test=z)
    keep = frozenset({"probabilities"})
    (output,) = probes.fit_predict("zero-shot", [problem], keep=keep, **params)
    probe = probes.ZeroShot(**params).fit(x, y)
    np.testing.assert_array_equal(output.probabilities, probe.predict_proba(z))
    np.testing.assert_array_equal(output.y_pred, probe.predict(z))
    assert output.temperature is None and output.params == params


def test_scale_and_bias_change_no_prediction():
    x, y, z = make_prompts()
    plain = probes.ZeroShot().fit(x, y).predict(z)
    other = probes.ZeroShot(logit_scale=3.0, logit_bias=-10.0, link="sigmoid").fit(x, y).predict(z)
    assert (plain == other).all()


def test_only_probes_of_prompts_read():
    assert [name for name in probes.list_probes() if probes.reads_text(name)] == ["zero-shot"]
