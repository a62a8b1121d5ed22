"""Four-legged animals seen from the side: one body plan, its proportions, and its postures.

    parts = quadruped(Build(neck=0.9, legs=0.9), Posture(neck=1.2), coat_color, rng)

Coordinates: hips at x = -0.5, shoulders at x = 0.5, back at y = 0, head towards +x.
"""

import dataclasses
import math
from typing import Literal

import numpy as np

from biobench.demo.canvas import RGB, Part, dim, ellipse, limb, spline

__all__ = ["Build", "Posture", "quadruped"]


@dataclasses.dataclass(frozen=True)
class Build:
    """Proportions of a species, in body lengths (hip to shoulder)."""

    legs: float = 0.65
    depth: float = 0.42
    neck: float = 0.4
    neck_width: float = 0.2
    head: float = 0.34
    muzzle: float = 0.1
    ears: Literal["small", "round", "long", "pointed", "flap"] = "pointed"
    horns: Literal["none", "straight", "curved", "antlers", "knobs", "nose"] = "none"
    tail: Literal["tuft", "bushy", "short", "long"] = "tuft"
    hump: float = 0.0
    trunk: bool = False
    mane: bool = False
    thick: float = 0.11
    """width of a leg at its middle."""


@dataclasses.dataclass(frozen=True)
class Posture:
    """Angles in radians and shares; the default stands at ease."""

    neck: float = 0.7
    """angle of the neck above the back's line; negative is down."""
    head: float = -0.5
    """angle of the head relative to the horizon."""
    legs: tuple[float, float, float, float] = (0.05, -0.05, 0.08, -0.02)
    """swing of far fore, far hind, near fore, near hind leg; forward is positive."""
    knees: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """bend of each leg's lower half backwards."""
    reach: float = 1.0
    """share of the leg's length that is stretched; 0.3 lies down."""
    pitch: float = 0.0
    """turn of the trunk: positive lifts the shoulders."""
    turned: bool = False
    """the head looks back to the flank."""
    tail: float = -1.2


def quadruped(build: Build, posture: Posture, tint: RGB = (1.0, 1.0, 1.0)) -> list[Part]:
    """The parts of one animal, far side first; they use the texture "coat".

    tint: colour of legs, muzzle and mane, over the coat.
    """
    dark = dim(tint, 0.5)
    cos, sin = math.cos(posture.pitch), math.sin(posture.pitch)

    def turn(x: float, y: float) -> tuple[float, float]:
        return (x * cos - y * sin, x * sin + y * cos)

    hip, shoulder = turn(-0.42, -0.5 * build.depth), turn(0.4, -0.5 * build.depth)
    legs = [
        _leg(build, posture, index, (shoulder, hip, shoulder, hip)[index], tint)
        for index in range(4)
    ]
    return [
        *_tail(build, posture, turn(-0.52, -0.12), tint),
        *legs[0],
        *legs[1],
        _trunk(build, turn),
        *legs[2],
        *legs[3],
        *_neck_and_head(build, posture, turn(0.42, -0.12), tint, dark),
    ]


def _trunk(build: Build, turn) -> Part:
    d = build.depth
    outline = [
        turn(-0.56, -0.18 * d), turn(-0.4, 0.05), turn(-0.05, 0.01 + 0.3 * build.hump),
        turn(0.28, 0.05 + build.hump), turn(0.52, -0.05), turn(0.6, -0.45 * d),
        turn(0.45, -0.98 * d), turn(0.0, -1.08 * d), turn(-0.35, -0.9 * d), turn(-0.58, -0.6 * d),
    ]  # fmt: skip
    return Part(spline(outline), texture="coat")


def _leg(build: Build, posture: Posture, index: int, top: tuple[float, float], tint: RGB):
    length = build.legs * posture.reach
    swing = posture.legs[index]
    knee_bend = posture.knees[index]
    half = length * 0.52
    knee = (top[0] + half * math.sin(swing), top[1] - half * math.cos(swing))
    lower = swing - knee_bend
    foot = (knee[0] + half * math.sin(lower), knee[1] - half * math.cos(lower))
    shade = 0.62 if index < 2 else 0.95
    color = dim(tint, shade)
    wide = build.thick
    hoof = dim(tint, 0.3 * shade)
    return [
        Part(
            limb([top, knee, foot], [2.1 * wide, 0.95 * wide, 0.75 * wide]),
            color=color,
            texture="coat",
        ),
        Part(ellipse(foot[0] + 0.02, foot[1], 0.52 * wide, 0.3 * wide, n=10), color=hoof, relief=0),
    ]


