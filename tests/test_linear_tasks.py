"""The linear tasks of the wider suite, held against scikit-learn on what the layout's files say."""

import csv
import datetime
import json
import pathlib
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

import suite_worlds
from biobench.data import packed
from biobench.errors import BadInput
from suite_worlds import embed, fit_linear, get_predictions, get_truths, load, run

pytestmark = pytest.mark.filterwarnings("ignore:The least populated class")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    drawn = {}

    def draw(name):
        if name not in drawn:
            drawn[name] = suite_worlds.draw(tmp_path_factory.mktemp("suite"), name)
        return drawn[name]

    return draw


def list_class_folders(root, folder, suffixes):
    """(path below root, class) of every picture, by pathlib alone."""
    return [
        (path.relative_to(root).as_posix(), path.parent.name)
        for path in sorted(pathlib.Path(root, folder).glob("*/*"))
        if path.suffix in suffixes
    ]


def macro_f1(y_true, y_pred):
    labels = np.unique(y_true)
    return f1_score(y_true, y_pred, average="macro", labels=labels, zero_division=0)


def predict_folders(name, root, train, test, suffixes):
    """Truths and scikit-learn's predictions of the test folder's pictures, by path."""
    train, test = (list_class_folders(root, folder, suffixes) for folder in (train, test))
    x, z = (embed(name, root, [path for path, _ in rows]) for rows in (train, test))
    model = fit_linear(x, [label for _, label in train])
    predicted = model.predict(z).tolist()
    return dict(test), dict(zip(dict(test), predicted, strict=True)), model


@pytest.mark.parametrize(
    ("name", "train", "test", "suffixes"),
    [
        ("imagenet1k", "train", "val", {".JPEG"}),
        ("inat21", "train_mini", "val", {".jpg"}),
        ("herbarium19", "train", "validation", {".jpg"}),
    ],
)
def test_class_folders_are_scored_as_scikit_learn_does(name, train, test, suffixes, world):
    root = world(name)
    report = run(name, root)
    truths, expected, _ = predict_folders(name, root, train, test, suffixes)
    assert get_truths(report) == truths
    assert get_predictions(report) == expected
    y_true, y_pred = list(truths.values()), list(expected.values())
    if name == "herbarium19":
        assert report.get_mean_score() == pytest.approx(macro_f1(y_true, y_pred), abs=1e-12)
        macro = recall_score(y_true, y_pred, average="macro", zero_division=0)
        assert report.splits["macro-accuracy"] == pytest.approx(macro)
    else:
        assert report.get_mean_score() == pytest.approx(accuracy_score(y_true, y_pred), abs=1e-12)
    low, high = report.get_confidence_interval()
    assert 0 <= low <= report.get_mean_score() <= high <= 1


def test_what_lies_outside_the_class_folders_is_listed(world):
    left_out = {out.path: out.reason for out in load("imagenet1k", world("imagenet1k")).left_out}
    assert left_out == {
        "val/stray.JPEG": "pictures outside a class folder",
        "val/files.txt": "files that are not pictures",
    }


def test_a_missing_split_is_a_sentence(world, tmp_path):
    shutil.copytree(world("herbarium19") / "train", tmp_path / "train")
    with pytest.raises(BadInput, match=r"'validation' not found.*validation"):
        load("herbarium19", tmp_path)


def test_inat21_knows_the_taxa_that_its_folders_name(world):
    table = load("inat21", world("inat21")).table
    named = table.filter(table["label"].str.starts_with("00002"))
    assert named["kingdom"].unique().to_list() == ["Plantae"]
    assert named["genus"].unique().to_list() == ["Genus1"]
    assert named["species"][0].startswith("Genus1 ")
    other = table.filter(table["label"] == "unknown taxon")
    assert other.height and other["genus"].null_count() == other.height


def test_inat21_s_genus_accuracy_is_that_of_the_folders_names(world):
    report = run("inat21", world("inat21"))

    def genus(label):
        return label.split("_")[6] if label[0] == "0" else None

    hits = [
        e.info["y_true"] == e.info["y_pred"]
        or (genus(e.info["y_true"]) == genus(e.info["y_pred"]) is not None)
        for e in report.examples
    ]
    assert report.splits["genus-acc"] == pytest.approx(np.mean(hits))


def pack(root, path, split, rows_a_group=3):
    """A shard as Hugging Face writes them: structs of bytes and path, and numbers for classes."""
    names = sorted({label for _, label in list_class_folders(root, split, {".JPEG"})})
    rows = list_class_folders(root, split, {".JPEG"})
    table = pa.table(
        {
            "image": [
                {"bytes": (root / name).read_bytes(), "path": pathlib.Path(name).name}
                for name, _ in rows
            ],
            "label": [names.index(label) for _, label in rows],
        }
    )
    info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=rows_a_group)
    return rows


def test_parquet_shards_give_the_score_of_the_class_folders(world, tmp_path):
    root = world("imagenet1k")
    folders = run("imagenet1k", root)
    pack(root, tmp_path / "data" / "train-00000-of-00001.parquet", "train")
    rows = pack(root, tmp_path / "data" / "validation-00000-of-00001.parquet", "val")
    table = load("imagenet1k", tmp_path).table
    shards = run("imagenet1k", tmp_path)
    assert shards.get_mean_score() == folders.get_mean_score()
    by_folder = [example.info["y_pred"] for example in folders.examples]
    names = dict(table.select("label", "name").unique().iter_rows())
    assert [names[example.info["y_pred"]] for example in shards.examples] == by_folder
    assert shards.examples[4].id == "data/validation-00000-of-00001.parquet/4"
    known = {e.id: e.info["y_true"] for e in shards.examples}
    assert [names[label] for label in known.values()] == [label for _, label in rows]
    assert shards.provenance.manifest == load("imagenet1k", tmp_path).digest()


