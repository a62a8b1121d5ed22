"""The task `folder` on exports: what a command says, boxes, splits by what matters, folds."""

import json

import polars as pl
import pytest
from PIL import Image

import worlds
from biobench import evaluate, folder
from biobench.cli import main
from biobench.errors import BadInput
from exports_world import write, write_json

FLOOR = ("baseline", "color-hist")
KINDS = ("ants", "bees", "wasps")


def make_args(path, **kwargs):
    return folder.Args(**{"datadir": str(path), "device": "cpu", "n_workers": 0, **kwargs})


@pytest.fixture
def coco(tmp_path):
    """Three classes at ten places; two more classes at one place each."""
    images, annotations = [], []
    for i in range(60):
        kind, place = i % 3, i % 10
        images.append({"id": i, "file_name": f"{i:02d}.jpg", "location": place, "seq_id": f"s{i}"})
        images[-1]["datetime"] = f"2024-05-{1 + i % 7:02d} 10:00:00"
        annotations.append({"id": i, "image_id": i, "category_id": kind + 1})
        worlds.draw(tmp_path / f"{i:02d}.jpg", kind, i)
    annotations[58]["category_id"], annotations[59]["category_id"] = 4, 0
    categories = [{"id": i, "name": name} for i, name in enumerate(("empty", *KINDS, "flies"))]
    value = {"images": images, "annotations": annotations, "categories": categories}
    write_json(tmp_path / "coco.json", value)
    return tmp_path


def count_torn(table, column):
    torn = table.group_by(column).agg(pl.col("split").n_unique().alias("n"))
    return torn.filter(pl.col("n") > 1).height