def _neck_and_head(build: Build, posture: Posture, base, tint: RGB, dark: RGB) -> list[Part]:
    back = -1 if posture.turned else 1
    length, cos, sin = build.neck, math.cos(posture.neck), math.sin(posture.neck)
    if posture.turned:
        # The neck arches up and over, so that the head lies along the flank.
        top = (base[0] - 0.55 * length * cos, base[1] + 0.1 + 0.5 * length * sin)
        bend = (base[0] + 0.25 * length * cos, base[1] + 0.12 + 0.65 * length * sin)
    else:
        top = (base[0] + length * cos, base[1] + length * sin)
        bend = (base[0] + 0.5 * length * cos, base[1] + 0.45 * length * sin)
    root = (base[0] - 0.05, base[1] - 0.12)
    parts = []
    if build.mane:
        crest = [(x - 0.05 * back, y + 0.06) for x, y in (root, bend, top)]
        parts.append(Part(limb(crest, [0.1, 0.16, 0.12]), color=dark, relief=0.6))
    width = build.neck_width
    parts.append(
        Part(limb([root, bend, top], [2.0 * width, 1.15 * width, 0.9 * width]), texture="coat")
    )
    look = posture.head
    ahead, up = back * math.cos(look), math.sin(look)
    nose = (top[0] + build.head * ahead, top[1] + build.head * up)
    skull = (top[0] + 0.15 * build.head * ahead, top[1] + 0.15 * build.head * up)
    parts += _ears(build, skull, back, dark, far=True)
    parts += _horns(build, skull, back, far=True)
    parts.append(
        Part(
            limb([top, skull, nose], [0.7 * build.head, 0.62 * build.head, build.muzzle]),
            texture="coat",
            color=(min(1.0, 1.05 * tint[0]), min(1.0, 1.05 * tint[1]), min(1.0, 1.05 * tint[2])),
        )
    )
    parts.append(Part(ellipse(*nose, 0.55 * build.muzzle, 0.5 * build.muzzle, n=12), color=dark))
    if build.trunk:
        path = [nose, (nose[0] + 0.06 * back, nose[1] - 0.25), (nose[0] - 0.02, nose[1] - 0.55)]
        parts.append(Part(limb(path, [0.16, 0.12, 0.06]), texture="coat"))
        tusk = [(nose[0] - 0.05 * back, nose[1] - 0.03), (nose[0] + 0.2 * back, nose[1] - 0.16)]
        parts.append(Part(limb(tusk, [0.06, 0.02]), color=(0.95, 0.93, 0.85)))
    parts += _horns(build, skull, back, far=False)
    parts += _ears(build, skull, back, tint, far=False)
    eye = (top[0] + 0.38 * build.head * ahead, top[1] + 0.38 * build.head * up + 0.13 * build.head)
    parts.append(Part(ellipse(*eye, 0.03, 0.03, n=10), color=(0.03, 0.02, 0.02), relief=0))
    return parts


def _ears(build: Build, skull, back: int, color: RGB, far: bool) -> list[Part]:
    x, y = skull[0] - 0.03 * back - (0.07 * back if far else 0), skull[1] + 0.22 * build.head
    kind = build.ears
    color = dim(color, 0.75)
    if kind == "flap":
        if far:
            return []
        flap = [(x, y), (x - 0.26 * back, y + 0.02), (x - 0.3 * back, y - 0.28), (x, y - 0.22)]
        return [Part(spline(flap), texture="coat", color=color)]
    rx, ry = {"small": (0.04, 0.06), "round": (0.07, 0.075), "long": (0.05, 0.2)}.get(
        kind, (0.045, 0.11)
    )
    return [
        Part(ellipse(x, y + 0.6 * ry, rx, ry, angle=0.35 * back, n=14), color=color, texture="coat")
    ]


def _horns(build: Build, skull, back: int, far: bool) -> list[Part]:
    x, y = skull[0] - (0.05 * back if far else -0.02 * back), skull[1] + 0.25 * build.head
    color = (0.32, 0.27, 0.22) if not far else (0.22, 0.18, 0.15)
    if build.horns == "straight":
        return [Part(limb([(x, y), (x - 0.18 * back, y + 0.42)], [0.06, 0.015]), color=color)]
    if build.horns == "curved":
        path = [(x, y), (x + 0.02 * back, y + 0.2), (x - 0.14 * back, y + 0.32)]
        path.append((x - 0.28 * back, y + 0.24))
        return [Part(limb(path, [0.1, 0.08, 0.05, 0.015]), color=color)]
    if build.horns == "knobs":
        knob = (x, y + 0.13)
        return [
            Part(limb([(x, y), knob], [0.04, 0.03]), color=color),
            Part(ellipse(*knob, 0.035, 0.03, n=10), color=(0.12, 0.1, 0.08)),
        ]
    if build.horns == "antlers":
        beam = np.array([(x, y), (x - 0.12 * back, y + 0.2), (x - 0.05 * back, y + 0.45)])
        parts = [Part(limb(beam, [0.05, 0.04, 0.02]), color=(0.5, 0.42, 0.32))]
        for share, reach in ((0.35, 0.16), (0.7, 0.15)):
            foot = beam[0] * (1 - share) + beam[2] * share + (-0.06 * back, 0.0)
            tine = np.stack([foot, foot + (0.16 * back, reach)])
            parts.append(Part(limb(tine, [0.035, 0.012]), color=(0.5, 0.42, 0.32)))
        return parts
    if build.horns == "nose" and not far:
        nx, ny = skull[0] + 0.72 * build.head * back, skull[1] - 0.3 * build.head
        horn = [(nx, ny), (nx + 0.1 * back, ny + 0.12), (nx + 0.1 * back, ny + 0.3)]
        return [Part(limb(horn, [0.12, 0.08, 0.015]), color=(0.5, 0.48, 0.44))]
    return []


def _tail(build: Build, posture: Posture, root, tint: RGB) -> list[Part]:
    a = posture.tail
    length = {"tuft": 0.5, "bushy": 0.5, "short": 0.15, "long": 0.85}[build.tail]
    end = (root[0] - length * math.cos(a), root[1] + length * math.sin(a))
    middle = (
        root[0] - 0.5 * length * math.cos(a * 0.6),
        root[1] + 0.5 * length * math.sin(a * 0.6),
    )
    widths = {
        "tuft": [0.07, 0.045, 0.04], "bushy": [0.08, 0.24, 0.1],
        "short": [0.11, 0.1, 0.06], "long": [0.09, 0.075, 0.05],
    }[build.tail]  # fmt: skip
    parts = [Part(limb([root, middle, end], widths), texture="coat", color=tint)]
    if build.tail == "tuft":
        dark = dim(tint, 0.3)
        parts.append(Part(ellipse(end[0], end[1] - 0.04, 0.05, 0.1, n=12), color=dark))
    return parts
