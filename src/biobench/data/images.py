"""Turns any picture file into an RGB image, under one policy for every task.

    image = decode(path)                 # PIL, mode RGB
    image = decode(data, exif=True)      # from bytes, turned upright
    image = decode(data, part=crop.cut)  # a part of it
    with open_picture(path) as file:     # only a regular file, and none that is too large
        data = file.read()

The policy (also in docs/features.md): grey and palette become RGB; alpha is laid over white; CMYK
goes through Pillow's conversion; 16-bit channels keep their high byte; of a file with several
frames the first counts; colour profiles are ignored; EXIF rotation is ignored unless asked for, as
the published protocols do. What cannot be decoded whole raises `UndecodableImage`. HEIC is read by
pillow-heif. Memory is bounded: MAX_BYTES for the file, MAX_DECODED_BYTES for its pixels.
"""

import contextlib
import functools
import io
import os
import pathlib
import stat
import typing
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageFile, ImageOps

__all__ = [
    "MAX_BYTES",
    "MAX_DECODED_BYTES",
    "MAX_PIXELS",
    "UndecodableImage",
    "decode",
    "open_picture",
    "read_size",
]

MAX_PIXELS = 500_000_000
"""A header that promises more is refused before a byte is decoded; 20,000 x 20,000 passes."""

MAX_BYTES = 2**30
"""A larger file is refused by its size, before it is read."""

MAX_DECODED_BYTES = 2_500_000_000
"""What a picture's pixels may take, as the file has them and as RGB (four bytes each) together."""

STRIP_PIXELS = 4_000_000
"""Pictures are converted in strips of so many, so that what lies between takes no memory."""

BACKGROUND = (255, 255, 255, 255)

# Pillow would also run Ghostscript on PostScript, and knows formats no camera writes.
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "JPEG2000", "PPM")
FORMATS += ("HEIF",)


# Pillow keeps four bytes a pixel of all modes but these.
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}


class UndecodableImage(ValueError):
    """A picture that cannot be used; the message is the reason, without the file's name."""


def decode(
    source: pathlib.Path | bytes,
    *,
    exif: bool = False,
    part: Callable[[Image.Image], Image.Image] | None = None,
) -> Image.Image:
    """Decode a picture to mode RGB.

    source: a file, or the bytes of one.
    exif: turn the picture upright as its EXIF orientation says.
    part: makes the part that is wanted of the picture as it is stored, which is turned after that.
    Raises UndecodableImage on anything that is missing, empty, truncated, not a picture, or larger
    than MAX_PIXELS.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise UndecodableImage("the file is empty")
    with _strict_pillow():
        try:
            return _decode(data, exif, part)
        except UndecodableImage:
            raise
        except Image.UnidentifiedImageError:
            raise UndecodableImage("not a picture in a known format") from None
        except MemoryError:
            raise UndecodableImage("not enough memory to decode it") from None
        # Pillow's decoders raise nearly anything on damaged data: OSError, SyntaxError,
        # struct.error, zlib.error, IndexError, ...
        except Exception as err:
            reason = " ".join(str(err).split()) or type(err).__name__
            raise UndecodableImage(f"damaged: {reason}") from err


def read_size(file: typing.IO[bytes]) -> tuple[int, int]:
    """Width and height in pixels, as stored, by a picture's head; raises UndecodableImage."""
    with _strict_pillow():
        try:
            return Image.open(file, formats=_known_formats()).size
        except Exception as err:
            raise UndecodableImage("its head cannot be read") from err


def _decode(
    data: bytes, exif: bool, part: Callable[[Image.Image], Image.Image] | None
) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_known_formats())
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UndecodableImage(
            f"{width:,} x {height:,} pixels, more than the limit of {MAX_PIXELS:,}"
        )
    n_bytes = width * height * (_BYTES.get(image.mode, 4) + (0 if _is_rgb(image) else 4))
    if n_bytes > MAX_DECODED_BYTES:
        raise UndecodableImage(
            f"{width:,} x {height:,} pixels of mode {image.mode} take {n_bytes / 1e9:.1f} GB to "
            f"decode, more than the limit of {MAX_DECODED_BYTES / 1e9:.1f} GB"
        )
    image.load()
    if part is not None:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if exif else 1
        image = part(_to_rgb(image))
        # Conversions and crops may have lost it.
        image.getexif()[ExifTags.Base.Orientation] = orientation
    if exif:
        ImageOps.exif_transpose(image, in_place=True)
    return _to_rgb(image)


def _is_rgb(image: Image.Image) -> bool:
    return image.mode == "RGB" and "transparency" not in image.info


def _to_rgb(image: Image.Image) -> Image.Image:
    """The picture in mode RGB; every pixel by itself, so strips are as good as the whole."""
    if _is_rgb(image):
        return image
    if image.mode == "LAB":
        raise UndecodableImage("its colour space (CIELAB) is not supported")
    width, height = image.size
    step = max(1, STRIP_PIXELS // max(1, width))
    if step >= height:
        return _convert(image)
    out = Image.new("RGB", image.size)
    for top in range(0, height, step):
        box = (0, top, width, min(top + step, height))
        strip = image.crop(box)
        # A crop forgets what colour is transparent in some modes.
        strip.info = dict(image.info)
        out.paste(_convert(strip), box)
    return out


def _convert(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # I;16, I;16B and I hold 16-bit samples; Pillow keeps the high byte of 16-bit RGB too.
        samples = np.clip(np.asarray(image), 0, 0xFFFF).astype(np.uint16) >> 8
        return Image.fromarray(samples.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        samples = np.nan_to_num(np.clip(np.asarray(image), 0, 1)) * 255
        return Image.fromarray(samples.round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, BACKGROUND), rgba).convert("RGB")
    return image.convert("RGB")


def open_picture(path: pathlib.Path | str) -> io.BufferedReader:
    """Open a picture's file for reading; raises UndecodableImage where that is not safe.

    Pipes, devices and sockets are not even opened, files beyond MAX_BYTES not read.
    """
    try:
        _check_file(os.stat(path))
        # Without waiting: the name may lead to a pipe by now.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UndecodableImage("no such file") from None
    except OSError as err:
        raise UndecodableImage(f"cannot be read: {err.strerror or err}") from err
    try:
        _check_file(os.fstat(handle))
    except UndecodableImage:
        os.close(handle)
        raise
    return os.fdopen(handle, "rb")


def _check_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UndecodableImage("cannot be read: it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise UndecodableImage("not a regular file (a pipe, device or socket)")
    if status.st_size > MAX_BYTES:
        raise UndecodableImage(
            f"the file has {status.st_size:,} bytes, more than the limit of {MAX_BYTES:,}"
        )


def _read(path: pathlib.Path) -> bytes:
    with open_picture(path) as file:
        try:
            return file.read()
        except OSError as err:
            raise UndecodableImage(f"cannot be read: {err.strerror or err}") from err


@functools.cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    pillow_heif.register_heif_opener()
    return tuple(name for name in FORMATS if name in Image.OPEN)


@contextlib.contextmanager
def _strict_pillow() -> Iterator[None]:
    # Both are process-wide switches that other libraries flip; the policy must not depend on them.
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False
    try:
        with warnings.catch_warnings():
            # Of odd metadata; what matters is raised.
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before
