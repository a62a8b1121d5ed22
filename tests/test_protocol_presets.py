"""--protocol 2026: each task's preset is what docs/protocols.md says, and original runs stay as is.

Scores on small worlds equal those of scikit-learn and torch on the same features, pooled by hand.
"""

import dataclasses
import functools
import pathlib
import re
import types

import numpy as np
import pytest
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import worlds
from biobench import evaluate, probes, registry
from biobench.errors import BadInput

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "protocols.md"
MODEL = ("baseline", "color-hist")
SMALL_HEAD = {"n_steps": 40, "batch_size": 16, "learning_rate": 0.02}


def make_args(name, root="x", **kwargs):
    kwargs = dict(datadir=str(root), device="cpu", n_workers=0, protocol="2026") | kwargs
    return registry.load_task(name).Args(**kwargs)


def read_page():
    """Task -> (probe, pooling, score), as the table has them."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    return {task: row[1:] for row in rows for task in re.findall(r"`(\w+)`", row[0])}


@pytest.mark.parametrize("name", sorted(set(registry.list_tasks()) - {"folder"}))
def test_the_page_says_what_each_task_does_under_the_preset(name):
    task = registry.load_task(name)
    own, preset = (task.protocol(make_args(name, protocol=p)) for p in ("original", "2026"))
    probe, pooling, score = read_page()[name]
    assert (own.preset, preset.preset) == ("", "2026")
    if probe == "the task's own":
        assert dataclasses.replace(preset, preset="") == own and score == probe
        return
    assert probe == f"`{preset.probe}`"
    assert pooling == {"max": "maximum", "none": ""}[preset.pooling]
    names = {"macro-F1": "macro-f1", "accuracy": "accuracy", "mean accuracy": "mean-score"}
    assert names[score.partition(",")[0]] == preset.metric
    assert not preset.normalize and preset.test_split == own.test_split


def test_an_original_protocol_does_not_show_in_the_key_and_the_preset_does():
    for name in registry.list_tasks():
        args = make_args(name, protocol="original")
        described = evaluate._describe(registry.load_task(name).protocol(args), args, None)
        assert not {"preset", "protocol"} & described.keys()
    args = make_args("newt")
    described = evaluate._describe(registry.load_task("newt").protocol(args), args, None)
    assert described["preset"] == "2026" and "protocol" not in described
    assert described["probe_params"] == {"name": "svc", "steps": ["LinearSvc"], "C": 1.0}


def test_a_task_without_a_preset_refuses_it_before_its_data_are_read():
    folder = registry.load_task("folder")
    args = make_args("folder", "/nowhere")
    with pytest.raises(BadInput, match=r"Folder has no protocol '2026'.*--probe"):
        evaluate.prepare(folder, args)
    own = types.ModuleType("own")
    own.load, own.protocol = folder.load, lambda args: evaluate.Protocol("Own", "knn", "accuracy")
    with pytest.raises(BadInput, match="Own has no protocol '2026'"):
        evaluate.prepare(own, args)


def run(name, root):
    """The report under the preset, the manifest's rows, and image -> features."""
    args = make_args(name, root)
    task = registry.load_task(name)
    manifest = task.load(args)
    images = manifest.images()
    feats = evaluate.get_source(args, MODEL)(manifest.root, images)
    vectors = dict(zip(images, feats.take(np.arange(len(images))), strict=True))
    return task.benchmark(args, MODEL)[1], manifest.table, vectors


def stack(rows, vectors):
    return np.stack([vectors[image] for image in rows["image"]])


def test_newt_is_a_plain_svc_for_each_task(tmp_path):
    report, table, vectors = run("newt", worlds.WRITERS["newt"](tmp_path / "newt"))
    expected = {}
    for (subtask,), rows in table.group_by("subtask"):
        train, test = (rows.filter(split=split) for split in ("train", "test"))
        svc = SVC(kernel="linear", C=1.0).fit(stack(train, vectors), train["label"].to_numpy())
        predicted = svc.predict(stack(test, vectors))
        expected |= {(subtask, e): p for e, p in zip(test["example"], predicted, strict=True)}
    got = {(e.info["subtask"], e.id): e.info["y_pred"] for e in report.examples}
    assert got == expected
    assert report.provenance.protocol["preset"] == "2026"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_kabr_is_a_random_search_over_the_maximum_of_raw_frames(tmp_path, monkeypatch):
    # All of the protocol but the number of iterations.
    real = probes.LogisticSearch.for_protocol
    monkeypatch.setattr(probes.LogisticSearch, "for_protocol", functools.partial(real, max_iter=20))
    report, table, vectors = run("kabr", worlds.WRITERS["kabr"](tmp_path / "kabr"))
    x, y, ids = {}, {}, {}
    for split in ("train", "val"):
        clips = [
            rows for _, rows in table.filter(split=split).group_by("example", maintain_order=True)
        ]
        x[split] = np.stack([stack(rows, vectors).max(axis=0) for rows in clips])
        y[split] = np.array([rows["label"][0] for rows in clips])
        ids[split] = [rows["example"][0] for rows in clips]
    cv = probes.Folds(5, "stratified")
    search = RandomizedSearchCV(
        make_pipeline(
            StandardScaler(),
            LogisticRegression(
                solver="saga", class_weight="balanced", max_iter=20, random_state=42
            ),
        ),
        {"logisticregression__C": loguniform(1e-3, 1e1)},
        n_iter=30,
        cv=list(cv.split(x["train"], y["train"])),
        scoring="f1_macro",
        random_state=42,
    ).fit(x["train"], y["train"])
    predicted = dict(zip(ids["val"], search.predict(x["val"]), strict=True))
    assert {e.id: e.info["y_pred"] for e in report.examples} == predicted
    expected = f1_score(
        y["val"],
        [predicted[one] for one in ids["val"]],
        average="macro",
        labels=np.unique(y["val"]),
        zero_division=0,
    )
    assert report.get_mean_score() == pytest.approx(expected, abs=1e-12)
    (chosen,) = report.provenance.fitted.values()
    assert chosen["C"] == search.best_params_["logisticregression__C"]


def test_plantnet_is_the_adamw_head_and_macro_f1(tmp_path, monkeypatch):
    real = probes.AdamWHead.for_protocol
    monkeypatch.setattr(probes.AdamWHead, "for_protocol", functools.partial(real, **SMALL_HEAD))
    report, table, vectors = run("plantnet", worlds.WRITERS["plantnet"](tmp_path / "plantnet"))
    train, val = (table.filter(split=split) for split in ("train", "val"))
    head = probes.AdamWHead(**SMALL_HEAD, random_state=42)
    head.fit(stack(train, vectors), train["label"].to_numpy().astype(str))
    predicted = dict(zip(val["example"], head.predict(stack(val, vectors)), strict=True))
    assert {e.id: e.info["y_pred"] for e in report.examples} == predicted
    truth = val["label"].to_list()
    expected = f1_score(
        truth, list(predicted.values()), average="macro", labels=np.unique(truth), zero_division=0
    )
    assert report.get_mean_score() == pytest.approx(expected, abs=1e-12)
