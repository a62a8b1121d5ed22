"""Vectors of a list of images, wherever they are stored.

features.take(np.array([0, 5, 2]))        # float32 [3, dim]: images 0, 5 and 2
for index, block in features.blocks():    # all of them, in bounded memory
    total += block.sum(axis=0)
"""

import dataclasses
import pathlib
import tempfile
import typing
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float32, Int64, Integer

from biobench.data.crops import Crop

__all__ = ["FeatureSource", "Features", "Store"]

MAX_RAM_BYTES = 512 * 2**20
"""`Features.take` answers with a memory-map of a temporary file beyond this."""


@typing.runtime_checkable
class FeatureSource(typing.Protocol):
    """Where features come from: `BackboneSource`, `FileSource`, or anything of this form."""

    def __call__(
        self, root: pathlib.Path, images: Sequence[str], crops: Mapping[str, Crop] = ...
    ) -> "Features":
        """Features of unique image paths below `root`.

        crops: given only where some of `images` name a part of a picture: what they are.
        """
        ...

    def describe(self) -> dict[str, object]:
        """digest (equal digests mean equal features), n_parameters, image_size, dim."""
        ...


@typing.runtime_checkable
class Store(typing.Protocol):
    """Where vectors lie, as numbered rows."""

    def blocks(
        self, wanted: Int64[np.ndarray, " n"]
    ) -> Iterator[tuple[int, Float32[np.ndarray, "k dim"]]]:
        """Runs of consecutive rows, (number of the first, vectors), in increasing order.

        wanted: sorted row numbers; every one of them is in some run. A run's vectors may be
        views of a file that stays open for as long as they are referred to.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Features:
    """One vector an image, or the reason why there is none."""

    dim: int
    rows: Int64[np.ndarray, " n_images"]
    """where in the store each image's vector is; -1 where it has none."""
    store: Store
    failures: dict[str, str] = dataclasses.field(default_factory=dict)
    """image -> why it has no vector."""
    stages: dict[str, float] = dataclasses.field(default_factory=dict)
    """seconds by stage; those of decoding workers are summed over the workers."""
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    """images by what was done: known, recognised, embedded, failed."""
    warnings: list[str] = dataclasses.field(default_factory=list)
    """what a reader of the results should know, one sentence each."""
    contents: dict[str, bytes] = dataclasses.field(default_factory=dict)
    """path -> hash of the bytes that its vectors were made from; empty where nothing was read."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Integer[np.ndarray, " n"]) -> Float32[np.ndarray, "n dim"]:
        """The vectors of the images at these positions, in this order.

        Beyond 512 MB the array is memory-mapped. Raises ValueError if one has no vector.
        """
        rows = self.rows[index]
        n_failed = int((rows < 0).sum())
        if n_failed:
            raise ValueError(f"{n_failed:,} of the {len(rows):,} images asked for have no vector.")
        out = _allocate(len(rows), self.dim)
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        for first, block in self.store.blocks(wanted):
            low, high = np.searchsorted(wanted, [first, first + len(block)])
            out[order[low:high]] = block[wanted[low:high] - first]
        return out

    def blocks(self) -> Iterator[tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, "k dim"]]]:
        """All vectors in the store's order, as (positions of the images, vectors).

        A block is a view of the stored file where possible; memory stays bounded if the caller
        keeps none of them.
        """
        order = np.argsort(self.rows, kind="stable")
        order = order[np.searchsorted(self.rows, 0, sorter=order) :]
        wanted = self.rows[order]
        for first, block in self.store.blocks(wanted):
            low, high = np.searchsorted(wanted, [first, first + len(block)])
            here = wanted[low:high] - first
            whole = len(here) == len(block) and (here == np.arange(len(block))).all()
            yield order[low:high], block if whole else block[here]


def _allocate(n: int, dim: int) -> Float32[np.ndarray, "n dim"]:
    if n * dim * 4 <= MAX_RAM_BYTES:
        return np.empty((n, dim), np.float32)
    # Unlinked once opened: the space goes when the array goes.
    with tempfile.TemporaryFile(prefix="biobench-") as file:
        return np.memmap(file, np.float32, "w+", shape=(n, dim))
