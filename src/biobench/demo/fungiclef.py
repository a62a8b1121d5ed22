"""FungiCLEF 2023's layout: a picture a row to train on, observations of several to evaluate.

The published counts (Picek et al., WACV 2022): 295,938 training pictures of 1,604 species. Odd:
files called in another case than the tables write, a row without a picture, species that training
lacks (-1), a class without a line in the list of poisons and a line without a class.
"""

import dataclasses
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Mushroom, Shot, ShotLayout

__all__ = ["FungiClef"]

_FIELDS = (
    "eventDate,Latitude,Longitude,countryCode,class,order,family,genus,species,image_path,"
    "observationID,class_id"
)


@dataclasses.dataclass(frozen=True)
class FungiClef(ShotLayout):
    """The whole layout."""

    folder: str = "fungiclef"

    def pictures(self) -> Iterator[tuple[str, int, str, str, str]]:
        """Split, species, class_id, observation and file's stem of every picture."""
        classes = self.scale.classes
        for species in range(classes):
            for index in range(self.scale.train):
                yield (
                    "train",
                    species,
                    str(species),
                    f"2{species}0{index // 2}",
                    f"{species}-{index}A",
                )
        # Two species that training lacks.
        for species in range(classes + 2):
            class_id = str(species) if species < classes else "-1"
            for index in range(self.scale.test):
                for part in range(1 + index % 3):
                    stem = f"{species}-{index}b{part}"
                    yield "val", species, class_id, f"3{species}0{index}", stem

    def path(self, split: str, stem: str) -> str:
        """The file, shouting where its table does not."""
        return f"{'DF20_300' if split == 'train' else 'DF21_300'}/{stem.upper()}.JPG"

    def shots(self) -> Iterator[Shot]:
        """Mushrooms."""
        for split, species, _, _, stem in self.pictures():
            yield Shot(self.path(split, stem), Mushroom(self.seed, species))

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The metadata of both splits, and the poisons."""
        for split in ("train", "val"):
            yield f"FungiCLEF2023_{split}_metadata_PRODUCTION.csv", self._metadata(split)
        # The last class has no line.
        rows = [f"{number},{int(number % 3 == 0)}" for number in range(self.scale.classes - 1)]
        yield "poison_status_list.csv", ["class_id,poisonous", *rows, "9999,1"]

    def _metadata(self, split: str) -> Iterator[str]:
        yield _FIELDS
        for part, species, class_id, observation, stem in self.pictures():
            if part == split:
                taxa = f"Agaricomycetes,Order{species % 2},Family{species // 2},Genus{species}"
                name = f"{stem.lower()}.jpg" if species % 2 else f"{stem.upper()}.JPG"
                row = f"{taxa},Genus{species} alba,{name},{observation},{class_id}"
                place = f"{54.7 + 0.4 * (species % 7):.4f},{8.5 + 0.9 * (species % 5):.4f}"
                yield f"2020-09-0{1 + species % 9},{place},DK,{row}"
        yield "2020-09-01,,,DK,Agaricomycetes,Order0,Family0,Genus0,Genus0 alba,,1,0"