def test_a_shard_that_changes_changes_the_identity_and_a_row_too_many_is_missing(world, tmp_path):
    root, shard = world("imagenet1k"), tmp_path / "train-0.parquet"
    rows = pack(root, shard, "train")
    pack(root, tmp_path / "validation-0.parquet", "val")
    first = load("imagenet1k", tmp_path).digest()
    assert packed.count_packed(str(shard)) == len(rows)
    assert packed.read_packed(str(shard), 7) == (root / rows[7][0]).read_bytes()
    with pytest.raises(OSError, match="rows"):
        packed.read_packed(str(shard), len(rows))
    pq.write_table(pq.read_table(shard).slice(1), shard)
    assert load("imagenet1k", tmp_path).digest() != first
    shard.write_bytes(b"PAR1")
    with pytest.raises(BadInput, match=r"train-0\.parquet"):
        load("imagenet1k", tmp_path)


def test_plankton_s_classes_are_names_and_the_unclassifiable_are_no_class(world):
    root = world("plankton")
    report = run("plankton", root)
    folder = "phytoplankton_Utö_2021_labeled"
    truths, expected, model = predict_folders(
        "plankton", root, "labeled_20201020", folder, {".png"}
    )
    scored = {path: label for path, label in truths.items() if label != "Unclassifiable"}
    assert get_truths(report) == scored
    assert get_predictions(report) == {path: expected[path] for path in scored}
    y_pred = [expected[path] for path in scored]
    assert report.get_mean_score() == pytest.approx(macro_f1(list(scored.values()), y_pred))
    trained = {label for _, label in list_class_folders(root, "labeled_20201020", {".png"})}
    assert set(scored.values()) - trained and trained - set(scored.values())
    told = [path for path, label in truths.items() if label in {*trained, "Unclassifiable"}]
    confidence = model.predict_proba(embed("plankton", root, told)).max(axis=1)
    known = [truths[path] != "Unclassifiable" for path in told]
    auroc = report.splits["unclassifiable/open-set-auroc"]
    assert auroc == pytest.approx(roc_auc_score(known, confidence), abs=1e-6)
    assert report.splits["accuracy"] == pytest.approx(accuracy_score(list(scored.values()), y_pred))


def read_ecdysis(root):
    """(picture, name, specimen, split) by the published rule, from the CSV alone."""
    by_name = {}
    with (root / "metadata.csv").open() as file:
        for row in csv.DictReader(file):
            name = [row[f"gbif_{r}"] for r in ("class", "order", "family", "genus", "species")]
            picture = "images/" + row["image_thumbnail_large"].split("/")[-1]
            if not any(name) or not row["visit_date"] or not (root / picture).is_file():
                continue
            date = datetime.date.fromisoformat(row["visit_date"])
            key = (date, int(row["id"]), picture, row["specimen_id"])
            by_name.setdefault("|".join(name), []).append(key)
    rows = {}
    for name, keys in by_name.items():
        n_train = max(1, int(0.8 * len(keys) + 1e-9))
        for i, (_, number, picture, specimen) in enumerate(sorted(keys)):
            split = "train" if i < n_train else "test"
            rows[str(number)] = (picture, name, specimen, split)
    return rows


def test_ecdysis_tests_the_latest_fifth_of_each_name(world):
    root = world("ecdysis")
    report = run("ecdysis", root)
    rows = read_ecdysis(root)
    manifest = load("ecdysis", root)
    columns = manifest.table.select("example", "image", "label", "group", "split")
    assert {row[0]: row[1:] for row in columns.iter_rows()} == rows
    train = [rows[i] for i in columns["example"] if rows[i][3] == "train"]
    test = {i: row for i, row in rows.items() if row[3] == "test"}
    model = fit_linear(embed("ecdysis", root, [row[0] for row in train]), [r[1] for r in train])
    predicted = model.predict(embed("ecdysis", root, [row[0] for row in test.values()]))
    expected = dict(zip(test, predicted.tolist(), strict=True))
    assert get_predictions(report) == expected
    y_true = [row[1] for row in test.values()]
    assert report.get_mean_score() == pytest.approx(macro_f1(y_true, list(expected.values())))
    assert {e.id: e.info["group"] for e in report.examples} == {i: r[2] for i, r in test.items()}


def test_ecdysis_counts_and_lists_what_it_leaves_out(world):
    manifest = load("ecdysis", world("ecdysis"))
    assert manifest.dropped == {
        "pictures that are not there": 1,
        "rows without a picture": 1,
        "rows without a name at any rank": 1,
        "rows without a date": 1,
    }
    assert [out.path for out in manifest.left_out] == ["images/0_03.jpg"]
    assert any("one photograph" in note for note in manifest.notes)
    alone = manifest.table.filter(
        manifest.table["label"].is_in(["Insecta|Order1|Family1|Genus3|Genus3 alba"])
    )
    assert alone["split"].to_list() == ["train"]


def test_a_date_that_is_none_is_named_with_its_line(world, tmp_path):
    root = shutil.copytree(world("ecdysis"), tmp_path / "ecdysis")
    path = root / "metadata.csv"
    path.write_text(path.read_text().replace("2019-05-04", "4 May", 1))
    with pytest.raises(BadInput, match=r"line 4 has visit_date '4 May'"):
        load("ecdysis", root)
