"""What a decoding worker does with one picture: read, hash, decode, transform.

The file is read once; the hash and the picture come from the same bytes.
"""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from jaxtyping import Shaped
from PIL import Image
from torch import Tensor

from biobench.data.contents import Record, read_picture
from biobench.data.images import UndecodableImage, decode

__all__ = ["Clock", "Decoded", "PictureChunks", "start_worker"]


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A chunk of pictures after a worker was through with it."""

    records: list[Record]
    """pictures with pixels, in the order of `pixels`."""
    pixels: Shaped[Tensor, "n channels width height"] | None
    """None where no picture has pixels."""
    recognised: list[Record]
    """pictures whose content is known, or stands in this chunk already: not decoded."""
    unusable: list[Record]
    """pictures that were read, and could not be decoded."""
    failures: dict[str, str]
    """path -> reason, of those and of what could not be read."""
    seconds: dict[str, float]
    """by stage: read, decode, transform."""

    def pin_memory(self) -> "Decoded":
        """Called by the DataLoader when it feeds a CUDA device."""
        pixels = None if self.pixels is None else self.pixels.pin_memory()
        return dataclasses.replace(self, pixels=pixels)


class PictureChunks(torch.utils.data.Dataset):
    """Chunk number -> `Decoded`, for a DataLoader without collation."""

    def __init__(
        self,
        root: pathlib.Path,
        paths: Sequence[str],
        transform: Callable,
        known: Collection[bytes],
        shape: tuple[int, ...],
        *,
        chunk_size: int,
        exif: bool,
    ):
        self.root = root
        self.paths = paths
        self.transform = transform
        self.known = known
        self.shape = shape
        self.chunk_size = chunk_size
        self.exif = exif

    def __len__(self) -> int:
        return -(-len(self.paths) // self.chunk_size)

    def __getitem__(self, number: int) -> Decoded:
        if number >= len(self):
            raise IndexError(number)
        clock = Clock()
        records, tensors, recognised, unusable, failures = [], [], [], [], {}
        decoded: set[bytes] = set()
        for path in self.paths[number * self.chunk_size : (number + 1) * self.chunk_size]:
            record = None
            try:
                with clock.stage("read"):
                    data, record = read_picture(self.root, path)
                # Frames of a video repeat: once a chunk is enough.
                if record.hash in self.known or record.hash in decoded:
                    recognised.append(record)
                    continue
                tensors.append(self._prepare(data, clock))
                records.append(record)
                decoded.add(record.hash)
            except UndecodableImage as err:
                failures[path] = str(err)
                unusable += [record] if record else []
        pixels = torch.stack(tensors) if tensors else None
        return Decoded(records, pixels, recognised, unusable, failures, clock.seconds)

    def _prepare(self, data: bytes, clock: "Clock") -> Shaped[Tensor, "channels width height"]:
        with clock.stage("decode"):
            image = decode(data, exif=self.exif)
        with clock.stage("transform"):
            return self._transform(image)

    def _transform(self, image: Image.Image) -> Shaped[Tensor, "channels width height"]:
        try:
            tensor = self.transform(image)
        except Exception as err:
            raise UndecodableImage(
                f"the backbone's transform fails on {image.width} x {image.height} pixels "
                f"({type(err).__name__}: {err})"
            ) from err
        if tuple(tensor.shape) != self.shape:
            raise UndecodableImage(
                f"the backbone's transform makes shape {tuple(tensor.shape)} of it, not "
                f"{self.shape} as of others"
            )
        return tensor


class Clock:
    """Sums seconds by stage."""

    def __init__(self):
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


def start_worker(_: int) -> None:
    """Make a decoding worker give way to the network where both want the same core."""
    with contextlib.suppress(OSError):
        os.nice(5)
