"""What NeWT's tasks of the demo world ask: clusters, names, and the kinds of question behind them.

A task is a kind of question and a variant, which picks the species. The first tasks cover every
cluster; a world of 164 goes on through the variants.
"""

import dataclasses

import numpy as np
from PIL import Image

from biobench.demo import newt_scenes
from biobench.demo.picture import Scene

__all__ = ["SIZES", "TaskSpec", "draw_example", "task_specs"]

SIZES = ((208, 208), (192, 256), (256, 192), (208, 240))
"""heights and widths of the pictures, in turn."""

# Kind, cluster, subcluster and what labels 0 and 1 mean; species tasks are named after the species.
_KINDS: tuple[tuple[str, str, str, tuple[str, str]], ...] = (
    ("animals", "appearance", "species", ("", "")),
    ("flowers", "appearance", "species", ("", "")),
    ("age", "appearance", "age", ("juvenile", "adult")),
    ("feeding", "behavior", "", ("standing", "feeding")),
    ("counting", "counting", "", ("few animals", "many animals")),
    ("perch", "context", "substrate", ("on leaves", "on flower")),
    ("quality", "gestalt", "", ("blurred", "sharp photo")),
    ("animals", "appearance", "species", ("", "")),
    ("flying", "behavior", "", ("perched", "flying")),
    ("health", "appearance", "health", ("healthy leaf", "diseased leaf")),
    ("fence", "context", "captivity", ("wild", "behind fence")),
    ("animals", "appearance", "species", ("", "")),
    ("lying", "behavior", "", ("standing", "lying down")),
    ("blossoms", "counting", "", ("few flowers", "many flowers")),
    ("close", "gestalt", "", ("whole animal", "close up")),
    ("flowers", "appearance", "species", ("", "")),
    ("horns", "appearance", "attribute", ("without horns", "with horns")),
    ("water", "context", "habitat", ("on land", "in water")),
)


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


def task_specs(seed: int, count: int) -> list[TaskSpec]:
    """The first `count` tasks."""
    specs: list[TaskSpec] = []
    for index in range(count):
        kind, cluster, subcluster, texts = _KINDS[index % len(_KINDS)]
        variant = sum(spec.kind == kind for spec in specs)
        if kind in newt_scenes.PAIRS:
            left, right = newt_scenes.PAIRS[kind](seed, variant)
            texts = (left.name, right.name)
            stem = f"species_{left.name}_vs_{right.name}".lower()
        else:
            stem = texts[1] + (f" {variant + 1}" if variant else "")
        name = f"{cluster}_{stem}".replace(" ", "_")
        specs.append(TaskSpec(name, kind, variant, cluster, subcluster, texts))
    return specs


def draw_example(
    spec: TaskSpec, label: int, size: tuple[int, int], seed: int, rng: np.random.Generator
) -> Image.Image:
    """One picture for which the task's answer is `label`."""
    draw = newt_scenes.QUESTIONS[spec.kind]
    return draw(newt_scenes.Question(seed, spec.kind, spec.variant, label, Scene(size=size)), rng)
