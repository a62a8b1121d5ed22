"""Coats, wings, petals and leaves: the textures that cover a demo organism's parts.

    coat = coat_texture(Coat("rosettes", base, marks), rng)     # one individual's coat

A species fixes colours, pattern, its spacing and its covering; an individual gets its own
arrangement of the marks from its own random stream.
"""

import dataclasses
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from PIL import Image

from biobench.demo.canvas import RGB, TEXTURE_SIZE, fractal, mix, noise, to_texture

__all__ = [
    "PATTERNS",
    "Coat",
    "Covering",
    "Pattern",
    "coat_texture",
    "leaf_texture",
    "petal_texture",
]

Pattern = Literal[
    "plain", "stripes", "bands", "spots", "rosettes", "reticulate", "patches", "speckles", "saddle"
]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
Covering = Literal["fur", "feathers", "scales", "smooth"]

Field = Float[np.ndarray, "side side"]


@dataclasses.dataclass(frozen=True)
class Coat:
    """What covers an animal of one species."""

    pattern: Pattern
    base: RGB
    marks: RGB
    spacing: float = 0.2
    """distance between neighbouring marks, in body lengths."""
    covering: Covering = "fur"
    belly: float = 1.15
    """brightness of the under side, relative to the back."""


def coat_texture(coat: Coat, rng: np.random.Generator) -> Image.Image:
    """One individual's coat over [-1, 1] x [-1, 1] of body coordinates."""
    x, y = _grid()
    warp = 0.35 * coat.spacing
    wx = x + warp * (_smooth(rng, 7) - 0.5) * 2
    wy = y + warp * (_smooth(rng, 7) - 0.5) * 2
    marks = _marks(coat, rng, wx, wy)
    color = mix(coat.base, coat.marks, marks)
    tone = 0.86 + 0.28 * _smooth(rng, 5)
    tone = tone * np.interp(y, [-0.35, 0.25], [coat.belly, 0.95]).astype(np.float32)
    tone = tone * _covering(coat.covering, rng, x, y)
    return to_texture(color * tone[..., None])


def petal_texture(
    base: RGB, tip: RGB, veins: float, spots: float, rng: np.random.Generator
) -> Image.Image:
    """A petal along +x: base colour at its foot, tip colour at its tip; veins and spots in 0..1."""
    x, y = _grid()
    color = mix(base, tip, (x + 1) / 2 + 0.15 * (_smooth(rng, 6) - 0.5))
    lines = 0.5 + 0.5 * np.cos(26 * y / (0.7 + 0.5 * np.abs(x)))
    tone = 1 - veins * 0.45 * lines**4
    if spots:
        near, _ = _worley(x, y, 0.22, rng)
        tone = tone * (1 - spots * 0.6 * _step(0.075, near, 0.02) * (x < 0.35))
    return to_texture(color * tone[..., None] * (0.93 + 0.14 * _smooth(rng, 20))[..., None])


def leaf_texture(
    color: RGB, ribs: int, variegation: float, rng: np.random.Generator, lesions: float = 0.0
) -> Image.Image:
    """A leaf along +x with a midrib and `ribs` side veins.

    variegation in 0..1 pales patches; lesions in 0..1 eats brown, yellow-rimmed spots.
    """
    x, y = _grid()
    side = np.abs(np.sin(np.pi * ribs / 2 * (x - 0.7 * np.abs(y))))
    pale = np.maximum(_step(0.1, side, 0.08) * 0.5, _step(0.025, np.abs(y), 0.02))
    if variegation:
        pale = np.maximum(pale, variegation * _step(0.5, _smooth(rng, 9), 0.05))
    light = np.minimum(1.0, np.array(color) * 1.1 + 0.28)
    tone = 0.85 + 0.3 * fractal(rng, TEXTURE_SIZE, TEXTURE_SIZE, 8, 3)
    field = mix(color, light, pale)
    if lesions:
        near, _ = _worley(x, y, 0.32, rng)
        reach = lesions * (0.08 + 0.1 * _smooth(rng, 6))
        for edge, spot in ((reach + 0.05, (0.75, 0.68, 0.2)), (reach, (0.3, 0.18, 0.09))):
            cover = np.clip((edge - near) / 0.03 + 0.5, 0, 1)[..., None]
            field = field + (np.array(spot, np.float32) - field) * cover
    return to_texture(field * tone[..., None])


