"""Body plans other than four legs and fur: birds, fish, insects, reptiles.

Each function returns the parts of one animal in body coordinates (head towards +x, y up), far side
first; they use the texture "coat", and "wing" where there are wings.
"""

import math
from typing import Literal

import numpy as np

from biobench.demo.canvas import RGB, Part, ellipse, limb, spline

__all__ = ["beetle", "bird", "butterfly", "fish", "lizard", "snake", "turtle"]

EYE: RGB = (0.02, 0.02, 0.02)


def bird(
    *,
    bill: Literal["short", "long", "hooked", "broad"] = "short",
    neck: float = 0.15,
    legs: float = 0.3,
    tail: float = 0.5,
    crest: bool = False,
    bill_color: RGB = (0.9, 0.6, 0.15),
    pose: Literal["perched", "flying", "feeding", "resting"] = "perched",
    beat: float = 0.6,
) -> list[Part]:
    """A bird from the side; `beat` in [-1, 1] is the height of the wing when flying."""
    tilt = {"perched": 0.45, "flying": 0.05, "feeding": -0.45, "resting": 0.1}[pose]
    c, s = math.cos(tilt), math.sin(tilt)

    def at(x: float, y: float) -> tuple[float, float]:
        return (x * c - y * s, x * s + y * c)

    parts = []
    if pose == "flying":
        parts.append(_spread_wing(at, beat, 0.7))
    fan = [at(-0.42, 0.06), at(-0.5 - tail, 0.1), at(-0.55 - tail, -0.06), at(-0.42, -0.08)]
    parts.append(Part(np.array(fan), texture="wing", color=(0.85, 0.85, 0.85)))
    if pose in ("perched", "feeding"):
        for x in (-0.02, 0.1):
            hip = at(x, -0.22)
            foot = (hip[0] + 0.03, hip[1] - legs)
            parts.append(Part(limb([hip, foot], [0.06, 0.035]), color=bill_color))
            toes = [(foot[0] - 0.06, foot[1]), (foot[0] + 0.12, foot[1] - 0.02)]
            parts.append(Part(limb(toes, [0.035, 0.025]), color=bill_color))
    body = [
        at(-0.5, 0.02), at(-0.25, 0.17), at(0.1, 0.25), at(0.36, 0.17),
        at(0.42, -0.04), at(0.2, -0.26), at(-0.2, -0.2),
    ]  # fmt: skip
    parts.append(Part(spline(body), texture="coat"))
    parts += _bird_head(at(0.34, 0.1), neck, bill, bill_color, crest, pose)
    if pose == "flying":
        parts.append(_spread_wing(at, beat, 1.0))
    else:
        folded = [
            at(0.25, 0.12),
            at(0.05, 0.16),
            at(-0.35, 0.04),
            at(-0.68, -0.05),
            at(-0.1, -0.14),
        ]
        parts.append(Part(spline(folded), texture="wing"))
    return parts


def _spread_wing(at, beat: float, shade: float) -> Part:
    edge = [(0.3, 0.1), (0.36, 0.45 * beat), (0.2, 0.9 * beat), (-0.25, 1.3 * beat)]
    points = [at(x, y) for x, y in spline(edge, closed=False).tolist()]
    # Feather tips alternate with the gaps between them, from the wing's tip to its root.
    for index, share in enumerate(np.linspace(0.92, 0.0, 15).tolist()):
        out = 0.0 if index % 2 else -0.1
        points.append(at(-0.36 + 0.1 * share + out, 1.2 * beat * share))
    return Part(np.array(points), texture="wing", color=(shade, shade, shade))


def _bird_head(base, neck: float, bill: str, bill_color: RGB, crest: bool, pose: str) -> list[Part]:
    rise = {"perched": 1.1, "flying": 0.15, "feeding": -0.9, "resting": 0.4}[pose]
    x, y = base[0] + (neck + 0.12) * math.cos(rise), base[1] + (neck + 0.12) * math.sin(rise)
    parts = [Part(limb([base, (x, y)], [0.3, 0.2]), texture="coat")]
    look = -0.8 if pose == "feeding" else 0.0
    c, s = math.cos(look), math.sin(look)
    if crest:
        for lift in (0.9, 0.55, 0.2):
            end = (x - 0.3 * math.cos(lift), y + 0.1 + 0.3 * math.sin(lift))
            parts.append(Part(limb([(x, y + 0.08), end], [0.08, 0.02]), texture="coat"))
    length, thick = {
        "short": (0.16, 0.09), "long": (0.45, 0.07), "hooked": (0.2, 0.14), "broad": (0.3, 0.12),
    }[bill]  # fmt: skip
    root = (x + 0.1 * c, y + 0.1 * s)
    end = (root[0] + length * c, root[1] + length * s - (0.1 if bill == "hooked" else 0.0))
    middle = (root[0] + 0.6 * length * c, root[1] + 0.6 * length * s)
    last = 0.6 * thick if bill == "broad" else 0.015
    parts.append(Part(limb([root, middle, end], [thick, 0.75 * thick, last]), color=bill_color))
    parts.append(Part(ellipse(x, y, 0.16, 0.145), texture="coat", color=(1.05, 1.05, 1.05)))
    parts.append(Part(ellipse(x + 0.06 * c, y + 0.04, 0.032, 0.032, n=12), color=(0.95, 0.9, 0.8)))
    parts.append(Part(ellipse(x + 0.065 * c, y + 0.04, 0.022, 0.022, n=10), color=EYE, relief=0))
    return parts


