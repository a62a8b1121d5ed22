"""LogisticSearch chooses what scikit-learn's random search chooses, for any number of threads."""

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench.probes import LogisticSearch, logistic


def make_problem(seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permuted(np.repeat(["graze", "run", "walk"], [60, 25, 15]))
    codes = np.unique(y, return_inverse=True)[1]
    x = 0.7 * rng.normal(size=(3, 10))[codes] + rng.normal(size=(100, 10))
    return (x * np.geomspace(0.1, 10, 10)).astype(np.float32), y


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("seed", [0, 1])
def test_the_choice_is_that_of_a_search_over_the_whole_pipeline(seed):
    x, y = make_problem(seed)
    model = LogisticRegression(
        solver="saga", class_weight="balanced", max_iter=30, random_state=seed
    )
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), model),
        {"logisticregression__C": loguniform(1e-3, 1e1)},
        n_iter=8,
        cv=5,
        scoring="f1_macro",
        random_state=seed,
    ).fit(x, y)
    ours = LogisticSearch(n_iter=8, max_iter=30, random_state=seed, n_jobs=2).fit(x, y)
    assert ours.best_params_["C"] == search.best_params_["logisticregression__C"]
    assert ours.best_score_ == pytest.approx(search.best_score_, abs=1e-12)
    assert len(set(ours.cv_scores_.mean(axis=1))) > 2
    np.testing.assert_allclose(ours.class_scores(x), search.predict_proba(x), atol=1e-6)
    np.testing.assert_array_equal(ours.predict(x), search.predict(x))


def test_says_whether_its_solver_came_to_an_end_and_warns_of_neither(recwarn):
    x, y = make_problem()
    assert not LogisticSearch(n_iter=2, max_iter=2).fit(x, y).converged_
    assert LogisticSearch(n_iter=2, max_iter=3000).fit(x, y).converged_
    assert not [w for w in recwarn if issubclass(w.category, ConvergenceWarning)]


def test_a_penalty_at_an_end_of_its_range_is_named(monkeypatch):
    monkeypatch.setattr(logistic, "EDGE", 0.3)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    x = rng.normal(size=(60, 4)) + 0.3 * y[:, None]
    assert LogisticSearch(n_iter=1, max_iter=5).fit(x, y).edges_ == {}
    found = set()
    for seed in range(6):
        clf = LogisticSearch(n_iter=3, max_iter=5, random_state=seed).fit(x, y)
        share = (np.log10(clf.best_params_["C"]) + 3) / 4
        expected = "lowest" if share < 0.3 else "highest" if share > 0.7 else None
        scores_differ = np.ptp(clf.cv_scores_.mean(axis=1)) > 0
        assert clf.edges_.get("C") == (expected if scores_differ else None)
        found.add(clf.edges_.get("C"))
    assert len(found) > 1
