"""COCO Camera Traps: one JSON file with images, annotations and categories.

Source: the format of the camera-trap data sets of LILA BC (lila.science/coco-camera-traps), a
superset of COCO (Lin et al. 2014, arXiv:1405.0312); plain COCO files of detections are read, too.

An image of a sequence that was annotated as a whole (`sequence_level_annotation`) keeps its label,
and that is said. Category 0 and those called empty are blanks.
"""

import pathlib
import typing

import msgspec
import polars as pl

from biobench.data.exports.dates import keep_dates
from biobench.data.exports.kind import (
    BLANK,
    SCHEMA,
    UNCLASSIFIED,
    Format,
    Options,
    Place,
    Rows,
    decode_json,
)
from biobench.data.exports.locating import say_gone
from biobench.data.exports.naming import find_why

__all__ = ["FORMAT"]

NO_ANNOTATION = "pictures without an annotation"
CORRUPT = "pictures that the export calls corrupt"

Id = int | str


class _Image(msgspec.Struct):
    id: Id
    file_name: str
    width: float | None = None
    height: float | None = None
    datetime: str | None = None
    date_captured: str | None = None
    seq_id: Id | None = None
    location: Id | float | None = None
    corrupt: bool | None = None
    rights_holder: str | None = None


class _Annotation(msgspec.Struct):
    image_id: Id
    category_id: int | str
    bbox: list[float] | None = None
    sequence_level_annotation: bool | None = None


class _Category(msgspec.Struct):
    id: int | str
    name: str
    supercategory: str | None = None
    common_name: str | None = None
    kingdom: str | None = None
    phylum: str | None = None
    # A reserved word of Python, and what iNaturalist's files call it.
    class_: str | None = msgspec.field(default=None, name="class")
    order: str | None = None
    family: str | None = None
    genus: str | None = None


class _File(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")


def find(place: Place) -> pathlib.Path | None:
    return place.find_json(images="[", annotations="[", categories="[")


def read(main: pathlib.Path, options: Options) -> Rows:
    file = decode_json(main, _File)
    categories = {str(one.id): one for one in file.categories}
    annotations: dict[str, list[_Annotation]] = {}
    for annotation in file.annotations:
        annotations.setdefault(str(annotation.image_id), []).append(annotation)
    rows, n_of_sequences = [], 0
    for image in file.images:
        own = annotations.get(str(image.id), [])
        n_of_sequences += any(one.sequence_level_annotation for one in own)
        for annotation in own or [None]:
            category = annotation and categories.get(str(annotation.category_id))
            rows.append(_describe(image, annotation, category))
    own_schema = dict.fromkeys(("location", "camera", "sequence", "date", "category"), pl.String)
    further = ("supercategory", "common_name", "rights_holder", *RANKS)
    table = pl.DataFrame(
        rows,
        schema={**SCHEMA, **own_schema, **dict.fromkeys(further, pl.String)},
        orient="row",
    )
    notes = []
    if n_of_sequences:
        notes.append(
            "Pictures with the label of their whole sequence, which not each of them need show: "
            f"{n_of_sequences:,}."
        )
    return Rows(
        table.with_columns(keep_dates(table["date"])),
        label="category",
        group=("camera", "sequence"),
        own=(main,),
        everything="category",
        notes=tuple(notes),
    )


def _describe(
    image: _Image, annotation: _Annotation | None, category: _Category | None
) -> dict[str, typing.Any]:
    why = None
    if image.corrupt:
        why = CORRUPT
    elif annotation is None:
        why = NO_ANNOTATION
    elif category is None:
        why = UNCLASSIFIED
    else:
        why = BLANK if str(category.id) == "0" else find_why(category.name)
    box = annotation.bbox if annotation and annotation.bbox else None
    # A place is the camera's: the files name no other.
    location = None if image.location is None else str(image.location)
    row = {
        "key": str(image.id),
        "shown": image.file_name,
        "paths": [image.file_name],
        "ids": [],
        "gone": say_gone(image.file_name),
        "why": why,
        "box": [*box, image.width or 0.0, image.height or 0.0] if box and len(box) == 4 else None,
        "camera": location,
        "sequence": None if image.seq_id is None else str(image.seq_id),
        "date": image.datetime or image.date_captured,
        "rights_holder": image.rights_holder,
    }
    if category is not None:
        row["category"] = category.name
        for name in ("supercategory", "common_name", *RANKS):
            row[name] = getattr(category, "class_" if name == "class" else name)
    return row


FORMAT = Format("COCO Camera Traps file", find=find, read=read)
