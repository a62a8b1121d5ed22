"""From rows of answers to what a page shows of them: a picture, the truth, what was answered.

item = show(album, "newt", "newt", row, {"a": ("timm:a", "bee", 0.9)})
"""

import dataclasses
from collections.abc import Mapping, Sequence

from biobench.report.site.thumbnails import Album, Shot

__all__ = ["Answer", "Item", "count_missing", "show"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a model, or several, said of a picture."""

    who: str
    label: str
    """empty where the picture could not be read."""
    sureness: float | None
    is_right: bool


@dataclasses.dataclass(frozen=True)
class Item:
    """One picture of a page."""

    heading: str
    """the task's."""
    example: str
    truth: str
    group: str
    """empty where the example is its own."""
    shot: Shot
    answers: Sequence[Answer]
    kind: str = ""
    """what the page sorts it under."""
    words: str = ""
    marks: str = ""
    """what the page filters by besides, of several values, each between bars."""


def show(
    album: Album, task: str, heading: str, row: Mapping[str, object], answers: Sequence[Answer]
) -> Item:
    """An item of a row that has example, class, group, image, box (see `picture_answers`).

    task: the folder of the pictures.
    """
    box = row.get("box")
    values = [value for value in box if value is not None] if isinstance(box, list) else []
    return Item(
        heading=heading,
        example=str(row["example"]),
        truth=str(row["class"]),
        group=str(row["group"] or ""),
        shot=album.take(task, str(row["image"]), values if len(values) == 4 else None),
        answers=answers,
    )


def count_missing(items: Sequence[Item]) -> int:
    """Pictures of a page that are not there."""
    return sum(not item.shot.address for item in items)
