"""Boxes of MegaDetector's output are placed on pictures by path, above a confidence, in pixels."""

import polars as pl
import pytest

from biobench.data import exports
from biobench.errors import BadInput
from exports_world import draw, write_json


def detection(confidence, box, category="1"):
    return {"category": category, "conf": confidence, "bbox": box}


IMAGES = [
    {"file": "a/1.jpg", "detections": [detection(0.9, [0.1, 0.25, 0.5, 0.5])]},
    {
        "file": "a\\2.jpg",
        "detections": [
            detection(0.3, [0.0, 0.0, 1.0, 1.0]),
            detection(0.8, [0.5, 0.5, 0.25, 0.25]),
            detection(0.99, [0.0, 0.0, 0.5, 0.5], "2"),
        ],
    },
    {"file": "a/3.jpg", "detections": [detection(0.15, [0.0, 0.0, 0.5, 0.5])]},
    {"file": "a/4.jpg", "failure": "Failure image access", "detections": None},
    {"file": "film.mp4", "frame_rate": 30, "detections": []},
]
NAMES = [f"a/{n}.jpg" for n in range(1, 6)]


def describe(images=IMAGES, **info):
    categories = {"1": "animal", "2": "person", "3": "vehicle"}
    return {
        "info": {"format_version": "1.4", **info},
        "detection_categories": categories,
        "images": images,
    }


@pytest.fixture
def root(tmp_path):
    for seed, name in enumerate(NAMES):
        draw(tmp_path / name, seed)
    write_json(tmp_path / "md.json", describe())
    return tmp_path


def place(root, confidence=None):
    boxes = exports.read_boxes(root / "md.json", confidence)
    found, notes = boxes.place(pl.Series("image", NAMES), root)
    return dict(zip(NAMES, found.to_list(), strict=True)), notes


def test_the_surest_animal_is_the_box_and_people_are_none(root):
    found, notes = place(root)
    assert found == {
        "a/1.jpg": [4.0, 5.0, 20.0, 10.0],
        "a/2.jpg": [20.0, 10.0, 10.0, 5.0],
        "a/3.jpg": None,
        "a/4.jpg": None,
        "a/5.jpg": None,
    }
    assert notes == [
        "Boxes from md.json (MegaDetector): 2 of 5 pictures have an animal of a confidence of 0.2 "
        "or more; of several the surest is kept (1); not read by it (1); not in it (1)."
    ]


def test_the_confidence_is_what_was_asked_for_else_what_the_file_recommends(root):
    assert place(root, 0.1)[0]["a/3.jpg"] is not None
    assert place(root, 0.85)[0]["a/2.jpg"] is None
    value = describe(detector_metadata={"typical_detection_threshold": 0.85})
    write_json(root / "md.json", value)
    assert place(root)[0]["a/2.jpg"] is None
    assert place(root, 0.5)[0]["a/2.jpg"] is not None
    with pytest.raises(BadInput, match="box_confidence is 2"):
        place(root, 2.0)


def test_paths_of_another_machine_are_understood(root):
    moved = [{**one, "file": f"D:\\Traps\\{one['file']}"} for one in IMAGES]
    write_json(root / "md.json", describe(moved), "utf-8-sig")
    assert place(root)[0]["a/1.jpg"] is not None


def test_output_for_other_pictures_and_other_files_are_refused(root):
    write_json(root / "md.json", describe([{"file": "z.jpg", "detections": []}]))
    with pytest.raises(BadInput, match=r"none of its 1 files.*its first is z\.jpg"):
        place(root)
    write_json(root / "md.json", {"images": []})
    with pytest.raises(BadInput, match="no output of MegaDetector"):
        place(root)
