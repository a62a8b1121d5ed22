"""What a picture knows, in every task: held against what the layout's own files say."""

import csv
import json
import pathlib
import re

import polars as pl
import pytest

import worlds
from biobench import registry
from biobench.data import FACTS
from biobench.demo import SuiteScale
from biobench.demo.suite import layouts

SCALE = SuiteScale(classes=4, train=3, test=3)


def write(layout, folder):
    """A small world in its layout, of empty pictures: loading reads none."""
    for name, lines in layout.tables():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")
    for shot in layout.shots():
        path = folder / shot.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def load(name, root):
    task = registry.load_task(name)
    return task.load(task.Args(datadir=str(root), device="cpu", n_workers=0)).table


def load_suite(name, tmp_path):
    (layout,) = layouts(SCALE, 1, [name])
    root = write(layout, tmp_path / name)
    return load(name, root), root


def read_csv(path):
    with pathlib.Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def facts(table):
    return {name for name in (*FACTS, "box") if name in table.columns and table[name].count()}


def test_iwildcam_knows_camera_sequence_and_date(tmp_path):
    root = worlds.iwildcam(tmp_path)
    path = root / "iwildcam_v2.0" / "categories.csv"
    rows = {row["filename"]: row for row in read_csv(root / "iwildcam_v2.0" / "metadata.csv")}
    first, second, *_ = sorted({int(float(row["y"])) for row in rows.values()})
    path.write_text(f"category_id,name,y\n7,panthera onca,{first}\n8,unknown bird,{second}\n")
    table = load("iwildcam", root)
    assert facts(table) == {"camera", "sequence", "date", "genus", "species"}
    for row in table.iter_rows(named=True):
        own = rows[row["example"]]
        assert row["camera"] == own["location_remapped"] == row["group"]
        assert row["sequence"] == own["sequence_remapped"]
        assert row["date"] == own["datetime"][:19].replace(" ", "T")
        is_first = int(float(own["y"])) == first
        assert row["species"] == ("panthera onca" if is_first else None)
        assert row["genus"] == ("panthera" if is_first else None)


def test_plantnet_knows_the_genus_of_a_name_with_its_author(tmp_path):
    root = worlds.plantnet(tmp_path)
    path = root / "plantnet300K_species_id_2_name.json"
    ids = sorted(folder.name for folder in (root / "images" / "train").iterdir())
    names = dict(zip(ids, ["Lactuca virosa L.", "Cirsium × rigens (Aiton) Wallr."], strict=False))
    path.write_text(json.dumps(names))
    table = load("plantnet", root)
    genus = {ids[0]: "Lactuca", ids[1]: "Cirsium"}
    assert [genus.get(label) for label in table["label"]] == table["genus"].to_list()
    assert [names.get(label) for label in table["label"]] == table["species"].to_list()


def test_kabr_knows_the_video_of_a_clip(tmp_path):
    table = load("kabr", worlds.kabr(tmp_path))
    assert facts(table) == {"sequence"} and table["sequence"].equals(table["group"])


def test_inat21_knows_the_ranks_of_its_folders(tmp_path):
    table, _ = load_suite("inat21", tmp_path)
    for label, *ranks in table.select("label", *list(FACTS)[:6]).iter_rows():
        named = label.split("_")[1:7] if "_" in label else [None] * 6
        assert ranks == named


def test_plankton_knows_what_the_instrument_wrote_into_the_name(tmp_path):
    table, _ = load_suite("plankton", tmp_path)
    assert facts(table) == {"date", "camera", "sequence"}
    for image, date, camera in table.select("image", "date", "camera").iter_rows():
        found = re.search(r"/D(....)(..)(..)T(..)(..)(..)_(IFCB\d+)_\d+\.png$", image)
        if found is None:
            assert date is None and camera is None
        else:
            *parts, instrument = found.groups()
            assert date == "{}-{}-{}T{}:{}:{}".format(*parts) and camera == instrument


def test_fungiclef_knows_taxa_date_and_place(tmp_path):
    table, root = load_suite("fungiclef", tmp_path)
    ranks = {"class", "order", "family", "genus", "species"}
    assert facts(table) == {*ranks, "date", "latitude", "longitude"}
    rows = read_csv(root / "FungiCLEF2023_val_metadata_PRODUCTION.csv")
    expected = {
        (r["observationID"], r["eventDate"], float(r["Latitude"]), float(r["Longitude"]))
        for r in rows
        if r["image_path"]
    }
    val = table.filter(split="val")
    found = val.select("example", "date", "latitude", "longitude").rows()
    assert set(found) == expected and set(val["country"]) == {"DK"}
    assert val.filter(label="unknown")["species"].null_count() == val.filter(label="unknown").height


