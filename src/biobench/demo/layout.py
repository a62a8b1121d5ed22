"""What the four writers have in common: a layout is tables to write and units of drawing to do.

A unit is small, can be pickled, and draws some pictures that belong together (a clip, bursts of a
camera, a few photographs). What it draws depends on nothing but itself, so units can be drawn in
any order and by any process.
"""

import hashlib
import typing
from collections.abc import Iterable, Iterator

import numpy as np

__all__ = ["Layout", "Unit", "long_tail", "picture_id"]


@typing.runtime_checkable
class Unit(typing.Protocol):
    """Pictures drawn together."""

    def draw(self) -> Iterator[tuple[str, bytes]]:
        """Yield each picture's path below the layout's folder, and its bytes."""
        ...


@typing.runtime_checkable
class Layout(typing.Protocol):
    """A data set in the layout it was published in."""

    @property
    def folder(self) -> str:
        """Name of its folder in the world."""
        ...

    def counts(self) -> dict[str, int]:
        """How many images, classes, … it has; "images" counts the files."""
        ...

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """Yield each text file's path below the folder, and its lines."""
        ...

    def units(self) -> Iterator[Unit]:
        """Yield every unit of drawing."""
        ...


def long_tail(total: int, classes: int, exponent: float, minimum: int = 1) -> list[int]:
    """Share `total` among classes as rank ** -exponent, at least `minimum` each, exactly.

    Raises ValueError if `total` is too small for the minimum.
    """
    spare = total - minimum * classes
    if spare < 0:
        raise ValueError(f"{total} pictures are too few for {classes} classes of {minimum}.")
    weights = np.arange(1, classes + 1, dtype=np.float64) ** -exponent
    # Largest remainders: the rounded shares add up to the total.
    share = weights / weights.sum() * spare
    counts = np.floor(share).astype(int)
    order = np.argsort(counts - share, kind="stable")
    counts[order[: spare - counts.sum()]] += 1
    return [minimum + int(count) for count in counts]


def picture_id(seed: int, *key: object) -> str:
    """A picture's name in the form of a UUID, as the published data sets have them."""
    digest = hashlib.sha256("/".join(map(str, ("id", seed, *key))).encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
