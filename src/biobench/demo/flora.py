"""The demo world's plants: species with a form and colours, and photographs of them.

species = plant_species(seed, 7)                       # the same for the same seed and number
image = photograph_plant(species, "flower", rng)
"""

import colorsys
import dataclasses
import math

import numpy as np
from jaxtyping import Float
from PIL import Image

from biobench.demo.canvas import RGB, Part, Placement, develop, paint, rng_for
from biobench.demo.patterns import leaf_texture, petal_texture
from biobench.demo.plants import BLOSSOMS, LEAVES, PlantForm, blossom, leaf, plant
from biobench.demo.scenes import Habitat, background, foliage
from biobench.demo.species import binomial

__all__ = ["PlantSpecies", "paint_plant", "photograph_plant", "plant_scene", "plant_species"]


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


def photograph_plant(
    species: PlantSpecies,
    organ: str,
    rng: np.random.Generator,
    size: tuple[int, int] = (208, 208),
    count: int = 1,
) -> Image.Image:
    """A plant's flower (or `count` of them), leaf or whole shoot ("habit"), in a place."""
    canvas = plant_scene(rng, size)
    paint_plant(canvas, species, organ, rng, count)
    return develop(canvas, rng)


def plant_scene(
    rng: np.random.Generator, size: tuple[int, int]
) -> Float[np.ndarray, "height width 3"]:
    """A place where plants grow, among other plants' leaves."""
    height, width = size
    place = _PLACES[int(rng.integers(len(_PLACES)))]
    canvas = background(place, rng, height, width)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        foliage(canvas, rng, x, y, rng.uniform(20, 70), 60)
    return canvas


_PLACES: tuple[Habitat, ...] = ("meadow", "litter", "forest", "rock", "bark", "sand")


def paint_plant(
    canvas: Float[np.ndarray, "height width 3"],
    species: PlantSpecies,
    organ: str,
    rng: np.random.Generator,
    count: int = 1,
) -> None:
    """Paint one plant of the species about the middle of the canvas; see `photograph_plant`."""
    height, width, _ = canvas.shape
    shade = np.exp(rng.normal(0, 0.1, 3))
    foot, tip = (_clip(np.array(color) * shade) for color in species.petal)
    green = _clip(np.array(species.green) * np.exp(rng.normal(0, 0.1, 3)))
    textures = {
        "petal": petal_texture(foot, tip, species.veins, species.spots, rng),
        "leaf": leaf_texture(green, species.ribs, species.variegation, rng, species.lesions),
    }
    x, y = width * rng.uniform(0.38, 0.62), height * rng.uniform(0.4, 0.6)
    parts: list[Part] = []
    side = min(height, width)
    if count > 1:
        # Many are smaller, so that number and not area tells them from few.
        size = 0.62 / math.sqrt(count)
        for at in _scatter(count, rng):
            parts += blossom(species.form, at, size * rng.uniform(0.85, 1.15), rng)
        placement = Placement(width / 2, height / 2, 0.45 * side)
    elif organ == "flower":
        parts += leaf(species.form.leaf, (0.0, 0.0), rng.uniform(0, 6.28), 1.3)
        parts += blossom(species.form, (0.0, 0.0), 0.85, rng)
        placement = Placement(x, y, side * rng.uniform(0.29, 0.5), rng.uniform(-0.5, 0.5))
    elif organ == "leaf":
        for angle in rng.uniform(0, 2 * math.pi) + np.array([0.0, 2.1, 4.2]):
            parts += leaf(species.form.leaf, (0.0, 0.0), float(angle), 1.0)
        placement = Placement(x, y, side * rng.uniform(0.33, 0.5), 0.0)
    else:
        parts += plant(species.form, rng)
        scale = side * rng.uniform(0.27, 0.42)
        mirrored = bool(rng.random() < 0.5)
        placement = Placement(x, y, scale, rng.normal(0, 0.25), mirrored)
    paint(canvas, parts, placement, textures, light=rng.uniform(1.0, 2.2))


def _clip(color: Float[np.ndarray, "3"]) -> RGB:
    red, green, blue = np.clip(color, 0, 1).tolist()
    return (red, green, blue)


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