def test_fungiclef_makes_a_date_of_year_month_and_day(tmp_path):
    _, root = load_suite("fungiclef", tmp_path)
    for split in ("train", "val"):
        path = root / f"FungiCLEF2023_{split}_metadata_PRODUCTION.csv"
        rows = read_csv(path)
        days = [("2019", "7.0", "3"), ("2019", "7", ""), ("2019", "", ""), ("", "", "")]
        for i, row in enumerate(rows):
            del row["eventDate"]
            row.update(zip(("year", "month", "day"), days[i % 4], strict=True))
        worlds.write_csv(path, rows)
    table = load("fungiclef", root)
    assert set(table["date"]) == {"2019-07-03", "2019-07", "2019", None}


def test_fishnet_knows_species_genus_family_order_and_class(tmp_path):
    table, root = load_suite("fishnet", tmp_path)
    ranks = ["species", "genus", "family", "order", "class"]
    assert facts(table) == set(ranks)
    rows = [*read_csv(root / "train.csv"), *read_csv(root / "test.csv")]
    own = {
        row["image"]: [row[name] for name in ("species", *map(str.title, ranks[1:]))]
        for row in rows
    }
    for image, *taxa in table.select("image", *ranks).iter_rows():
        assert taxa == own[image.rpartition("/")[2]]


def test_beluga_knows_the_moment_and_the_box(tmp_path):
    (layout,) = layouts(SCALE, 1, ["beluga"])
    root = write(layout, tmp_path)
    path = root / "beluga.coco" / "annotations" / "instances_train2022.json"
    coco = json.loads(path.read_text())
    odd = [None, [], [1, 2, 3], "none", [1.5, 2, 30, 40]]
    for annotation, bbox in zip(coco["annotations"], odd, strict=False):
        annotation["bbox"] = bbox
    path.write_text(json.dumps(coco))
    table = load("beluga", root)
    dates = {p["file_name"]: p["date_captured"] for p in coco["images"]}
    boxes = {a["image_id"]: a["bbox"] for a in coco["annotations"]}
    for row in table.iter_rows(named=True):
        date = dates[row["example"]]
        assert row["date"] == (date and date.replace(" ", "T"))
        assert row["occasion"] == (date and date[:10])
        bbox = boxes[int(row["example"].removesuffix(".jpg"))]
        if bbox in (None, []):
            assert row["box"] is None
        elif len(bbox) == 4 and bbox != "none":
            assert row["box"] == bbox
        else:
            assert all(value != value for value in row["box"])


def test_ecdysis_knows_ranks_date_and_place(tmp_path):
    table, root = load_suite("ecdysis", tmp_path)
    ranks = ("class", "order", "family", "genus", "species")
    rows = {row["id"]: row for row in read_csv(root / "metadata.csv")}
    assert facts(table) == {*ranks, "date"}
    for row in table.iter_rows(named=True):
        own = rows[row["example"]]
        assert [row[rank] for rank in ranks] == [own[f"gbif_{rank}"] or None for rank in ranks]
        assert (row["date"], row["country"], row["state_region"]) == (
            own["visit_date"], own["country"], own["state_region"],
        )  # fmt: skip


def test_mammalnet_knows_the_video_of_a_clip(tmp_path):
    table, _ = load_suite("mammalnet", tmp_path)
    assert facts(table) == {"sequence"} and table["sequence"].equals(table["group"])


@pytest.mark.parametrize("name", ["imagenet1k", "herbarium19"])
def test_folders_of_bare_classes_know_nothing_else(tmp_path, name):
    table, _ = load_suite(name, tmp_path)
    assert not facts(table)


def test_a_fact_has_one_type_in_every_task(tmp_path):
    for name in ("inat21", "fungiclef", "beluga", "ecdysis"):
        table, _ = load_suite(name, tmp_path)
        for fact in facts(table):
            kind = {"latitude": pl.Float64, "longitude": pl.Float64}.get(fact, pl.String)
            assert table[fact].dtype == (pl.List(pl.Float64) if fact == "box" else kind)
