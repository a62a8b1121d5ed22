"""Plankton's layout: `labeled_20201020/<class>/…`, `phytoplankton_Utö_2021_labeled/<class>/…`.

Described as 50 classes in about 57,000 pictures, and 94,000 unclassifiable ones. Odd: a class in
either set that the other lacks, so numbers by folder would not fit each other; a PDF in a class's
folder.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Microscopic, Shot, ShotLayout

__all__ = ["Plankton"]

TRAIN = "labeled_20201020"
TEST = "phytoplankton_Utö_2021_labeled"


@dataclasses.dataclass(frozen=True)
class Plankton(ShotLayout):
    """The whole layout."""

    folder: str = "plankton"

    def class_name(self, number: int) -> str:
        """A genus, in an order that is not that of the numbers."""
        return f"{'QKCXFTBMR'[number % 9]}genus_sp{number}"

    def shots(self) -> Iterator[Shot]:
        """Class 0 is in training only, the last in evaluation only."""
        last = self.scale.classes
        for number in range(last):
            for index in range(self.scale.train):
                path = f"{TRAIN}/{self.class_name(number)}/{_name(2018, 102, number, index)}"
                yield Shot(path, Microscopic(self.seed, number))
        for number in range(1, last + 1):
            for index in range(self.scale.test if number < last else 2):
                path = f"{TEST}/{self.class_name(number)}/{_name(2021, 114, number, index)}"
                yield Shot(path, Microscopic(self.seed, number))
        for index in range(2 * self.scale.test):
            yield Shot(f"{TEST}/Unclassifiable/{index}.png", Microscopic(self.seed, -1))

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """A document that lies among the pictures."""
        yield f"{TRAIN}/{self.class_name(0)}/notes.pdf", ["%PDF-1.4"]


def _name(year: int, instrument: int, number: int, index: int) -> str:
    """A file as the instrument calls it: when the sample was taken, and the picture in it."""
    month, day = 1 + (3 * number + index) % 12, 1 + index % 28
    return f"D{year}{month:02d}{day:02d}T093454_IFCB{instrument}_{100 * number + index:05d}.png"
