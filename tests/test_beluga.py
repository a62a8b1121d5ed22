"""Beluga on a small world: neighbours by scikit-learn, retrieval query by query."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score
from sklearn.neighbors import KNeighborsClassifier

import suite_worlds
from biobench import results, stats
from biobench.errors import BadInput
from biobench.metrics import get_metric
from suite_worlds import embed, get_predictions, get_truths, load, run

ANNOTATIONS = "beluga.coco/annotations/instances_train2022.json"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return suite_worlds.draw(tmp_path_factory.mktemp("suite"), "beluga")


@pytest.fixture(scope="module")
def report(root):
    return run("beluga", root)


def read_pictures(root):
    """(file, individual, date) of the pictures of one known individual that has several."""
    coco = json.loads((root / ANNOTATIONS).read_text())
    found = []
    for image in coco["images"]:
        names = [a["name"] for a in coco["annotations"] if a["image_id"] == image["id"]]
        if len(names) == 1 and names[0] != "____":
            found.append((image["file_name"], names[0], (image["date_captured"] or "")[:10]))
    individuals = [name for _, name, _ in found]
    return [row for row in found if individuals.count(row[1]) > 1]


def retrieve(x, names, dates):
    """Recall@1 and average precision over the queries that have something to find."""
    hits, precisions = [], []
    for i, query in enumerate(x):
        others = np.arange(len(x)) != i
        if dates is not None and dates[i]:
            others &= dates != dates[i]
        same = names[others] == names[i]
        if same.any():
            distances = np.linalg.norm(x[others] - query, axis=1)
            hits.append(same[distances.argmin()])
            precisions.append(average_precision_score(same, -np.round(distances, 9)))
    return np.mean(hits), np.mean(precisions), len(hits)


def test_every_picture_is_named_by_its_five_nearest_others(root, report):
    rows = read_pictures(root)
    x = embed("beluga", root, [f"beluga.coco/images/train2022/{file}" for file, _, _ in rows])
    names = np.array([name for _, name, _ in rows])
    predicted = KNeighborsClassifier(5, algorithm="brute").fit(x, names).predict(None)
    assert get_truths(report) == {file: name for file, name, _ in rows}
    assert get_predictions(report) == {
        file: name for (file, _, _), name in zip(rows, predicted.tolist(), strict=True)
    }
    score = f1_score(names, predicted, average="macro", labels=np.unique(names), zero_division=0)
    assert report.get_mean_score() == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize("suffix", ["", "-apart"])
def test_recall_and_precision_are_scikit_learn_s_query_by_query(root, report, suffix):
    rows = read_pictures(root)
    x = embed("beluga", root, [f"beluga.coco/images/train2022/{file}" for file, _, _ in rows])
    names, dates = (np.array([row[k] for row in rows]) for k in (1, 2))
    recall, precision, n = retrieve(x, names, dates if suffix else None)
    assert report.splits[f"recall-at-1{suffix}"] == pytest.approx(recall)
    assert report.splits[f"retrieval-map{suffix}"] == pytest.approx(precision, abs=1e-6)
    # The first individual was seen on one day only.
    assert n == len(rows) - (3 if suffix else 0)
    assert "" in dates
    table = results.to_table(report.examples)
    for name in (f"recall-at-1{suffix}", f"retrieval-map{suffix}", "macro-f1"):
        interval = stats.interval_from_table(table, get_metric(name), by_group=True)
        assert interval.low <= interval.score <= interval.high
        assert interval.n_groups == len(set(names))


def test_what_cannot_be_asked_for_is_left_out_and_counted(root):
    manifest = load("beluga", root)
    assert manifest.dropped == {
        "pictures of unknown individuals": 2,
        "pictures without an annotation": 1,
        "pictures of several individuals": 1,
        "pictures of individuals seen once": 1,
    }
    assert manifest.notes == ("Pictures without a date or encounter, apart from all others: 1.",)
    assert manifest.table["group"].to_list() == manifest.table["label"].to_list()


def test_individuals_on_both_sides_are_what_is_asked_and_no_trap(report):
    assert not any("groups" in text for text in report.provenance.warnings)
    counts = {e.info["y_true"]: e.info["train_count"] for e in report.examples}
    assert (
        counts["whale 000"] == 2 and report.provenance.counts["n_train"] == len(report.examples) - 1
    )


def test_another_probe_or_fewer_pictures_are_refused(root):
    with pytest.raises(BadInput, match="'ridge' would have to be fitted anew"):
        load("beluga", root, probe="ridge")
    with pytest.raises(BadInput, match="n_train has nothing to choose"):
        load("beluga", root, n_train=5)


def test_an_unreadable_picture_finds_nothing(root, tmp_path, report):
    copy = shutil.copytree(root, tmp_path / "beluga")
    first = report.examples[0]
    (copy / first.info["image"]).write_bytes(b"no picture")
    damaged = run("beluga", copy)
    gone = damaged.examples[0]
    assert gone.id == first.id and gone.info["y_pred"] is None
    # It counts as a query that found nothing.
    others = [e.info["recall_at_1"] for e in damaged.examples[1:]]
    assert damaged.splits["recall-at-1"] == pytest.approx(sum(others) / len(damaged.examples))


def test_json_of_another_form_is_refused(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "beluga")
    path = copy / ANNOTATIONS
    path.write_text(path.read_text().replace('"name"', '"individual"'))
    with pytest.raises(BadInput, match="instances_train2022"):
        load("beluga", copy)
