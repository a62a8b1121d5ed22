"""How a four-legged animal holds itself and moves: postures by behaviour and phase of the stride.

posture("run", phase=0.25, rng=rng)     # phase in [0, 1) goes once through the stride
"""

import math
from typing import Literal, get_args

import numpy as np

from biobench.demo.quadrupeds import Posture

__all__ = ["BEHAVIOURS", "Behaviour", "posture"]

Behaviour = Literal[
    "stand", "walk", "trot", "run", "graze", "browse", "alert", "groom", "lie", "rear"
]
BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)

# Where each leg (far fore, far hind, near fore, near hind) is in the cycle.
_GAITS = {"walk": (0.5, 0.25, 0.0, 0.75), "trot": (0.5, 0.0, 0.0, 0.5), "run": (0.1, 0.6, 0.0, 0.5)}
_SWING = {"walk": 0.42, "trot": 0.55, "run": 0.95}
_LIFT = {"walk": 0.35, "trot": 1.0, "run": 1.2}


def posture(kind: str, phase: float, rng: np.random.Generator) -> Posture:
    """The body's posture in behaviour `kind` at `phase` of its cycle; `rng` adds a little life.

    Raises KeyError for a behaviour that is not in BEHAVIOURS.
    """
    if kind not in BEHAVIOURS:
        raise KeyError(f"unknown behaviour '{kind}'; known: {', '.join(BEHAVIOURS)}")
    wave = math.sin(2 * math.pi * phase)
    jitter = float(rng.normal(0, 0.04))
    if kind in _GAITS:
        legs, knees = _stride(kind, phase)
        neck = {"walk": 0.3, "trot": 0.7, "run": 0.2}[kind] + 0.06 * wave + jitter
        pitch = {"walk": 0.0, "trot": 0.02 * wave, "run": 0.12 * wave}[kind]
        tail = {"walk": -1.2, "trot": -0.6, "run": 0.05}[kind]
        return Posture(neck, {"run": -0.25}.get(kind, -0.5), legs, knees, pitch=pitch, tail=tail)
    first, second, third, fourth = (float(x) for x in rng.normal(0, 0.06, 4))
    still = (first, second, third, fourth)
    if kind == "graze":
        return Posture(-0.95 + 0.06 * wave + jitter, -1.25, _widen(still, 0.16), pitch=-0.06)
    if kind == "browse":
        return Posture(1.05 + 0.05 * wave + jitter, 0.35 + 0.15 * wave, still)
    if kind == "alert":
        return Posture(1.4 + jitter, -0.15 + 0.05 * wave, still, tail=-1.5)
    if kind == "groom":
        arch, swat = 0.9 + 0.1 * wave + jitter, -1.0 + 0.3 * wave
        # A hind foot scratches while the mouth combs the flank.
        scratch = (still[0], still[1], still[2], 0.75 + 0.2 * wave)
        return Posture(arch, -0.8, scratch, (0.0, 0.0, 0.0, 0.9), turned=True, tail=swat)
    if kind == "lie":
        bent = (0.9, 1.2, 1.1, 1.3)
        return Posture(0.8 + 0.05 * wave + jitter, -0.4, bent, (2.4, -2.4, 2.4, -2.4), reach=0.42)
    if kind == "rear":
        pawing = (0.9 + 0.3 * wave, 0.6, 1.1 - 0.3 * wave, 0.75)
        return Posture(1.0 + jitter, -0.2, pawing, (1.2, 0.1, 1.4, 0.1), pitch=0.65, tail=-0.8)
    return Posture(0.7 + 0.04 * wave + jitter, -0.5, still)


def _stride(kind: str, phase: float):
    swings, knees = [], []
    for offset in _GAITS[kind]:
        angle = 2 * math.pi * (phase + offset)
        swings.append(_SWING[kind] * math.sin(angle))
        # The lower leg folds while the leg swings forward.
        knees.append(_LIFT[kind] * max(0.0, math.cos(angle)))
    return tuple(swings), tuple(knees)


def _widen(legs, by: float):
    return (legs[0] + by, legs[1] - by, legs[2] + 0.5 * by, legs[3] - 0.5 * by)
