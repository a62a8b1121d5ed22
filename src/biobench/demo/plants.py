"""Flowering plants: blossoms by number, shape and arrangement of petals, leaves by outline.

    parts = plant(form, rng)        # uses the textures "petal" and "leaf"

The stem's foot is at (0, -1), the blossom about (0, 0.3); y is up.
"""

import dataclasses
import math
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float

from biobench.demo.canvas import RGB, Part, dim, ellipse, limb, spline

__all__ = ["BLOSSOMS", "LEAVES", "Blossom", "Leaf", "PlantForm", "blossom", "leaf", "plant"]

Blossom = Literal["open", "daisy", "bell", "spike", "umbel", "lily", "double", "thistle"]
Leaf = Literal["ovate", "lance", "heart", "lobed", "pinnate", "palmate", "grass", "round"]
BLOSSOMS: tuple[Blossom, ...] = get_args(Blossom)
LEAVES: tuple[Leaf, ...] = get_args(Leaf)


@dataclasses.dataclass(frozen=True)
class PlantForm:
    """What all plants of a species share besides colour."""

    blossom: Blossom = "open"
    petals: int = 5
    petal_width: float = 0.5
    """width of a petal relative to its length."""
    notch: float = 0.0
    """depth of the cleft at a petal's tip; negative makes it pointed."""
    center: RGB = (0.95, 0.75, 0.15)
    center_size: float = 0.22
    leaf: Leaf = "ovate"
    leaf_size: float = 0.55
    opposite: bool = True
    """leaves in pairs, or one by one."""


def plant(form: PlantForm, rng: np.random.Generator, size: float = 0.5) -> list[Part]:
    """A shoot with leaves and one to three blossoms of the given radius."""
    sway = rng.normal(0, 0.15)
    stem = np.array([(0.0, -1.2), (0.3 * sway, -0.6), (sway, 0.2)])
    parts = [Part(limb(stem, [0.07, 0.06, 0.045]), color=(0.3, 0.5, 0.2))]
    for index, height in enumerate(np.linspace(-0.95, -0.2, 3) + rng.normal(0, 0.05, 3)):
        foot = (sway * (height + 1.2) / 1.4, height)
        sides = (0.5, math.pi - 0.5) if form.opposite else ((0.5, math.pi - 0.5)[index % 2],)
        for side in sides:
            angle = side + rng.normal(0, 0.2)
            parts += leaf(form.leaf, foot, angle, form.leaf_size * rng.uniform(0.85, 1.15))
    parts += blossom(form, (stem[-1][0], stem[-1][1]), size, rng)
    for _ in range(int(rng.integers(0, 3))):
        foot = (0.5 * sway, -0.35)
        head = (rng.choice([-1, 1]) * rng.uniform(0.55, 0.8), rng.uniform(-0.5, 0.4))
        branch = limb([foot, (0.5 * head[0], head[1] - 0.1), head], [0.045, 0.04, 0.035])
        parts.append(Part(branch, color=(0.28, 0.48, 0.2)))
        parts += blossom(form, head, 0.75 * size, rng)
    return parts


def blossom(
    form: PlantForm, at: tuple[float, float], size: float, rng: np.random.Generator
) -> list[Part]:
    """One flower head of radius `size`."""
    turn = rng.uniform(0, 2 * math.pi)
    kind = form.blossom
    if kind == "bell":
        return _bells(form, at, size)
    if kind == "spike":
        return _spike(form, at, size, rng)
    if kind == "umbel":
        return _umbel(form, at, size, rng)
    if kind == "thistle":
        return _thistle(form, at, size, rng)
    rings = {"double": 3, "lily": 2}.get(kind, 1)
    count = {"daisy": 3 * form.petals + 3}.get(kind, form.petals)
    width = form.petal_width * (0.4 if kind == "daisy" else 0.7 if kind == "lily" else 1.0)
    parts = []
    for ring in range(rings):
        length = size * (1 - 0.22 * ring)
        for index in range(count):
            angle = turn + 2 * math.pi * (index + 0.5 * (ring % 2)) / count + rng.normal(0, 0.04)
            parts.append(_petal(at, angle, length, width, form.notch, 1 - 0.06 * ring))
    if kind == "lily":
        for index in range(6):
            angle = turn + 1.05 * index
            end = (at[0] + 0.55 * size * math.cos(angle), at[1] + 0.55 * size * math.sin(angle))
            parts.append(Part(limb([at, end], [0.03 * size, 0.03 * size]), color=(0.85, 0.9, 0.6)))
            parts.append(Part(ellipse(*end, 0.08 * size, 0.05 * size, n=10), color=form.center))
        return parts
    radius = form.center_size * size * (1.5 if kind == "daisy" else 0.7 if kind == "double" else 1)
    parts.append(Part(ellipse(*at, radius, radius), color=form.center))
    for ring, dots in ((0.75, 12), (0.4, 7)):
        for index in range(dots):
            angle = 2 * math.pi * index / dots + ring
            dot = (
                at[0] + ring * radius * math.cos(angle),
                at[1] + ring * radius * math.sin(angle),
            )
            dark = dim(form.center, 0.72)
            parts.append(Part(ellipse(*dot, 0.12 * radius, 0.12 * radius, n=6), dark, relief=0))
    return parts


