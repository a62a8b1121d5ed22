import io
import os

import numpy as np
import polars as pl
import pytest
from PIL import Image

from biobench.report.site.thumbnails import MISSING, OUTSIDE, SIZE, Album

RED, BLUE = (200, 30, 30), (30, 30, 200)


def paint(path, colour, size=(600, 300)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def look(album, shot):
    """The mean colour of a thumbnail."""
    with Image.open(io.BytesIO(album.files[shot.address])) as image:
        assert image.size == (shot.width, shot.height)
        return np.asarray(image.convert("RGB")).mean((0, 1))


def test_a_picture_is_found_in_the_folder_of_its_task_before_the_folder_itself(tmp_path):
    paint(tmp_path / "birds" / "a.png", RED)
    paint(tmp_path / "a.png", BLUE)
    album = Album(tmp_path)
    shot = album.take("birds", "a.png")
    assert look(album, shot) == pytest.approx(RED, abs=6)
    assert (shot.width, shot.height) == (SIZE, SIZE // 2)
    own = Album(tmp_path / "birds")
    assert look(own, own.take("birds", "a.png")) == pytest.approx(RED, abs=6)


def test_the_same_picture_is_one_file_whatever_it_is_called(tmp_path):
    for name in ("a.png", "b.png"):
        paint(tmp_path / name, RED)
    album = Album(tmp_path)
    assert album.take("t", "a.png") == album.take("t", "b.png")
    assert len(album.files) == 1


def test_of_a_box_the_part_around_it_is_shown(tmp_path):
    image = Image.new("RGB", (400, 400), BLUE)
    image.paste(RED, (100, 100, 300, 300))
    image.save(tmp_path / "a.png")
    album = Album(tmp_path)
    shot = album.take("t", "a.png", (160.0, 160.0, 80.0, 80.0))
    assert look(album, shot) == pytest.approx(RED, abs=6)
    whole = album.take("t", "a.png", (0.0, 0.0, 0.0, 0.0))
    assert (whole.width, whole.height) == (SIZE, SIZE)


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "a/../../secret.png", "/etc/hostname", "..\\secret.png", "C:secret", ""],
)
@pytest.mark.parametrize("task", ["birds", "..", "../data", "."])
def test_nothing_is_read_outside_the_folder_by_a_path(tmp_path, path, task):
    paint(tmp_path / "secret.png", RED)
    (tmp_path / "data" / "birds").mkdir(parents=True)
    album = Album(tmp_path / "data")
    assert album.take(task, path).note == OUTSIDE
    assert album.take(task, "secret.png").note == MISSING
    assert album.files == {}


def test_nothing_is_read_outside_the_folder_by_a_link(tmp_path):
    paint(tmp_path / "other" / "secret.png", RED)
    root = tmp_path / "data"
    paint(root / "birds" / "a.png", BLUE)
    (root / "birds" / "link.png").symlink_to(tmp_path / "other" / "secret.png")
    (root / "moths").symlink_to(tmp_path / "other")
    (root / "birds" / "own.png").symlink_to(root / "birds" / "a.png")
    album = Album(root)
    assert album.take("birds", "link.png").note == OUTSIDE
    assert album.take("moths", "secret.png").note == OUTSIDE
    assert look(album, album.take("birds", "own.png")) == pytest.approx(BLUE, abs=6)


def test_what_is_missing_or_damaged_is_said_without_naming_the_folder(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    paint(tmp_path / "cut.png", RED)
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:80])
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    album = Album(tmp_path)
    for name in ("text.jpg", "cut.png", "pipe.jpg", "loop.jpg", "gone.jpg", "x" * 300):
        shot = album.take("t", name)
        assert shot.note and not shot.address and str(tmp_path) not in shot.note, name
    assert album.files == {}


def test_a_picture_in_a_row_of_a_parquet_file_is_shown(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (40, 40), RED).save(file, "PNG")
    rows = {"image": [{"bytes": file.getvalue(), "path": "a.png"}], "label": [0]}
    pl.DataFrame(rows).write_parquet(tmp_path / "val-0.parquet")
    album = Album(tmp_path)
    assert look(album, album.take("t", "val-0.parquet/0")) == pytest.approx(RED, abs=6)
    assert not album.take("t", "val-0.parquet/9").address


def test_without_a_folder_there_is_no_picture_and_no_note_at_each():
    shot = Album(None).take("t", "a.png")
    assert shot.address == shot.note == ""
