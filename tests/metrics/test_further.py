"""The further metrics against scikit-learn, and their forms against each other."""

import dataclasses
import json

import numpy as np
import polars as pl
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import label_binarize

from biobench import metrics, stats
from biobench.errors import BadInput
from biobench.interfaces import Example
from biobench.metrics import get_metric, make_rows
from biobench.stats.coded import code_models, from_examples, from_table
from biobench.stats.resample import Resampler

CLASSES = ("adder", "boa", "cobra", "desert cobra")
GENUS = {"adder": "Vipera", "boa": "Boa", "cobra": "Naja", "desert cobra": "Walterinnesia"}
FAMILY = {"adder": "Viperidae", "boa": "Boidae", "cobra": "Elapidae", "desert cobra": "Elapidae"}
COSTS = metrics.ExpectedCost((("boa", "adder", 10.0), ("adder", "*", 2.0), ("*", "*", 1.0)))

WEIGHTED = ("ece", "mean-average-precision", "macro-auroc", "open-set-auroc", "open-set-tnr95")
WEIGHTED += ("average-precision:boa", "auroc:cobra", "cost-score")
WEIGHTED += ("recall-at-1", "recall-at-1-apart", "retrieval-map", "retrieval-map-apart")
MEANS = ("top5-accuracy", "top-accuracy:2", "brier", "rank-accuracy:genus")
MEANS += ("taxonomic-distance:genus,family",)
EVERY = [*WEIGHTED, *MEANS, "expected-cost"]


def find(name):
    return COSTS if name == "expected-cost" else get_metric(name)


