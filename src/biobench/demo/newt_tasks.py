"""What NeWT's tasks of the demo world ask, and how an example of either answer is drawn.

Each kind of question is a function that draws an example; a task is a kind and a variant number,
which picks the species. The first tasks cover every cluster; a world of 164 goes on through the
variants.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from PIL import Image

from biobench.demo.canvas import rng_for
from biobench.demo.picture import Scene, photograph
from biobench.demo.plantnet import photograph_plant, plant_species
from biobench.demo.scenes import Habitat
from biobench.demo.species import ARCHETYPES, Individual, Species, animal_species

__all__ = ["SIZES", "TaskSpec", "draw_example", "task_specs"]

SIZES = ((240, 240), (225, 300), (300, 225), (240, 280))
"""heights and widths of the pictures, in turn."""


@dataclasses.dataclass(frozen=True)
class TaskSpec:
    """One binary task."""

    name: str
    kind: str
    variant: int
    cluster: str
    subcluster: str
    """may be empty, as in the published file."""
    texts: tuple[str, str]
    """what labels 0 and 1 mean."""


Draw = Callable[[TaskSpec, int, Scene, int, np.random.Generator], Image.Image]


def task_specs(seed: int, count: int) -> list[TaskSpec]:
    """The first `count` tasks: every kind once, then the species tasks' further variants."""
    specs = []
    for index in range(count):
        kind, cluster, subcluster, texts = _KINDS[index % len(_KINDS)]
        variant = index // len(_KINDS)
        if kind in ("animals", "flowers"):
            names = [species.name for species in _pair(seed, kind, index)]
            texts = (names[0], names[1])
            stem = "species_" + "_vs_".join(name.lower().replace(" ", "_") for name in names)
        else:
            stem = texts[1].replace(" ", "_") + (f"_{variant + 1}" if variant else "")
        specs.append(TaskSpec(f"{cluster}_{stem}", kind, index, cluster, subcluster, texts))
    return specs


def draw_example(
    spec: TaskSpec, label: int, size: tuple[int, int], seed: int, rng: np.random.Generator
) -> Image.Image:
    """One picture for which the task's answer is `label`."""
    return _DRAW[spec.kind](spec, label, Scene(size=size), seed, rng)


def _pair(seed: int, kind: str, index: int):
    """Two species that a task tells apart: close relatives in build, different in their marks."""
    if kind == "flowers":
        first = (index * 3) % 1081
        return plant_species(seed, first), plant_species(seed, first + 8)
    pairs = ((6, 1), (11, 17), (0, 17), (20, 13), (5, 11), (9, 23))
    number = index // len(_KINDS)
    if number == 0:
        left, right = pairs[index % len(pairs)]
    else:
        left = len(ARCHETYPES) + index
        right = left + len(ARCHETYPES)
    return animal_species(seed, left), animal_species(seed, right)


def _draw_animals(spec, label, scene, seed, rng):
    species = _pair(seed, spec.kind, spec.variant)[label]
    return photograph([Individual.of(species, rng)], scene, rng)


def _draw_flowers(spec, label, scene, seed, rng):
    species = _pair(seed, spec.kind, spec.variant)[label]
    organ = "flower" if rng.random() < 0.6 else "habit"
    return photograph_plant(species, organ, rng, scene.size)


def _draw_health(spec, label, scene, seed, rng):
    species = plant_species(seed, 40 + spec.variant + int(rng.integers(4)))
    sick = dataclasses.replace(
        species, variegation=0.0, lesions=rng.uniform(0.5, 1) if label else 0.0
    )
    return photograph_plant(sick, "leaf", rng, scene.size)


def _draw_age(spec, label, scene, seed, rng):
    species = _some(seed, spec, rng, "quadruped")
    if label == 0:
        build = species.build
        young = dataclasses.replace(
            build, head=build.head * 1.35, neck=build.neck * 0.7, legs=build.legs * 0.8,
            muzzle=build.muzzle * 0.8, horns="none",
        )  # fmt: skip
        coat = dataclasses.replace(species.coat, pattern="spots", spacing=0.14)
        species = dataclasses.replace(species, build=young, coat=coat)
    return photograph([Individual.of(species, rng)], scene, rng)


