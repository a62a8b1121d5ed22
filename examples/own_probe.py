"""A probe in a file of its own: a random forest.

biobench run --imports own_probe.py --probe forest --tasks newt --models baseline:hog
"""

from sklearn.ensemble import RandomForestClassifier

from biobench.probes import Probe, register_probe


class Forest(Probe):
    """scikit-learn's RandomForestClassifier (Breiman, 2001).

    n_trees: trees that vote. random_state, n_jobs: biobench sets what the constructor takes of
    these two, `cv` (five folds) and `device`.
    """

    # What stands here is part of a result's identity; what does not, may change without a trace.
    # The seed stands beside it in every protocol.
    deciding = ("n_trees",)

    def __init__(self, n_trees=100, random_state=42, n_jobs=None):
        self.n_trees = n_trees
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X, y):
        """Fit on features X [n d] and labels y [n]."""
        self.forest_ = RandomForestClassifier(
            self.n_trees, random_state=self.random_state, n_jobs=self.n_jobs
        ).fit(X, y)
        self.classes_, self.n_features_in_ = self.forest_.classes_, X.shape[1]
        # What was chosen from the data, as ridge chooses a penalty: nothing here.
        self.params_ = {}
        return self

    def predict_proba(self, X):
        """Probability of every class [n c]; a probe without this is calibrated where it matters."""
        return self.class_scores(X)

    def _score_classes(self, X):
        """Score of every class [n c], columns as in `classes_`; the best is the prediction."""
        return self.forest_.predict_proba(X)


register_probe("forest", Forest)