def make(n=60, *, seed=0, group_size=1, skill=1.0):
    """Predictions with everything that a metric may need; ties and unread pictures among them."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.r_[np.arange(4), rng.integers(0, 4, n - 4)])
    logits = np.round(rng.normal(size=(n, 4)) + skill * (np.arange(4) == truth[:, None]), 1)
    scores = logits.astype(np.float16).astype(np.float64)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    order = np.argsort(-scores, axis=1, kind="stable")
    pred = order[:, 0]
    names = np.array(CLASSES)
    table = pl.DataFrame(
        {
            "example": [f"e{i}" for i in range(n)],
            "subtask": pl.Series([None] * n, dtype=pl.String),
            "group": [f"g{i // group_size}" if group_size > 1 else None for i in range(n)],
            "y_true": names[truth],
            "y_pred": names[pred],
            "score": (truth == pred).astype(float),
            "top_labels": [names[row].tolist() for row in order],
            "top_scores": [scores[i][row].tolist() for i, row in enumerate(order)],
            "train_count": np.where(truth == 3, 0, 5),
            "probability": p[np.arange(n), pred],
            "brier": ((p - (np.arange(4) == truth[:, None])) ** 2).sum(axis=1),
            "genus": [GENUS[name] for name in names[truth]],
            "y_pred_genus": [GENUS[name] for name in names[pred]],
            "family": [FAMILY[name] for name in names[truth]],
            "y_pred_family": [FAMILY[name] for name in names[pred]],
            "class_labels": [json.dumps(CLASSES)] * n,
            "class_scores": pl.Series(
                scores.astype(np.float32).tolist(), dtype=pl.List(pl.Float32)
            ),
            "worst_cost": np.where(truth == 1, 101.0, 2.0),
            "cost": np.where(truth == pred, 0.0, np.where(truth == 1, 10.0, 1.0)),
            "recall_at_1": (truth == pred).astype(float),
            "recall_at_1_apart": [
                float(i == j) if i else None for i, j in zip(truth, pred, strict=True)
            ],
            "average_precision": p[np.arange(n), truth],
            "average_precision_apart": [
                x if i else None for i, x in zip(truth, p[:, 1], strict=True)
            ],
        },
        schema_overrides={"group": pl.String},
    )
    return table, truth, scores, p


def examples_of(table):
    return [
        Example(row["example"], row["score"], {k: v for k, v in row.items() if k != "score"})
        for row in table.iter_rows(named=True)
    ]


def reference(name, truth, scores, p):
    pred, known, best = scores.argmax(axis=1), truth != 3, scores.max(axis=1)
    binary = label_binarize(truth, classes=range(4))
    if name == "ece":
        top = p[np.arange(len(p)), pred]
        right, mean = calibration_curve(pred == truth, top, n_bins=15)
        n = np.bincount(np.searchsorted(np.linspace(0, 1, 16)[1:-1], top))
        return np.abs(right - mean) @ n[n > 0] / len(p)
    if name == "open-set-tnr95":
        fpr, tpr, _ = sklearn.metrics.roc_curve(known, best, drop_intermediate=False)
        return 1 - fpr[tpr >= 0.95][0]
    if name == "rank-accuracy:genus":
        return np.mean(pred == truth)
    if name == "taxonomic-distance:genus,family":
        kin = np.isin(pred, (2, 3)) & np.isin(truth, (2, 3))
        return np.mean(np.where(pred == truth, 0, np.where(kin, 2, 3)))
    if name == "cost-score":
        worst = np.where(truth == 1, 101, 2)
        return 1 - ((pred != truth) * np.where(truth == 1, 10, 1)).sum() / worst.sum()
    if name.startswith(("recall-at-1", "retrieval-map")):
        some = truth != 0 if name.endswith("apart") else truth >= 0
        own = p[:, 1] if name.endswith("apart") else p[np.arange(len(p)), truth]
        return np.mean((truth == pred if name.startswith("recall") else own)[some])
    if name == "expected-cost":
        matrix = np.ones((4, 4)) - np.eye(4)
        matrix[0] = [0, 2, 2, 2]
        matrix[1, 0] = 10
        return (
            sklearn.metrics.confusion_matrix(truth, pred, labels=range(4)) * matrix
        ).sum() / len(p)
    return {
        "top5-accuracy": lambda: 1.0,
        "top-accuracy:2": lambda: sklearn.metrics.top_k_accuracy_score(
            truth, scores - 1e-6 * np.arange(4), k=2, labels=range(4)
        ),
        "brier": lambda: sklearn.metrics.brier_score_loss(
            truth, p, labels=range(4), scale_by_half=False
        ),
        "mean-average-precision": lambda: sklearn.metrics.average_precision_score(binary, scores),
        "macro-auroc": lambda: sklearn.metrics.roc_auc_score(binary, scores),
        "average-precision:boa": lambda: sklearn.metrics.average_precision_score(
            truth == 1, scores[:, 1]
        ),
        "auroc:cobra": lambda: sklearn.metrics.roc_auc_score(truth == 2, scores[:, 2]),
        "open-set-auroc": lambda: sklearn.metrics.roc_auc_score(known, best),
    }[name]()


@pytest.mark.parametrize("name", EVERY)
@given(seed=st.integers(0, 10_000), n=st.integers(8, 70))
@settings(max_examples=25, deadline=None)
def test_every_further_metric_equals_an_independent_implementation(name, seed, n):
    table, truth, scores, p = make(n, seed=seed)
    found = find(name)(examples_of(table))
    assert found == pytest.approx(reference(name, truth, scores, p), abs=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_the_vectorised_form_equals_the_plain_form_on_every_resample(name):
    table, *_ = make(40, seed=3)
    metric, examples = find(name), examples_of(table)
    resampler = Resampler([from_examples(examples, metric)])
    copies = np.random.default_rng(0).poisson(1, (len(resampler.size), 20)).astype(np.float32)
    # One row of each of the atoms, so that a resample is a list of examples.
    first = np.unique(resampler.atom_of_unit, return_index=True)[1]
    found = resampler.score_copies(metric, copies)[0]
    for b in range(20):
        drawn = [examples[i] for i in np.repeat(first, copies[:, b].astype(int))]
        assert found[b] == pytest.approx(metric(drawn), abs=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_a_table_and_its_examples_are_coded_alike(name):
    table, *_ = make(50, seed=4)
    metric = find(name)
    by_examples = stats.confidence_interval(examples_of(table), metric)
    by_table = stats.interval_from_table(table, metric, by_group=False)
    assert (by_table.low, by_table.high) == pytest.approx(by_examples, abs=1e-12)
    assert by_table.low <= by_table.score <= by_table.high


@pytest.mark.parametrize("name", WEIGHTED)
def test_contributions_are_the_slopes_of_the_score_by_each_weight(name):
    table, *_ = make(200, seed=5)
    metric = find(name)
    rows = make_rows(metric, table)
    found = metric.contributions(rows, 200)
    assert found.sum() == pytest.approx(0, abs=1e-9)
    if name == "open-set-tnr95":
        return  # A step function has no slope; the smoothed one is tested by its variance.
    step = 1e-5
    moved = np.ones((200, 200)) + step * np.eye(200)
    back = np.ones((200, 200)) - step * np.eye(200)
    slopes = (metric.from_weights(rows, moved) - metric.from_weights(rows, back)) / (2 * step)
    assert np.allclose(found, slopes, atol=1e-7)


@pytest.mark.parametrize("name", WEIGHTED)
def test_contributions_vary_as_the_score_does_over_resamples(name):
    table, *_ = make(1500, seed=6, skill=2.0)
    metric = find(name)
    resampler = Resampler([from_table(table, by_group=False, metric=metric)])
    replicates = resampler.replicates(metric, 400, 1)[0]
    slopes = metric.contributions(resampler.models[0].rows, 1500)
    tolerance = 0.5 if name in ("open-set-tnr95", "ece") else 0.15
    assert np.sqrt(np.sum(slopes**2)) == pytest.approx(replicates.std(), rel=tolerance)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("group_size", [1, 5])
def test_each_has_an_interval_and_a_comparison_with_groups_and_without(name, group_size):
    one, *_ = make(150, seed=7, group_size=group_size, skill=2.5)
    other, *_ = make(150, seed=7, group_size=group_size, skill=0.2)
    metric = find(name)
    interval = stats.interval_from_table(one, metric)
    assert interval.low <= interval.score <= interval.high
    assert interval.n_groups == 150 // group_size
    low, high = metric.bounds
    assert low <= interval.low and interval.high <= high
    same = stats.compare(one, one, metric)
    assert same.difference == 0 and same.p > 0.99
    differ = stats.compare(one, other, metric)
    assert differ.low <= differ.difference <= differ.high
    assert differ.difference == pytest.approx(
        metric(examples_of(one)) - metric(examples_of(other)), abs=1e-9
    )
    if name not in ("top5-accuracy", "ece", "open-set-tnr95", "open-set-auroc"):
        assert differ.p < 0.05 and (differ.difference < 0) == metrics.is_better_low(metric)


def test_an_unread_picture_makes_no_metric_better():
    table, *_ = make(60, seed=8, skill=3.0)
    unread = table.with_columns(
        pl.when(pl.col("example") == "e5").then(None).otherwise(pl.col(name)).alias(name)
        for name in table.columns
        if name.startswith(("y_pred", "top_", "prob", "brier", "class_"))
    )
    # An error of calibration may fall by a confident mistake, and a boa that is not seen may make
    # room for a cobra.
    for name in sorted(set(EVERY) - {"ece", "auroc:cobra"}):
        metric = find(name)
        before, after = metric(examples_of(table)), metric(examples_of(unread))
        worse = after >= before if metrics.is_better_low(metric) else after <= before
        assert worse, name


def test_scores_of_subtasks_are_ranked_within_them():
    a, truth_a, scores_a, _ = make(40, seed=1)
    b, truth_b, scores_b, _ = make(50, seed=2)
    both = pl.concat([a.with_columns(subtask=pl.lit("a")), b.with_columns(subtask=pl.lit("b"))])
    parts = [
        sklearn.metrics.average_precision_score(truth == c, scores[:, c])
        for truth, scores in ((truth_a, scores_a), (truth_b, scores_b))
        for c in range(4)
    ]
    found = get_metric("mean-average-precision")(examples_of(both))
    assert found == pytest.approx(np.mean(parts), abs=1e-9)


def test_a_breakdown_by_class_gives_each_class_its_average_precision():
    table, truth, scores, _ = make(80, seed=9)
    found = stats.breakdown(table, get_metric("mean-average-precision"), "class")
    for i, (value, score, low, high, n) in enumerate(
        found.select("value", "score", "ci_low", "ci_high", "n").rows()
    ):
        assert value == CLASSES[i] and n == np.sum(truth == i)
        expected = sklearn.metrics.average_precision_score(truth == i, scores[:, i])
        assert score == pytest.approx(expected, abs=1e-9) and low <= score <= high


def test_what_a_metric_lacks_is_said_with_its_name():
    table, *_ = make(20)
    for name, column in (
        ("brier", "brier"),
        ("ece", "probability"),
        ("macro-auroc", "class_scores"),
        ("top5-accuracy", "top_labels"),
        ("open-set-auroc", "top_scores"),
        ("rank-accuracy:genus", "y_pred_genus"),
    ):
        with pytest.raises(BadInput, match=f"{column}.*{name}"):
            stats.interval_from_table(table.drop(column), get_metric(name))
        with pytest.raises(BadInput, match=name):
            get_metric(name)(examples_of(table.drop(column)))


def test_a_closed_set_has_no_open_set_score():
    table, *_ = make(20)
    closed = table.with_columns(train_count=pl.lit(3))
    with pytest.raises(BadInput, match="without training examples"):
        stats.interval_from_table(closed, get_metric("open-set-auroc"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("truth,prediction\na,b\n", "no column 'cost'"),
        ("truth,prediction,cost\na,b,dear\n", "line 2"),
        ("truth,prediction,cost\na,b,1\na,b,2\n", "two lines"),
        ("truth,prediction,cost\n", "line 2"),
    ],
)
def test_a_table_of_costs_that_is_none_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "costs.csv").write_text(text)
    with pytest.raises(BadInput, match=message):
        get_metric(f"expected-cost:{tmp_path / 'costs.csv'}")


def test_costs_come_from_a_file_and_a_mistake_without_a_line_is_named(tmp_path):
    path = tmp_path / "costs.csv"
    path.write_text("truth,prediction,cost\nboa,adder,10\nadder,*,2\n*,*,1\n")
    table, truth, scores, p = make(60)
    found = get_metric(f"expected-cost:{path}")
    assert found(examples_of(table)) == pytest.approx(reference("expected-cost", truth, scores, p))
    path.write_text("truth,prediction,cost\nboa,adder,10\n")
    with pytest.raises(BadInput, match="no cost for the truth"):
        get_metric(f"expected-cost:{path}")(examples_of(table))


@pytest.mark.parametrize("name", ["top-accuracy:9", "rank-accuracy:colour", "average-precision"])
def test_an_argument_that_makes_no_sense_is_refused(name):
    with pytest.raises(BadInput, match=r"1 to 5|no taxonomic rank|:CLASS"):
        get_metric(name)


def test_models_on_the_same_rows_are_coded_by_the_metric_too():
    one, *_ = make(30, seed=1)
    other = one.with_columns(brier=pl.col("brier") / 2)
    models = code_models([one, other], by_group=False, metric=get_metric("brier"))
    scores = Resampler(models).scores(get_metric("brier"))
    assert scores[1] == pytest.approx(scores[0] / 2)


@dataclasses.dataclass(frozen=True)
class Unevenness(metrics.WeightedMetric):
    """A metric of somebody else's: the variance of the best score."""

    name = "unevenness"
    columns = ("top_scores",)
    bounds = (0.0, 100.0)

    def prepare(self, predictions):
        return predictions["top_scores"].list.first().to_numpy()

    def from_weights(self, rows, weights):
        total = weights.sum(axis=0, dtype=np.float64)
        mean = rows @ weights / total
        return rows**2 @ weights / total - mean**2


