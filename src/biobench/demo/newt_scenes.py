"""How an example of either answer to one of NeWT's questions is drawn.

    image = QUESTIONS["flying"](Question(seed, "flying", 0, label, Scene()), rng)

What a question does not ask varies alike on both sides: species, place, light, size.
"""

import colorsys
import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image

from biobench.demo.canvas import develop, rng_for
from biobench.demo.flora import (
    PlantSpecies,
    paint_plant,
    photograph_plant,
    plant_scene,
    plant_species,
)
from biobench.demo.picture import Scene, photograph, stand
from biobench.demo.plants import Blossom
from biobench.demo.quadrupeds import Build
from biobench.demo.scenes import Habitat
from biobench.demo.species import ARCHETYPES, Individual, Species, sister_species

__all__ = ["PAIRS", "QUESTIONS", "Question"]


@dataclasses.dataclass(frozen=True)
class Question:
    """A task's kind and variant, and the answer that the picture must show."""

    seed: int
    kind: str
    variant: int
    label: int
    scene: Scene


def sister_flowers(seed: int, number: int) -> tuple[PlantSpecies, PlantSpecies]:
    """Two plants of the same colours and leaves whose blossoms are built differently."""
    left = plant_species(seed, 8 * number + 200)
    name = plant_species(seed, 8 * number + 201).name
    kinds = _BLOSSOMS[number % len(_BLOSSOMS)]
    forms = [dataclasses.replace(left.form, blossom=kind, petals=5) for kind in kinds]
    right = dataclasses.replace(left, name=name, form=forms[1])
    return dataclasses.replace(left, form=forms[0]), right


_BLOSSOMS: tuple[tuple[Blossom, Blossom], ...] = (
    ("daisy", "open"),
    ("umbel", "lily"),
    ("spike", "bell"),
    ("double", "daisy"),
    ("thistle", "umbel"),
    ("lily", "open"),
)

PAIRS: dict[str, Callable[[int, int], tuple]] = {
    "animals": sister_species,
    "flowers": sister_flowers,
}
"""for the species tasks: the two species that a variant tells apart."""


def _draw_animals(question: Question, rng: np.random.Generator) -> Image.Image:
    species = sister_species(question.seed, question.variant)[question.label]
    return _photograph(question, species, rng, fill=(0.5, 0.8))


def _draw_flowers(question: Question, rng: np.random.Generator) -> Image.Image:
    species = sister_flowers(question.seed, question.variant)[question.label]
    organ = "flower" if rng.random() < 0.6 else "habit"
    return photograph_plant(species, organ, rng, question.scene.size)


def _draw_health(question: Question, rng: np.random.Generator) -> Image.Image:
    species = plant_species(question.seed, 40 + question.variant + int(rng.integers(3)))
    species = dataclasses.replace(
        species,
        green=colorsys.hsv_to_rgb(rng.uniform(0.06, 0.36), 0.55, rng.uniform(0.3, 0.65)),
        variegation=0.0,
        lesions=rng.uniform(0.4, 1) if question.label else 0.0,
    )
    return photograph_plant(species, "leaf", rng, question.scene.size)


def _draw_age(question: Question, rng: np.random.Generator) -> Image.Image:
    species = _some(question, rng, "quadruped")
    if question.label == 0:
        build = species.build
        assert isinstance(build, Build)
        young = dataclasses.replace(
            build, head=build.head * 1.35, neck=build.neck * 0.7, legs=build.legs * 0.8,
            muzzle=build.muzzle * 0.8, horns="none",
        )  # fmt: skip
        coat = dataclasses.replace(species.coat, pattern="spots", spacing=0.14)
        species = dataclasses.replace(species, build=young, coat=coat)
    return _photograph(question, species, rng)


def _draw_horns(question: Question, rng: np.random.Generator) -> Image.Image:
    species = _some(question, rng, "quadruped")
    assert isinstance(species.build, Build)
    horns = str(rng.choice(["antlers", "curved"])) if question.label else "none"
    species = dataclasses.replace(species, build=dataclasses.replace(species.build, horns=horns))
    return _photograph(question, species, rng, fill=(0.6, 0.85))


