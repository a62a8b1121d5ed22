"""A metric declares the counts that it needs; statistics know no metric by its name."""

import ast
import dataclasses
import pathlib

import numpy as np
import pytest

import made_predictions
from biobench import metrics, stats
from biobench.metrics import Counts, get_metric
from biobench.stats.contributions import gradient

STATS = pathlib.Path(stats.__file__).parent
# Fast ways of counting labels, which name what they count, and say so.
COUNTERS = {"products.py", "jackknife.py"}


def test_statistics_name_no_metric_and_no_count():
    own = {name for name in metrics.__all__ if name[0].isupper() and name not in ("Metric",)}
    kinds = {"ExampleMean", "WeightedMetric", "Counts", "HasSlopes"}
    own = {name for name in own - kinds if not name.isupper()}
    for path in STATS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not own & names, path
        if path.name in COUNTERS:
            continue
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert not {*metrics.LABEL_COUNTS, "weights"} & {t for t in texts if type(t) is str}, path


@dataclasses.dataclass(frozen=True)
class Bare:
    """A shipped metric of counts without its derivative: somebody else's."""

    shipped: metrics.Metric

    @property
    def name(self):
        return f"bare-{self.shipped.name}"

    @property
    def fields(self):
        return self.shipped.fields

    @property
    def macro(self):
        return self.shipped.macro

    def __call__(self, examples):
        return self.shipped(examples)

    def from_counts(self, counts: Counts):
        return self.shipped.from_counts(counts)


@pytest.mark.parametrize("name", ["mean-score", "accuracy", "macro-accuracy", "macro-f1"])
def test_the_slopes_of_a_metric_are_its_differences(name):
    metric = get_metric(name)
    rng = np.random.default_rng(0)
    n_true = rng.integers(200, 400, (4, 3)).astype(float)
    n_hit = np.floor(n_true * rng.random((4, 3)))
    n_pred = n_hit + rng.integers(0, 50, (4, 3))
    n = n_true.sum(axis=0)
    every = {"n_true": n_true, "n_pred": n_pred, "n_hit": n_hit, "score": n_hit.sum(axis=0)}
    counts = Counts(n, **{one: every[one] for one in metric.fields})
    exact, found = metric.slopes(counts), gradient(Bare(metric), counts)
    for one in metrics.list_own_counts(metric) + ["score"] * metrics.needs_scores(metric):
        np.testing.assert_allclose(getattr(found, one), getattr(exact, one), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", ["mean-score", "accuracy", "macro-accuracy", "macro-f1"])
def test_a_metric_of_counts_from_elsewhere_has_all_that_a_shipped_one_has(name):
    shipped = get_metric(name)
    tables = {
        model: made_predictions.make_table(120, accuracy=accuracy, group_size=4, seed=i)
        for i, (model, accuracy) in enumerate([("a", 0.8), ("b", 0.6)])
    }
    cells = {(model, "t"): table for model, table in tables.items()}
    own, bare = (stats.leaderboard(cells, {"t": one}) for one in (shipped, Bare(shipped)))
    for column in ("score", "ci_low", "ci_high", "n_groups", "rank", "rank_low", "p_best"):
        np.testing.assert_allclose(
            bare[column].to_numpy(), own[column].to_numpy(), rtol=1e-3, atol=1e-3
        )