def test_a_weighted_metric_of_ones_own_needs_only_its_weighted_form(monkeypatch):
    monkeypatch.setattr(metrics.METRICS, "registered", {})
    metrics.register_metric(Unevenness())
    metric = get_metric("unevenness")
    one, _, scores, _ = make(120, seed=1, skill=3.0, group_size=4)
    other, *_ = make(120, seed=1, skill=0.0, group_size=4)
    found = stats.interval_from_table(one, metric)
    assert found.score == pytest.approx(scores.max(axis=1).var())
    assert found.low < found.score < found.high and found.n_groups == 30
    assert stats.compare(one, one, metric).p > 0.99
    cells = {("a", "t"): one, ("b", "t"): other}
    table = stats.leaderboard(cells, {"t": metric}).filter(task="t")
    best = max(metric(examples_of(one)), metric(examples_of(other)))
    assert table["rank"][0] == 1 and table["score"][0] == pytest.approx(best)


def test_a_lower_error_has_the_better_rank_alone_and_in_the_mean():
    good, *_ = make(200, seed=1, skill=4.0)
    bad, *_ = make(200, seed=1, skill=0.0)
    cells = {(m, t): p for t in ("x", "y") for m, p in (("good", good), ("bad", bad))}
    table = stats.leaderboard(cells, {"x": get_metric("brier"), "y": get_metric("brier")})
    for model, rank, score in table.select("model", "rank", "score").rows():
        assert rank == (1 if model == "good" else 2) and 0 <= score <= 2
    assert set(table.filter(pl.col("rank") == 1)["tied_with_best"]) == {True}
    assert (table["ci_low"] <= table["score"]).all() and (table["score"] <= table["ci_high"]).all()
    mixed = stats.leaderboard(cells, {"x": get_metric("brier"), "y": get_metric("accuracy")})
    assert "mean" not in set(mixed["task"])
