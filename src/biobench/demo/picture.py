"""Pictures of animals: individuals in a place, at a size, under a light.

scene = Scene("savanna", fill=(0.4, 0.7))
image = photograph([individual], scene, rng)
"""

import dataclasses
import io
from typing import Literal

import numpy as np
from jaxtyping import Float
from PIL import Image

from biobench.demo.canvas import Part, Placement, develop, paint, shadow
from biobench.demo.scenes import HABITATS, Habitat, background, fence, foreground, thicket
from biobench.demo.species import Individual

__all__ = ["Scene", "cast_shadow", "encode", "extent", "photograph", "place", "stand"]


@dataclasses.dataclass(frozen=True)
class Scene:
    """How a photograph is taken."""

    habitat: Habitat | None = None
    """None takes any."""
    fill: tuple[float, float] = (0.4, 0.72)
    """the animal's longer side as a share of the picture's shorter side: from, to."""
    pose: str = "any"
    blur: float = 0.0
    before: Literal["grass", "fence", "thicket"] = "grass"
    """what stands between the camera and the animal."""
    size: tuple[int, int] = (208, 208)
    """height and width in pixels."""


def photograph(
    individuals: list[Individual], scene: Scene, rng: np.random.Generator
) -> Image.Image:
    """All individuals in one picture, the farther ones first."""
    height, width = scene.size
    habitat = scene.habitat or HABITATS[int(rng.integers(len(HABITATS)))]
    canvas = background(habitat, rng, height, width)
    spots = _spread(len(individuals), rng)
    for individual, (x, y) in zip(individuals, spots, strict=True):
        parts = individual.parts(rng, scene.pose)
        fill = rng.uniform(*scene.fill) * min(height, width)
        stand(canvas, individual, parts, (x * width, y * height), fill, rng)
    if scene.before == "grass":
        foreground(habitat, canvas, rng)
    else:
        {"fence": fence, "thicket": thicket}[scene.before](canvas, rng)
    return develop(canvas, rng, blur=scene.blur)


def stand(
    canvas: Float[np.ndarray, "height width 3"],
    individual: Individual,
    parts: list[Part],
    at: tuple[float, float],
    length: float,
    rng: np.random.Generator,
) -> None:
    """Paint one animal with its middle at a point and its longer side `length` pixels long."""
    ground = individual.species.ground
    angle = (
        rng.normal(0, 0.1) if ground or individual.species.plan == "fish" else rng.uniform(0, 6.28)
    )
    placement = place(parts, at, length, angle=angle, flip=bool(rng.random() < 0.5), rng=rng)
    if ground:
        cast_shadow(canvas, extent(parts, placement))
    paint(canvas, parts, placement, individual.textures, light=rng.uniform(1.2, 2.4))


def place(
    parts: list[Part],
    at: tuple[float, float],
    length: float,
    *,
    angle: float,
    flip: bool,
    rng: np.random.Generator,
) -> Placement:
    """The placement that centres a body at a point, seen a little from ahead or behind."""
    points = np.concatenate([part.outline for part in parts])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = length / max(high - low)
    squash = rng.uniform(0.82, 1.0)
    middle = Placement(0, 0, scale, angle, flip, squash).to_pixels(((low + high) / 2)[None])[0]
    return Placement(at[0] - middle[0], at[1] - middle[1], scale, angle, flip, squash)


def extent(parts: list[Part], placement: Placement) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a placed body, in pixels."""
    points = np.concatenate([placement.to_pixels(part.outline) for part in parts])
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def cast_shadow(
    canvas: Float[np.ndarray, "height width 3"], box: tuple[float, float, float, float]
) -> None:
    """Darken the ground below a body of this extent."""
    left, _, right, bottom = box
    reach = 0.42 * (right - left)
    shadow(canvas, (left + right) / 2, bottom, reach, 0.14 * reach + 1)


def encode(image: Image.Image, quality: int = 88) -> bytes:
    """The picture as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _spread(count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Places for `count` animals, apart from each other, far ones first."""
    if count == 1:
        return [(rng.uniform(0.36, 0.64), rng.uniform(0.4, 0.68))]
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    cells = rng.permutation(columns * rows)[:count]
    spots = [
        (
            0.1 + 0.8 * (cell % columns + rng.uniform(0.3, 0.7)) / columns,
            0.15 + 0.75 * (cell // columns + rng.uniform(0.3, 0.7)) / rows,
        )
        for cell in cells
    ]
    return sorted(spots, key=lambda spot: spot[1])