def _marks(coat: Coat, rng: np.random.Generator, x: Field, y: Field) -> Field:
    gap = coat.spacing
    phase = rng.uniform(0, 2 * np.pi)
    if coat.pattern == "stripes":
        wave = np.sin(2 * np.pi * (x + 0.25 * y) / gap + phase)
        return _step(0.0, -wave, 0.2)
    if coat.pattern == "bands":
        wave = np.sin(2 * np.pi * y / gap + phase)
        return _step(0.1, -wave, 0.2)
    if coat.pattern == "spots":
        near, _ = _worley(x, y, gap, rng)
        return _step(0.3 * gap, near, 0.04 * gap)
    if coat.pattern == "rosettes":
        near, _ = _worley(x, y, gap * 1.25, rng)
        broken = _smooth(rng, 3 / gap) > 0.3
        return _step(0.13 * gap, np.abs(near - 0.38 * gap), 0.05 * gap) * broken
    if coat.pattern == "reticulate":
        near, second = _worley(x, y, gap * 1.3, rng)
        return _step(0.09 * gap, second - near, 0.05 * gap) * -1 + 1
    if coat.pattern == "patches":
        return _step(0.5, _smooth(rng, 1 / gap), 0.03)
    if coat.pattern == "speckles":
        near, _ = _worley(x, y, gap * 0.45, rng)
        return _step(0.15 * gap, near, 0.05 * gap)
    if coat.pattern == "saddle":
        edge = 0.28 + 0.1 * float(np.sin(phase))
        return _step(edge, np.abs(x - 0.08), 0.03)
    return np.zeros_like(x)


def _covering(kind: Covering, rng: np.random.Generator, x: Field, y: Field) -> Field:
    side = TEXTURE_SIZE
    if kind == "fur":
        return 0.8 + 0.4 * noise(rng, side, side, 75, 28)
    if kind == "smooth":
        return 0.95 + 0.1 * noise(rng, side, side, 14, 14)
    # Overlapping arcs in shifted rows; feathers are long and shaded, scales short and glossy.
    length, width = (0.16, 0.085) if kind == "feathers" else (0.085, 0.075)
    row = np.floor(x / length)
    u = x / length - row
    v = np.mod(y / width + 0.5 * np.mod(row, 2), 1) - 0.5
    edge = u - (1 - 2.2 * v**2)
    arc = np.exp(-(edge**2) / 0.02)
    return 1.05 - 0.38 * arc + 0.12 * (u - 0.5) + 0.12 * (noise(rng, side, side, 40, 40) - 0.5)


def _worley(x: Field, y: Field, gap: float, rng: np.random.Generator) -> tuple[Field, Field]:
    """Distance to the nearest and second nearest of points scattered about `gap` apart."""
    n = int(np.ceil(2.6 / gap)) + 4
    jitter = rng.uniform(0.12, 0.88, (n, n, 2)).astype(np.float32)
    gx, gy = x / gap + n / 2, y / gap + n / 2
    cx = np.clip(gx.astype(np.int32), 1, n - 2)
    cy = np.clip(gy.astype(np.int32), 1, n - 2)
    near = np.full_like(x, 9.0)
    second = np.full_like(x, 9.0)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            point = jitter[cy + dy, cx + dx]
            far = np.hypot(cx + dx + point[..., 0] - gx, cy + dy + point[..., 1] - gy)
            second = np.minimum(second, np.maximum(near, far))
            near = np.minimum(near, far)
    return near * gap, second * gap


def _grid() -> tuple[Field, Field]:
    axis = np.linspace(-1, 1, TEXTURE_SIZE, dtype=np.float32)
    x, y = np.meshgrid(axis, -axis)
    return x, y


def _smooth(rng: np.random.Generator, cells: float) -> Field:
    return noise(rng, TEXTURE_SIZE, TEXTURE_SIZE, cells, cells)


def _step(edge: float, value: Field, width: float) -> Field:
    """1 where value is below edge, 0 above, with a soft step of the given width."""
    return np.clip((edge - value) / width + 0.5, 0, 1).astype(np.float32)
