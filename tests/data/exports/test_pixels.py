"""Boxes come out in pixels of the stored picture, however the picture is turned when shown."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from biobench.data.exports.pixels import to_pixels


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_box_of_the_shown_picture_is_where_pillow_turns_it_from(turn, tmp_path):
    pixels = np.zeros((24, 40, 3), np.uint8)
    pixels[4:10, 8:24] = 255
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    shown = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))[..., 0] > 0
    ys, xs = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    height, width = shown.shape
    box = [xs[0] / width, ys[0] / height, len(xs) / width, len(ys) / height, 1.0, 1.0]
    (found,) = to_pixels(tmp_path, [("a.png", list(map(float, box)))])
    np.testing.assert_allclose(found, [8, 4, 16, 6], atol=1e-3)


def test_boxes_are_cut_at_the_edges_and_what_is_outside_or_unreadable_has_none(tmp_path):
    Image.new("RGB", (40, 20)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"-")
    boxes = [
        ("a.png", [-0.5, 0.5, 1.0, 1.0, 1.0, 1.0]),
        ("a.png", [1.5, 0.5, 1.0, 1.0, 1.0, 1.0]),
        ("a.png", [0.5, 0.5, 0.0, 0.1, 1.0, 1.0]),
        ("b.png", [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]),
        ("a.png", None),
    ]
    assert to_pixels(tmp_path, boxes) == [[0.0, 10.0, 20.0, 10.0], None, None, None, None]
