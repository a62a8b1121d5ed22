"""The task `folder` on real photographs: Debian's tuxpaint-stamps-default, as in the README."""

import os
import pathlib
import re
import runpy
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from biobench import evaluate, folder

STAMPS = pathlib.Path("/usr/share/tuxpaint/stamps")
ROOT = pathlib.Path(__file__).parents[1]
MODELS = [
    ("timm", "tf_efficientnet_lite0"),
    ("baseline", "color-hog"),
    ("baseline", "random-vit"),
]

pytestmark = [
    pytest.mark.photographs,
    pytest.mark.skipif(
        not STAMPS.is_dir() and os.environ.get("CI") != "true",
        reason="needs Debian's tuxpaint-stamps-default",
    ),
]


@pytest.fixture(scope="module")
def args(tmp_path_factory):
    path = tmp_path_factory.mktemp("photographs") / "photographs.csv"
    argv, sys.argv = sys.argv, ["list_photographs.py", str(STAMPS), str(path)]
    try:
        runpy.run_path(str(ROOT / "examples" / "list_photographs.py"), run_name="__main__")
    finally:
        sys.argv = argv
    return folder.Args(datadir=str(path), device="cpu", n_workers=2)


@pytest.fixture(scope="module")
def reports(args, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield {model: folder.benchmark(args, model)[1] for model in MODELS}


def test_the_photographs_are_of_many_kinds_each_with_enough_pictures(args):
    counts = folder.load(args).table.group_by("label").len()
    assert {"birds", "mammals", "fish", "insects", "flowers"} <= set(counts["label"])
    assert counts["len"].min() >= 8


def test_the_pretrained_network_is_ahead_of_both_floors(reports):
    pretrained, *floors = (reports[model].get_mean_score() for model in MODELS)
    assert pretrained > max(floors)
    assert min(floors) > 0


@pytest.mark.parametrize("model", MODELS, ids=":".join)
def test_the_score_is_scikit_learn_s_on_the_same_features_and_split(model, args, reports):
    manifest = folder.load(args)
    images = manifest.images()
    feats = evaluate.get_source(args, model)(manifest.root, images)
    assert not feats.failures
    x = feats.take(np.arange(len(images))).astype(np.float64)
    labels = manifest.table["label"].to_numpy().astype(str)
    is_train = (manifest.table["split"] == "train").to_numpy()
    classes = np.unique(labels[is_train])
    targets = np.where(labels[is_train, None] == classes, 1.0, -1.0)
    folds = StratifiedKFold(5, shuffle=True, random_state=42)
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("ridge", Ridge())]),
        {"ridge__alpha": 2.0 ** np.arange(-20, 11)},
        cv=list(folds.split(x[is_train], labels[is_train])),
        scoring="r2",
    ).fit(x[is_train], targets)
    y_true, y_pred = labels[~is_train], classes[search.predict(x[~is_train]).argmax(axis=1)]
    expected = f1_score(y_true, y_pred, average="macro", labels=np.unique(y_true), zero_division=0)
    report = reports[model]
    assert [e.info["y_pred"] for e in report.examples] == y_pred.tolist()
    assert report.get_mean_score() == pytest.approx(expected, abs=1e-12)
    assert report.splits["accuracy"] == pytest.approx(np.mean(y_true == y_pred))


def test_every_test_picture_is_scored_under_its_path(reports, args):
    test = folder.load(args).table.filter(pl.col("split") == "test")
    for report in reports.values():
        assert [e.id for e in report.examples] == test["example"].to_list()


def test_the_table_of_the_readme_is_what_comes_out(reports):
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(
        r"^\| `(\S+:\S+)`.*? \| (0\.\d+) \[.*\] \| (0\.\d+) \|$", readme, re.MULTILINE
    )
    found = {":".join(model): report for model, report in reports.items()}
    expected = {n: (r.get_mean_score(), r.splits["accuracy"]) for n, r in found.items()}
    assert {name: (f"{a:.3f}", f"{b:.3f}") for name, (a, b) in expected.items()} == {
        name: (score, accuracy) for name, score, accuracy in rows
    }
