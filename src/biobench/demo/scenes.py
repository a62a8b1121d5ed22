"""Places of the demo world: backgrounds by habitat, and what stands before the animals.

    canvas = background("savanna", rng, 224, 224)
    foreground("savanna", canvas, rng)

Every call makes a place of its own: its colours, horizon, trees and stones come from `rng`.
"""

import math
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from biobench.demo.canvas import fractal, mix, noise

__all__ = ["HABITATS", "Habitat", "background", "foliage", "foreground"]

Habitat = Literal[
    "savanna", "forest", "meadow", "water", "snow", "sand", "rock", "litter", "bark", "aerial"
]
HABITATS: tuple[Habitat, ...] = get_args(Habitat)

Canvas = Float[np.ndarray, "height width 3"]

# Two ground colours each: they are jittered, so that no habitat has one colour.
_GROUND = {
    "savanna": ((0.5, 0.42, 0.22), (0.75, 0.65, 0.38)),
    "forest": ((0.16, 0.15, 0.09), (0.36, 0.33, 0.18)),
    "meadow": ((0.2, 0.32, 0.1), (0.42, 0.55, 0.22)),
    "water": ((0.1, 0.22, 0.28), (0.4, 0.52, 0.55)),
    "snow": ((0.72, 0.76, 0.82), (0.95, 0.96, 0.98)),
    "sand": ((0.62, 0.5, 0.34), (0.82, 0.72, 0.54)),
    "rock": ((0.3, 0.29, 0.28), (0.6, 0.58, 0.54)),
    "litter": ((0.25, 0.17, 0.1), (0.55, 0.4, 0.24)),
    "bark": ((0.2, 0.15, 0.11), (0.48, 0.4, 0.32)),
    "aerial": ((0.38, 0.33, 0.2), (0.62, 0.56, 0.36)),
}
_HORIZON = {"savanna": 0.35, "forest": 0.45, "meadow": 0.3, "snow": 0.32, "sand": 0.35, "rock": 0.3}


def background(
    habitat: Habitat, rng: np.random.Generator, height: int, width: int
) -> Float[np.ndarray, "{height} {width} 3"]:
    """A place without animals."""
    low, high = (
        np.clip(np.array(c) * np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.08, 3)), 0, 1)
        for c in _GROUND[habitat]
    )
    field = fractal(rng, height, width, rng.uniform(3, 7), 5)
    if habitat == "water":
        field = 0.5 * field + 0.5 * noise(rng, height, width, 40, 6)
    if habitat == "bark":
        field = 0.4 * field + 0.6 * noise(rng, height, width, 5, 45)
    canvas = mix(low, high, field * 1.3 - 0.15)
    horizon = _HORIZON.get(habitat)
    if horizon is not None:
        line = int(height * np.clip(horizon + rng.normal(0, 0.08), 0.1, 0.6))
        _distance(habitat, canvas, line, rng)
    _clutter(habitat, canvas, horizon, rng)
    return canvas


def foreground(
    habitat: Habitat, canvas: Canvas, rng: np.random.Generator, amount: float = 1.0
) -> None:
    """Blades of grass, twigs or ripples before the animals, along the lower edge."""
    if habitat in ("savanna", "meadow", "forest", "snow", "sand"):
        low, high = _GROUND[habitat]
        _blades(canvas, rng, int(50 * amount), (0.8, 1.15), np.array(low), np.array(high), 0.2)


def foliage(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float, leaves: int = 160
) -> None:
    """A bush or crown of leaves about a point, over whatever is there."""
    # Only the square about the bush is laid over the picture.
    left, top = max(0, int(x - 1.2 * radius)), max(0, int(y - 1.2 * radius))
    area = canvas[top : max(0, int(y + 1.2 * radius)), left : max(0, int(x + 1.2 * radius))]
    base = np.array([0.25, 0.36, 0.14]) * np.exp(rng.normal(0, 0.15, 3))
    angle = rng.uniform(0, 2 * np.pi, leaves)
    spread = radius * np.sqrt(rng.random(leaves))
    size = radius * rng.uniform(0.1, 0.2, leaves)
    tone = rng.uniform(0.55, 1.35, leaves)
    turn = rng.uniform(0, np.pi, leaves)
    if 0 in area.shape:
        return
    cx, cy = spread * np.cos(angle), 0.8 * spread * np.sin(angle)
    lit = tone * (1.1 - 0.3 * cy / radius)
    colors = _to_bytes(base * lit[:, None])
    middle = np.stack([cx + x - left, cy + y - top], axis=1)
    tip = np.stack([size * np.cos(turn), size * np.sin(turn)], axis=1)
    side = 0.4 * tip[:, ::-1] * (-1, 1)
    corners = np.stack([middle + tip, middle + side, middle - tip, middle - side], axis=1)
    _lay(area, _polygons(area.shape, corners.reshape(leaves, 8), colors))


