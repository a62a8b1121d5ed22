"""The tasks of the wider suite that the demo can draw a small world of."""

from collections.abc import Iterable

from biobench.demo.beluga import Beluga
from biobench.demo.ecdysis import Ecdysis
from biobench.demo.fishnet import FishNet
from biobench.demo.fungiclef import FungiClef
from biobench.demo.herbarium19 import Herbarium19
from biobench.demo.imagenet1k import ImageNet1k
from biobench.demo.inat21 import INat21
from biobench.demo.mammalnet import MammalNet
from biobench.demo.plankton import Plankton
from biobench.demo.shots import ShotLayout, SuiteScale

__all__ = ["SUITE", "layouts"]

SUITE: tuple[type[ShotLayout], ...] = (
    ImageNet1k,
    INat21,
    Herbarium19,
    Plankton,
    FungiClef,
    FishNet,
    Beluga,
    MammalNet,
    Ecdysis,
)


def layouts(scale: SuiteScale, seed: int, names: Iterable[str] = ()) -> tuple[ShotLayout, ...]:
    """The plans of the named tasks, of all without names."""
    wanted = set(names) or {cls.folder for cls in SUITE}
    return tuple(cls(scale, seed) for cls in SUITE if cls.folder in wanted)
