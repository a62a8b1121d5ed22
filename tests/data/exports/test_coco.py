"""A COCO Camera Traps file gives the pictures that it labels, by category."""

import pytest
from PIL import Image

from biobench.data import exports
from biobench.data.exports import assembling, coco, kind
from biobench.errors import BadInput
from exports_world import draw, reasons, write_json

CATEGORIES = [
    {"id": 0, "name": "empty"},
    {"id": 1, "name": "red_fox"},
    {"id": 2, "name": "heron", "family": "Ardeidae", "class": "Aves"},
    {"id": 3, "name": "person"},
]


def image(name, **more):
    row = {"id": name, "file_name": f"site 1/{name}.jpg", "width": 400, "height": 200}
    row |= {"seq_id": "s1", "seq_num_frames": 2, "frame_num": 1, "location": 17}
    return row | {"datetime": "2024-05-03 10:11:12"} | more


IMAGES = [
    *(image(name) for name in ("a", "b", "none", "man", "both", "bare", "lost")),
    image("c", location="18", seq_id="s2"),
    image("bad", corrupt=True),
    image("odd"),
    image("plain", width=None, height=None),
]
ANNOTATIONS = [
    {"id": 1, "image_id": "a", "category_id": 1, "bbox": [100, 50, 200, 100]},
    {"id": 2, "image_id": "b", "category_id": 1, "sequence_level_annotation": True},
    {"id": 3, "image_id": "none", "category_id": 0},
    {"id": 4, "image_id": "man", "category_id": 3},
    {"id": 5, "image_id": "both", "category_id": 1},
    {"id": 6, "image_id": "both", "category_id": 2},
    {"id": 7, "image_id": "lost", "category_id": 1},
    {"id": 8, "image_id": "c", "category_id": 2},
    {"id": 9, "image_id": "bad", "category_id": 2},
    {"id": 10, "image_id": "odd", "category_id": 99},
    {"id": 11, "image_id": "plain", "category_id": 1, "bbox": [4, 5, 10, 10]},
]


@pytest.fixture
def file(tmp_path):
    for seed, one in enumerate(IMAGES):
        if one["id"] != "lost":
            draw(tmp_path / one["file_name"], seed)
    value = {"info": {"version": "1"}, "images": IMAGES, "annotations": ANNOTATIONS}
    return write_json(tmp_path / "labels.json", value | {"categories": CATEGORIES}, "utf-8-sig")


def read(path, **columns):
    return exports.find_export(exports.Place.of(path)).read(path.parent, columns)


def test_pictures_of_one_category_are_used_with_place_sequence_and_date(file):
    found = read(file)
    rows = {row["path"]: row for row in found.table.iter_rows(named=True)}
    assert {path: row["label"] for path, row in rows.items()} == {
        "site 1/a.jpg": "red_fox",
        "site 1/b.jpg": "red_fox",
        "site 1/c.jpg": "heron",
        "site 1/plain.jpg": "red_fox",
    }
    c = rows["site 1/c.jpg"]
    assert (c["camera"], c["group"], c["sequence"]) == ("18", "18", "s2")
    assert (c["date"], c["family"], c["class"]) == ("2024-05-03T10:11:12", "Ardeidae", "Aves")
    assert rows["site 1/a.jpg"]["camera"] == "17"


def test_a_box_is_scaled_to_the_file_that_is_there(file):
    boxes = dict(read(file).table.select("path", "box").iter_rows())
    # The files are a tenth of the size that the annotations were made in.
    assert boxes["site 1/a.jpg"] == [10.0, 5.0, 20.0, 10.0]
    assert boxes["site 1/plain.jpg"] == [4.0, 5.0, 10.0, 10.0]


def test_what_is_left_out_is_listed_and_labels_of_sequences_are_said(file):
    found = read(file)
    assert reasons(found) == {
        kind.BLANK: ["site 1/none.jpg"],
        kind.HUMAN: ["site 1/man.jpg"],
        assembling.SEVERAL: ["site 1/both.jpg"],
        coco.NO_ANNOTATION: ["site 1/bare.jpg"],
        coco.CORRUPT: ["site 1/bad.jpg"],
        kind.UNCLASSIFIED: ["site 1/odd.jpg"],
        kind.MISSING: ["site 1/lost.jpg"],
    }
    assert any(
        "whole sequence, which not each of them need show: 1." in note for note in found.notes
    )


def test_with_the_category_asked_for_blanks_and_people_are_classes(file):
    labels = set(read(file, label="category").table["label"])
    assert labels == {"empty", "red_fox", "heron", "person"}


def test_what_is_not_the_format_is_refused_with_the_reason(file):
    write_json(file, {"images": [{"id": 1}], "annotations": [], "categories": []})
    with pytest.raises(BadInput, match=r"labels\.json cannot be understood.*file_name"):
        read(file)
    assert exports.find_export(exports.Place.of(write_json(file, {"images": []}))) is None
    file.write_text("{")
    assert exports.find_export(exports.Place.of(file)) is None


def test_a_turned_picture_keeps_its_box_where_it_was_counted(file):
    # Counted in the picture as it is stored, whatever the tag says.
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(file.parent / "site 1" / "a.jpg", exif=exif)
    assert dict(read(file).table.select("path", "box").iter_rows())["site 1/a.jpg"] == [
        10.0,
        5.0,
        20.0,
        10.0,
    ]


def test_values_that_json_does_not_have_are_read_as_none(file):
    images = [one | {"height": float("nan")} for one in IMAGES]
    value = {"images": images, "annotations": ANNOTATIONS, "categories": CATEGORIES}
    write_json(file, value)
    assert "NaN" in file.read_text()
    boxes = dict(read(file).table.select("path", "box").iter_rows())
    # Of an unknown size it counts in pixels of the file, of which it begins outside.
    assert boxes["site 1/a.jpg"] is None and boxes["site 1/plain.jpg"] == [4.0, 5.0, 10.0, 10.0]
