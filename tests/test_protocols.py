"""Each task end to end on a small world in its published layout, held against scikit-learn's own
estimators on the same features.
"""

import dataclasses
import pathlib

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import loguniform
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score, recall_score
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import SVC

import worlds
from biobench import evaluate, registry
from biobench.errors import BadInput, CellFailed

MODEL = ("baseline", "color-hist")
TASKS = sorted(worlds.WRITERS)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    return {name: write(root / name) for name, write in worlds.WRITERS.items()}


def make_args(name, root, **kwargs):
    kwargs = dict(datadir=str(root), device="cpu", n_workers=0) | kwargs
    return registry.load_task(name).Args(**kwargs)


def run(name, root, model=MODEL, **kwargs):
    return registry.load_task(name).benchmark(make_args(name, root, **kwargs), model)[1]


def get_truth(report):
    return [e.info["y_true"] for e in report.examples], [e.info["y_pred"] for e in report.examples]


def get_features(name, root, **kwargs):
    """(manifest, image -> features), straight from the backbone."""
    args = make_args(name, root, **kwargs)
    manifest = registry.load_task(name).load(args)
    images = manifest.images()
    feats = evaluate.get_source(args, MODEL)(manifest.root, images)
    return manifest, dict(zip(images, feats.take(np.arange(len(images))), strict=True))


def stack(rows, vectors):
    return np.stack([vectors[image] for image in rows["image"]])


@pytest.mark.parametrize("name", TASKS)
def test_a_report_names_real_ids_and_says_what_made_it(name, world):
    report = run(name, world[name])
    manifest = registry.load_task(name).load(make_args(name, world[name]))
    ids = {example.id for example in report.examples}
    assert ids <= set(manifest.table["example"]) and len(report.examples) > 5
    assert all(e.score == float(e.info["y_true"] == e.info["y_pred"]) for e in report.examples)
    assert report.splits and all(0 <= value <= 1 for value in report.splits.values())
    made_by = report.provenance
    assert made_by.backbone["org"] == "baseline" and made_by.backbone["digest"]
    assert made_by.manifest == manifest.digest()
    assert made_by.counts["n_test"] == len(report.examples)
    assert made_by.versions["torch"] and made_by.stages["embed"] > 0
    low, high = report.get_confidence_interval()
    assert 0 <= low <= report.get_mean_score() <= high <= 1


@pytest.mark.parametrize("name", TASKS)
def test_batch_size_and_workers_change_no_prediction(name, world, monkeypatch, tmp_path):
    outcomes = []
    for i, (batch_size, n_workers) in enumerate([(1, 0), (7, 3), (64, 0), (64, 3)]):
        monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path / str(i)))
        model = ("baseline", "random-vit")
        # SimpleShot's answer moves with the last bit of a feature as soon as any probe's.
        kwargs = dict(batch_size=batch_size, n_workers=n_workers, probe="simpleshot")
        report = run(name, world[name], model, **kwargs)
        outcomes.append(report.examples)
    assert all(outcome == outcomes[0] for outcome in outcomes[1:])


def test_newt_is_scikit_learn_s_random_search_per_task(world):
    report = run("newt", world["newt"])
    manifest, vectors = get_features("newt", world["newt"])
    for (task,), rows in manifest.table.group_by("subtask"):
        train, test = (rows.filter(pl.col("split") == s) for s in ("train", "test"))
        x, z = (normalize(stack(r, vectors).astype(np.float64)) for r in (train, test))
        mean = x.mean(axis=0)
        search = RandomizedSearchCV(
            make_pipeline(StandardScaler(), SVC()),
            {
                "svc__C": loguniform(1e-3, 1e1),
                "svc__kernel": ["rbf", "linear", "sigmoid", "poly"],
                "svc__gamma": loguniform(1e-4, 1e-3),
            },
            n_iter=100,
            cv=5,
            random_state=42,
        ).fit(normalize(x - mean), train["label"].to_numpy())
        expected = dict(zip(test["example"], search.predict(normalize(z - mean)), strict=True))
        got = {e.id: e.info["y_pred"] for e in report.examples if e.info["subtask"] == task}
        assert got == expected
    scores = pl.DataFrame([{"s": e.score, **e.info} for e in report.examples])
    per_task = scores.group_by("subtask").agg(pl.col("s").mean(), pl.col("cluster").first())
    context = per_task.filter(pl.col("cluster") == "context")["s"].mean()
    assert report.splits["context"] == pytest.approx(context)
    assert report.splits["task-mean"] == pytest.approx(per_task["s"].mean())
    assert report.get_mean_score() == pytest.approx(scores["s"].mean())


