"""FishNet's layout: `train.csv`, `test.csv` and `Image_Library/<Folder>/<image>`.

The published counts (Khan et al., ICCV 2023): 94,532 photographs of 17,357 species. Odd: two index
columns without a name, empty traits, traits written as 1.0, a picture that stands in two rows.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Animal, Shot, ShotLayout

__all__ = ["FishNet"]

_FIELDS = (
    ",Unnamed: 0,species,image,SpecCode,Genus,Subfamily,Family,Order,Class,SuperClass,source,"
    "Folder,Troph,FeedingPath,Tropical,Temperate,Subtropical,Boreal,Polar,freshwater,saltwater,"
    "brackish,NewOrder,Frequency"
)
# Reef fish, trout, and their like.
_SPECIES = (24, 27, 54, 57, 84, 87)


@dataclasses.dataclass(frozen=True)
class FishNet(ShotLayout):
    """The whole layout."""

    folder: str = "fishnet"

    def traits(self, species: int) -> list[str]:
        """FeedingPath and eight yes-or-no traits of a species; each has both answers."""
        bits = [(species >> k % 2 & 1) ^ (k // 2 & 1) for k in range(8)]
        return ["pelagic" if species % 2 else "benthic", *map(str, bits)]

    def pictures(self) -> Iterator[tuple[str, int, str]]:
        """Split, species and file of every photograph."""
        for split in ("train", "test"):
            for species in range(self.scale.classes):
                n = self.scale.train if split == "train" else self.scale.test
                for index in range(2 * n):
                    yield split, species, f"{split}-{species}-{index}.jpg"

    def shots(self) -> Iterator[Shot]:
        """Fish."""
        for _, species, file in self.pictures():
            path = f"Image_Library/Family{species // 2}/{file}"
            yield Shot(path, Animal(self.seed, _SPECIES[species % len(_SPECIES)]))

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """Both splits; the second picture of a species lacks a trait."""
        for split in ("train", "test"):
            yield f"{split}.csv", self._rows(split)

    def _rows(self, split: str) -> Iterator[str]:
        yield _FIELDS
        number = 0
        for part, species, file in self.pictures():
            if part != split:
                continue
            traits = self.traits(species)
            if file.endswith("-1.jpg"):
                traits[species % 9] = ""
                traits = [one + ".0" if one in ("0", "1") else one for one in traits]
            family, genus = f"Family{species // 2}", f"Genus{species}"
            row = (
                number, number, f"{genus} minor", file, "", genus, "", family, "Perciformes",
                "Actinopterygii", "", "inat", family, 3.2, *traits, "Perciformes", 0.28,
            )  # fmt: skip
            yield ",".join(map(str, row))
            if number == 0:
                yield ",".join(map(str, (900, 900, *row[2:])))
            number += 1