def _posing(plan: str, poses: tuple[str, str]) -> Callable:
    def draw(question: Question, rng: np.random.Generator) -> Image.Image:
        species = _some(question, rng, plan)
        return _photograph(question, species, rng, fill=(0.55, 0.85), pose=poses[question.label])

    return draw


def _draw_water(question: Question, rng: np.random.Generator) -> Image.Image:
    land: tuple[Habitat, ...] = ("savanna", "sand", "rock", "meadow", "snow")
    habitat: Habitat = "water" if question.label else land[int(rng.integers(len(land)))]
    return _photograph(question, _some(question, rng, "bird"), rng, habitat=habitat)


def _draw_perch(question: Question, rng: np.random.Generator) -> Image.Image:
    height, width = question.scene.size
    canvas = plant_scene(rng, question.scene.size)
    plant = plant_species(question.seed, 300 + int(rng.integers(40)))
    # Leaves and petals of any colour: what is sat on shows in its shape.
    hue = rng.random()
    green = colorsys.hsv_to_rgb(hue, rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.8))
    plant = dataclasses.replace(plant, green=green)
    paint_plant(canvas, plant, "flower" if question.label else "leaf", rng)
    insect = Individual.of(_some(question, rng, "butterfly"), rng)
    at = (width * rng.uniform(0.35, 0.65), height * rng.uniform(0.35, 0.65))
    stand(canvas, insect, insect.parts(rng), at, rng.uniform(0.18, 0.26) * height, rng)
    return develop(canvas, rng)


def _draw_fence(question: Question, rng: np.random.Generator) -> Image.Image:
    before = "fence" if question.label else "thicket"
    return _photograph(question, _some(question, rng, "quadruped"), rng, before=before)


def _draw_counting(question: Question, rng: np.random.Generator) -> Image.Image:
    count = int(rng.integers(5, 9)) if question.label else int(rng.integers(1, 3))
    # Many are smaller, so that number and not area tells them from few.
    size = 0.6 / np.sqrt(count)
    scene = dataclasses.replace(question.scene, fill=(size, 1.3 * size))
    individual = Individual.of(_some(question, rng, "quadruped"), rng)
    return photograph([individual] * count, scene, rng)


def _draw_blossoms(question: Question, rng: np.random.Generator) -> Image.Image:
    species = plant_species(question.seed, 60 + 3 * question.variant + int(rng.integers(3)))
    count = int(rng.integers(6, 10)) if question.label else int(rng.integers(2, 4))
    return photograph_plant(species, "flower", rng, question.scene.size, count)


def _draw_quality(question: Question, rng: np.random.Generator) -> Image.Image:
    blur = 0.0 if question.label else float(rng.uniform(2.0, 3.5))
    return _photograph(question, _some(question, rng, ""), rng, blur=blur)


def _draw_close(question: Question, rng: np.random.Generator) -> Image.Image:
    fill = (1.2, 1.8) if question.label else (0.35, 0.6)
    return _photograph(question, _some(question, rng, "quadruped"), rng, fill=fill)


QUESTIONS: dict[str, Callable[[Question, np.random.Generator], Image.Image]] = {
    "animals": _draw_animals,
    "flowers": _draw_flowers,
    "age": _draw_age,
    "feeding": _posing("quadruped", ("alert", "graze")),
    "counting": _draw_counting,
    "perch": _draw_perch,
    "quality": _draw_quality,
    "flying": _posing("bird", ("perched", "flying")),
    "health": _draw_health,
    "fence": _draw_fence,
    "lying": _posing("quadruped", ("stand", "lie")),
    "blossoms": _draw_blossoms,
    "close": _draw_close,
    "horns": _draw_horns,
    "water": _draw_water,
}
"""by kind of question: how to draw an example."""


def _photograph(
    question: Question, species: Species, rng: np.random.Generator, **changes: object
) -> Image.Image:
    scene = dataclasses.replace(question.scene, **changes)
    return photograph([Individual.of(species, rng)], scene, rng)


def _some(question: Question, rng: np.random.Generator, plan: str) -> Species:
    """Any species of a body plan, either of two that the task's variant allows."""
    fits = [species for species in ARCHETYPES if plan in ("", species.plan)]
    chosen = rng_for(question.seed, "newt-species", question.kind, question.variant)
    return fits[int(rng.choice(chosen.permutation(len(fits))[:2]))]