def fence(canvas: Canvas, rng: np.random.Generator) -> None:
    """Chain-link fence before everything: a net of thin wire, at any slant."""
    turn, half = rng.uniform(-0.5, 0.5), rng.uniform(0.6, 0.95)
    gap = rng.uniform(0.09, 0.16) * min(canvas.shape[:2])
    tone = rng.uniform(0.5, 0.95)
    for angle in (turn + half, turn - half):
        _wires(canvas, angle, np.arange(-30, 31) * gap, tone, rng)


def thicket(canvas: Canvas, rng: np.random.Generator) -> None:
    """Stalks before everything: as many thin lines as a fence has, in no order."""
    gap = rng.uniform(0.09, 0.16) * min(canvas.shape[:2])
    tone = rng.uniform(0.5, 0.95)
    turn, half = rng.uniform(-0.5, 0.5), rng.uniform(0.6, 0.95)
    for offset in rng.uniform(-7, 7, 26) * gap:
        angle = turn + half * rng.choice([-1, 1]) + rng.normal(0, 0.18)
        _wires(canvas, angle, np.array([offset]), tone, rng)


def _wires(canvas, angle: float, offsets, tone: float, rng: np.random.Generator) -> None:
    height, width, _ = canvas.shape
    layer = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(layer)
    along = np.array([math.cos(angle), math.sin(angle)])
    across = np.array([-along[1], along[0]])
    middle = np.array([width / 2, height / 2])
    reach = along * (height + width)
    thick = int(rng.integers(1, 3))
    for shift, light in ((thick, 0.35), (0, 1.0)):
        fill = (*_to_bytes(np.full((1, 3), tone * light))[0][:3], 235)
        for offset in offsets:
            spot = middle + across * offset + shift
            draw.line([*(spot - reach), *(spot + reach)], fill=fill, width=thick)
    _lay(canvas, layer)


def _distance(habitat: str, canvas: Canvas, line: int, rng: np.random.Generator) -> None:
    """Sky or a wood's depth above the horizon, with trees or hills along it."""
    _, width, _ = canvas.shape
    if habitat == "forest":
        depth = mix(
            (0.12, 0.17, 0.08), (0.5, 0.58, 0.36), fractal(rng, line, width, 9, 4) * 1.4 - 0.2
        )
        canvas[:line] = depth
        layer = Image.new("RGBA", (width, canvas.shape[0]))
        draw = ImageDraw.Draw(layer)
        for _ in range(int(rng.integers(4, 10))):
            x, w = rng.uniform(0, width), rng.uniform(4, 18)
            foot = line + w * 1.2 + rng.uniform(-6, 16)
            tone = rng.uniform(0.5, 1.2)
            bark = tuple(int(255 * tone * c) for c in (0.28, 0.23, 0.17))
            lean = rng.normal(0, 8)
            corners = [(x - w / 2 + lean, 0), (x + w / 2 + lean, 0), (x + 0.6 * w, foot)]
            draw.polygon([*corners, (x - 0.6 * w, foot)], fill=(*bark, 255))
        _lay(canvas, layer.filter(ImageFilter.GaussianBlur(0.6)))
        return
    gray = rng.uniform(0, 1)
    top = np.array([0.4, 0.58, 0.82]) * (1 - gray) + np.array([0.7, 0.72, 0.75]) * gray
    ramp = np.linspace(0, 1, line, dtype=np.float32)[:, None] + 0.35 * (
        fractal(rng, line, width, 4, 3) - 0.5
    )
    canvas[:line] = mix(top, (0.88, 0.9, 0.9), ramp)
    hill = line - rng.uniform(0.1, 0.35) * line * noise(rng, 2, width, 1, 4)[0]
    rows = np.arange(line, dtype=np.float32)[:, None]
    cover = np.clip(rows - hill[None, :], 0, 1)[..., None]
    tone = np.array(_GROUND["forest" if habitat in ("meadow", "savanna") else habitat][1]) * 1.1
    canvas[:line] += (tone.astype(np.float32) - canvas[:line]) * cover * 0.7
    if habitat in ("savanna", "meadow", "snow"):
        for _ in range(int(rng.integers(0, 5))):
            size = rng.uniform(6, 22)
            foliage(canvas, rng, rng.uniform(0, width), line - 0.6 * size, size, 50)


