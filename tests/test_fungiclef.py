"""FungiCLEF on a small world, held against scikit-learn, scipy and the costs added up by hand."""

import csv
import shutil

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

import suite_worlds
from biobench import fungiclef, results, stats
from biobench.data import match_case
from biobench.errors import BadInput
from biobench.metrics import get_metric
from suite_worlds import embed, get_predictions, get_truths, load, run

pytestmark = [
    pytest.mark.filterwarnings("ignore:self.within_class_std_dev_"),
    pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return suite_worlds.draw(tmp_path_factory.mktemp("suite"), "fungiclef")


def read_rows(root, split):
    """(file as on disk, class, observation) of each row that has a picture."""
    folder = root / {"train": "DF20_300", "val": "DF21_300"}[split]
    actual = {path.name.lower(): path.relative_to(root).as_posix() for path in folder.iterdir()}
    with (root / f"FungiCLEF2023_{split}_metadata_PRODUCTION.csv").open() as file:
        return [
            (actual[row["image_path"].lower()], row["class_id"], row["observationID"])
            for row in csv.DictReader(file)
            if row["image_path"]
        ]


def predict(root):
    """Truths and predictions of the observations, from the files alone."""
    train, val = read_rows(root, "train"), read_rows(root, "val")
    x = embed("fungiclef", root, [name for name, _, _ in train])
    y = np.array([label for _, label, _ in train])
    truths = {observation: label for _, label, observation in val}
    pictures = embed("fungiclef", root, [name for name, _, _ in val])
    members = np.array([observation for _, _, observation in val])
    z = np.stack([pictures[members == observation].mean(axis=0) for observation in truths])
    nearest = NearestCentroid().fit(normalize(x - x.mean(axis=0)), y)
    named = nearest.predict(normalize(z - x.mean(axis=0)))
    means = np.stack([x[y == label].mean(axis=0) for label in np.unique(y)])
    own = means[np.searchsorted(np.unique(y), y)]
    precision = LedoitWolf(assume_centered=True).fit(x - own).precision_
    far = cdist(z, means, "mahalanobis", VI=precision).min(axis=1)
    distances = []
    for i in range(len(x)):
        others = (y == y[i]) & (np.arange(len(x)) != i)
        gap = x[i] - x[others].mean(axis=0)
        distances.append(np.sqrt(gap @ precision @ gap))
    predicted = np.where(far > np.quantile(distances, 0.95), "-1", named)
    return truths, dict(zip(truths, predicted.tolist(), strict=True))


def cost_of(true, pred, poisonous):
    """The challenge's user loss of one observation."""
    cost = 0.0
    if true != pred:
        cost = 10.0 if true == "-1" else 0.1 if pred == "-1" else 1.0
    if true in poisonous and pred not in poisonous:
        cost += 100.0
    if true not in poisonous and pred in poisonous:
        cost += 1.0
    return cost


def test_the_score_is_what_the_costs_of_the_predictions_leave_of_the_worst(root):
    report = run("fungiclef", root)
    truths, predicted = predict(root)
    named = {"-1": "unknown"}
    assert get_truths(report) == {o: named.get(label, label) for o, label in truths.items()}
    assert get_predictions(report) == {o: named.get(p, p) for o, p in predicted.items()}
    with (root / "poison_status_list.csv").open() as file:
        poisonous = {row["class_id"] for row in csv.DictReader(file) if row["poisonous"] == "1"}
    costs = [cost_of(truths[o], predicted[o], poisonous) for o in truths]
    classes = {label for _, label, _ in read_rows(root, "train")} | {"-1"}
    worst = [max(cost_of(truths[o], any_class, poisonous) for any_class in classes) for o in truths]
    assert report.get_mean_score() == pytest.approx(1 - sum(costs) / sum(worst), abs=1e-12)
    assert report.splits["user-loss"] == pytest.approx(np.mean(costs))
    unknown = [predicted[o] == "-1" for o in truths if truths[o] == "-1"]
    assert report.splits["unknown-rejected"] == pytest.approx(np.mean(unknown))
    assert {e.info["group"] for e in report.examples} == set(truths)


def test_a_row_without_a_picture_and_a_class_without_a_line_are_counted(root):
    manifest = load("fungiclef", root)
    assert manifest.dropped == {"rows without a picture": 2}
    assert manifest.notes == (
        "Taken as not poisonous, because poison_status_list.csv has no line: 1 classes.",
    )
    train = manifest.split("train")
    assert train["example"].str.to_lowercase().to_list() == (
        train["image"].str.to_lowercase().to_list()
    )
    assert manifest.split("val").group_by("example").len()["len"].max() == 3


def test_an_unknown_species_at_test_is_no_trap_where_the_probe_can_say_so(root):
    assert not any("training" in text for text in run("fungiclef", root).provenance.warnings)
    closed = run("fungiclef", root, probe="simpleshot").provenance.warnings
    assert any("'unknown'" in text for text in closed)


def test_perfect_predictions_score_one_and_the_dearest_ones_zero():
    truths = pl.DataFrame({"example": list("abcd"), "y_true": ["0", "1", "unknown", "2"]})
    metric = fungiclef.protocol(fungiclef.Args()).metric

    def score(y_pred):
        table = truths.with_columns(y_pred=pl.Series(y_pred, dtype=pl.String), score=pl.lit(0.0))
        table = fungiclef.add_costs(table, frozenset({"0"}))
        return stats.interval_from_table(table, get_metric(metric), by_group=False)

    assert score(["0", "1", "unknown", "2"]).score == 1
    assert score(["1", "0", "0", "0"]).score == pytest.approx(0)
    assert score([None] * 4).score == 0
    # A poisonous one called unknown is eaten: the challenge counts what is unknown as edible.
    assert score(["unknown", "1", "unknown", "2"]).score == pytest.approx(1 - 100.1 / 116)


def test_two_models_are_compared_by_observation(root):
    one, other = (
        results.to_table(run("fungiclef", root, probe=probe).examples)
        for probe in ("openset", "simpleshot")
    )
    found = stats.compare(one, other, get_metric("cost-score"))
    expected = stats.interval_from_table(one, get_metric("cost-score"), by_group=True)
    assert found.score_a == pytest.approx(expected.score)
    assert found.difference == pytest.approx(found.score_a - found.score_b)
    assert found.low <= found.difference <= found.high


@pytest.mark.parametrize(
    ("file", "old", "new", "match"),
    [
        ("FungiCLEF2023_train_metadata_PRODUCTION.csv", ",2000,0", ",2000,none", "class_id 'none'"),
        ("poison_status_list.csv", "0,1", "0,yes", "poisonous 'yes'"),
        ("FungiCLEF2023_val_metadata_PRODUCTION.csv", "observationID", "observation", "column"),
    ],
)
def test_a_damaged_table_is_named(root, tmp_path, file, old, new, match):
    copy = shutil.copytree(root, tmp_path / "fungiclef")
    path = copy / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BadInput, match=match) as err:
        load("fungiclef", copy)
    assert file in str(err.value)


def test_a_name_is_matched_whatever_its_case_but_first_as_it_is_written(tmp_path):
    for name in ("A.JPG", "b.jpg", "B.jpg"):
        (tmp_path / name).write_bytes(b"")
    found = match_case(tmp_path, ["a.jpg", "b.jpg", "B.jpg", "c.jpg"])
    assert found.to_list() == ["A.JPG", "b.jpg", "B.jpg", "c.jpg"]
