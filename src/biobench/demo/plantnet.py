"""Pl@ntNet-300K's layout: plants in `images/{train,val,test}/<species_id>/<id>.jpg`, a long tail.

The published counts (Garcin et al., NeurIPS 2021 Datasets and Benchmarks): 306,146 pictures of
1,081 species, 243,916 to train, 31,118 to validate, 31,112 to test.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterable, Iterator

from biobench.demo.canvas import rng_for
from biobench.demo.flora import photograph_plant, plant_species
from biobench.demo.layout import long_tail, picture_id
from biobench.demo.picture import encode

__all__ = [
    "FULL",
    "SMALL",
    "PlantNet",
    "PlantScale",
]

SPLITS = ("train", "val", "test")
ORGANS = ("flower", "leaf", "habit")


@dataclasses.dataclass(frozen=True)
class PlantScale:
    """How many pictures and species."""

    species: int
    train: int
    val: int
    test: int
    batch: int = 32
    """pictures a unit."""


SMALL = PlantScale(species=18, train=280, val=216, test=30)
FULL = PlantScale(species=1081, train=243_916, val=31_118, test=31_112)


@dataclasses.dataclass(frozen=True)
class PlantNet:
    """The whole layout."""

    scale: PlantScale
    seed: int
    folder: str = "plantnet"

    def counts(self) -> dict[str, int]:
        """Pictures by split, and species."""
        s = self.scale
        images = s.train + s.val + s.test
        return {
            "images": images,
            "classes": s.species,
            "train": s.train,
            "val": s.val,
            "test": s.test,
        }

    def pictures(self) -> Iterator[tuple[str, int, int]]:
        """Split, species' number and picture's number within both."""
        for split in SPLITS:
            total = getattr(self.scale, split)
            # Evaluation splits are less skewed than training, and may lack the rarest species.
            floor = {"train": 3, "val": min(5, total // (2 * self.scale.species))}.get(split, 0)
            tail = long_tail(total, self.scale.species, 0.9 if split == "train" else 0.5, floor)
            for number, count in enumerate(tail):
                for index in range(count):
                    yield split, number, index

    def species_id(self, number: int) -> str:
        """The published ids are numbers of seven digits, in no order of rank."""
        return str(1_355_868 + 137 * ((number * 7919) % 10_007))

    def path(self, split: str, number: int, index: int) -> str:
        """A picture's file."""
        return f"images/{split}/{self.species_id(number)}/{self.image_id(split, number, index)}.jpg"

    def image_id(self, split: str, number: int, index: int) -> str:
        """A picture's id: forty hexadecimal digits, as published."""
        return picture_id(self.seed, "plantnet", split, number, index).replace("-", "")

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The two JSON files."""
        names = {
            self.species_id(number): plant_species(self.seed, number).name
            for number in range(self.scale.species)
        }
        yield "plantnet300K_species_id_2_name.json", [json.dumps(names, indent=1)]
        yield "plantnet300K_metadata.json", self._metadata()

    def units(self) -> Iterator["PlantUnit"]:
        """Some pictures at a time."""
        pictures = self.pictures()
        while batch := tuple(itertools.islice(pictures, self.scale.batch)):
            yield PlantUnit(self, batch)

    def _metadata(self) -> Iterator[str]:
        yield "{"
        comma = ""
        for split, number, index in self.pictures():
            entry = {
                "species_id": self.species_id(number),
                "obs_id": str(1_000_000_000 + 100_000 * number + index),
                "organ": _organ(self.seed, split, number, index),
                "author": f"painter-{index % 17}",
                "license": "MIT",
                "split": split,
            }
            yield f'{comma}"{self.image_id(split, number, index)}": {json.dumps(entry)}'
            comma = ","
        yield "}"


@dataclasses.dataclass(frozen=True)
class PlantUnit:
    """A batch of pictures."""

    layout: PlantNet
    pictures: tuple[tuple[str, int, int], ...]

    def draw(self) -> Iterator[tuple[str, bytes]]:
        """One photograph of one plant each."""
        for split, number, index in self.pictures:
            seed = self.layout.seed
            rng = rng_for(seed, "plantnet", split, number, index)
            organ = _organ(seed, split, number, index)
            image = photograph_plant(plant_species(seed, number), organ, rng)
            yield self.layout.path(split, number, index), encode(image)


def _organ(seed: int, split: str, number: int, index: int) -> str:
    share = rng_for(seed, "organ", split, number, index).random()
    return ORGANS[0] if share < 0.5 else ORGANS[2] if share < 0.85 else ORGANS[1]
