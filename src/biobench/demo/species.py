"""The demo world's animals: species with a body plan, a build and a coat, and their individuals.

    species = animal_species(seed, 3)                     # the same for the same seed and number
    individual = Individual.of(species, rng)              # its own coat
    paint(canvas, individual.parts(rng), placement, individual.textures)

The first species are modelled on well-known animals; from then on builds, patterns and colours are
recombined, so that there are as many species as a published data set has.
"""

import colorsys
import dataclasses

import numpy as np
from PIL import Image

from biobench.demo import animals
from biobench.demo.archetypes import ARCHETYPES, Species
from biobench.demo.behaviour import posture
from biobench.demo.canvas import RGB, Part, rng_for
from biobench.demo.patterns import PATTERNS, Coat, Pattern, coat_texture
from biobench.demo.quadrupeds import Build, quadruped

__all__ = [
    "ARCHETYPES",
    "Individual",
    "Species",
    "animal_species",
    "binomial",
    "sister_species",
]


@dataclasses.dataclass(frozen=True)
class Individual:
    """One animal with its own coat."""

    species: Species
    textures: dict[str, Image.Image]

    @classmethod
    def of(cls, species: Species, rng: np.random.Generator) -> "Individual":
        """Grow a coat: the species' pattern in an arrangement of its own."""
        coat = _vary(species.coat, rng)
        textures = {"coat": coat_texture(coat, rng)}
        if species.wing is not None:
            textures["wing"] = coat_texture(_vary(species.wing, rng), rng)
        return cls(species, textures)

    def parts(
        self, rng: np.random.Generator, pose: str = "any", phase: float | None = None
    ) -> list[Part]:
        """The body in a pose: a behaviour of `posture` for four legs, of `bird` for birds."""
        species = self.species
        phase = rng.uniform(0, 1) if phase is None else phase
        if species.plan == "quadruped":
            assert isinstance(species.build, Build)
            if pose == "any":
                pose = str(rng.choice(["walk", "stand", "graze", "alert", "trot"]))
            return quadruped(species.build, posture(pose, phase, rng))
        kwargs = dict(species.build) if isinstance(species.build, dict) else {}
        swing = float(np.sin(2 * np.pi * phase))
        if species.plan == "bird":
            pose = str(rng.choice(["perched", "feeding", "perched"])) if pose == "any" else pose
            kwargs |= {"pose": pose, "beat": swing if abs(swing) > 0.5 else 0.9}
        elif species.plan == "butterfly":
            kwargs |= {"open_": 0.75 + 0.25 * swing}
        elif species.plan == "fish":
            kwargs |= {"bend": 0.1 * swing}
        elif species.plan == "snake":
            kwargs |= {"phase": 2 * np.pi * phase}
        elif species.plan == "lizard":
            kwargs |= {"bend": 0.5 * swing}
        elif species.plan in ("turtle", "beetle"):
            kwargs |= {"stride": swing}
        return getattr(animals, species.plan)(**kwargs)


def animal_species(seed: int, index: int) -> Species:
    """Species number `index` of the world `seed`."""
    archetype = ARCHETYPES[index % len(ARCHETYPES)]
    if index < len(ARCHETYPES):
        return archetype
    rng = rng_for(seed, "animal-species", index)
    coat = dataclasses.replace(
        archetype.coat,
        pattern=PATTERNS[int(rng.integers(len(PATTERNS)))],
        base=_hue(rng, 0.35, 0.85),
        marks=_hue(rng, 0.08, 0.4),
        spacing=float(rng.uniform(0.12, 0.3)),
    )
    build = archetype.build
    if isinstance(build, Build):
        build = dataclasses.replace(
            build,
            legs=build.legs * rng.uniform(0.75, 1.3),
            neck=build.neck * rng.uniform(0.8, 1.5),
            head=build.head * rng.uniform(0.85, 1.2),
            depth=build.depth * rng.uniform(0.85, 1.2),
        )
    wing = archetype.wing and dataclasses.replace(archetype.wing, base=coat.base, marks=coat.marks)
    return dataclasses.replace(archetype, name=binomial(rng), coat=coat, build=build, wing=wing)


def sister_species(seed: int, number: int) -> tuple[Species, Species]:
    """Two species of one build and the same two colours that wear different patterns."""
    if number == 0:
        return ARCHETYPES[6], ARCHETYPES[1]
    rng = rng_for(seed, "sisters", number)
    coated = [species for species in ARCHETYPES if species.plan in ("quadruped", "lizard", "snake")]
    model = coated[int(rng.integers(len(coated)))]
    left, right = _CONTRASTS[number % len(_CONTRASTS)]
    hue, light = rng.uniform(0.02, 0.14), rng.uniform(0.65, 0.9)
    coat = dataclasses.replace(
        model.coat,
        base=colorsys.hsv_to_rgb(hue, rng.uniform(0.2, 0.6), light),
        marks=colorsys.hsv_to_rgb(hue, rng.uniform(0.3, 0.6), rng.uniform(0.06, 0.2)),
        spacing=float(rng.uniform(0.17, 0.22)),
    )
    genus, first = binomial(rng).split()
    second = binomial(rng).split()[1]
    return (
        dataclasses.replace(
            model, name=f"{genus} {first}", coat=dataclasses.replace(coat, pattern=left)
        ),
        dataclasses.replace(
            model, name=f"{genus} {second}", coat=dataclasses.replace(coat, pattern=right)
        ),
    )


_CONTRASTS: tuple[tuple[Pattern, Pattern], ...] = (
    ("spots", "rosettes"),
    ("patches", "rosettes"),
    ("reticulate", "spots"),
    ("rosettes", "reticulate"),
    ("patches", "speckles"),
)

_ONSETS = ("ar", "bel", "cor", "dro", "el", "fal", "gno", "hel", "ix", "lu", "mor", "nym", "or")
_MIDDLES = ("a", "eti", "ino", "op", "ur", "ypho", "andro", "ole", "ambi", "ista", "ocu", "emi")
_ENDS = ("nus", "tis", "ra", "ceps", "don", "lus", "pteryx", "nia", "phora", "mys", "thus", "la")


def binomial(rng: np.random.Generator) -> str:
    """An invented scientific name."""
    words = ["".join(str(rng.choice(p)) for p in (_ONSETS, _MIDDLES, _ENDS)) for _ in range(2)]
    return f"{words[0].capitalize()} {words[1]}"


def _hue(rng: np.random.Generator, low: float, high: float) -> RGB:
    hue = rng.uniform(0.02, 0.16) if rng.random() < 0.7 else rng.random()
    return colorsys.hsv_to_rgb(hue, rng.uniform(0.1, 0.6), rng.uniform(low, high))


def _vary(coat: Coat, rng: np.random.Generator) -> Coat:
    """An individual's shade of the species' colours."""
    shade = np.exp(rng.normal(0, 0.12)) * np.exp(rng.normal(0, 0.05, 3))
    base = tuple(float(min(1.0, c * s)) for c, s in zip(coat.base, shade, strict=True))
    return dataclasses.replace(coat, base=base, spacing=coat.spacing * float(rng.uniform(0.9, 1.1)))
