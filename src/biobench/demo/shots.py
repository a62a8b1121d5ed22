"""The wider suite's layouts share this: a picture is a path and a subject that draws itself.

    Shot("train/ants/1.jpg", Animal(seed, 26)).draw(rng)      # PIL image

A layout lists its shots and tables; what is odd about the published data set (a missing picture, an
empty field, a name in another case) is in the lists, so every loader meets it.
"""

import dataclasses
import io
import itertools
import pathlib
import typing
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from biobench.demo.canvas import Part, Placement, develop, ellipse, fractal, paint, rng_for
from biobench.demo.flora import paint_plant, photograph_plant, plant_species
from biobench.demo.picture import Scene, encode, photograph
from biobench.demo.scenes import background, foreground
from biobench.demo.species import Individual, animal_species

__all__ = [
    "Animal",
    "Microscopic",
    "Mushroom",
    "Plant",
    "Sheet",
    "Shot",
    "ShotLayout",
    "Subject",
    "SuiteScale",
]

SIZE = (128, 128)


@dataclasses.dataclass(frozen=True)
class SuiteScale:
    """How large a world of the wider suite is."""

    classes: int = 5
    train: int = 10
    """training pictures, or clips, of a class."""
    test: int = 6


@typing.runtime_checkable
class Subject(typing.Protocol):
    """What a picture shows."""

    def draw(self, rng: np.random.Generator) -> Image.Image:
        """A picture of it; `rng` decides everything that is not the subject's own."""
        ...


@dataclasses.dataclass(frozen=True)
class Animal:
    """An animal of a species, in a place; the same individual where it has a name."""

    seed: int
    species: int
    pose: str = "any"
    individual: str = ""

    def draw(self, rng: np.random.Generator) -> Image.Image:
        """One photograph."""
        coat = rng_for(self.seed, "individual", self.individual) if self.individual else rng
        animal = Individual.of(animal_species(self.seed, self.species), coat)
        return photograph([animal], Scene(pose=self.pose, size=SIZE), rng)


