"""What a decoding worker does with one picture: read, hash, decode, crop, transform.

The file is read once; the hash and the picture come from the same bytes.
"""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import torch
from jaxtyping import Shaped
from PIL import Image
from torch import Tensor

from biobench.data.contents import Record, read_picture
from biobench.data.crops import Crop
from biobench.data.images import UndecodableImage, decode

__all__ = ["Clock", "Decoded", "PictureChunks", "Piece", "start_worker"]


@dataclasses.dataclass(frozen=True)
class Piece:
    """What one vector is made of: a picture, or a part of one."""

    name: str
    """the picture's path, or what the part is called."""
    record: Record
    """of the picture's file."""
    hash: bytes
    """what the vector is known by: of a whole picture, the hash of its content."""
    part: str | None = None
    """what is done to the picture; None of a whole one."""

    @classmethod
    def of(cls, name: str, record: Record, crop: Crop | None) -> "Piece":
        if crop is None:
            return cls(name, record, record.hash)
        return cls(name, record, crop.digest(record.hash), crop.text)


@dataclasses.dataclass(frozen=True)
class Decoded:
    """A chunk of pictures after a worker was through with it."""

    pieces: list[Piece]
    """pictures, and parts of some, with pixels, in the order of `pixels`."""
    pixels: Shaped[Tensor, "n channels width height"] | None
    """None where no picture has pixels."""
    recognised: list[Piece]
    """those that are known, or stand in this chunk already: not decoded."""
    unusable: list[Piece]
    """those that were read, and could not be decoded."""
    failures: dict[str, str]
    """name -> reason, of those and of what could not be read."""
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
        names: Sequence[str],
        crops: Mapping[str, Crop],
        transform: Callable,
        known: Collection[bytes],
        shape: tuple[int, ...],
        *,
        chunk_size: int,
        exif: bool,
    ):
        self.root = root
        self.names = names
        self.crops = crops
        self.transform = transform
        self.known = known
        self.shape = shape
        self.chunk_size = chunk_size
        self.exif = exif

    def __len__(self) -> int:
        return -(-len(self.names) // self.chunk_size)

    def __getitem__(self, number: int) -> Decoded:
        if number >= len(self):
            raise IndexError(number)
        clock = Clock()
        pieces, tensors, recognised, unusable, failures = [], [], [], [], {}
        decoded: set[bytes] = set()
        for name in self.names[number * self.chunk_size : (number + 1) * self.chunk_size]:
            crop, piece = self.crops.get(name), None
            try:
                with clock.stage("read"):
                    data, record = read_picture(self.root, crop.image if crop else name)
                piece = Piece.of(name, record, crop)
                # Frames of a video repeat: once a chunk is enough.
                if piece.hash in self.known or piece.hash in decoded:
                    recognised.append(piece)
                    continue
                tensors.append(self._prepare(data, crop, clock))
                pieces.append(piece)
                decoded.add(piece.hash)
            except UndecodableImage as err:
                failures[name] = str(err)
                unusable += [piece] if piece else []
        pixels = torch.stack(tensors) if tensors else None
        return Decoded(pieces, pixels, recognised, unusable, failures, clock.seconds)

    def _prepare(
        self, data: bytes, crop: Crop | None, clock: "Clock"
    ) -> Shaped[Tensor, "channels width height"]:
        with clock.stage("decode"):
            image = decode(data, exif=self.exif, part=crop.cut if crop else None)
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
