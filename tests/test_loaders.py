"""Every task reads the published layout, and says what is wrong with any other."""

import dataclasses
import json
import re
import shutil

import polars as pl
import pytest

import worlds
from biobench import evaluate, folder, iwildcam, kabr, newt, plantnet, registry
from biobench.errors import BadInput

TASKS = sorted(worlds.WRITERS)


def load(name, root, **kwargs):
    task = registry.load_task(name)
    args = task.Args(datadir=str(root), device="cpu", **kwargs)
    return evaluate.prepare(task, args).data


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    return {name: write(root / name) for name, write in worlds.WRITERS.items()}


@pytest.fixture
def copy(world, tmp_path):
    """A copy of one task's data, for the tests that damage it."""
    return lambda name: shutil.copytree(world[name], tmp_path / name)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("name", TASKS)
def test_every_row_has_a_file_an_id_a_split_and_a_label(name, world):
    manifest = load(name, world[name])
    assert all((manifest.root / image).is_file() for image in manifest.images())
    required = manifest.table.select("image", "example", "split", "label")
    assert required.null_count().sum_horizontal()[0] == 0
    assert manifest.table.height > 10


@pytest.mark.parametrize("name", TASKS)
def test_loading_twice_gives_the_same_digest_and_changed_data_another(name, copy):
    root = copy(name)
    manifest = load(name, root)
    first = manifest.digest()
    assert load(name, root).digest() == first
    image = root / manifest.images()[0]
    image.write_bytes(image.read_bytes() + b"\0")
    assert load(name, root).digest() != first


@pytest.mark.parametrize("name", TASKS)
def test_a_missing_folder_is_a_sentence(name, tmp_path):
    with pytest.raises(BadInput, match="nowhere"):
        load(name, tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["newt", "kabr", "iwildcam"])
def test_a_missing_picture_is_named_before_any_embedding(name, copy):
    root = copy(name)
    gone = load(name, root).images()[0]
    (root / gone).unlink()
    with pytest.raises(BadInput, match=re.escape(gone)):
        load(name, root)


@pytest.mark.parametrize(
    ("name", "file", "column"),
    [
        ("newt", "newt2021_labels.csv", "task_cluster"),
        ("kabr", "annotation/val.csv", "original_vido_id"),
        ("iwildcam", "iwildcam_v2.0/metadata.csv", "location_remapped"),
    ],
)
def test_a_missing_column_is_named(name, file, column, copy):
    root = copy(name)
    edit(root / file, column, "renamed")
    with pytest.raises(BadInput, match=column) as err:
        load(name, root)
    assert file in str(err.value)


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("newt", "newt2021_labels.csv", ",1,fish_or_bird-1", ",2,fish_or_bird-1"),
        ("kabr", "annotation/train.csv", "train1/3.jpg 1", "train1/3.jpg 8"),
        ("iwildcam", "iwildcam_v2.0/metadata.csv", "test-01.jpg,2", "test-01.jpg,-2"),
    ],
)
def test_an_unknown_label_is_named_with_its_line(name, file, old, new, copy):
    root = copy(name)
    edit(root / file, old, new)
    lines = (root / file).read_text().splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if new in line]
    value = new.replace(",", " ").split()[name != "newt"]
    with pytest.raises(BadInput, match=rf"{file}: line {number} has \w+ '{value}'"):
        load(name, root)


def test_an_empty_split_is_named(copy):
    root = copy("iwildcam")
    path = root / "iwildcam_v2.0" / "metadata.csv"
    path.write_text(re.sub(r"(?m)^test,", "val,", path.read_text()))
    with pytest.raises(BadInput, match="'test' is empty"):
        load("iwildcam", root)


def test_a_duplicate_id_is_named(copy):
    root = copy("newt")
    path = root / "newt2021_labels.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]) + "\n")
    with pytest.raises(BadInput, match="fish_or_bird-00"):
        load("newt", root)


def test_newt_keeps_empty_subclusters_and_pictures_shared_by_tasks(world):
    table = load("newt", world["newt"]).table
    assert table["subcluster"].null_count() + (table["subcluster"] == "").sum() > 0
    shared = (
        table.group_by("example").agg(pl.col("subtask").n_unique()).filter(pl.col("subtask") > 1)
    )
    assert shared.height == 1
    assert len(table["image"].unique()) == table.height - 1


def test_kabr_takes_sixteen_frames_every_fifth_or_closer(world):
    manifest = load("kabr", world["kabr"])
    assert manifest.dropped == {"train clips under 16 frames": 1, "val clips under 16 frames": 1}
    for (_,), clip in manifest.table.group_by("example"):
        frames = clip["image"].str.extract(r"(\d+)\.jpg").cast(pl.Int64)
        assert frames.len() == 16
        stride = 1 if clip["example"][0].endswith("0") else 2
        assert set(frames.diff().drop_nulls()) == {stride}
        assert clip["label"].n_unique() == 1
        kind = int(clip["example"][0][-1]) % 3
        assert clip["label"][0] == ["Walk", "Graze", "Run"][kind]


def test_kabr_picks_frames_from_the_seed_and_the_clip_alone(world, copy):
    table = load("kabr", world["kabr"]).table
    root = copy("kabr")
    path = root / "annotation" / "val.csv"
    header, *lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(lines)]) + "\n")
    again = load("kabr", root).table
    assert sorted(table["image"]) == sorted(again["image"])
    assert sorted(table["image"]) != sorted(load("kabr", world["kabr"], seed=7).table["image"])


def test_a_long_clip_is_sampled_every_fifth_frame():
    picked = kabr._pick_frames(200, 42, "clip")
    assert len(picked) == 16 and set(picked[1:] - picked[:-1]) == {5}
    assert picked[0] >= 0 and picked[-1] < 200


