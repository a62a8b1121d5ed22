"""The task `folder` from end to end: what is odd in the data is in the report, with its number."""

import dataclasses
import json
import os
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

import worlds
from biobench import evaluate, folder
from biobench.cli import main
from biobench.data import images as pictures
from biobench.errors import BadInput, CellFailed

FLOOR = ("baseline", "color-hist")
SHARED = "test examples with a picture that is in training"


def make_args(path, **kwargs):
    return folder.Args(**{"datadir": str(path), "device": "cpu", "n_workers": 0, **kwargs})


def run(path, **kwargs):
    args = make_args(path, **kwargs)
    manifest = evaluate.prepare(folder, args).data
    return manifest, folder.benchmark(args, FLOOR)[1]


@pytest.fixture
def split(tmp_path):
    """train/ and test/ with three classes."""
    worlds.folder(tmp_path / "train", 8)
    for k, name in enumerate(("ants", "bees", "wasps")):
        for i in range(4):
            worlds.draw(tmp_path / "test" / name / f"t{i}.png", k, 100 + i)
    return tmp_path


def test_good_data_has_no_warning(split):
    manifest, report = run(split)
    assert report.provenance.warnings == [] and report.provenance.left_out == []
    assert manifest.describe() == "36 pictures in 3 classes; nothing left out"


def test_a_picture_in_train_and_test_is_counted_and_the_score_is_given_without(split):
    # Labelled otherwise, so that it cannot be right.
    shutil.copy(split / "train" / "ants" / "00.jpg", split / "test" / "bees" / "other.jpg")
    _, report = run(split)
    assert report.provenance.counts[SHARED] == 1
    (warning,) = report.provenance.warnings
    assert "test/bees/other.jpg" in warning
    rest = [e.info for e in report.examples if e.id != "test/bees/other.jpg"]
    y_true, y_pred = [info["y_true"] for info in rest], [info["y_pred"] for info in rest]
    expected = f1_score(y_true, y_pred, average="macro", labels=sorted(set(y_true)))
    assert report.splits[evaluate.UNSHARED] == pytest.approx(expected, abs=1e-12)
    assert report.splits[evaluate.UNSHARED] > report.get_mean_score()
    # The same answer from what is remembered of the contents.
    assert run(split)[1].provenance.counts[SHARED] == 1


def test_folds_test_every_picture_once_by_a_probe_that_did_not_see_it(tmp_path):
    worlds.folder(tmp_path / "few", 7)
    manifest, report = run(tmp_path / "few", folds_test=3, probe="knn")
    table = manifest.table
    assert [e.id for e in report.examples] == table["example"].to_list()
    assert report.provenance.protocol["folds_test"] == 3
    assert report.provenance.counts["n_test"] == 21
    assert report.provenance.counts["n_train"] == 14
    feats = evaluate.get_source(make_args(tmp_path), FLOOR)(manifest.root, manifest.images())
    x = feats.take(np.arange(21)).astype(np.float64)
    y, fold = table["label"].to_numpy(), table["fold"].to_numpy()
    for example in report.examples:
        i = table["example"].to_list().index(example.id)
        others = fold != fold[i]
        knn = KNeighborsClassifier(5).fit(x[others], y[others])
        assert example.info["y_pred"] == knn.predict(x[[i]])[0]
        assert example.info["train_count"] == np.sum(others & (y == y[i]))
    single = run(tmp_path / "few", probe="knn")[1].provenance
    assert "folds_test" not in single.protocol
    with pytest.raises(BadInput, match="folds_test"):
        evaluate.prepare(folder, make_args(tmp_path / "few", folds_test=3, n_train=2))


def test_groups_stay_together_in_folds(tmp_path):
    worlds.folder(tmp_path, 8)
    rows = [(p, p.parent.name, f"g{i % 5}") for i, p in enumerate(sorted(tmp_path.glob("*/*")))]
    table = pl.DataFrame(
        {
            "path": [str(path.relative_to(tmp_path)) for path, _, _ in rows],
            "label": [label for _, label, _ in rows],
            "group": [group for _, _, group in rows],
        }
    )
    table.write_csv(tmp_path / "mine.csv")
    found = folder.load(make_args(tmp_path / "mine.csv", folds_test=4)).table
    assert found.group_by("group").agg(pl.col("fold").n_unique())["fold"].max() == 1


