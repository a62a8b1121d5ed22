"""ImageNet-1k's layout in class folders: `train/<wnid>/…JPEG`, `val/<wnid>/…JPEG`.

The published counts (Russakovsky et al., IJCV 2015): 1,281,167 and 50,000 pictures, 1,000 classes.
Odd, as in any copy: a list of files among the classes, and a picture outside them.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Animal, Plant, Shot, ShotLayout

__all__ = ["ImageNet1k"]


@dataclasses.dataclass(frozen=True)
class ImageNet1k(ShotLayout):
    """The whole layout."""

    folder: str = "imagenet1k"

    def shots(self) -> Iterator[Shot]:
        """Animals, and flowers in every third class."""
        for split in ("train", "val"):
            for number in range(self.scale.classes):
                name = f"n{1_440_764 + 31 * number:08d}"
                kind = Plant if number % 3 == 2 else Animal
                for index in range(self.scale.train if split == "train" else self.scale.test):
                    path = f"{split}/{name}/{name}_{index}.JPEG"
                    yield Shot(path, kind(self.seed, number))
        yield Shot("val/stray.JPEG", Animal(self.seed, 0))

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """A list that some copies have."""
        yield "val/files.txt", ["n01440764_0.JPEG"]
