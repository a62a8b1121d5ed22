"""The species that the demo world begins with, modelled on well-known animals."""

import dataclasses

from biobench.demo.canvas import RGB, dim
from biobench.demo.patterns import Coat, Pattern
from biobench.demo.quadrupeds import Build

__all__ = ["ARCHETYPES", "Species"]


@dataclasses.dataclass(frozen=True)
class Species:
    """One kind of animal: `build` holds the arguments of its body plan."""

    name: str
    plan: str
    coat: Coat
    build: Build | dict[str, object] = dataclasses.field(default_factory=dict)
    wing: Coat | None = None
    size: float = 1.0
    """typical length relative to a large mammal, as pictures show it."""

    @property
    def ground(self) -> bool:
        """Whether the body is seen from the side, standing on the ground."""
        return self.plan in ("quadruped", "bird")


_HORSE = Build(legs=0.75, neck=0.5, mane=True)
_DEER = Build(legs=0.8, depth=0.36, neck=0.48, neck_width=0.15, thick=0.08, tail="short")
_CAT = Build(legs=0.5, depth=0.34, neck=0.22, head=0.3, muzzle=0.16, ears="round", tail="long")
_BOVINE = Build(legs=0.55, depth=0.52, neck=0.3, head=0.4, muzzle=0.2, ears="flap", thick=0.13)


def _beast(name: str, build: Build, pattern, base: RGB, marks: RGB, spacing=0.2, size=1.0):
    return Species(name, "quadruped", Coat(pattern, base, marks, spacing), build, size=size)


def _bird(
    name: str, base: RGB, marks: RGB, pattern: Pattern = "plain", wing: RGB | None = None, **build
):
    coat = Coat(pattern, base, marks, 0.16, "feathers", belly=1.25)
    wing_coat = Coat("bands", wing or dim(base, 0.75), marks, 0.3, "feathers")
    return Species(name, "bird", coat, build, wing_coat, size=0.6)


_WHITE, _BLACK = (0.9, 0.88, 0.84), (0.09, 0.08, 0.08)

