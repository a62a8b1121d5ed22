"""MultiLabelMlp learns traits, reproducibly, and predicts without torch."""

import numpy as np
import pytest
import scipy.special
from sklearn.metrics import f1_score

from biobench.errors import BadInput
from biobench.probes import MultiLabelMlp

SMALL = {"hidden": 64, "epochs": 30, "batch_size": 32, "learning_rate": 0.005}


def make_problem(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)) * 3 + 5
    traits = np.stack([x[:, 0] > 5, x[:, 1] > x[:, 2], (x[:, 3] - 5) ** 2 > 8], axis=1)
    return x, traits.astype(int)


def test_learns_traits_that_a_linear_probe_cannot():
    x, traits = make_problem()
    clf = MultiLabelMlp(**SMALL).fit(x[:300], traits[:300])
    scores = f1_score(traits[300:], clf.predict(x[300:]), average=None)
    assert scores.min() > 0.75


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    x, traits = make_problem(100)
    one, same, other = (
        MultiLabelMlp(**SMALL, random_state=seed).fit(x, traits).predict_proba(x)
        for seed in (1, 1, 2)
    )
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_the_training_leaves_the_random_state_of_torch_alone():
    import torch

    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    MultiLabelMlp(hidden=4, epochs=1).fit(*make_problem(40))
    assert torch.equal(torch.rand(3), expected)


def test_decides_at_one_half():
    x, traits = make_problem(100)
    clf = MultiLabelMlp(**SMALL).fit(x, traits)
    probabilities = clf.predict_proba(x)
    assert probabilities.shape == traits.shape
    np.testing.assert_array_equal(clf.predict(x), probabilities >= 0.5)
    np.testing.assert_allclose(scipy.special.expit(clf.decision_function(x)), probabilities)


def test_the_loss_falls_to_what_a_plain_computation_gives():
    x, traits = make_problem(200)
    clf = MultiLabelMlp(**SMALL, dropout=0.0).fit(x, traits)
    p = clf.predict_proba(x)
    loss = -np.log(np.where(traits == 1, p, 1 - p)).mean()
    assert clf.loss_curve_[-1] < clf.loss_curve_[0] / 2
    assert loss == pytest.approx(clf.loss_curve_[-1], rel=0.3)


def test_names_rows_that_are_not_finite_and_refuses_other_targets():
    x, traits = make_problem(40)
    with pytest.raises(BadInput, match="Only binary classification"):
        MultiLabelMlp().fit(x, np.arange(40) % 3)
    x[5, 1] = np.nan
    with pytest.raises(BadInput, match="row 5;"):
        MultiLabelMlp().fit(x, traits)
