"""LinearSvc is scikit-learn's SVC with a linear kernel, on the features as they come."""

import numpy as np
import pytest
from sklearn.svm import SVC

from biobench.probes import LinearSvc


@pytest.mark.parametrize("n_classes", [2, 4])
def test_answers_as_a_plain_support_vector_machine(n_classes):
    rng = np.random.default_rng(0)
    y = np.arange(120) % n_classes
    x = (rng.normal(size=(n_classes, 6))[y] + rng.normal(size=(120, 6))).astype(np.float32)
    plain = SVC(kernel="linear", C=1.0).fit(x, y)
    ours = LinearSvc().fit(x, y)
    np.testing.assert_array_equal(ours.predict(x), plain.predict(x))
    np.testing.assert_array_equal(ours.decision_function(x), plain.decision_function(x))
    assert ours.class_scores(x).shape == (120, n_classes)
