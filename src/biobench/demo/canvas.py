"""Paper and brush of the demo world: noise, outlines, textured parts and the camera's development.

    rng = rng_for(seed, "newt", "picture-17")      # every picture has its own stream
    canvas = np.full((224, 224, 3), 0.5, np.float32)
    paint(canvas, parts, Placement(112, 112, 80), textures)
    image = develop(canvas, rng)                   # light, lens and sensor -> PIL image

A canvas is a float32 array [height, width, 3] of intensities in [0, 1]. Organisms are lists of
`Part`s in body coordinates: x ahead, y up, one unit about a body's length.
"""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

__all__ = [
    "RGB",
    "TEXTURE_SIZE",
    "Part",
    "Placement",
    "develop",
    "ellipse",
    "fractal",
    "limb",
    "mix",
    "noise",
    "paint",
    "rng_for",
    "shadow",
    "spline",
    "to_texture",
]

TEXTURE_SIZE = 160
"""side of a texture in pixels; it covers [-1, 1] x [-1, 1] of its part's frame."""

RGB = tuple[float, float, float]


@dataclasses.dataclass(frozen=True)
class Part:
    """One outlined piece of an organism, painted over the pieces before it."""

    outline: Float[np.ndarray, "points 2"]
    """corners in body coordinates."""
    color: RGB = (1.0, 1.0, 1.0)
    """the part's colour, or the tint of its texture."""
    texture: str | None = None
    """name of the texture that covers the part; None paints it plain."""
    frame: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    """x, y, angle and size of the texture's square in body coordinates."""
    relief: float = 1.0
    """how strongly light and shade model the part; 0 is flat."""


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where a body stands in the picture: pixels, pixels a unit, radians, mirrored or not."""

    x: float
    y: float
    scale: float
    angle: float = 0.0
    flip: bool = False
    squash: float = 1.0
    """foreshortening of the body's x axis."""

    def matrix(self) -> Float[np.ndarray, "2 2"]:
        """Linear part of the map from body coordinates to pixels."""
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        ahead = self.scale * self.squash * (-1 if self.flip else 1)
        return np.array(
            [[cos * ahead, -sin * self.scale], [-sin * ahead, -cos * self.scale]], np.float64
        )

    def to_pixels(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Body coordinates to pixels (y down)."""
        return points @ self.matrix().T + (self.x, self.y)


def paint(
    canvas: Float[np.ndarray, "height width 3"],
    parts: Sequence[Part],
    placement: Placement,
    textures: Mapping[str, Image.Image],
    light: float = 2.2,
) -> None:
    """Paint `parts` onto `canvas`, in order; `light` is the angle the light comes from."""
    for part in parts:
        points = placement.to_pixels(part.outline)
        box = _clip(points, canvas.shape)
        if box is None:
            continue
        left, top, right, bottom = box
        mask = _mask(points, box)
        alpha = np.asarray(mask, np.float32) / 255
        if part.texture is None:
            color = np.asarray(part.color, np.float32)
        else:
            window = _window(textures[part.texture], part.frame, placement, box)
            color = np.asarray(window, np.float32) / 255 * np.asarray(part.color, np.float32)
        if part.relief:
            color = color * _model(mask, part.relief, light)[..., None]
        area = canvas[top:bottom, left:right]
        area += (color - area) * alpha[..., None]


def shadow(
    canvas: Float[np.ndarray, "height width 3"], x: float, y: float, rx: float, ry: float
) -> None:
    """Darken the ground below a body: an ellipse in pixels with soft edges."""
    points = ellipse(x, y, rx, ry)
    box = _clip(points, canvas.shape, margin=int(2 * ry) + 2)
    if box is None:
        return
    left, top, right, bottom = box
    mask = _mask(points, box).filter(ImageFilter.GaussianBlur(float(ry) * 0.6))
    canvas[top:bottom, left:right] *= 1 - 0.5 * (np.asarray(mask, np.float32) / 255)[..., None]


def develop(
    canvas: Float[np.ndarray, "height width 3"],
    rng: np.random.Generator,
    *,
    night: bool = False,
    cast: float = 0.12,
    exposure: float = 0.25,
    blur: float = 0.0,
    smear: tuple[float, float] = (0.0, 0.0),
    grain: float = 0.015,
) -> Image.Image:
    """What a camera makes of the scene.

    night: infrared flash: grey, bright in the middle, noisy.
    cast, exposure: standard deviations of the log of each channel's and of all light.
    blur: radius of defocus in pixels; smear: motion of the camera in pixels.
    """
    height, width, _ = canvas.shape
    gains = np.exp(rng.normal(0, cast, 3) + rng.normal(0, exposure)).astype(np.float32)
    picture = canvas * gains
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    if night:
        cx, cy = rng.uniform(-0.3, 0.3, 2).astype(np.float32)
        flash = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) * np.float32(rng.uniform(0.7, 1.3)))
        picture = (picture @ np.array([0.4, 0.4, 0.2], np.float32) * flash * 1.1 + 0.02)[..., None]
        picture = np.repeat(picture, 3, axis=2)
        grain = grain * 3
    else:
        # Sunlight falls off to one side: a soft ramp, so that no corner has a colour of its own.
        slope = rng.normal(0, 0.12, 2).astype(np.float32)
        picture *= (1 + slope[0] * x + slope[1] * y - 0.08 * (x**2 + y**2))[..., None]
    speckle = rng.standard_normal((height, width, 1), np.float32) * np.float32(grain)
    image = _to_image(_roll_off(picture + speckle))
    if max(map(abs, smear)) >= 1:
        image = _smear(image, smear)
    if blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    return image


def rng_for(seed: int, *key: object) -> np.random.Generator:
    """The random stream of one thing: it depends on nothing but the seed and the thing's name."""
    digest = hashlib.sha256("/".join(map(str, (seed, *key))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def noise(
    rng: np.random.Generator, height: int, width: int, cells_y: float, cells_x: float
) -> Float[np.ndarray, "{height} {width}"]:
    """Smooth value noise in about [0, 1] with the given number of cells along each side."""
    grid = rng.random((max(2, round(cells_y) + 1), max(2, round(cells_x) + 1)), np.float32)
    resized = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32)


def fractal(
    rng: np.random.Generator, height: int, width: int, cells: float, octaves: int = 4
) -> Float[np.ndarray, "{height} {width}"]:
    """Octaves of value noise, each twice as fine and half as strong, in about [0, 1]."""
    total = np.zeros((height, width), np.float32)
    weight = 1.0
    for octave in range(octaves):
        n = cells * 2**octave
        total += weight * (noise(rng, height, width, n * height / width, n) - 0.5)
        weight /= 2
    return total * 0.8 + 0.5


def mix(
    a: RGB | Float[np.ndarray, "3"],
    b: RGB | Float[np.ndarray, "3"],
    t: Float[np.ndarray, "height width"],
) -> Float[np.ndarray, "height width 3"]:
    """Blend two colours by a field in [0, 1]."""
    start, end = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return start + (end - start) * np.clip(t, 0, 1)[..., None]


def dim(color: RGB, by: float) -> RGB:
    """A colour, darker by a factor."""
    red, green, blue = color
    return (by * red, by * green, by * blue)


def to_texture(field: Float[np.ndarray, "height width 3"]) -> Image.Image:
    """A square canvas as an image that `paint` can lay over parts.

    It is mirrored outwards, so that limbs that reach beyond [-1, 1] are covered too.
    """
    margin = TEXTURE_SIZE // 2
    pixels = np.asarray(_to_image(field))
    margins = ((margin, margin), (margin, margin), (0, 0))
    return Image.fromarray(np.pad(pixels, margins, mode="symmetric"))


def ellipse(
    x: float, y: float, rx: float, ry: float, angle: float = 0.0, n: int = 28
) -> Float[np.ndarray, "{n} 2"]:
    """Outline of an ellipse."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    points = np.stack([rx * np.cos(t), ry * np.sin(t)], axis=1)
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]]) + (x, y)


def spline(
    points: Sequence[Sequence[float]] | Float[np.ndarray, "k 2"],
    *,
    closed: bool = True,
    steps: int = 6,
) -> Float[np.ndarray, "n 2"]:
    """A Catmull-Rom curve through `points` with `steps` corners between neighbours."""
    knots = np.asarray(points, np.float64)
    if closed:
        p0, p1, p2, p3 = (np.roll(knots, shift, axis=0) for shift in (1, 0, -1, -2))
    else:
        padded = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
        p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-1:]])


def limb(
    joints: Sequence[Sequence[float]] | Float[np.ndarray, "k 2"], widths: Sequence[float]
) -> Float[np.ndarray, "n 2"]:
    """Outline of a bent, tapering limb with round ends: widths are given at the joints."""
    line = spline(joints, closed=False, steps=5)
    at = np.linspace(0, 1, len(line))
    half = np.interp(at, np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-9
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    end, start = line[-1] + along[-1] * half[-1], line[0] - along[0] * half[0]
    return np.concatenate(
        [line + across * half, end[None], (line - across * half)[::-1], start[None]]
    )


def _clip(
    points: Float[np.ndarray, "n 2"], shape: tuple[int, ...], margin: int = 2
) -> tuple[int, int, int, int] | None:
    low, high = points.min(axis=0), points.max(axis=0)
    left, top = max(0, math.floor(low[0]) - margin), max(0, math.floor(low[1]) - margin)
    right = min(shape[1], math.ceil(high[0]) + margin)
    bottom = min(shape[0], math.ceil(high[1]) + margin)
    return (left, top, right, bottom) if right > left and bottom > top else None


def _mask(points: Float[np.ndarray, "n 2"], box: tuple[int, int, int, int]) -> Image.Image:
    # Drawn at twice the size and halved, because Pillow's polygons have jagged edges.
    left, top, right, bottom = box
    mask = Image.new("L", (2 * (right - left), 2 * (bottom - top)))
    ImageDraw.Draw(mask).polygon(((points - (left, top)) * 2).ravel().tolist(), fill=255)
    return mask.reduce(2)


def _window(
    texture: Image.Image,
    frame: tuple[float, float, float, float],
    placement: Placement,
    box: tuple[int, int, int, int],
) -> Image.Image:
    # Pillow wants the map from output pixels back to texture pixels: pixel -> body -> frame.
    ox, oy, angle, size = frame
    cos, sin = math.cos(angle), math.sin(angle)
    to_body = np.linalg.inv(placement.matrix())
    to_frame = np.array([[cos, sin], [-sin, cos]]) / size
    half = TEXTURE_SIZE / 2
    linear = np.array([[half, 0], [0, -half]]) @ to_frame
    matrix = linear @ to_body
    origin = to_body @ np.array([box[0] - placement.x, box[1] - placement.y]) - (ox, oy)
    offset = linear @ origin + TEXTURE_SIZE
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    return texture.transform(
        (box[2] - box[0], box[3] - box[1]),
        Image.Transform.AFFINE,
        data,
        resample=Image.Resampling.BILINEAR,
    )


def _model(mask: Image.Image, relief: float, light: float) -> Float[np.ndarray, "height width"]:
    radius = max(1.0, 0.16 * min(mask.size))
    height = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255
    dy, dx = np.gradient(height) if min(height.shape) > 1 else (height * 0, height * 0)
    slope = (dx * math.cos(light) - dy * math.sin(light)) * -radius
    return 1 + relief * (0.75 * slope + 0.3 * (height - 0.85))


def _to_image(picture: Float[np.ndarray, "height width 3"]) -> Image.Image:
    return Image.fromarray(np.clip(picture * 255, 0, 255).astype(np.uint8))


def _roll_off(
    picture: Float[np.ndarray, "height width 3"],
) -> Float[np.ndarray, "height width 3"]:
    # Highlights are bent, not cut, so that snow and flash keep their texture.
    over = np.maximum(picture - 0.7, 0)
    bent = over / (1 + over / 0.3)
    bent += picture
    bent -= over
    return bent


def _smear(image: Image.Image, smear: tuple[float, float]) -> Image.Image:
    pixels = np.asarray(image, np.float32)
    n = max(2, round(max(map(abs, smear))))
    copies = (
        np.roll(
            pixels,
            (round(smear[1] * (i / (n - 1) - 0.5)), round(smear[0] * (i / (n - 1) - 0.5))),
            axis=(0, 1),
        )
        for i in range(n)
    )
    total = sum(copies, start=np.zeros_like(pixels))
    return Image.fromarray((total / n).astype(np.uint8))