def test_bad_files_are_named_and_the_cell_goes_on(split, monkeypatch):
    (split / "train" / "ants" / "huge.png").touch()
    os.truncate(split / "train" / "ants" / "huge.png", 60 * 10**9)
    os.mkfifo(split / "train" / "bees" / "pipe.jpg")
    Image.new("P", (300, 300)).save(split / "train" / "wasps" / "bomb.png")
    monkeypatch.setattr(pictures, "MAX_DECODED_BYTES", 200_000)
    _, report = run(split)
    skipped = {item["image"]: item["reason"] for item in report.provenance.skipped}
    assert skipped.keys() == {"train/ants/huge.png", "train/wasps/bomb.png"}
    assert "60,000,000,000 bytes" in skipped["train/ants/huge.png"]
    assert "300 x 300" in skipped["train/wasps/bomb.png"]
    assert report.provenance.left_out == [
        {"path": "train/bees/pipe.jpg", "reason": "pipes, devices or sockets"}
    ]


def test_a_class_of_heic_pictures_is_read(split):
    pictures.decode(split / "train" / "ants" / "00.jpg")
    for part in ("train", "test"):
        for path in sorted((split / part / "ants").iterdir()):
            Image.open(path).convert("RGB").save(path.with_suffix(".heic"), "HEIF")
            path.unlink()
    manifest, report = run(split)
    assert manifest.table["label"].n_unique() == 3
    assert report.provenance.skipped == []


def test_a_class_that_cannot_be_read_at_all_is_said(split):
    for path in (split / "train" / "ants").iterdir():
        path.rename(path.with_suffix(".cr2"))
    manifest, report = run(split)
    assert manifest.dropped == {"pictures and videos in formats that are not read": 8}
    assert any(
        "'ants'" in text and "not in training" in text for text in report.provenance.warnings
    )
    shutil.rmtree(split / "test" / "ants")
    notes = folder.load(make_args(split)).notes
    assert notes == (
        "No picture in the folder 'ants' is used (8 files are left out): it is no class.",
    )


def test_validation_beside_test_is_counted_and_listed(split):
    worlds.folder(split / "val", 2)
    (split / "train").rename(split / "Training")
    manifest, report = run(split)
    assert manifest.dropped == {"pictures of the unused validation split": 6}
    assert len(report.provenance.left_out) == 6
    assert report.provenance.counts["pictures of the unused validation split"] == 6
    assert "'Training' is taken as the training split." in report.provenance.warnings


def write_table(tmp_path, **columns):
    worlds.folder(tmp_path, 4)
    paths = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    table = pl.DataFrame({"path": paths, "label": [path.split("/")[0] for path in paths]})
    path = tmp_path / "mine.parquet"
    table.with_columns(
        **{name: pl.Series(values) for name, values in columns.items()}
    ).write_parquet(path)
    return path


def test_rows_of_other_splits_are_counted(tmp_path):
    values = (["train"] * 2 + ["Train", "test"]) * 2 + ["train", "test", "val", "spare"]
    manifest = folder.load(make_args(write_table(tmp_path, split=values)))
    assert dict(manifest.table.group_by("split").len().iter_rows()) == {"train": 7, "test": 3}
    assert manifest.dropped == {
        "pictures of the unused validation split": 1,
        "pictures outside the splits": 1,
    }
    assert "2 left out" in manifest.describe()


def test_columns_of_lists_structs_and_bytes_are_left_out_with_a_word(tmp_path):
    path = write_table(
        tmp_path, boxes=[[1, 2]] * 12, meta=[{"a": 1}] * 12, raw=[b"\xff"] * 12, site=["x"] * 12
    )
    manifest, report = run(path)
    assert [note for note in manifest.notes if "left out" in note] == [
        "The column 'boxes' holds lists and is left out.",
        "The column 'meta' holds structs and is left out.",
        "The column 'raw' holds bytes and is left out.",
    ]
    assert report.examples[0].info["site"] == "x"


@pytest.mark.parametrize("name", ["path", "label", "id", "split", "group"])
@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"\xff"])
def test_a_column_of_the_manifest_must_hold_one_value_a_row(name, value, tmp_path):
    path = write_table(tmp_path, **{name: [value] * 12})
    with pytest.raises(BadInput, match=f"column {name} holds (lists|structs|bytes)"):
        folder.load(make_args(path))


def test_columns_with_names_that_predictions_need_are_renamed_with_a_word(tmp_path):
    names = ("row", "positions", "score", "y_true", "train_count", "fold")
    plain = run(write_table(tmp_path / "plain"))[1]
    path = write_table(tmp_path / "named", **{name: [-1] * 12 for name in names})
    _, report = run(path)
    assert report.get_mean_score() == plain.get_mean_score()
    assert len(report.examples) == len(plain.examples)
    assert {f"{name}_" for name in names} <= report.examples[0].info.keys()