def test_iwildcam_groups_by_camera_and_tests_on_unseen_ones(world):
    manifest = load("iwildcam", world["iwildcam"])
    train, test = (set(manifest.split(name)["group"]) for name in ("train", "test"))
    assert not train & test
    assert set(manifest.split("test")["light"]) == {"day", "night"}


def test_plantnet_allows_a_species_in_one_split_only(world):
    manifest = load("plantnet", world["plantnet"])
    train, val = (set(manifest.split(name)["label"]) for name in ("train", "val"))
    assert val - train == {"1355936"}
    assert manifest.split("val")["group"].n_unique() < manifest.split("val").height


def test_plantnet_works_without_its_metadata(copy):
    root = copy("plantnet")
    (root / "plantnet300K_metadata.json").unlink()
    assert load("plantnet", root).table["group"].null_count() > 0
    (root / "plantnet300K_species_id_2_name.json").write_text("{")
    with pytest.raises(BadInput, match="species_id_2_name"):
        load("plantnet", root)


def test_a_folder_of_classes_is_split_by_class_from_a_seed_of_its_own(world):
    table = load("folder", world["folder"]).table
    counts = table.group_by("label", "split").len().sort("label", "split")
    assert counts["len"].to_list() == [2, 8] * 3
    assert load("folder", world["folder"], seed=1).table.equals(table)
    other = load("folder", world["folder"], split_seed=1).table
    assert set(other.filter(pl.col("split") == "test")["image"]) != set(
        table.filter(pl.col("split") == "test")["image"]
    )


def test_a_folder_with_train_and_test_keeps_its_split(world, tmp_path):
    worlds.folder(tmp_path / "train", 5)
    worlds.folder(tmp_path / "test", 3)
    (tmp_path / "train" / "ants" / "notes.txt").write_text("-")
    (tmp_path / "train" / "stray.jpg").write_bytes(b"")
    manifest = load("folder", tmp_path)
    assert dict(manifest.table.group_by("split").len().iter_rows()) == {"train": 15, "test": 9}
    assert manifest.dropped == {
        "files that are not pictures": 1,
        "pictures outside a class folder": 1,
    }


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_brings_groups_ids_and_further_columns(suffix, world, tmp_path):
    images = load("folder", world["folder"]).table
    table = images.select(
        pl.concat_str(pl.lit(str(world["folder"]) + "/"), "image").alias("path"),
        "label",
        pl.int_range(pl.len()).alias("id"),
        (pl.int_range(pl.len()) // 3).alias("group"),
        pl.lit("Kenya").alias("country"),
    )
    path = tmp_path / f"mine{suffix}"
    table.write_csv(path) if suffix == ".csv" else table.write_parquet(path)
    manifest = load("folder", path)
    assert manifest.table["country"].unique().to_list() == ["Kenya"]
    assert manifest.table["example"].to_list() == [str(i) for i in range(30)]
    split = manifest.table.group_by("group").agg(pl.col("split").n_unique())
    assert split["split"].max() == 1
    assert 0.1 < (manifest.table["split"] == "test").mean() < 0.4


def test_a_table_without_labels_or_with_two_for_a_picture_is_refused(tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    path = tmp_path / "mine.csv"
    path.write_text("path,weight\na.jpg,3\n")
    with pytest.raises(BadInput, match="no column is known to be the label"):
        load("folder", path)
    path.write_text("path,label,split\na.jpg,ant,train\na.jpg,bee,train\nb.jpg,bee,test\n")
    with pytest.raises(BadInput, match=r"a\.jpg stands in several rows"):
        load("folder", path)
    path.write_text("path,label,split\na.jpg,ant,train\nc.jpg,,train\nb.jpg,bee,test\n")
    with pytest.raises(BadInput, match="1 class"):
        load("folder", path)


def test_settings_that_cannot_be_are_refused(world):
    for wrong in (dict(n_train=0), dict(batch_size=0), dict(n_workers=-1), dict(probe="rigde")):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            load("folder", world["folder"], **wrong)


@pytest.mark.parametrize("module", [newt, kabr, iwildcam, plantnet, folder])
def test_a_task_documents_its_data_citation_and_protocol(module):
    for heading in ("Data\n", "Citation\n", "Protocol\n"):
        assert heading in module.__doc__
    assert dataclasses.is_dataclass(module.Args) and module.Args.__doc__


def test_classes_json_that_is_not_an_object_is_refused(copy):
    root = copy("kabr")
    (root / "annotation" / "classes.json").write_text(json.dumps({"Walk": "many"}))
    with pytest.raises(BadInput, match=r"classes\.json"):
        load("kabr", root)


def test_classes_json_may_map_either_way_or_be_missing(copy):
    root = copy("kabr")
    path = root / "annotation" / "classes.json"
    named = load("kabr", root).table["label"]
    path.write_text(json.dumps({"0": "Walk", "1": "Graze", "2": "Run"}))
    assert load("kabr", root).table["label"].equals(named)
    path.unlink()
    numbers = load("kabr", root).table["label"]
    assert numbers.replace({"0": "Walk", "1": "Graze", "2": "Run"}).equals(named)


def test_iwildcam_labels_written_as_decimals_are_the_same_labels(copy):
    root = copy("iwildcam")
    labels = load("iwildcam", root).table["label"]
    path = root / "iwildcam_v2.0" / "metadata.csv"
    path.write_text(re.sub(r"(?m)^(\w+,[\w.-]+,)(\d+),", r"\1\2.0,", path.read_text()))
    assert load("iwildcam", root).table["label"].equals(labels)
