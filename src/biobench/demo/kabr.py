"""KABR's layout: drone clips of zebras and giraffes, where behaviour is posture and motion.

Labels are the published ones (Kholiavchenko et al., WACV Workshops 2024). That paper counts more
than ten hours of clips; at 30 frames a second that is about 1.1 million frames, so the full size
takes 12,500 clips of 90 frames, a fifth of them in val. The published number of clips may differ.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

from biobench.demo.canvas import develop, fractal, paint, rng_for
from biobench.demo.layout import long_tail
from biobench.demo.picture import cast_shadow, encode, extent, place
from biobench.demo.scenes import background, foliage
from biobench.demo.species import Individual, Species, animal_species

__all__ = ["CLASSES", "FULL", "SMALL", "Clip", "Kabr", "KabrScale"]

CLASSES = {
    "Walk": 0, "Graze": 1, "Browse": 2, "Head Up": 3,
    "Auto-Groom": 4, "Trot": 5, "Run": 6, "Occluded": 7,
}  # fmt: skip
SIZE = (168, 224)
_POSES = ("walk", "graze", "browse", "alert", "groom", "trot", "run", "walk")
_SPEED = {0: 1.2, 5: 3.0, 6: 6.0, 7: 0.8}
_DUST = {5: 0.4, 6: 0.8}
_STRIDE = {0: 0.09, 5: 0.16, 6: 0.23}


@dataclasses.dataclass(frozen=True)
class KabrScale:
    """How many clips, and how long."""

    train: int
    val: int
    frames: int
    clips_a_video: float
    """clips cut from one original video, on average."""
    repeat: int = 4
    """frames that show the same picture: the film is drawn at a quarter of its rate."""


SMALL = KabrScale(train=64, val=96, frames=16, clips_a_video=1.5)
FULL = KabrScale(train=10_000, val=2_500, frames=90, clips_a_video=12.0)


@dataclasses.dataclass(frozen=True)
class Clip:
    """One mini-scene: one animal, one behaviour."""

    split: str
    number: int
    """`video_id`, counted over both splits."""
    video: str
    """`original_vido_id`."""
    label: int
    giraffe: bool


@dataclasses.dataclass(frozen=True)
class Kabr:
    """The whole layout."""

    scale: KabrScale
    seed: int
    folder: str = "kabr"

    def counts(self) -> dict[str, int]:
        """Frames, clips by split, classes, original videos."""
        s = self.scale
        return {
            "images": (s.train + s.val) * s.frames,
            "classes": len(CLASSES),
            "train": s.train,
            "val": s.val,
            "videos": len({clip.video for clip in self.clips()}),
        }

    def clips(self) -> Iterator[Clip]:
        """Every clip; walking and grazing are the commonest, as in the published data."""
        number = 0
        for split in ("train", "val"):
            total = getattr(self.scale, split)
            counts = long_tail(total, len(CLASSES), 0.3, min(4, total // len(CLASSES)))
            labels = np.repeat(np.arange(len(CLASSES)), counts)
            rng = rng_for(self.seed, "clips", split)
            rng.shuffle(labels)
            videos = max(1, round(total / self.scale.clips_a_video))
            for index, label in enumerate(labels.tolist()):
                video = index % videos
                giraffe = rng_for(self.seed, "animal", split, video).random() < 0.25
                name = f"{'G' if giraffe else 'ZP'}{'0' if split == 'train' else '1'}{video:03d}"
                number += 1
                yield Clip(split, number, name, label, bool(giraffe))

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The labels' numbers, and a row for each frame."""
        yield "annotation/classes.json", [json.dumps(CLASSES)]
        for split in ("train", "val"):
            yield f"annotation/{split}.csv", self._annotation(split)

    def units(self) -> Iterator["KabrUnit"]:
        """A clip at a time."""
        for clip in self.clips():
            yield KabrUnit(self, clip)

    def frame_path(self, clip: Clip, frame: int) -> str:
        """A frame's file, below dataset/image; frames count from 1."""
        return f"{clip.video}.{clip.number}/{frame}.jpg"

    def _annotation(self, split: str) -> Iterator[str]:
        yield "original_vido_id video_id frame_id path labels"
        for clip in self.clips():
            if clip.split == split:
                for frame in range(1, self.scale.frames + 1):
                    path = self.frame_path(clip, frame)
                    yield f"{clip.video} {clip.number} {frame} {path} {clip.label}"


@dataclasses.dataclass(frozen=True)
class KabrUnit:
    """One clip."""

    layout: Kabr
    clip: Clip

    def draw(self) -> Iterator[tuple[str, bytes]]:
        """Its frames, in order."""
        film = _Film.of(self.layout.seed, self.clip, self.layout.scale.frames)
        picture = b""
        for frame in range(self.layout.scale.frames):
            if frame % self.layout.scale.repeat == 0:
                picture = film.frame(frame)
            yield "dataset/image/" + self.layout.frame_path(self.clip, frame + 1), picture