def test_too_few_neighbours_and_equal_vectors_are_in_the_report(tmp_path):
    for k, name in enumerate(("ants", "bees")):
        for i in range(2):
            worlds.draw(tmp_path / "a" / name / f"{i}.png", k, i)
    _, report = run(tmp_path / "a", probe="knn")
    assert report.provenance.counts["subtasks with fewer training examples than neighbours"] == 1
    for path in (tmp_path / "a").glob("*/*.png"):
        Image.new("RGB", (8, 8), "red").save(path)
    _, report = run(tmp_path / "a", probe="simpleshot")
    assert report.provenance.counts["problems whose training vectors are all equal"] == 1
    assert report.provenance.counts[SHARED] == 2
    assert evaluate.UNSHARED not in report.splits


@pytest.mark.parametrize("kind", [pl.List(pl.List(pl.Float32)), pl.List(pl.String)])
def test_vectors_of_nested_lists_or_texts_are_refused(kind, split):
    images = folder.load(make_args(split)).images()
    value = [[1.0]] if kind.inner != pl.String else ["1"]
    file = split / "vectors.parquet"
    pl.DataFrame(
        {"path": images, "feature": pl.Series([value] * len(images), dtype=kind)}
    ).write_parquet(file)
    with pytest.raises(BadInput, match="column feature holds"):
        folder.benchmark(make_args(split, features=str(file)), ("features", "mine"))


def test_too_many_bad_files_fail_the_cell_with_their_names(split):
    for path in (split / "test").glob("*/*.png"):
        path.write_bytes(b"-")
    with pytest.raises(CellFailed, match=r"test/ants/t0\.png"):
        run(split)