ARCHETYPES: tuple[Species, ...] = (
    _beast("plains zebra", _HORSE, "stripes", _WHITE, _BLACK, 0.17),
    _beast("leopard", _CAT, "rosettes", (0.82, 0.62, 0.33), (0.13, 0.09, 0.06), 0.16),
    _beast(
        "giraffe",
        Build(legs=1.15, neck=1.15, neck_width=0.2, head=0.32, horns="knobs", thick=0.1),
        "reticulate",
        (0.93, 0.84, 0.64),
        (0.55, 0.32, 0.14),
        0.26,
        1.2,
    ),
    _beast(
        "African elephant",
        Build(0.6, 0.66, 0.16, 0.36, 0.42, 0.2, "flap", trunk=True, thick=0.2, tail="short"),
        "plain",
        (0.45, 0.43, 0.42),
        _BLACK,
        0.2,
        1.2,
    ),
    _bird("great heron", (0.62, 0.66, 0.72), (0.2, 0.22, 0.28), bill="long", neck=0.6, legs=0.7),
    _beast(
        "red deer",
        dataclasses.replace(_DEER, horns="antlers"),
        "plain",
        (0.55, 0.35, 0.2),
        (0.3, 0.2, 0.12),
    ),
    _beast("tiger", _CAT, "stripes", (0.88, 0.5, 0.18), _BLACK, 0.2),
    _beast(
        "wild boar",
        Build(0.38, 0.46, 0.2, 0.3, 0.44, 0.13, "pointed", tail="short"),
        "plain",
        (0.3, 0.24, 0.2),
        _BLACK,
        0.2,
        0.8,
    ),
    _beast(
        "hare",
        Build(0.36, 0.4, 0.14, 0.2, 0.32, 0.1, "long", tail="short", thick=0.09),
        "speckles",
        (0.58, 0.46, 0.34),
        (0.3, 0.22, 0.16),
        0.25,
        0.55,
    ),
    _bird(
        "macaw",
        (0.82, 0.16, 0.14),
        (0.15, 0.3, 0.75),
        "saddle",
        (0.15, 0.35, 0.8),
        bill="hooked",
        tail=0.9,
        bill_color=(0.15, 0.13, 0.12),
    ),
    _beast("cattle", dataclasses.replace(_BOVINE, horns="curved"), "patches", _WHITE, _BLACK, 0.42),
    _beast("axis deer", _DEER, "spots", (0.66, 0.42, 0.22), (0.95, 0.92, 0.85), 0.13),
    Species(
        "garden lizard",
        "lizard",
        Coat("bands", (0.45, 0.6, 0.3), (0.15, 0.25, 0.12), 0.14, "scales"),
        {"tail": 0.9},
        size=0.6,
    ),
    _beast(
        "red fox",
        Build(0.42, 0.32, 0.24, 0.2, 0.34, 0.07, "pointed", tail="bushy", thick=0.08),
        "plain",
        (0.78, 0.4, 0.16),
        _BLACK,
        0.2,
        0.7,
    ),
    _bird(
        "guineafowl", (0.25, 0.25, 0.3), (0.92, 0.92, 0.95), "spots", neck=0.22, legs=0.3, tail=0.2
    ),
    _beast(
        "brown bear",
        Build(0.42, 0.56, 0.2, 0.36, 0.38, 0.14, "round", tail="short", hump=0.1, thick=0.17),
        "plain",
        (0.36, 0.25, 0.17),
        _BLACK,
    ),
    _beast(
        "rhinoceros",
        Build(0.42, 0.58, 0.24, 0.34, 0.5, 0.18, "small", "nose", "short", thick=0.17),
        "reticulate",
        (0.38, 0.36, 0.35),
        (0.5, 0.48, 0.46),
        0.22,
    ),
    _beast(
        "oryx",
        dataclasses.replace(_DEER, horns="straight", tail="tuft"),
        "saddle",
        (0.85, 0.78, 0.68),
        (0.25, 0.19, 0.15),
    ),
    Species(
        "tortoise",
        "turtle",
        Coat("reticulate", (0.25, 0.2, 0.12), (0.6, 0.5, 0.25), 0.26, "scales"),
        {},
        Coat("speckles", (0.5, 0.45, 0.3), _BLACK, 0.2, "scales"),
        size=0.6,
    ),
    _bird(
        "toucan",
        _BLACK,
        (0.95, 0.9, 0.75),
        "saddle",
        (0.1, 0.1, 0.12),
        bill="broad",
        bill_color=(0.95, 0.6, 0.1),
    ),
    _beast(
        "spotted hyena",
        Build(0.55, 0.42, 0.34, 0.26, 0.36, 0.15, "round", tail="short", mane=True),
        "spots",
        (0.65, 0.55, 0.4),
        (0.2, 0.15, 0.1),
        0.18,
    ),
    _beast(
        "tapir",
        Build(0.42, 0.48, 0.24, 0.28, 0.42, 0.11, "round", tail="short", thick=0.14),
        "saddle",
        (0.14, 0.13, 0.13),
        (0.88, 0.87, 0.85),
        0.3,
    ),
    Species(
        "python",
        "snake",
        Coat("patches", (0.75, 0.65, 0.42), (0.3, 0.2, 0.1), 0.16, "scales"),
        {"girth": 0.15},
        size=0.7,
    ),
    _bird(
        "crested jay",
        (0.25, 0.45, 0.75),
        (0.92, 0.92, 0.95),
        "plain",
        crest=True,
        tail=0.6,
        bill_color=(0.2, 0.2, 0.2),
    ),
    Species(
        "reef fish",
        "fish",
        Coat("stripes", (0.95, 0.6, 0.15), _WHITE, 0.4, "scales"),
        {},
        Coat("bands", (0.95, 0.6, 0.15), _BLACK, 0.2, "smooth"),
        size=0.6,
    ),
    Species(
        "swallowtail",
        "butterfly",
        Coat("plain", _BLACK, _BLACK),
        {"tails": True},
        Coat("stripes", (0.95, 0.85, 0.35), _BLACK, 0.24, "smooth"),
        size=0.5,
    ),
    Species(
        "ladybird",
        "beetle",
        Coat("spots", (0.85, 0.15, 0.1), _BLACK, 0.32, "smooth"),
        {"width": 0.46},
        size=0.5,
    ),
    Species(
        "trout",
        "fish",
        Coat("speckles", (0.6, 0.58, 0.4), (0.2, 0.12, 0.1), 0.2, "scales"),
        {"depth": 0.22, "dorsal": 0.12},
        Coat("plain", (0.55, 0.45, 0.3), _BLACK, 0.2, "smooth"),
        size=0.7,
    ),
    Species(
        "garden spider",
        "beetle",
        Coat("patches", (0.7, 0.55, 0.3), _BLACK, 0.3, "smooth"),
        {"legs": 4, "width": 0.34},
        size=0.5,
    ),
    Species(
        "peacock butterfly",
        "butterfly",
        Coat("plain", _BLACK, _BLACK),
        {},
        Coat("rosettes", (0.7, 0.25, 0.12), (0.15, 0.15, 0.35), 0.4, "smooth"),
        size=0.5,
    ),
)