def _draw_horns(spec, label, scene, seed, rng):
    species = _some(seed, spec, rng, "quadruped")
    horns = str(rng.choice(["antlers", "curved", "straight"])) if label else "none"
    species = dataclasses.replace(species, build=dataclasses.replace(species.build, horns=horns))
    return photograph([Individual.of(species, rng)], scene, rng)


def _posing(plan: str, poses: tuple[str, str]) -> Draw:
    def draw(spec, label, scene, seed, rng):
        species = _some(seed, spec, rng, plan)
        scene = dataclasses.replace(scene, pose=poses[label])
        return photograph([Individual.of(species, rng)], scene, rng)

    return draw


def _placing(habitats: tuple[tuple[Habitat, ...], tuple[Habitat, ...]]) -> Draw:
    def draw(spec, label, scene, seed, rng):
        choice = habitats[label]
        scene = dataclasses.replace(scene, habitat=choice[int(rng.integers(len(choice)))])
        return photograph([Individual.of(_some(seed, spec, rng, ""), rng)], scene, rng)

    return draw


def _draw_counting(spec, label, scene, seed, rng):
    species = _some(seed, spec, rng, "")
    count = int(rng.integers(5, 9)) if label else int(rng.integers(1, 3))
    scene = dataclasses.replace(scene, fill=(0.2, 0.32))
    return photograph([Individual.of(species, rng)] * count, scene, rng)


def _draw_blossoms(spec, label, scene, seed, rng):
    species = plant_species(seed, 60 + int(rng.integers(5)))
    count = int(rng.integers(6, 10)) if label else int(rng.integers(1, 4))
    return photograph_plant(species, "flower", rng, scene.size, count)


def _draw_quality(spec, label, scene, seed, rng):
    scene = dataclasses.replace(scene, blur=0.0 if label else float(rng.uniform(2.0, 3.5)))
    return photograph([Individual.of(_some(seed, spec, rng, ""), rng)], scene, rng)


def _draw_close(spec, label, scene, seed, rng):
    scene = dataclasses.replace(scene, fill=(1.3, 1.9) if label else (0.25, 0.45))
    return photograph([Individual.of(_some(seed, spec, rng, ""), rng)], scene, rng)


def _some(seed: int, spec: TaskSpec, rng: np.random.Generator, plan: str) -> Species:
    """Any species of a body plan, out of six that the task's variant allows."""
    fits = [species for species in ARCHETYPES if plan in ("", species.plan)]
    chosen = rng_for(seed, "newt-species", spec.name).permutation(len(fits))[:6]
    return fits[int(rng.choice(chosen))]


_KINDS: tuple[tuple[str, str, str, tuple[str, str]], ...] = (
    ("animals", "appearance", "species", ("", "")),
    ("flowers", "appearance", "species", ("", "")),
    ("age", "appearance", "age", ("juvenile", "adult")),
    ("feeding", "behavior", "", ("standing", "feeding")),
    ("counting", "counting", "", ("few", "many")),
    ("water", "context", "habitat", ("on land", "in water")),
    ("quality", "gestalt", "", ("blurred", "sharp photo")),
    ("flying", "behavior", "", ("perched", "flying")),
    ("blossoms", "counting", "", ("few flowers", "many flowers")),
    ("horns", "appearance", "attribute", ("without horns", "with horns")),
    ("lying", "behavior", "", ("standing", "lying down")),
    ("health", "appearance", "health", ("healthy leaf", "diseased leaf")),
    ("close", "gestalt", "", ("whole animal", "close up")),
    ("forest", "context", "habitat", ("in the open", "in forest")),
)

_OPEN: tuple[Habitat, ...] = ("savanna", "meadow", "sand", "rock")
_DRAW: dict[str, Draw] = {
    "animals": _draw_animals,
    "flowers": _draw_flowers,
    "age": _draw_age,
    "feeding": _posing("quadruped", ("alert", "graze")),
    "counting": _draw_counting,
    "water": _placing((("savanna", "sand", "rock", "meadow", "snow"), ("water",))),
    "blossoms": _draw_blossoms,
    "quality": _draw_quality,
    "flying": _posing("bird", ("perched", "flying")),
    "horns": _draw_horns,
    "lying": _posing("quadruped", ("stand", "lie")),
    "health": _draw_health,
    "close": _draw_close,
    "forest": _placing((_OPEN, ("forest",))),
}
