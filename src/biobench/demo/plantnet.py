"""Pl@ntNet-300K's layout: plants in `images/{train,val,test}/<species_id>/<id>.jpg`, a long tail.

The published counts (Garcin et al., NeurIPS 2021 Datasets and Benchmarks): 306,146 pictures of
1,081 species, 243,916 to train, 31,118 to validate, 31,112 to test.
"""

import colorsys
import dataclasses
import itertools
import json
import math
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from biobench.demo.canvas import RGB, Placement, develop, paint, rng_for
from biobench.demo.layout import long_tail, picture_id
from biobench.demo.patterns import leaf_texture, petal_texture
from biobench.demo.picture import encode
from biobench.demo.plants import BLOSSOMS, LEAVES, PlantForm, blossom, leaf, plant
from biobench.demo.scenes import background, foliage
from biobench.demo.species import binomial

__all__ = [
    "FULL",
    "SMALL",
    "PlantNet",
    "PlantScale",
    "PlantSpecies",
    "photograph_plant",
    "plant_species",
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
class PlantSpecies:
    """One species: its form and the colours of its petals and leaves."""

    name: str
    form: PlantForm
    petal: tuple[RGB, RGB]
    """colour at the petal's foot and tip."""
    veins: float
    spots: float
    green: RGB
    ribs: int
    variegation: float
    lesions: float = 0.0
    """share of the leaves that disease has eaten, from 0 to 1; no species has any by itself."""


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


def photograph_plant(
    species: PlantSpecies,
    organ: str,
    rng: np.random.Generator,
    size: tuple[int, int] = (240, 240),
    count: int = 1,
) -> Image.Image:
    """A plant's flower (or `count` of them), leaf or whole shoot, among other plants' leaves."""
    height, width = size
    place = str(rng.choice(["meadow", "litter", "forest", "rock", "bark", "sand"]))
    canvas = background(place, rng, height, width)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        foliage(canvas, rng, x, y, rng.uniform(20, 70), 60)
    shade = np.exp(rng.normal(0, 0.1, 3))
    foot, tip = (tuple(np.clip(np.array(c) * shade, 0, 1)) for c in species.petal)
    textures = {
        "petal": petal_texture(foot, tip, species.veins, species.spots, rng),
        "leaf": leaf_texture(
            species.green, species.ribs, species.variegation, rng, species.lesions
        ),
    }
    x, y = width * rng.uniform(0.38, 0.62), height * rng.uniform(0.4, 0.6)
    if count > 1:
        parts = []
        for at in _scatter(count, rng):
            parts += blossom(species.form, at, rng.uniform(0.2, 0.3), rng)
        placement = Placement(width / 2, height / 2, 0.45 * min(size))
    elif organ == "flower":
        parts = leaf(species.form.leaf, (0.0, 0.0), rng.uniform(0, 6.28), 1.3)
        parts += blossom(species.form, (0.0, 0.0), 0.85, rng)
        placement = Placement(x, y, rng.uniform(70, 120), rng.uniform(-0.5, 0.5))
    elif organ == "leaf":
        parts = []
        for angle in rng.uniform(0, 2 * math.pi) + np.array([0.0, 2.1, 4.2]):
            parts += leaf(species.form.leaf, (0.0, 0.0), float(angle), 1.0)
        placement = Placement(x, y, rng.uniform(80, 120), 0.0)
    else:
        parts = plant(species.form, rng)
        placement = Placement(
            x, y, rng.uniform(65, 100), rng.normal(0, 0.25), bool(rng.random() < 0.5)
        )
    paint(canvas, parts, placement, textures, light=rng.uniform(1.0, 2.2))
    return develop(canvas, rng)


def _scatter(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Points in [-1, 1] x [-1, 1], no two in one cell of a grid of nine."""
    cells = rng.permutation(9)[:count].tolist()
    return [
        (0.62 * (cell % 3 - 1) + rng.normal(0, 0.07), 0.62 * (cell // 3 - 1) + rng.normal(0, 0.07))
        for cell in cells
    ]


def plant_species(seed: int, number: int) -> PlantSpecies:
    """Species number `number` of the world `seed`."""
    rng = rng_for(seed, "plant-species", number)
    kind = BLOSSOMS[number % len(BLOSSOMS)]
    hue = float(rng.choice([0.95, 0.85, 0.76, 0.13, 0.02, 0.62, 0.3]) + rng.normal(0, 0.015)) % 1
    pale = rng.random() < 0.3
    tip = colorsys.hsv_to_rgb(
        hue, 0.12 if pale else rng.uniform(0.5, 0.85), rng.uniform(0.75, 0.98)
    )
    foot = colorsys.hsv_to_rgb((hue + rng.normal(0, 0.06)) % 1, rng.uniform(0.2, 0.9), 0.85)
    form = PlantForm(
        blossom=kind,
        petals=int(rng.choice([4, 5, 5, 6, 8])),
        petal_width=float(rng.uniform(0.4, 0.95)),
        notch=float(rng.choice([-1.0, 0.0, 0.15, 0.25])),
        center=colorsys.hsv_to_rgb(rng.uniform(0.08, 0.17), 0.8, rng.uniform(0.5, 0.95)),
        center_size=float(rng.uniform(0.14, 0.32)),
        leaf=LEAVES[int(rng.integers(len(LEAVES)))],
        leaf_size=float(rng.uniform(0.45, 0.7)),
        opposite=bool(rng.random() < 0.5),
    )
    return PlantSpecies(
        name=binomial(rng),
        form=form,
        petal=(foot, tip),
        veins=float(rng.choice([0.0, 0.4, 1.0])),
        spots=float(rng.choice([0.0, 0.0, 1.0])),
        green=colorsys.hsv_to_rgb(
            rng.uniform(0.22, 0.36), rng.uniform(0.4, 0.7), rng.uniform(0.35, 0.55)
        ),
        ribs=int(rng.integers(4, 12)),
        variegation=float(rng.choice([0.0, 0.0, 0.8])),
    )


def _organ(seed: int, split: str, number: int, index: int) -> str:
    share = rng_for(seed, "organ", split, number, index).random()
    return ORGANS[0] if share < 0.5 else ORGANS[2] if share < 0.85 else ORGANS[1]