def one_hot(labels):
    classes = np.unique(labels)
    return classes, np.where(labels[:, None] == classes, 1.0, -1.0)


def fit_ridge_sweep(x, labels, folds):
    """Mean R² over folds for each penalty by scikit-learn, then the refit."""
    classes, targets = one_hot(labels)
    search = GridSearchCV(
        Pipeline([("scale", StandardScaler()), ("ridge", Ridge())]),
        {"ridge__alpha": 2.0 ** np.arange(-20, 11)},
        cv=list(folds),
        scoring="r2",
    ).fit(x, targets)
    return lambda z: classes[search.predict(z).argmax(axis=1)]


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(("name", "test_split"), [("iwildcam", "test"), ("plantnet", "val")])
@pytest.mark.parametrize("kind", ["stratified-shuffle", "kfold"])
def test_ridge_tasks_predict_as_scikit_learn_s_grid_search(name, test_split, kind, world):
    report = run(name, world[name], folds=kind)
    manifest, vectors = get_features(name, world[name])
    train, test = manifest.split("train"), manifest.split(test_split)
    x, labels = stack(train, vectors).astype(np.float64), train["label"].to_numpy().astype(str)
    shuffled = StratifiedKFold(5, shuffle=True, random_state=42)
    splitter = KFold(5) if kind == "kfold" else shuffled
    predict = fit_ridge_sweep(x, labels, splitter.split(x, labels))
    expected = predict(stack(test, vectors).astype(np.float64))
    assert [e.info["y_pred"] for e in report.examples] == expected.tolist()
    y_true, y_pred = get_truth(report)
    assert y_true == test["label"].to_list()
    if name == "iwildcam":
        labels = np.unique(y_true)
        score = f1_score(y_true, y_pred, average="macro", labels=labels, zero_division=0)
        assert report.splits["micro-acc"] == pytest.approx(np.mean(np.equal(y_true, y_pred)))
    else:
        score = recall_score(
            y_true, y_pred, average="macro", labels=np.unique(y_true), zero_division=0
        )
        assert report.splits["micro-acc@1"] == pytest.approx(np.mean(np.equal(y_true, y_pred)))
    assert report.get_mean_score() == pytest.approx(score, abs=1e-12)


# Some feature is the same in a whole class; scikit-learn divides by its spread, and uses it not.
@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_:UserWarning")
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning:sklearn.*")
@pytest.mark.parametrize("frame_agg", ["mean", "max"])
def test_kabr_is_the_nearest_centroid_of_centred_clip_features(frame_agg, world):
    report = run("kabr", world["kabr"], frame_agg=frame_agg)
    manifest, vectors = get_features("kabr", world["kabr"])
    clips = {}
    for (clip,), rows in manifest.table.group_by("example", maintain_order=True):
        frames = normalize(stack(rows, vectors).astype(np.float64))
        clips[clip] = (rows["split"][0], rows["label"][0], getattr(frames, frame_agg)(axis=0))
    x = np.stack([vector for split, _, vector in clips.values() if split == "train"])
    y = [label for split, label, _ in clips.values() if split == "train"]
    z = np.stack([vector for split, _, vector in clips.values() if split == "val"])
    nearest = NearestCentroid().fit(normalize(x - x.mean(axis=0)), y)
    expected = nearest.predict(normalize(z - x.mean(axis=0)))
    assert [e.info["y_pred"] for e in report.examples] == expected.tolist()
    truth, _ = get_truth(report)
    walk = [e.score for e, label in zip(report.examples, truth, strict=True) if label == "Walk"]
    assert report.splits["Walk"] == pytest.approx(np.mean(walk))
    assert {e.info["group"] for e in report.examples} == {f"val-video-{i}" for i in range(3)}


def test_iwildcam_scores_the_training_cameras_where_asked(world):
    report = run("iwildcam", world["iwildcam"], id_test=True)
    assert {"id_test/macro-f1", "id_test/micro-acc", "test/macro-f1"} <= set(report.splits)
    assert {e.info["image"].split("/")[-1][:4] for e in report.examples} == {"test"}
    assert report.splits["test/macro-f1"] == pytest.approx(report.get_mean_score())


def test_a_folder_takes_any_probe(world):
    for probe in ("ridge", "svm", "simpleshot", "knn", "linear"):
        report = run("folder", world["folder"], probe=probe)
        assert report.provenance.protocol["probe"] == probe
        y_true, y_pred = get_truth(report)
        assert set(y_pred) <= {"ants", "bees", "wasps"} and len(y_true) == 6
        score = f1_score(y_true, y_pred, average="macro", zero_division=0)
        assert report.get_mean_score() == pytest.approx(score, abs=1e-12)


