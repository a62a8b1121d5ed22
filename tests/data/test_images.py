"""One decoding policy for every picture there is."""

import io
import os
import socket
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from biobench.data import images
from biobench.data.images import MAX_PIXELS, UndecodableImage, decode


def encode(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def gradient(width=20, height=10):
    x = np.linspace(0, 255, width).astype(np.uint8)
    return np.stack(
        [np.tile(x, (height, 1)), np.tile(x[::-1], (height, 1)), np.full((height, width), 90)], -1
    ).astype(np.uint8)


def test_a_plain_picture_is_what_pillow_makes_of_it(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.fromarray(gradient()).save(path, quality=90)
    expected = np.asarray(Image.open(path).convert("RGB"))
    np.testing.assert_array_equal(np.asarray(decode(path)), expected)
    np.testing.assert_array_equal(np.asarray(decode(path.read_bytes())), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_modes_become_rgb_as_pillow_converts_them(mode):
    image = Image.fromarray(gradient()).convert(mode)
    data = encode(image, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    expected = Image.open(io.BytesIO(data)).convert("RGB")
    decoded = decode(data)
    assert decoded.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(decoded), np.asarray(expected))


def test_a_cmyk_jpeg_keeps_its_colours():
    pixels = np.zeros((16, 16, 3), np.uint8) + np.array([200, 40, 30], np.uint8)
    data = encode(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95)
    difference = np.asarray(decode(data)).astype(int) - pixels
    assert np.abs(difference).max() <= 8


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGB"])
def test_what_is_transparent_shows_white(mode):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2] = [0, 0, 0, 255]
    image = Image.fromarray(rgba)
    options = {}
    if mode in ("P", "RGB"):
        # Transparency by a colour: the lower half has it.
        rgba[2:] = [9, 9, 9, 255]
        image = Image.fromarray(rgba).convert("RGB")
        options = {"transparency": (9, 9, 9)}
        if mode == "P":
            image = image.quantize(2)
            options = {"transparency": image.getpixel((0, 3))}
    else:
        image = image.convert(mode)
    decoded = np.asarray(decode(encode(image, **options)))
    assert (decoded[:2] == 0).all()
    assert (decoded[2:] == 255).all()


def test_half_transparent_is_half_white():
    rgba = np.full((2, 2, 4), [0, 0, 0, 128], np.uint8)
    np.testing.assert_allclose(np.asarray(decode(encode(Image.fromarray(rgba)))), 127, atol=1)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_the_high_byte(format):
    samples = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    decoded = np.asarray(decode(encode(Image.fromarray(samples), format)))
    assert decoded[0, :, 0].tolist() == [0, 0, 1, 128, 255]
    assert (decoded == decoded[..., :1]).all()


def test_floating_point_is_taken_as_0_to_1():
    samples = np.array([[-1.0, 0.0, 0.5, 1.0, 7.0, np.nan]], np.float32)
    decoded = np.asarray(decode(encode(Image.fromarray(samples), "TIFF")))
    assert decoded[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


def test_exif_rotation_is_ignored_unless_asked_for():
    image = Image.fromarray(gradient(20, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(image, "JPEG", exif=exif)
    assert decode(data).size == (20, 10)
    assert decode(data, exif=True).size == (10, 20)


def test_the_first_frame_of_several_counts():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.asarray(decode(data))[0, 0].tolist() == [255, 0, 0]


def write_png_header(width, height):
    def chunk(kind, data):
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"not a picture, whatever its name", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        (encode(Image.fromarray(gradient(200, 100)), "JPEG")[:-400], "truncated"),
        (encode(Image.fromarray(gradient(200, 100)))[:-60], "damaged"),
        (write_png_header(40_000, 40_000), "1,600,000,000|40,000 x 40,000"),
        (write_png_header(10, 10), "damaged"),
    ],
)
def test_what_cannot_be_used_says_why(data, reason, monkeypatch):
    # Other libraries flip this switch for the whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(UndecodableImage, match=reason):
        decode(data)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_a_missing_file_and_a_folder_say_so(tmp_path):
    with pytest.raises(UndecodableImage, match="no such file"):
        decode(tmp_path / "missing.jpg")
    with pytest.raises(UndecodableImage, match="cannot be read"):
        decode(tmp_path)


def test_20_000_pixels_a_side_are_within_the_limit():
    assert MAX_PIXELS >= 20_000 * 20_000
    decoded = decode(encode(Image.new("1", (20_000, 9_000))))
    assert decoded.size == (20_000, 9_000)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_decoded_or_refused_but_never_anything_else(data):
    format = data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP", "HEIF"]))
    content = bytearray(encode(Image.fromarray(gradient()), format))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert decode(bytes(content)).mode == "RGB"
    except UndecodableImage as err:
        assert str(err)


def test_a_heic_picture_is_read(tmp_path):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[:, :24], pixels[:, 24:] = [200, 40, 30], [20, 60, 180]
    path = tmp_path / "phone.HEIC"
    decode(encode(Image.new("RGB", (4, 4))))  # registers the format
    Image.fromarray(pixels).save(path, "HEIF", quality=95)
    decoded = np.asarray(decode(path)).astype(int)
    assert decoded.shape == pixels.shape
    assert np.abs(decoded - pixels)[:, [4, -4]].max() <= 12
    with pytest.raises(UndecodableImage):
        decode(path.read_bytes()[:-200])


@pytest.mark.parametrize("kind", ["pipe", "device", "socket"])
def test_what_is_not_a_regular_file_is_refused_and_never_waited_for(kind, tmp_path):
    path = tmp_path / "endless.png"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    with pytest.raises(UndecodableImage, match="not a regular file"):
        decode(path)


def test_a_file_that_becomes_a_pipe_while_it_is_opened_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(encode(Image.new("RGB", (4, 4))))
    before = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(images.os, "stat", lambda *_: before)
    with pytest.raises(UndecodableImage, match="not a regular file"):
        decode(path)


def test_a_file_of_60_gigabytes_is_refused_by_its_size(tmp_path):
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.truncate(60 * 10**9)
    with pytest.raises(UndecodableImage, match="60,000,000,000 bytes, more than the limit"):
        decode(path)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16", "F", "P+alpha"])
def test_strips_are_bit_equal_to_the_whole(mode, monkeypatch):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (37, 23, 3), np.uint8).astype(np.uint8))
    options = {}
    if mode == "I;16":
        image = Image.fromarray(rng.integers(0, 2**16, (37, 23), np.uint16))
    elif mode == "F":
        image = Image.fromarray(rng.normal(0.5, 1, (37, 23)).astype(np.float32))
    elif mode == "P+alpha":
        image, options = image.quantize(32), {"transparency": bytes(range(0, 256, 8))}
    else:
        image = image.convert(mode)
        if "A" in mode:
            image.putalpha(Image.fromarray(rng.integers(0, 256, (37, 23), np.uint8)))
    data = encode(image, "PNG" if mode not in ("CMYK", "F") else "TIFF", **options)
    whole = np.asarray(decode(data))
    monkeypatch.setattr(images, "STRIP_PIXELS", 60)
    np.testing.assert_array_equal(np.asarray(decode(data)), whole)


MEASURE = """
import resource, sys
from biobench.data.images import decode
decode(open(sys.argv[1], "rb").read())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
decode(open(sys.argv[2], "rb").read())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_palette_picture_takes_its_own_pixels_and_those_it_becomes(tmp_path):
    for name, side in (("small", 100), ("large", 5000)):
        image = Image.new("P", (side, side))
        image.save(tmp_path / f"{name}.png", transparency=bytes(256))
    paths = [str(tmp_path / f"{name}.png") for name in ("small", "large")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True
    )
    # One byte a pixel, and four of RGB; three copies with alpha took 13 a pixel.
    assert int(done.stdout) * 1024 < 9 * 5000**2


def test_pixels_that_take_too_much_memory_are_refused_by_the_header(monkeypatch):
    monkeypatch.setattr(images, "MAX_DECODED_BYTES", 1000)
    assert decode(encode(Image.new("RGB", (25, 10)))).size == (25, 10)
    with pytest.raises(UndecodableImage, match="of mode RGBA take"):
        decode(encode(Image.new("RGBA", (25, 10))))
