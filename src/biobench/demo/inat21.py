"""iNat21 mini's layout: `train_mini/<class>/…`, `val/<class>/…`, taxa in the class's name.

The published counts (Van Horn et al., CVPR 2021): 500,000 and 100,000 photographs of 10,000
species. Odd: a class that is called otherwise, so that nothing is known of its taxa.
"""

import dataclasses
from collections.abc import Iterator

from biobench.demo.layout import picture_id
from biobench.demo.shots import Animal, Plant, Shot, ShotLayout
from biobench.demo.species import animal_species

__all__ = ["INat21"]


@dataclasses.dataclass(frozen=True)
class INat21(ShotLayout):
    """The whole layout."""

    folder: str = "inat21"

    def class_name(self, number: int) -> str:
        """Number, five ranks, genus and epithet; the last class has no such name."""
        if number == self.scale.classes - 1:
            return "unknown taxon"
        genus, family = f"Genus{number // 2}", f"Family{number // 3}"
        plant = number % 3 == 2
        above = "Plantae_Tracheophyta_Magnoliopsida" if plant else "Animalia_Chordata_Mammalia"
        epithet = "".join(filter(str.isalpha, animal_species(self.seed, number).name)).lower()
        return f"{number:05d}_{above}_Order{number // 4}_{family}_{genus}_{epithet}"

    def shots(self) -> Iterator[Shot]:
        """Animals, and flowers in every third class."""
        for split, folder in (("train", "train_mini"), ("val", "val")):
            for number in range(self.scale.classes):
                kind = Plant if number % 3 == 2 else Animal
                for index in range(self.scale.train if split == "train" else self.scale.test):
                    name = picture_id(self.seed, "inat21", split, number, index)
                    path = f"{folder}/{self.class_name(number)}/{name}.jpg"
                    yield Shot(path, kind(self.seed, number))