def test_run_says_what_it_took_the_folder_for_and_what_it_left_out(coco, capsys, monkeypatch):
    (coco / "more.jpg").write_bytes((coco / "00.jpg").read_bytes())
    words = ["run", "--tasks", "folder", "--data", str(coco), "--models", ":".join(FLOOR)]
    words += ["--results", str(coco.parent / "results"), "--device", "cpu", "--split-by", "camera"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert (
        "folder: 59 pictures in 4 classes; 2 left out: 1 picture that is blank (59.jpg), 1 picture "
        "that the export says nothing of (more.jpg)"
    ) in out
    assert "coco.json is read as a COCO Camera Traps file: label from 'category'" in out
    assert "1 class of one camera or picture only (flies) can be trained on but not tested." in out
    (report,) = (coco.parent / "results").glob("*/*/*/report.json")
    provenance = json.loads(report.read_text())["provenance"]
    assert [one["path"] for one in provenance["left_out"]] == ["59.jpg", "more.jpg"]
    assert provenance["counts"]["pictures that are blank"] == 1


def test_places_are_groups_and_a_split_by_days_tears_no_day(coco):
    plain = folder.load(make_args(coco)).table
    assert plain["group"].to_list() == plain["camera"].to_list()
    assert count_torn(plain, "camera") == 0 and count_torn(plain, "date") > 0
    days = folder.load(make_args(coco, split_by="date"))
    by_day = days.table.with_columns(pl.col("date").str.slice(0, 10))
    assert count_torn(by_day, "date") == 0
    assert any("Groups are not kept whole" in note for note in days.notes)
    assert set(days.table["split"]) == {"train", "test"}


def test_the_split_is_decided_by_its_own_seed_and_not_by_that_of_the_run(coco):
    first = folder.load(make_args(coco, split_by="camera", seed=1)).table
    assert folder.load(make_args(coco, split_by="camera", seed=2)).table.equals(first)
    others = [
        folder.load(make_args(coco, split_by="camera", split_seed=seed)).table for seed in range(5)
    ]
    assert any(not other.equals(first) for other in others)


def test_folds_are_by_what_was_asked_for_too_and_say_what_they_cannot(coco):
    found = folder.load(make_args(coco, split_by="date", folds_test=3))
    table = found.table.with_columns(pl.col("date").str.slice(0, 10))
    assert set(table["split"]) == {"test"} and set(table["fold"]) == {0, 1, 2}
    assert table.group_by("date").agg(pl.col("fold").n_unique())["fold"].max() == 1
    assert any("1 class of one day only (flies)" in note for note in found.notes)


def test_a_given_split_is_not_used_where_another_is_asked_for(tmp_path):
    worlds.folder(tmp_path, 8)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    rows = [
        {"path": name, "label": name.split("/")[0], "split": "train", "camera_id": i % 6}
        for i, name in enumerate(names)
    ]
    path = write(tmp_path / "mine.csv", rows)
    found = folder.load(make_args(path, split_by="camera"))
    assert "Split by camera: the given split is not used." in found.notes
    assert count_torn(found.table, "group") == 0
    with pytest.raises(BadInput, match="nothing to split by observer"):
        folder.load(make_args(path, split_by="observer"))


@pytest.fixture
def detected(tmp_path):
    """Class folders, and beside them what a detector found."""
    worlds.folder(tmp_path, 8)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    images = [
        {
            "file": name,
            "detections": [{"category": "1", "conf": 0.5, "bbox": [0.25, 0.5, 0.5, 0.5]}],
        }
        for name in names[:20]
    ]
    value = {"info": {}, "detection_categories": {"1": "animal"}, "images": images}
    write_json(tmp_path / "detections.json", value)
    return tmp_path


def test_a_detectors_boxes_go_with_class_folders_named_by_folder_or_by_file(detected):
    found = folder.load(make_args(detected))
    assert found.left_out == ()
    assert any("20 of 24 pictures have an animal" in note for note in found.notes)
    for image, box in found.table.select("image", "box").drop_nulls("box").iter_rows():
        width, height = Image.open(detected / image).size
        assert box == [width / 4, height / 2, width / 2, height / 2]
    assert found.table["box"].count() == 20
    again = folder.load(make_args(detected / "detections.json")).table
    assert again.equals(found.table) and again.schema == found.table.schema
    assert (
        folder.load(make_args(detected, box_confidence=0.6))
        .notes[0]
        .startswith("Boxes from detections.json (MegaDetector): 0 of 24")
    )


def test_a_detectors_boxes_go_with_a_table_where_they_are_named(detected):
    names = sorted(str(path.relative_to(detected)) for path in detected.glob("*/*"))
    rows = [{"path": name, "label": name.split("/")[0]} for name in names]
    table = write(detected / "mine.csv", rows)
    assert "box" not in folder.load(make_args(table)).table.columns
    found = folder.load(make_args(table, boxes=str(detected / "detections.json")))
    assert found.table["box"].count() == 20
    with pytest.raises(BadInput, match="name it with --boxes"):
        folder.load(make_args(table, box_confidence=0.5))


def test_what_an_export_knows_has_the_types_of_a_manifest_and_what_is_odd_is_kept(tmp_path):
    rows = [
        {"id": i, "image_url": "", "scientific_name": KINDS[i % 2], "quality_grade": "research"}
        | {"observed_on": "2024-05-03" if i else "in May", "latitude": "51,5", "longitude": 4}
        for i in range(8)
    ]
    write(tmp_path / "observations.csv", rows)
    for i in range(8):
        worlds.draw(tmp_path / f"{i}.jpg", i % 2, i)
    found = folder.load(make_args(tmp_path))
    assert found.table.schema["latitude"] == pl.Float64
    assert set(found.table["latitude"]) == {51.5}
    assert found.table.sort("image")["date"].to_list() == [None, *["2024-05-03"] * 7]
    assert found.table.sort("image")["date_"][0] == "in May"
    assert any("cannot be read as a date ('in May')" in note for note in found.notes)


def test_a_folder_with_two_exports_is_refused_and_either_can_be_named(coco):
    write(
        coco / "observations.csv",
        [
            {"id": 1, "image_url": "", "scientific_name": "A", "quality_grade": "x"},
        ],
    )
    with pytest.raises(BadInput, match=r"holds a COCO .* and a iNaturalist .*--data"):
        folder.load(make_args(coco))
    assert folder.load(make_args(coco / "coco.json")).table.height == 59


def test_pictures_elsewhere_are_named_by_root_and_looked_at_every_time(coco, tmp_path):
    away = tmp_path / "away"
    away.mkdir()
    (coco / "coco.json").rename(away / "coco.json")
    args = make_args(away, root=str(coco))
    assert folder.load(args).table.height == 59
    (coco / "00.jpg").unlink()
    with evaluate.session():
        assert folder.load(args).table.height == 58


def test_tables_of_other_programs_are_not_taken_for_exports(tmp_path):
    worlds.folder(tmp_path, 8)
    expected = folder.load(make_args(tmp_path)).table
    write(tmp_path / "notes.csv", [{"id": 1, "File": "a", "species": "x", "image_id": 2}])
    write_json(tmp_path / "settings.json", {"images": 3, "resources": [{"name": "x"}]})
    (tmp_path / "meta.xml").write_text("<archive/>")
    (tmp_path / "broken.json").write_text("{")
    found = folder.load(make_args(tmp_path))
    assert found.table.equals(expected)
    assert found.dropped == {"files that are not pictures": 4}


def test_a_table_with_paths_stays_a_table_whatever_columns_it_has(tmp_path):
    worlds.folder(tmp_path, 8)
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    more = {"gbifID": 1, "basisOfRecord": "x", "image_url": "", "quality_grade": "research"}
    rows = [
        {"path": name, "scientificName": name.split("/")[0], "id": i, **more}
        for i, name in enumerate(names)
    ]
    found = folder.load(make_args(write(tmp_path / "mine.csv", rows)))
    assert found.table["label"].n_unique() == 3
    assert any("Columns of mine.csv" in note for note in found.notes)


def test_what_is_packed_or_unknown_is_refused(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK")
    with pytest.raises(BadInput, match="unpack what is packed"):
        folder.load(make_args(tmp_path / "export.zip"))
    with pytest.raises(BadInput, match="no such file or folder"):
        folder.load(make_args(tmp_path / "nothing"))


def test_split_by_is_refused_for_a_published_test_set(tmp_path, capsys):
    worlds.newt(tmp_path / "newt")
    words = ["run", "--tasks", "newt", "--data", str(tmp_path), "--models", ":".join(FLOOR)]
    assert main([*words, "--results", str(tmp_path / "r"), "--split-by", "camera"]) == 2
    assert "split_by" in capsys.readouterr().err
