"""iWildCam 2020-WILDS' layout: camera-trap bursts, nights, empties, unseen cameras at test.

The published counts (Koh et al., ICML 2021; v2.0): 203,029 pictures of 182 species: 129,809 train,
14,961 val, 42,791 test, 7,314 id_val and 8,154 id_test, from 243 + 32 + 48 cameras.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from biobench.demo.canvas import develop, paint, rng_for
from biobench.demo.layout import picture_id
from biobench.demo.picture import cast_shadow, encode, extent, place
from biobench.demo.scenes import Habitat, background, foreground
from biobench.demo.species import Individual, animal_species

__all__ = ["FULL", "SMALL", "CamScale", "IWildCam"]

SIZE = (180, 240)
EMPTY_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class CamScale:
    """Pictures a split, cameras, species."""

    species: int
    train: int
    val: int
    test: int
    id_val: int
    id_test: int
    train_cameras: int
    val_cameras: int
    test_cameras: int


SMALL = CamScale(12, 300, 20, 300, 20, 50, 30, 5, 33)
FULL = CamScale(182, 129_809, 14_961, 42_791, 7_314, 8_154, 243, 32, 48)


@dataclasses.dataclass(frozen=True)
class Burst:
    """A sequence: pictures of one camera within seconds."""

    split: str
    camera: int
    number: int
    label: int
    """0 is empty, else one more than the species' number."""
    frames: int
    start: datetime.datetime
    night: bool


