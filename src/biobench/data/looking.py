"""Reads and decodes pictures, each once, and keeps of each what tells it from others.

    looked = look(root, images)     # one row a picture: content, size, perceptual hash, or why none

The perceptual hash is the 64-bit one of ImageHash: the low frequencies of the picture's cosine
transform, each above their median or not (Zauner 2010, "Implementation and Benchmarking of
Perceptual Image Hash Functions").
"""

import pathlib
import time
from collections.abc import Sequence

import imagehash
import joblib
import numpy as np
import polars as pl
from PIL import Image

from biobench import progress
from biobench.data import contents
from biobench.data.contents import Record
from biobench.data.images import UndecodableImage, decode

__all__ = ["LOOKED", "look"]

LOOKED = {
    "image": pl.String,
    "hash": pl.Binary,
    "reason": pl.String,
    "width": pl.Int64,
    "height": pl.Int64,
    "print": pl.UInt64,
}
"""columns of what was seen: `hash` of the bytes (null where they cannot be read), `reason` why it
cannot be decoded (else null), `print` the perceptual hash (null of a plain picture, too)."""

SIDE = 32
"""pixels of the grey square that is hashed."""
MIN_CONTRAST = 4.0
"""standard deviation in grey levels under which a picture is plain: of a dark frame, the hash would
tell the sensor's noise."""
CHUNK = 32
MIN_PARALLEL = 128
"""pictures that are worth starting processes."""
FLUSH_SECONDS = 30.0

_Row = tuple[str, bytes | None, str | None, int | None, int | None, int | None]


def look(root: pathlib.Path, images: Sequence[str], *, n_jobs: int | None = None) -> pl.DataFrame:
    """Columns `LOOKED`, one row an image below `root`, in order. Contents read are remembered.

    n_jobs: processes; None is one a core, and none but this one for a few pictures.
    """
    if n_jobs is None:
        n_jobs = joblib.cpu_count() if len(images) >= MIN_PARALLEL else 1
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    work = (joblib.delayed(_look_at)(root, chunk) for chunk in chunks)
    rows: list[_Row] = []
    waiting: list[Record] = []
    written = time.monotonic()
    progress.report("check", 0, len(images))
    try:
        for found, records in joblib.Parallel(n_jobs=n_jobs, return_as="generator")(work):
            rows += found
            waiting += records
            progress.report("check", len(rows), len(images))
            if time.monotonic() - written > FLUSH_SECONDS:
                contents.remember(root, waiting)
                waiting, written = [], time.monotonic()
    finally:
        contents.remember(root, waiting)
    return pl.DataFrame(rows, schema=LOOKED, orient="row")


def _look_at(root: pathlib.Path, images: Sequence[str]) -> tuple[list[_Row], list[Record]]:
    rows: list[_Row] = []
    records = []
    for image in images:
        content = None
        try:
            data, record = contents.read_picture(root, image)
            content = record.hash
            records.append(record)
            picture = decode(data)
            rows.append((image, content, None, *picture.size, _hash(picture)))
        except UndecodableImage as err:
            rows.append((image, content, str(err), None, None, None))
    return rows, records


def _hash(picture: Image.Image) -> int | None:
    """The perceptual hash as a number; None of a plain picture."""
    grey = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    if np.asarray(grey).std() < MIN_CONTRAST:
        return None
    bits = imagehash.phash(grey).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