def test_run_says_what_was_found_and_left_out_and_takes_folds_test(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worlds.folder(tmp_path / "pictures", 4)
    (tmp_path / "pictures" / "notes.txt").write_text("-")
    (tmp_path / "pictures" / "ants" / "gone.png").symlink_to("nowhere")
    words = ["run", "--tasks", "folder", "--data", "pictures", "--models", ":".join(FLOOR)]
    words += ["--results", "results", "--device", "cpu", "--folds-test", "2"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert (
        "folder: 12 pictures in 3 classes; 2 left out: 1 dangling link (ants/gone.png), "
        "1 file that is not a picture (notes.txt)"
    ) in out
    (report,) = (tmp_path / "results").glob("*/*/*/report.json")
    provenance = json.loads(report.read_text())["provenance"]
    assert provenance["protocol"]["folds_test"] == 2
    assert provenance["counts"]["n_test"] == 12
    assert [item["path"] for item in provenance["left_out"]] == ["ants/gone.png", "notes.txt"]


def test_folds_test_is_refused_for_a_published_test_set(tmp_path, capsys):
    worlds.newt(tmp_path / "newt")
    words = ["run", "--tasks", "newt", "--data", str(tmp_path), "--models", ":".join(FLOOR)]
    assert main([*words, "--results", str(tmp_path / "results"), "--folds-test", "2"]) == 2
    assert "newt" in capsys.readouterr().err


def test_the_seed_of_the_split_is_not_the_seed_of_the_run(split):
    shutil.rmtree(split / "test")
    tables = [folder.load(make_args(split / "train", seed=seed)).table for seed in (1, 2)]
    assert tables[0].equals(tables[1])
    assert "split_seed" in {field.name for field in dataclasses.fields(folder.Args)}


def write_scenes(root, n=10):
    """Pictures of three animals each, side by side, with a box around each, and the table."""
    rows = []
    for i in range(n):
        scene = Image.new("RGB", (120, 32))
        for k, name in enumerate(("ants", "bees", "wasps")):
            worlds.draw(root / "parts" / f"{i}-{name}.png", k, i)
            with Image.open(root / "parts" / f"{i}-{name}.png") as part:
                scene.paste(part, (40 * k, 0))
            rows.append((f"{i}.png", name, "train" if i < n - 4 else "test", [40 * k, 0, 40, 32]))
        scene.save(root / f"{i}.png")
    table = pl.DataFrame(rows, schema=["path", "label", "split", "box"], orient="row")
    table.write_parquet(root / "scenes.parquet")
    return table


def test_a_run_on_boxes_is_a_run_on_pictures_that_were_cropped_before(tmp_path):
    table = write_scenes(tmp_path)
    _, report = run(tmp_path / "scenes.parquet", crop="box")
    parts = table.with_columns(
        path="parts/" + pl.col("path").str.slice(0, 1) + "-" + pl.col("label") + ".png"
    )
    parts.drop("box").write_csv(tmp_path / "parts.csv")
    _, expected = run(tmp_path / "parts.csv")
    assert [e.info["y_pred"] for e in report.examples] == [
        e.info["y_pred"] for e in expected.examples
    ]
    assert [e.info["top_scores"] for e in report.examples] == [
        e.info["top_scores"] for e in expected.examples
    ]
    assert report.get_mean_score() == expected.get_mean_score()
    assert report.provenance.counts["n_crops"] == 30 and report.provenance.counts["n_images"] == 10
    first = report.examples[0]
    assert first.id == "6.png#xywh=0,0,40,32" and first.info["group"] == "6.png"
    assert first.info["image"] == "6.png" and first.info["box"] == [0, 0, 40, 32]
    assert "crop" not in expected.provenance.protocol
    assert report.provenance.protocol["crop"] == "box"


def test_boxes_of_one_picture_stay_on_one_side_and_a_shared_picture_is_told(tmp_path):
    table = write_scenes(tmp_path)
    table.drop("split").write_parquet(tmp_path / "scenes.parquet")
    manifest = folder.load(make_args(tmp_path / "scenes.parquet"))
    sides = manifest.table.group_by("image").agg(pl.col("split").n_unique())
    assert sides["split"].to_list() == [1] * 10
    torn = table.with_columns(split=pl.when(label="ants").then(pl.lit("test")).otherwise("split"))
    torn.with_columns(id=pl.int_range(30)).write_parquet(tmp_path / "scenes.parquet")
    _, report = run(tmp_path / "scenes.parquet", crop="square", crop_margin=0.25)
    assert report.provenance.counts[SHARED] == 6


def test_pictures_with_several_boxes_are_refused_before_anything_is_embedded(tmp_path, capsys):
    write_scenes(tmp_path)
    path = tmp_path / "scenes.parquet"
    with pytest.raises(BadInput, match=r"10 pictures have several boxes \(as 0.png\)"):
        evaluate.prepare(folder, make_args(path))
    with pytest.raises(BadInput, match="--crop box needs boxes"):
        evaluate.prepare(folder, make_args(worlds.folder(tmp_path / "plain", 8), crop="box"))
    words = ["run", "--tasks", "folder", "--data", str(path), "--models", ":".join(FLOOR)]
    words += ["--results", str(tmp_path / "results"), "--device", "cpu"]
    assert main(words) == 2
    assert "--crop" in capsys.readouterr().err
    assert main([*words, "--crop", "square", "--crop-margin", "0.1"]) == 0
    (report,) = (tmp_path / "results").glob("*/*/*/report.json")
    protocol = json.loads(report.read_text())["provenance"]["protocol"]
    assert (protocol["crop"], protocol["crop_margin"]) == ("square", 0.1)
    predictions = pl.read_parquet(report.with_name("predictions.parquet"))
    assert predictions["box"].to_list()[0] == [0, 0, 40, 32]
    target = tmp_path / "predictions.csv"
    words = ["export", "--results", str(tmp_path / "results"), "--to", str(target)]
    assert main([*words, "--table", "predictions"]) == 0 and target.is_file()


def test_boxes_of_nothing_are_listed_and_wrong_and_pictures_without_one_are_whole(tmp_path):
    table = write_scenes(tmp_path)
    boxes = table["box"].to_list()
    boxes[0], boxes[27], boxes[29] = None, [0, 0, -5, 3], [500, 0, 5, 5]
    table.with_columns(box=pl.Series(boxes, dtype=pl.List(pl.Float64))).write_parquet(
        tmp_path / "scenes.parquet"
    )
    _, report = run(tmp_path / "scenes.parquet", crop="box")
    skipped = {one["image"]: one["reason"] for one in report.provenance.skipped}
    assert skipped == {
        "9.png#xywh=0,0,-5,3": "its box (0, 0, -5, 3) is empty: width and height must be positive",
        "9.png#xywh=500,0,5,5": "its box (500, 0, 5, 5) is outside of 120 x 32 pixels",
    }
    assert report.provenance.counts["n_test_unreadable"] == 2
    wrong = [e for e in report.examples if e.id in skipped]
    assert [(e.score, e.info["y_pred"]) for e in wrong] == [(0.0, None)] * 2
    assert "Pictures without a box, embedded whole: 1 of 30." in report.provenance.warnings