def fish(
    *, depth: float = 0.3, fork: float = 0.2, dorsal: float = 0.2, bend: float = 0.0
) -> list[Part]:
    """A fish from the side; `bend` sweeps the tail."""
    tail_x = -0.62
    tail = [
        (tail_x + 0.08, 0.03), (-0.95, 0.3 + bend), (-0.95 + fork, bend),
        (-0.95, -0.28 + bend), (tail_x + 0.08, -0.03),
    ]  # fmt: skip
    back = [(0.3, 0.8 * depth), (0.1, depth + dorsal), (-0.3, 0.75 * depth + 0.6 * dorsal)]
    back += [(-0.42, 0.4 * depth)]
    anal = [(-0.1, -0.85 * depth), (-0.3, -0.8 * depth - 0.5 * dorsal), (-0.42, -0.3 * depth)]
    body = [
        (0.72, -0.02), (0.52, 0.55 * depth), (0.15, depth), (-0.3, 0.62 * depth), (tail_x, 0.06),
        (tail_x, -0.06), (-0.3, -0.62 * depth), (0.1, -0.95 * depth), (0.5, -0.55 * depth),
    ]  # fmt: skip
    gill = [(0.4, 0.5 * depth), (0.33, 0.0), (0.4, -0.5 * depth)]
    fin = [(0.3, -0.1 * depth), (0.08, -0.05), (0.0, -0.2), (0.2, -0.2)]
    return [
        Part(np.array(tail), texture="wing"),
        Part(spline(back), texture="wing"),
        Part(spline(anal), texture="wing"),
        Part(spline(body), texture="coat", relief=1.2),
        Part(limb(gill, [0.015, 0.03, 0.015]), color=(0.2, 0.15, 0.15), relief=0),
        Part(spline(fin), texture="wing", color=(0.8, 0.8, 0.8)),
        Part(ellipse(0.54, 0.2 * depth, 0.055, 0.055, n=14), color=(0.95, 0.9, 0.7)),
        Part(ellipse(0.55, 0.2 * depth, 0.032, 0.032, n=12), color=EYE, relief=0),
    ]


def butterfly(*, fore: float = 0.8, hind: float = 0.6, tails: bool = False, open_: float = 1.0):
    """A butterfly from above; `open_` in (0, 1] folds the wings."""
    parts = []
    for side in (1, -1):
        k = side * open_
        low = [(0.05, 0.02 * k), (-0.15, 0.55 * hind * k), (-0.5, 0.75 * hind * k)]
        low += [(-0.75, 0.45 * hind * k), (-0.9, 0.3 * k)] if tails else [(-0.65, 0.35 * hind * k)]
        low += [(-0.35, 0.03 * k)]
        top = [(0.15, 0.02 * k), (0.5, 0.6 * fore * k), (0.55, 1.0 * fore * k)]
        top += [(0.3, 1.0 * fore * k), (0.02, 0.7 * fore * k), (-0.08, 0.04 * k)]
        parts.append(Part(spline(low), texture="wing", color=(0.88, 0.88, 0.88), relief=0.5))
        parts.append(Part(spline(top), texture="wing", relief=0.5))
    for side in (1, -1):
        feeler = [(0.35, 0.02 * side), (0.55, 0.08 * side), (0.75, 0.2 * side)]
        parts.append(Part(limb(feeler, [0.018, 0.014, 0.035]), color=(0.1, 0.08, 0.06), relief=0))
    body = limb([(0.36, 0), (0.1, 0), (-0.5, 0)], [0.1, 0.13, 0.05])
    return [*parts, Part(body, color=(0.16, 0.12, 0.1))]