def test_few_shot_subsets_are_nested_and_counted(world):
    reports = {n: run("plantnet", world["plantnet"], n_train=n) for n in (2, 5)}
    assert reports[2].provenance.counts["n_train"] == 5
    assert reports[5].provenance.counts["n_train"] == 11
    assert reports[2].provenance.protocol_digest() != reports[5].provenance.protocol_digest()
    args = [make_args("plantnet", world["plantnet"], n_train=n) for n in (2, 5)]
    few, more = (
        set(evaluate.prepare(registry.load_task("plantnet"), a).manifest.split("train")["image"])
        for a in args
    )
    assert few < more
    report = run("plantnet", world["plantnet"], n_train=6, n_train_unit="total")
    assert report.provenance.counts["n_train"] == 6


def damage(root, manifest, split, n):
    images = manifest.split(split)["image"].unique(maintain_order=True).to_list()[:n]
    for image in images:
        (pathlib.Path(root) / image).write_text("not a picture")
    return images


def test_an_unreadable_picture_is_listed_scored_wrong_in_test_and_dropped_in_train(tmp_path):
    root = worlds.plantnet(tmp_path)
    manifest = registry.load_task("plantnet").load(make_args("plantnet", root))
    train, val = (damage(root, manifest, split, 2) for split in ("train", "val"))
    report = run("plantnet", root)
    wrong = [e for e in report.examples if e.info["image"] in val]
    assert [(e.score, e.info["y_pred"]) for e in wrong] == [(0.0, None)] * 2
    assert len(report.examples) == manifest.split("val").height
    counts = report.provenance.counts
    assert (counts["n_train_unreadable"], counts["n_test_unreadable"]) == (2, 2)
    assert counts["n_train"] == manifest.split("train").height - 2
    assert {s["image"] for s in report.provenance.skipped} == {*train, *val}
    assert all(s["reason"] for s in report.provenance.skipped)


def test_too_many_unreadable_pictures_fail_the_cell(tmp_path):
    root = worlds.plantnet(tmp_path)
    manifest = registry.load_task("plantnet").load(make_args("plantnet", root))
    images = damage(root, manifest, "val", 4)
    with pytest.raises(CellFailed, match=r"4 of the 15 pictures in split 'val'") as err:
        run("plantnet", root)
    assert images[0] in str(err.value)


def test_a_clip_is_scored_from_the_frames_that_can_be_read(tmp_path):
    root = worlds.kabr(tmp_path)
    manifest = registry.load_task("kabr").load(make_args("kabr", root))
    clip = manifest.split("val")
    damage(root, manifest, "val", 3)
    report = run("kabr", root)
    assert len(report.provenance.skipped) == 3
    first = next(e for e in report.examples if e.id == clip["example"][0])
    assert first.info["y_pred"] is not None


def test_the_identity_of_a_cell_is_that_of_its_report(world):
    task = registry.load_task("plantnet")
    args = make_args("plantnet", world["plantnet"])
    identity = worlds.identify(task, args, MODEL)
    report = run("plantnet", world["plantnet"])
    assert identity.protocol_digest == report.provenance.protocol_digest()
    assert identity.backbone_digest == report.provenance.backbone["digest"]
    other = worlds.identify(task, dataclasses.replace(args, seed=1), MODEL)
    assert other.protocol_digest != identity.protocol_digest
    other = worlds.identify(task, args, ("baseline", "hog"))
    assert other.backbone_digest != identity.backbone_digest


def test_vectors_computed_elsewhere_score_as_the_same_vectors_computed_here(world, tmp_path):
    _, vectors = get_features("plantnet", world["plantnet"])
    path = tmp_path / "mine.parquet"
    table = pl.DataFrame(
        {"id": list(vectors), "feature": np.stack(list(vectors.values()))},
        schema_overrides={"feature": pl.Array(pl.Float32, len(next(iter(vectors.values()))))},
    )
    table.write_parquet(path)
    here = run("plantnet", world["plantnet"])
    there = run("plantnet", world["plantnet"], ("features", "mine"), features=str(path))
    assert there.examples == here.examples
    table[:-1].write_parquet(path)
    with pytest.raises(BadInput, match=list(vectors)[-1]):
        run("plantnet", world["plantnet"], ("features", "mine"), features=str(path))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_a_sentence(world):
    with pytest.raises(BadInput, match="cuda"):
        run("folder", world["folder"], device="cuda")


def test_a_debug_run_is_small_and_is_not_taken_for_a_whole_one(world):
    whole, small = run("folder", world["folder"]), run("folder", world["folder"], debug=True)
    assert whole.provenance.protocol_digest() != small.provenance.protocol_digest()
