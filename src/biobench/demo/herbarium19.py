"""Herbarium 2019's layout: `train/<class>/…`, `validation/<class>/…`, `test/…` without labels.

The published counts (Tan et al., arXiv 1906.05372): 34,225, 2,679 and 9,565 sheets of 683 species.
Odd: the test sheets have no class folders, and the rarest species has one sheet to train on.
"""

import dataclasses
from collections.abc import Iterator

from biobench.demo.shots import Sheet, Shot, ShotLayout

__all__ = ["Herbarium19"]


@dataclasses.dataclass(frozen=True)
class Herbarium19(ShotLayout):
    """The whole layout."""

    folder: str = "herbarium19"

    def shots(self) -> Iterator[Shot]:
        """Pressed plants."""
        for split in ("train", "validation"):
            for number in range(self.scale.classes):
                n = self.scale.train if split == "train" else self.scale.test
                if split == "train" and number == self.scale.classes - 1:
                    n = 1
                for index in range(n):
                    path = f"{split}/{number}/{1000 * number + index}.jpg"
                    yield Shot(path, Sheet(self.seed, number))
        yield Shot("test/0.jpg", Sheet(self.seed, 0))