def leaf(kind: Leaf, foot: tuple[float, float], angle: float, size: float) -> list[Part]:
    """One leaf of length `size` that grows from `foot` in direction `angle`."""
    if kind in ("pinnate", "palmate"):
        parts = []
        if kind == "pinnate":
            tip = (foot[0] + size * math.cos(angle), foot[1] + size * math.sin(angle))
            parts.append(Part(limb([foot, tip], [0.03, 0.015]), color=(0.25, 0.42, 0.15)))
            for share in (0.3, 0.55, 0.8):
                x, y = (foot[i] + share * (tip[i] - foot[i]) for i in (0, 1))
                for side in (0.9, -0.9):
                    parts.append(_blade("ovate", (x, y), angle + side, 0.38 * size))
            return [*parts, _blade("ovate", tip, angle, 0.35 * size)]
        return [_blade("lance", foot, angle + a, size * (1 - 0.25 * abs(a))) for a in _FINGERS]
    return [_blade(kind, foot, angle, size)]


_FINGERS = (-1.2, 1.2, -0.6, 0.6, 0.0)


def _blade(kind: Leaf, foot: tuple[float, float], angle: float, size: float) -> Part:
    outline = _OUTLINES[kind] * (size, size)
    cos, sin = math.cos(angle), math.sin(angle)
    points = outline @ np.array([[cos, sin], [-sin, cos]]) + foot
    center = (foot[0] + 0.5 * size * cos, foot[1] + 0.5 * size * sin)
    return Part(points, texture="leaf", frame=(*center, angle, 0.55 * size), relief=0.7)


def _mirrored(upper: list[tuple[float, float]]) -> Float[np.ndarray, "n 2"]:
    lower = [(x, -y) for x, y in upper[-2:0:-1]]
    return spline(upper + lower, steps=4)


def _lobed() -> Float[np.ndarray, "n 2"]:
    upper = [(0.0, 0.0)]
    for x, out, deep in ((0.2, 0.28, 0.1), (0.42, 0.36, 0.12), (0.66, 0.28, 0.1)):
        upper += [(x, out), (x + 0.1, deep)]
    return _mirrored([*upper, (1.0, 0.0)])


_OUTLINES: dict[str, Float[np.ndarray, "n 2"]] = {
    "ovate": _mirrored([(0, 0), (0.2, 0.22), (0.5, 0.24), (0.8, 0.12), (1, 0)]),
    "lance": _mirrored([(0, 0), (0.25, 0.09), (0.55, 0.09), (0.8, 0.05), (1, 0)]),
    "grass": _mirrored([(0, 0.01), (0.3, 0.035), (0.7, 0.03), (1.15, 0)]),
    "round": _mirrored([(0.05, 0), (0.2, 0.33), (0.5, 0.45), (0.82, 0.32), (0.95, 0)]),
    "heart": _mirrored([(0.1, 0), (-0.08, 0.22), (0.12, 0.42), (0.5, 0.36), (0.8, 0.14), (1, 0)]),
    "lobed": _lobed(),
}