def beetle(*, width: float = 0.36, horn: bool = False, stride: float = 0.0, legs: int = 3):
    """A beetle (three pairs of legs) or a spider (four) from above."""
    dark = (0.08, 0.07, 0.06)
    parts = []
    for index in range(legs):
        for side in (1, -1):
            x = 0.35 - 0.75 * index / legs
            swing = 0.15 * stride * (1 if (index + (side > 0)) % 2 else -1)
            lean = (1 - index * 2 / (legs - 1)) * 0.35
            knee = (x + lean + swing, side * (width + 0.28))
            foot = (x + 1.9 * lean + swing, side * (width + 0.5))
            parts.append(Part(limb([(x, 0.0), knee, foot], [0.08, 0.06, 0.025]), color=dark))
    if legs == 4:
        parts.append(Part(ellipse(-0.3, 0, 0.45, width), texture="coat", relief=1.3))
        return [*parts, Part(ellipse(0.28, 0, 0.26, 0.22), texture="coat", color=(0.6, 0.6, 0.6))]
    for side in (1, -1):
        feeler = [(0.7, 0.07 * side), (0.9, 0.22 * side), (1.0, 0.42 * side)]
        parts.append(Part(limb(feeler, [0.03, 0.025, 0.04]), color=dark))
    if horn:
        parts.append(Part(limb([(0.7, 0), (0.95, 0), (1.1, 0.06)], [0.12, 0.07, 0.02]), color=dark))
    parts.append(Part(ellipse(0.68, 0, 0.13, 0.13), color=dark))
    parts.append(Part(ellipse(0.48, 0, 0.18, 0.8 * width), texture="coat", color=(0.5, 0.5, 0.5)))
    parts.append(Part(ellipse(-0.15, 0, 0.55, width), texture="coat", relief=1.4))
    seam = limb([(0.36, 0), (-0.68, 0)], [0.022, 0.012])
    return [*parts, Part(seam, color=dark, relief=0)]


def lizard(*, tail: float = 0.9, width: float = 0.2, bend: float = 0.3, frill: bool = False):
    """A lizard from above."""
    b = bend
    spine = [(0.5, 0.1 * b), (0.2, -0.1 * b), (-0.3, 0.1 * b), (-0.55, 0.3 * b)]
    spine += [(-0.5 - 0.6 * tail, -0.3 * b), (-0.5 - tail, 0.2 * b)]
    parts = []
    for x, y, ahead in ((0.3, -0.05 * b, 1), (-0.35, 0.12 * b, -1)):
        for side in (1, -1):
            elbow = (x + 0.12 * ahead * side * b + 0.05, y + side * (width * 0.5 + 0.2))
            foot = (elbow[0] + 0.16 * ahead, elbow[1] + 0.06 * side)
            parts.append(Part(limb([(x, y), elbow, foot], [0.12, 0.085, 0.05]), texture="coat"))
            toe = ellipse(foot[0] + 0.03 * ahead, foot[1], 0.07, 0.045, n=10)
            parts.append(Part(toe, texture="coat"))
    if frill:
        parts.append(Part(ellipse(0.52, 0.1 * b, 0.13, 0.3), texture="coat", color=(1.1, 0.8, 0.7)))
    body = limb(spine, [width * 0.9, width * 1.1, width * 1.15, width * 0.7, width * 0.3, 0.02])
    parts.append(Part(body, texture="coat", relief=1.2))
    parts.append(Part(ellipse(0.62, 0.12 * b, 0.2, 0.55 * width + 0.02), texture="coat"))
    for side in (1, -1):
        parts.append(Part(ellipse(0.68, 0.12 * b + side * 0.08, 0.03, 0.025, n=10), color=EYE))
    return parts


def snake(*, girth: float = 0.13, waves: float = 2.0, phase: float = 0.0) -> list[Part]:
    """A snake from above."""
    x = np.linspace(0.85, -1.0, 14)
    y = 0.28 * np.sin(np.pi * waves * x + phase) * np.linspace(0.5, 1, 14)
    widths = [0.8 * girth, girth, 1.1 * girth, 1.1 * girth, 0.9 * girth, 0.6 * girth, 0.02]
    head = (x[0] + 0.06, y[0])
    parts = [
        Part(limb(np.stack([x, y], axis=1), widths), texture="coat", relief=1.2),
        Part(ellipse(*head, 0.12, 0.65 * girth), texture="coat"),
    ]
    for side in (1, -1):
        eye = ellipse(head[0] + 0.04, head[1] + side * 0.04, 0.02, 0.02, n=8)
        parts.append(Part(eye, color=EYE, relief=0))
    return parts


def turtle(*, dome: float = 0.42, flippers: bool = False, stride: float = 0.0) -> list[Part]:
    """A turtle from above: a shell in the coat's pattern, skin in "wing"."""
    parts = []
    for x, ahead in ((0.42, 1), (-0.42, -1)):
        for side in (1, -1):
            reach = (0.6 if flippers and ahead > 0 else 0.3) + 0.08 * stride * side * ahead
            foot = (x + ahead * reach * 0.6, side * (dome + reach * 0.6))
            parts.append(
                Part(limb([(x * 0.7, side * dome * 0.5), foot], [0.2, 0.13]), texture="wing")
            )
    parts.append(Part(limb([(-0.5, 0), (-0.8, 0.03)], [0.1, 0.02]), texture="wing"))
    parts.append(Part(limb([(0.45, 0), (0.78, 0)], [0.2, 0.24]), texture="wing"))
    parts.append(Part(ellipse(0.82, 0.08, 0.025, 0.025, n=8), color=EYE, relief=0))
    parts.append(Part(ellipse(0.82, -0.08, 0.025, 0.025, n=8), color=EYE, relief=0))
    parts.append(Part(ellipse(0, 0, 0.62, dome + 0.05), color=(0.75, 0.7, 0.6), texture="coat"))
    parts.append(Part(ellipse(0, 0, 0.55, dome), texture="coat", relief=1.6))
    return parts
