"""FishNet on a small world: traits read by csv, one network for all, scores by scikit-learn."""

import csv
import shutil

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

import suite_worlds
import worlds
from biobench import evaluate, registry, results, stats
from biobench.errors import BadInput
from biobench.fishnet import TRAITS
from biobench.metrics import get_metric
from biobench.probes import MultiLabelMlp
from suite_worlds import embed, load, make_args, run


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return suite_worlds.draw(tmp_path_factory.mktemp("suite"), "fishnet")


@pytest.fixture(scope="module")
def report(root):
    return run("fishnet", root)


def read_traits(root, split):
    """Picture -> nine numbers, of those with no empty trait."""
    pictures = {}
    with (root / f"{split}.csv").open() as file:
        for row in csv.DictReader(file):
            values = [row[trait] for trait in TRAITS]
            if "" not in values:
                yes = [value in ("pelagic", "1", "1.0") for value in values]
                pictures[f"Image_Library/{row['Folder']}/{row['image']}"] = yes
    return pictures


def predict(root):
    train, test = read_traits(root, "train"), read_traits(root, "test")
    x, z = embed("fishnet", root, train), embed("fishnet", root, test)
    # The backbone's features are single precision, as the spine hands them on.
    x, z = x.astype(np.float32), z.astype(np.float32)
    probe = MultiLabelMlp(random_state=42).fit(x, np.array(list(train.values())).astype(int))
    return test, probe.predict(z), probe.predict_proba(z)


def test_the_score_is_the_mean_over_traits_of_scikit_learn_s_macro_f1(root, report):
    test, predicted, probabilities = predict(root)
    truth = np.array(list(test.values())).astype(int)
    f1 = [
        f1_score(truth[:, i], predicted[:, i], average="macro", labels=[0, 1], zero_division=0)
        for i in range(len(TRAITS))
    ]
    assert report.get_mean_score() == pytest.approx(np.mean(f1), abs=1e-12)
    for i, trait in enumerate(TRAITS):
        assert report.splits[f"{trait}/macro-f1"] == pytest.approx(f1[i])
        accuracy = accuracy_score(truth[:, i], predicted[:, i])
        assert report.splits[f"{trait}/accuracy"] == pytest.approx(accuracy)
    assert len(report.examples) == truth.size
    row = {picture: i for i, picture in enumerate(test)}
    for example in report.examples:
        at = row[example.id], TRAITS.index(example.info["subtask"])
        for key, values in (("y_true", truth), ("y_pred", predicted)):
            answer = example.info[key].split(": ")[1]
            assert (answer in ("yes", "pelagic")) == bool(values[at])
        p = max(probabilities[at], 1 - probabilities[at])
        assert example.info["top_scores"][0] == pytest.approx(p, abs=1e-9)


def test_empty_traits_and_repeated_rows_are_counted(root):
    manifest = load("fishnet", root)
    n_odd = suite_worlds.SCALE.classes * 2
    assert manifest.dropped == {
        "pictures with an empty trait": n_odd,
        "rows that repeat a picture": 2,
    }
    assert manifest.table.group_by("example").len()["len"].unique().to_list() == [9]
    assert manifest.table["group"].to_list() == manifest.table["example"].to_list()


def test_photographs_are_resampled_with_all_nine_answers(report):
    table = results.to_table(report.examples)
    interval = stats.interval_from_table(table, get_metric("macro-f1"), by_group=True)
    assert interval.n_groups == table["example"].n_unique() == interval.n / 9
    assert interval.low <= interval.score <= interval.high
    same = stats.compare(table, table, get_metric("macro-f1"))
    assert same.difference == 0


def test_any_other_probe_answers_trait_by_trait(root):
    report = run("fishnet", root, probe="ridge")
    assert len(report.provenance.fitted) == len(TRAITS)
    assert {e.info["y_pred"] for e in report.examples if e.info["subtask"] == "Polar"} <= {
        "Polar: no",
        "Polar: yes",
    }


def test_n_train_counts_photographs(root):
    report = run("fishnet", root, n_train=12, n_train_unit="total")
    assert report.provenance.counts["n_train"] == 12 * len(TRAITS)
    with pytest.raises(BadInput, match=r"n_train_unit.*total"):
        load("fishnet", root, n_train=5)


def test_a_task_of_one_label_has_no_use_for_a_probe_of_several(tmp_path):
    worlds.plantnet(tmp_path / "plantnet")
    worlds.newt(tmp_path / "newt")
    for name in ("plantnet", "newt"):
        args = make_args(name, tmp_path / name, probe="mlp")
        with pytest.raises(BadInput, match=r"'mlp'.*choose another probe"):
            evaluate.prepare(registry.load_task(name), args)


def test_a_trait_that_is_neither_yes_nor_no_is_named(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "fishnet")
    path = copy / "test.csv"
    path.write_text(path.read_text().replace("benthic", "abyssal", 1))
    with pytest.raises(BadInput, match=r"test\.csv: line 2 has no known value of FeedingPath"):
        load("fishnet", copy)
