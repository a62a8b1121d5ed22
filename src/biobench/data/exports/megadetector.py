"""MegaDetector's output: boxes of animals, people and vehicles in pictures, without their species.

    boxes = read_boxes(path, confidence=None)    # None: what the file recommends, else 0.2
    column, notes = boxes.place(names, root)     # x, y, width, height in pixels, or null

Source: the MegaDetector batch output format, versions 1.0 to 1.6 (lila.science/
megadetector-output-format): shares of the picture, x_min, y_min, width, height. It labels nothing,
so labels come from class folders, a table or another export.
"""

import collections
import dataclasses
import pathlib
import typing

import msgspec
import polars as pl

from biobench.data.exports.kind import BOX, Place, decode_json
from biobench.data.exports.locating import Files
from biobench.data.exports.naming import find_why
from biobench.data.exports.pixels import to_pixels
from biobench.errors import BadInput

__all__ = ["USUAL_CONFIDENCE", "Boxes", "find", "read_boxes"]

USUAL_CONFIDENCE = 0.2


class _Detection(msgspec.Struct):
    category: str | int
    conf: float
    bbox: list[float]


class _Image(msgspec.Struct):
    file: str
    detections: list[_Detection] | None = None
    failure: str | None = None


class _File(msgspec.Struct):
    images: list[_Image]
    detection_categories: dict[str, str]
    info: dict[str, typing.Any] = {}


@dataclasses.dataclass(frozen=True)
class Boxes:
    """What a detector found in each picture."""

    path: pathlib.Path
    confidence: float
    found: dict[str, list[tuple[float, list[float]]]]
    """file, as the detector was given it -> confidence and box of each animal, the surest first."""
    failed: frozenset[str]
    """files that the detector could not read."""

    def place(self, names: pl.Series, root: pathlib.Path) -> tuple[pl.Series, list[str]]:
        """The surest box of each picture in pixels, or null; and what is to be said.

        names: pictures below `root`. Raises BadInput where no file of the detector's is among them.
        """
        files = Files(names)
        placed: dict[str, list[str]] = collections.defaultdict(list)
        for name in self.found:
            if there := files.find(name):
                placed[there].append(name)
        if not placed:
            raise BadInput(
                f"{self.path}: none of its {len(self.found):,} files is among the pictures "
                f"(its first is {next(iter(self.found), 'none')}); run the detector on them."
            )
        sure = {there: self.found[at[0]] for there, at in placed.items() if len(at) == 1}
        best = [(n, [*sure[n][0][1], 1.0, 1.0] if sure.get(n) else None) for n in names]
        boxes = pl.Series("box", to_pixels(root, best), dtype=BOX)
        n_failed = sum(name in self.failed for at in placed.values() for name in at)
        counts = {
            "of several the surest is kept": sum(len(found) > 1 for found in sure.values()),
            "not read by it": n_failed,
            "not in it": len(names) - len(placed),
            "meant by several of its entries": len(placed) - len(sure),
        }
        words = [f"{what} ({n:,})" for what, n in counts.items() if n]
        note = (
            f"Boxes from {self.path.name} (MegaDetector): {boxes.count():,} of {len(names):,} "
            f"pictures have an animal of a confidence of {self.confidence:g} or more"
        )
        return boxes, ["; ".join([note, *words]) + "."]


def find(place: Place) -> pathlib.Path | None:
    """The file of a detector's output, by content."""
    return place.find_json(images="[", detection_categories="{")


def read_boxes(path: pathlib.Path, confidence: float | None) -> Boxes:
    """The boxes of animals; raises BadInput where the file is none of MegaDetector's."""
    if find(Place([path])) is None:
        raise BadInput(
            f"{path} is no output of MegaDetector: a JSON file with images and "
            "detection_categories."
        )
    file = decode_json(path, _File)
    metadata = file.info.get("detector_metadata")
    usual = metadata.get("typical_detection_threshold") if isinstance(metadata, dict) else None
    if confidence is None:
        confidence = float(usual) if isinstance(usual, int | float) else USUAL_CONFIDENCE
    if not 0 <= confidence <= 1:
        raise BadInput(f"box_confidence is {confidence:g}; give a number from 0 to 1.")
    animals = {key for key, name in file.detection_categories.items() if find_why(name) is None}
    found = {}
    for image in file.images:
        here = [
            (one.conf, one.bbox)
            for one in image.detections or []
            if str(one.category) in animals and one.conf >= confidence and len(one.bbox) == 4
        ]
        found[image.file] = sorted(here, key=lambda one: -one[0])
    failed = frozenset(image.file for image in file.images if image.failure)
    return Boxes(path, confidence, found, failed)