@dataclasses.dataclass(frozen=True)
class Plant:
    """A plant's flower in a place."""

    seed: int
    species: int

    def draw(self, rng: np.random.Generator) -> Image.Image:
        """One photograph."""
        return photograph_plant(plant_species(self.seed, self.species), "flower", rng, SIZE)


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A plant pressed on paper, with a label in a corner."""

    seed: int
    species: int

    def draw(self, rng: np.random.Generator) -> Image.Image:
        """One scan."""
        height, width = SIZE
        paper = np.array([0.93, 0.9, 0.82], np.float32) * np.float32(rng.uniform(0.94, 1.04))
        canvas = paper + 0.02 * fractal(rng, height, width, 12, 3)[..., None]
        canvas = np.ascontiguousarray(canvas, np.float32)
        paint_plant(canvas, plant_species(self.seed, self.species), "habit", rng)
        canvas[height - 26 : height - 6, width - 52 : width - 6] = (0.98, 0.97, 0.94)
        for line in range(3):
            y = height - 22 + 6 * line
            canvas[y, width - 48 : width - 48 + int(rng.integers(20, 38))] = (0.2, 0.2, 0.22)
        return develop(canvas, rng, cast=0.03, exposure=0.06)


@dataclasses.dataclass(frozen=True)
class Microscopic:
    """A chain, ring or star of cells in grey water; kind -1 is debris."""

    seed: int
    kind: int

    def draw(self, rng: np.random.Generator) -> Image.Image:
        """One frame of the flow cytometer, in grey."""
        height, width = SIZE
        canvas = np.full((height, width, 3), 0.72, np.float32)
        canvas += (0.05 * fractal(rng, height, width, 6, 2)[..., None]).astype(np.float32)
        parts = self._debris(rng) if self.kind < 0 else self._cells(rng)
        place = Placement(
            width * rng.uniform(0.42, 0.58),
            height * rng.uniform(0.42, 0.58),
            0.36 * height * rng.uniform(0.8, 1.1),
            float(rng.uniform(0, 6.28)),
        )
        paint(canvas, parts, place, {}, light=rng.uniform(0, 6.28))
        grey = develop(canvas, rng, cast=0.0, exposure=0.08, grain=0.02).convert("L")
        return grey.convert("RGB")

    def _cells(self, rng: np.random.Generator) -> list[Part]:
        own = rng_for(self.seed, "plankton", self.kind)
        shape, n = self.kind % 3, 3 + (self.kind * 2) % 7
        size, tone = float(own.uniform(0.13, 0.24)), float(own.uniform(0.15, 0.5))
        parts = []
        for i in range(n):
            angle = 2 * np.pi * i / n
            x, y = {
                0: (1.6 * (i / (n - 1) - 0.5), 0.0),
                1: (0.6 * np.cos(angle), 0.6 * np.sin(angle)),
                2: (0.35 * (i % 3 - 1), 0.35 * (i // 3 - 1)),
            }[shape]
            wobble = rng.normal(0, 0.02, 2)
            cell = ellipse(x + wobble[0], y + wobble[1], size, size * (0.5 + 0.5 * (n % 2)))
            parts.append(Part(cell, color=(tone, tone, tone), relief=1.2))
        return parts

    def _debris(self, rng: np.random.Generator) -> list[Part]:
        parts = []
        for _ in range(int(rng.integers(3, 9))):
            scrap = ellipse(*rng.normal(0, 0.35, 2), *rng.uniform(0.04, 0.4, 2))
            tone = float(rng.uniform(0.2, 0.65))
            parts.append(Part(scrap, color=(tone, tone, tone), relief=0.6))
        return parts


@dataclasses.dataclass(frozen=True)
class Mushroom:
    """A mushroom on the forest floor: a stem, and a cap with or without dots."""

    seed: int
    species: int

    def draw(self, rng: np.random.Generator) -> Image.Image:
        """One photograph."""
        own = rng_for(self.seed, "mushroom", self.species)
        height, width = SIZE
        canvas = background("litter", rng, height, width)
        red, green, blue = own.uniform(0.15, 0.95, 3).tolist()
        pale = float(own.uniform(0.6, 0.95))
        wide, tall = own.uniform(0.45, 0.8), own.uniform(0.2, 0.45)
        thick, dots = own.uniform(0.08, 0.2), int(own.integers(0, 9))
        parts = [
            Part(ellipse(0, -0.45, thick, 0.5), color=(pale, 0.96 * pale, 0.88 * pale)),
            Part(ellipse(0, 0.1, wide, tall), color=(red, green, blue), relief=1.4),
            *(
                Part(
                    ellipse(wide * rng.uniform(-0.7, 0.7), 0.1 + tall * rng.uniform(-0.5, 0.6),
                            0.05, 0.04),
                    color=(0.96, 0.95, 0.9),
                )
                for _ in range(dots)
            ),
        ]  # fmt: skip
        scale = height * rng.uniform(0.3, 0.42)
        place = Placement(
            width * rng.uniform(0.4, 0.6), height * rng.uniform(0.45, 0.6), scale,
            float(rng.normal(0, 0.15)), bool(rng.random() < 0.5),
        )  # fmt: skip
        paint(canvas, parts, place, {}, light=rng.uniform(1.2, 2.2))
        foreground("litter", canvas, rng)
        return develop(canvas, rng)


@dataclasses.dataclass(frozen=True)
class Shot:
    """One picture to draw."""

    path: str
    """below the layout's folder; the suffix decides the format."""
    subject: Subject
    key: str = ""
    """names its random stream; empty is the path, two shots of one key are one picture."""

    def draw(self, seed: int) -> bytes:
        """The bytes of its file."""
        image = self.subject.draw(rng_for(seed, "shot", self.key or self.path))
        if pathlib.PurePath(self.path).suffix.lower() != ".png":
            return encode(image)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class ShotUnit:
    """Some pictures."""

    seed: int
    shots: tuple[Shot, ...]

    def draw(self) -> Iterator[tuple[str, bytes]]:
        """Each picture; what two shots share is drawn once."""
        drawn: dict[str, bytes] = {}
        for shot in self.shots:
            if shot.key not in drawn or not shot.key:
                drawn[shot.key] = shot.draw(self.seed)
            yield shot.path, drawn[shot.key]


@dataclasses.dataclass(frozen=True)
class ShotLayout:
    """A data set of the wider suite: subclasses list its shots and tables."""

    scale: SuiteScale
    seed: int
    folder: str = ""
    batch: typing.ClassVar[int] = 32

    def shots(self) -> Iterator[Shot]:
        """Every picture, those of one clip one after the other."""
        raise NotImplementedError

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """Each text file's path and lines; none where folders say everything."""
        return iter(())

    def counts(self) -> dict[str, int]:
        """Pictures and classes."""
        return {"images": sum(1 for _ in self.shots()), "classes": self.scale.classes}

    def units(self) -> Iterator[ShotUnit]:
        """Some pictures at a time."""
        shots = self.shots()
        while batch := tuple(itertools.islice(shots, self.batch)):
            yield ShotUnit(self.seed, batch)