def _clutter(habitat: str, canvas: Canvas, horizon: float | None, rng: np.random.Generator) -> None:
    height, width, _ = canvas.shape
    low, high = (np.array(c) for c in _GROUND[habitat])
    start = horizon or 0.0
    if habitat in ("savanna", "meadow"):
        _blades(canvas, rng, 220, (start + 0.05, 1.0), low, high, 0.09)
    if habitat in ("forest", "litter"):
        _scraps(canvas, rng, 90, start, [(0.5, 0.33, 0.16), (0.42, 0.3, 0.15), (0.3, 0.36, 0.14)])
    if habitat in ("rock", "sand", "aerial"):
        _stones(canvas, rng, 26 if habitat == "rock" else 12, start, low, high)
    if habitat == "aerial":
        for _ in range(int(rng.integers(2, 7))):
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            foliage(canvas, rng, x, y, rng.uniform(6, 26), 60)
        _blades(canvas, rng, 150, (0.0, 1.0), low, high, 0.035)


def _blades(canvas, rng, count: int, rows, low, high, length: float) -> None:
    height, width, _ = canvas.shape
    layer = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(layer)
    x = rng.uniform(0, width, count)
    y = np.sort(rng.uniform(rows[0] * height, rows[1] * height, count))
    lean = rng.normal(0, 0.35, count)
    # Nearer grass is longer.
    tall = length * height * rng.uniform(0.4, 1.0, count) * (0.4 + 0.6 * y / height)
    share = rng.uniform(-0.1, 1.2, count)[:, None]
    colors = _to_bytes(low + (high - low) * share)
    ends = np.stack([x, y, x + lean * tall, y - tall], axis=1).tolist()
    for end, color, length in zip(ends, colors, tall.tolist(), strict=True):
        draw.line(end, fill=color, width=1 + (length > 16))
    _lay(canvas, layer)


def _scraps(canvas, rng, count: int, start: float, colors) -> None:
    height, width, _ = canvas.shape
    y = np.sort(rng.uniform(start * height, height, count))
    middle = np.stack([rng.uniform(0, width, count), y], axis=1)
    turn = rng.uniform(0, 2 * np.pi, count)
    size = rng.uniform(3, 9, count) * (0.4 + 0.8 * y / height)
    tone = rng.uniform(0.5, 1.3, (count, 1))
    fills = _to_bytes(np.array(colors)[rng.integers(len(colors), size=count)] * tone)
    tip = np.stack([size * np.cos(turn), 0.7 * size * np.sin(turn)], axis=1)
    side = 0.4 * tip[:, ::-1] * (-1, 1)
    corners = np.stack([middle + tip, middle + side, middle - tip, middle - side], axis=1)
    _lay(canvas, _polygons(canvas.shape, corners.reshape(count, 8), fills))


def _stones(canvas, rng, count: int, start: float, low, high) -> None:
    height, width, _ = canvas.shape
    layer = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(layer)
    for cy in np.sort(rng.uniform(start * height, 1.05 * height, count)):
        cx, size = rng.uniform(0, width), rng.uniform(2, 15) * (0.35 + 0.8 * cy / height)
        turn = np.linspace(0, 2 * np.pi, 9, endpoint=False)
        reach = size * rng.uniform(0.75, 1.1, 9)
        outline = np.stack([cx + reach * np.cos(turn), cy + 0.65 * reach * np.sin(turn)], axis=1)
        tone = np.clip((low + (high - low) * rng.uniform(-0.2, 1.1)), 0, 1)
        for shift, light in ((1.5, 0.55), (0.0, 1.0)):
            fill = (*(tone * light * 255).astype(int).tolist(), 255)
            draw.polygon((outline + (shift, shift)).ravel().tolist(), fill=fill)
    _lay(canvas, layer.filter(ImageFilter.GaussianBlur(0.5)))


def _lay(canvas: Canvas, layer: Image.Image) -> None:
    pixels = np.asarray(layer, np.float32) / 255
    canvas += (pixels[..., :3] - canvas) * pixels[..., 3:]


def _polygons(shape: tuple[int, ...], corners, fills: list[tuple[int, ...]]) -> Image.Image:
    """A clear layer with one polygon a row of `corners` (x, y, x, y, …)."""
    layer = Image.new("RGBA", (shape[1], shape[0]))
    draw = ImageDraw.Draw(layer)
    for outline, fill in zip(corners.tolist(), fills, strict=True):
        draw.polygon(outline, fill=fill)
    return layer


def _to_bytes(colors: Float[np.ndarray, "n 3"]) -> list[tuple[int, ...]]:
    """Colours in [0, 1] as Pillow's opaque ones."""
    pixels = (np.clip(colors, 0, 1) * 255).astype(int).tolist()
    return [(*pixel, 255) for pixel in pixels]