def _petal(at, angle: float, length: float, width: float, notch: float, tone: float) -> Part:
    half = 0.5 * width
    upper = [(0.05, 0.0), (0.3, 0.65 * half), (0.65, half), (0.9, 0.7 * half)]
    upper.append((1.0 - max(0.0, notch) if notch >= 0 else 1.0 - 0.3 * notch, 0.0))
    outline = _mirrored(upper) * (length, length)
    cos, sin = math.cos(angle), math.sin(angle)
    points = outline @ np.array([[cos, sin], [-sin, cos]]) + at
    center = (at[0] + 0.5 * length * cos, at[1] + 0.5 * length * sin)
    color = (tone, tone, tone)
    return Part(points, color, "petal", (*center, angle, 0.55 * length), relief=0.7)


def _bells(form: PlantForm, at, size: float) -> list[Part]:
    parts = []
    for index in range(3):
        x, y = at[0] + (index - 1) * 0.6 * size, at[1] - abs(index - 1) * 0.25 * size
        parts.append(Part(limb([at, (x, y)], [0.03, 0.03]), color=(0.3, 0.48, 0.2)))
        teeth = [(x - 0.36 * size, y - 0.8 * size), (x - 0.2 * size, y - 0.68 * size)]
        teeth += [(x, y - 0.84 * size), (x + 0.2 * size, y - 0.68 * size)]
        cup = [(x - 0.12 * size, y), (x - 0.24 * size, y - 0.45 * size), *teeth]
        cup += [(x + 0.36 * size, y - 0.8 * size), (x + 0.24 * size, y - 0.45 * size)]
        cup += [(x + 0.12 * size, y)]
        frame = (x, y - 0.4 * size, -math.pi / 2, 0.5 * size)
        parts.append(Part(np.array(cup), texture="petal", frame=frame, relief=1.2))
    return parts


def _spike(form: PlantForm, at, size: float, rng) -> list[Part]:
    parts = []
    for row in range(7):
        y = at[1] - 0.6 * size + row * 0.28 * size
        reach = size * (0.42 - 0.045 * row)
        for side in (-1, 1, 0):
            angle = math.pi / 2 - side * 1.25 + rng.normal(0, 0.1)
            spot = (at[0] + side * 0.1 * size, y)
            parts.append(_petal(spot, angle, reach, form.petal_width + 0.2, form.notch, 1.0))
    return parts


def _umbel(form: PlantForm, at, size: float, rng) -> list[Part]:
    parts = []
    foot = (at[0], at[1] - 0.7 * size)
    heads = [(math.pi / 2 + a, 1.0) for a in np.linspace(-1.0, 1.0, 5)]
    heads += [(math.pi / 2 + a, 0.7) for a in (-0.4, 0.4)]
    for angle, share in heads:
        end = (foot[0] + size * share * math.cos(angle), foot[1] + size * share * math.sin(angle))
        parts.append(Part(limb([foot, end], [0.025, 0.02]), color=(0.32, 0.5, 0.22)))
        for index in range(form.petals):
            turn = 2 * math.pi * index / form.petals
            parts.append(_petal(end, turn, 0.3 * size, form.petal_width, form.notch, 1.0))
        parts.append(Part(ellipse(*end, 0.06 * size, 0.06 * size, n=8), color=form.center))
    return parts


def _thistle(form: PlantForm, at, size: float, rng) -> list[Part]:
    parts = []
    for angle in np.linspace(0.35, math.pi - 0.35, 17) + rng.normal(0, 0.03, 17):
        parts.append(_petal(at, float(angle), 1.05 * size, 0.13, -0.3, float(rng.uniform(0.8, 1))))
    x, y = at[0], at[1] - 0.25 * size
    parts.append(Part(ellipse(x, y, 0.42 * size, 0.45 * size), color=(0.35, 0.5, 0.25)))
    for angle in np.linspace(0, math.pi, 9):
        for ring in (0.25, 0.4):
            dx, dy = ring * size * math.cos(angle), -ring * size * math.sin(angle) + 0.15 * size
            spine = [(x + dx, y + dy), (x + 1.25 * dx, y + 1.25 * dy + 0.06 * size)]
            parts.append(Part(limb(spine, [0.05 * size, 0.01]), color=(0.25, 0.38, 0.18), relief=0))
    return parts