@dataclasses.dataclass(frozen=True)
class _Film:
    """What stays the same through a clip."""

    seed: int
    clip: Clip
    ground: Float[np.ndarray, "tall wide 3"]
    individual: Individual
    at: tuple[float, float]
    length: float
    flip: bool
    phase: float

    @classmethod
    def of(cls, seed: int, clip: Clip, frames: int) -> "_Film":
        rng = rng_for(seed, "kabr", clip.video, clip.number)
        height, width = SIZE
        drift = int(_SPEED.get(clip.label, 0.0) * frames) + 8
        # All clips of a video were filmed over the same country.
        country = rng_for(seed, "country", clip.split, clip.video)
        ground = background("aerial", country, height + 16, width + drift + 16)
        return cls(
            seed,
            clip,
            ground,
            Individual.of(_animal(seed, clip.giraffe), rng),
            (width * rng.uniform(0.42, 0.58), height * rng.uniform(0.45, 0.58)),
            height * rng.uniform(0.6, 0.86),
            bool(rng.random() < 0.5),
            float(rng.random()),
        )

    def frame(self, frame: int) -> bytes:
        height, width = SIZE
        label = self.clip.label
        shake = rng_for(self.seed, "shake", self.clip.number, frame)
        sx, sy = shake.integers(0, 5, 2)
        step = int(_SPEED.get(label, 0.0) * frame)
        if self.flip:
            step = self.ground.shape[1] - width - 16 - step
        canvas = self.ground[sy : sy + height, step + sx : step + sx + width].copy()
        still = rng_for(self.seed, "still", self.clip.number)
        parts = self.individual.parts(
            still, _POSES[label], self.phase + frame * _STRIDE.get(label, 0.02)
        )
        at = (self.at[0] + float(sx) - 2, self.at[1] + float(sy) - 2)
        placement = place(parts, at, self.length, angle=0.0, flip=self.flip, rng=still)
        if label == 3:
            # A watchful animal turns to the drone: it is seen half from ahead.
            placement = dataclasses.replace(placement, squash=0.62 * placement.squash)
        box = extent(parts, placement)
        low, high = box[:2], box[2:]
        head = low[0] if self.flip else high[0]
        if label == 2:
            self._bush(canvas, head, low[1] + 10, 0.4)
        if label == 1:
            foliage(canvas, rng_for(self.seed, "tuft", self.clip.number), head, high[1], 18, 90)
        cast_shadow(canvas, box)
        paint(canvas, parts, placement, self.individual.textures, light=2.0)
        if label == 7:
            self._bush(canvas, (low[0] + high[0]) / 2, (low[1] + high[1]) / 2, 0.42)
        if label in _DUST:
            self._dust(canvas, low, high, frame, _DUST[label])
        light = rng_for(self.seed, "sun", self.clip.split, self.clip.video)
        smear = (7.0, 0.0) if label == 6 else (3.0, 0.0) if label == 5 else (0.0, 0.0)
        return encode(develop(canvas, light, cast=0.08, exposure=0.2, smear=smear))

    def _bush(self, canvas, x: float, y: float, size: float) -> None:
        rng = rng_for(self.seed, "bush", self.clip.number)
        x += rng.normal(0, 6)
        radius = self.length * size
        foliage(canvas, rng, x, y + 0.5 * radius, radius, 150)
        foliage(canvas, rng, x - 0.5 * radius, y + radius, 0.8 * radius, 100)
        foliage(canvas, rng, x + 0.6 * radius, y + 0.9 * radius, 0.8 * radius, 100)

    def _dust(self, canvas, low, high, frame: int, amount: float) -> None:
        """A cloud behind the feet that billows from frame to frame."""
        height, width, _ = canvas.shape
        rng = rng_for(self.seed, "dust", self.clip.number, frame // 4)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        middle = low[0] + (0.75 if self.flip else 0.25) * (high[0] - low[0])
        reach = 0.5 * (high[0] - low[0])
        cloud = np.exp(-(((x - middle) / reach) ** 2) - ((y - high[1]) / (0.3 * reach)) ** 2)
        cover = amount * cloud * np.clip(fractal(rng, height, width, 9, 3) * 1.6 - 0.2, 0, 1)
        canvas += (np.array([0.78, 0.68, 0.52], np.float32) - canvas) * np.clip(cover, 0, 1)[
            ..., None
        ]


def _animal(seed: int, giraffe: bool) -> Species:
    return animal_species(seed, 2 if giraffe else 0)