@dataclasses.dataclass(frozen=True)
class IWildCam:
    """The whole layout."""

    scale: CamScale
    seed: int
    folder: str = "iwildcam"

    def counts(self) -> dict[str, int]:
        """Pictures by split, classes (empties included) and cameras."""
        s = self.scale
        splits = {name: getattr(s, name) for name in ("train", "val", "test", "id_val", "id_test")}
        return {
            "images": sum(splits.values()),
            "classes": s.species + 1,
            "cameras": s.train_cameras + s.val_cameras + s.test_cameras,
            **splits,
        }

    def bursts(self) -> Iterator[Burst]:
        """Every sequence; the id splits share the training cameras."""
        s = self.scale
        first = {"val": s.train_cameras, "test": s.train_cameras + s.val_cameras}
        size = {"val": s.val_cameras, "test": s.test_cameras}
        number = 0
        for split in ("train", "val", "test", "id_val", "id_test"):
            left, index = getattr(s, split), 0
            while left:
                camera = first.get(split, 0) + index % size.get(split, s.train_cameras)
                burst = self._burst(split, camera, number, index, left)
                yield burst
                left -= burst.frames
                number, index = number + 1, index + 1

    def _burst(self, split: str, camera: int, number: int, index: int, left: int) -> Burst:
        rng = rng_for(self.seed, "burst", number)
        # Every species comes around, the common ones more often.
        common = rng.random() < 0.5
        weights = np.arange(1, self.scale.species + 1) ** -0.6
        species = (
            int(rng.choice(self.scale.species, p=weights / weights.sum()))
            if common
            else index % self.scale.species
        )
        label = 0 if rng.random() < EMPTY_SHARE else species + 1
        night = bool(rng.random() < 0.35)
        hour = int(rng.choice([21, 22, 23, 0, 1, 2, 3, 4] if night else range(7, 19)))
        start = datetime.datetime(2013, 1, 1, hour) + datetime.timedelta(
            days=int(rng.integers(0, 700)), seconds=int(rng.integers(0, 3600))
        )
        return Burst(split, camera, number, label, min(left, int(rng.integers(1, 4))), start, night)

    def filename(self, burst: Burst, frame: int) -> str:
        """A picture's file name."""
        return picture_id(self.seed, "iwildcam", burst.number, frame) + ".jpg"

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The metadata, the names of the classes, the release note."""
        yield "iwildcam_v2.0/RELEASE_v2.0.txt", ["Drawn by biobench in the layout of release v2.0."]
        yield "iwildcam_v2.0/categories.csv", self._categories()
        yield "iwildcam_v2.0/metadata.csv", self._metadata()

    def units(self) -> Iterator["CamUnit"]:
        """Some sequences of one camera at a time, so that its place is drawn only once."""
        waiting: dict[int, list[Burst]] = {}
        for burst in self.bursts():
            group = waiting.setdefault(burst.camera, [])
            group.append(burst)
            if len(group) == 24:
                yield CamUnit(self, tuple(waiting.pop(burst.camera)))
        for group in waiting.values():
            yield CamUnit(self, tuple(group))

    def _categories(self) -> Iterator[str]:
        yield "category_id,name,y"
        yield "0,empty,0"
        for number in range(self.scale.species):
            yield f"{number + 1},{animal_species(self.seed, number).name},{number + 1}"

    def _metadata(self) -> Iterator[str]:
        yield (
            "split,location_remapped,location,sequence_remapped,sequence,datetime,"
            "y,category_id,filename,image_id"
        )
        for burst in self.bursts():
            for frame in range(burst.frames):
                name = self.filename(burst, frame)
                when = burst.start + datetime.timedelta(seconds=frame)
                row = (
                    burst.split, burst.camera, burst.camera + 100, burst.number,
                    picture_id(self.seed, "sequence", burst.number),
                    f"{when:%Y-%m-%d %H:%M:%S}.000",
                    burst.label, burst.label, name, name.removesuffix(".jpg"),
                )  # fmt: skip
                yield ",".join(map(str, row))


@dataclasses.dataclass(frozen=True)
class CamUnit:
    """Sequences of one camera."""

    layout: IWildCam
    bursts: tuple[Burst, ...]

    def draw(self) -> Iterator[tuple[str, bytes]]:
        """Near-identical frames: the animal moves a little from one to the next."""
        layout = self.layout
        camera = self.bursts[0].camera
        habitat, scenery = _camera(layout.seed, camera)
        for burst in self.bursts:
            rng = rng_for(layout.seed, "iwildcam", burst.number)
            individual = None
            if burst.label:
                individual = Individual.of(animal_species(layout.seed, burst.label - 1), rng)
            visit = _Visit.of(burst, rng)
            celsius = int(rng.integers(2, 18) if burst.night else rng.integers(10, 36))
            for frame in range(burst.frames):
                canvas = scenery.copy()
                if individual is not None:
                    visit.paint(canvas, individual, frame)
                foreground(habitat, canvas, rng_for(layout.seed, "grass", camera), 0.7)
                light = rng_for(layout.seed, "light", burst.number)
                image = develop(canvas, light, night=burst.night, cast=0.1, exposure=0.25)
                when = burst.start + datetime.timedelta(seconds=frame)
                _stamp(image, camera, when, celsius)
                path = f"iwildcam_v2.0/train/{layout.filename(burst, frame)}"
                yield path, encode(image)


@dataclasses.dataclass(frozen=True)
class _Visit:
    """Where an animal passes the camera, and how."""

    x: float
    y: float
    speed: float
    length: float
    flip: bool
    phase: float
    pose: str
    seed: int

    @classmethod
    def of(cls, burst: Burst, rng: np.random.Generator) -> "_Visit":
        height, width = SIZE
        return cls(
            x=width * rng.uniform(0.3, 0.7),
            y=height * rng.uniform(0.5, 0.72),
            speed=width * rng.uniform(-0.05, 0.05),
            length=width * rng.uniform(0.3, 0.55),
            flip=bool(rng.random() < 0.5),
            phase=float(rng.random()),
            pose="any",
            seed=int(rng.integers(2**31)),
        )

    def paint(
        self, canvas: Float[np.ndarray, "height width 3"], individual: Individual, frame: int
    ) -> None:
        rng = rng_for(self.seed, "visit")
        parts = individual.parts(rng, self.pose, self.phase + 0.12 * frame)
        at = (self.x + self.speed * frame, self.y)
        length = self.length * individual.species.size**0.5
        angle = rng.normal(0, 0.06) if individual.species.ground else rng.uniform(0, 6.28)
        placement = place(parts, at, length, angle=angle, flip=self.flip, rng=rng)
        cast_shadow(canvas, extent(parts, placement))
        paint(canvas, parts, placement, individual.textures, light=rng.uniform(1.2, 2.0))


def _camera(seed: int, camera: int) -> tuple[Habitat, Float[np.ndarray, "height width 3"]]:
    rng = rng_for(seed, "camera", camera)
    habitats: tuple[Habitat, ...] = (
        "savanna",
        "forest",
        "meadow",
        "forest",
        "rock",
        "litter",
        "snow",
    )
    habitat = habitats[int(rng.integers(len(habitats)))]
    return habitat, background(habitat, rng, *SIZE)


def _stamp(image: Image.Image, camera: int, when: datetime.datetime, celsius: int) -> None:
    """The black strip with time and temperature that trail cameras print below a picture."""
    draw = ImageDraw.Draw(image)
    width, height = image.size
    draw.rectangle((0, height - 12, width, height), fill=(8, 8, 8))
    text = f"{when:%Y-%m-%d %H:%M:%S}  {celsius}C  CAM{camera:03d}"
    draw.text((4, height - 12), text, fill=(235, 235, 235), font=ImageFont.load_default(10))
