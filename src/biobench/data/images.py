"""Turns any picture file into an RGB image, under one policy for every task.

    image = decode(path)                 # PIL, mode RGB
    image = decode(data, exif=True)      # from bytes, turned upright

The policy (also in docs/features.md): grey and palette become RGB; alpha is laid over white; CMYK
goes through Pillow's conversion; 16-bit channels keep their high byte; of a file with several
frames the first counts; colour profiles are ignored; EXIF rotation is ignored unless asked for, as
the published protocols do. What cannot be decoded whole raises `UndecodableImage`.
"""

import contextlib
import functools
import io
import pathlib
import warnings
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFile, ImageOps

__all__ = ["MAX_PIXELS", "UndecodableImage", "decode"]

MAX_PIXELS = 500_000_000
"""A header that promises more is refused before a byte is decoded; 20,000 x 20,000 passes."""

BACKGROUND = (255, 255, 255, 255)

# Pillow would also run Ghostscript on PostScript, and knows formats no camera writes.
FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "JPEG2000", "PPM")


class UndecodableImage(ValueError):
    """A picture that cannot be used; the message is the reason, without the file's name."""


def decode(source: pathlib.Path | bytes, *, exif: bool = False) -> Image.Image:
    """Decode a picture to mode RGB.

    source: a file, or the bytes of one.
    exif: turn the picture upright as its EXIF orientation says.
    Raises UndecodableImage on anything that is missing, empty, truncated, not a picture, or larger
    than MAX_PIXELS.
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise UndecodableImage("the file is empty")
    with _strict_pillow():
        try:
            return _decode(data, exif)
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


def _decode(data: bytes, exif: bool) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=_known_formats())
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UndecodableImage(
            f"{width:,} x {height:,} pixels, more than the limit of {MAX_PIXELS:,}"
        )
    image.load()
    if exif:
        ImageOps.exif_transpose(image, in_place=True)
    return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        # I;16, I;16B and I hold 16-bit samples; Pillow keeps the high byte of 16-bit RGB too.
        samples = np.clip(np.asarray(image), 0, 0xFFFF).astype(np.uint16) >> 8
        return Image.fromarray(samples.astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        samples = np.nan_to_num(np.clip(np.asarray(image), 0, 1)) * 255
        return Image.fromarray(samples.round().astype(np.uint8)).convert("RGB")
    if image.mode == "LAB":
        raise UndecodableImage("its colour space (CIELAB) is not supported")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, BACKGROUND), rgba).convert("RGB")
    return image.convert("RGB")


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UndecodableImage("no such file") from None
    except OSError as err:
        raise UndecodableImage(f"cannot be read: {err.strerror or err}") from err


@functools.cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
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
