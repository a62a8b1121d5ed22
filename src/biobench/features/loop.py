"""The one loop that runs a network over pictures: look up, decode in workers, encode, write.

    features = embed(make_network, transform, shape, root, images, cache, options)

Everything it learns goes through the cache, so a run that died goes on where its last shard ended.
"""

import contextlib
import itertools
import multiprocessing
import os
import pathlib
import pickle
import time
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import joblib
import numpy as np
import polars as pl
import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from biobench import progress
from biobench.data import contents
from biobench.data.contents import Record
from biobench.data.crops import Crop
from biobench.errors import CellFailed
from biobench.features.cache import Generation
from biobench.features.decoding import Clock, Decoded, PictureChunks, Piece, start_worker
from biobench.features.network import Network, set_threads
from biobench.features.options import EmbedOptions
from biobench.features.vectors import Features

__all__ = ["embed"]

# Small, so that what waits between processes fits the shared memory of a container (64 MB).
CHUNK_SIZE = 8

NOT_FINITE = "the backbone makes NaN or infinity of it (try precision fp32)"


def embed(
    make_network: Callable[[], Network],
    transform: Callable,
    shape: tuple[int, ...],
    root: pathlib.Path,
    images: Sequence[str],
    cache: Generation,
    options: EmbedOptions,
    crops: Mapping[str, Crop] = types.MappingProxyType({}),
) -> Features:
    """Features of the pictures `images` (unique) below `root`; of each content once.

    crops: those of `images` that are a part of a picture; of each content and part once.
    make_network: called only if some picture must be encoded.
    transform, shape: PIL image -> tensor, and the shape it makes.
    Pictures that cannot be used are in `failures`. Raises CellFailed if the cache cannot be
    written or the network cannot be run; what was embedded until then is kept.
    """
    start = time.perf_counter()
    clock = Clock()
    with clock.stage("scan"):
        files = _list_files(images, crops)
        known = contents.lookup(root, files)
        failures = _name_missing(images, crops, known.missing)
        rows, by_hash = cache.lookup(_derive(images, crops, files, known.hashes))
    todo = [
        image for image, row in zip(images, rows, strict=True) if row < 0 and image not in failures
    ]
    n_known = int((rows >= 0).sum())
    done = _Progress(n_known + len(failures), len(images))
    sink = _Sink(cache, root, by_hash, options, clock)
    warnings: list[str] = list(known.warnings)
    if todo:
        chunks = PictureChunks(
            root,
            todo,
            crops,
            transform,
            set(by_hash),
            shape,
            chunk_size=CHUNK_SIZE,
            exif=options.exif,
        )
        work = _Work(make_network, sink, failures, clock, done)
        try:
            work.go(_iter_chunks(chunks, options, clock))
        except BaseException:
            # What is finished is worth keeping, however this ends.
            with contextlib.suppress(CellFailed):
                sink.flush()
            raise
        warnings += work.network.warnings if work.network else []
        for position, image in enumerate(images):
            if rows[position] < 0 and image not in failures:
                rows[position] = sink.row_of(image, failures)
    clock.add("total", time.perf_counter() - start)
    counts = {
        "known": n_known,
        "recognised": len(todo) - sink.n_embedded - len(failures.keys() & set(todo)),
        "embedded": sink.n_embedded,
        "failed": len(failures),
    }
    dim = work.network.dim if todo and work.network else cache.read_dim()
    warnings += cache.damaged
    pairs = zip(files, known.hashes.to_list(), strict=True)
    hashes = {image: content for image, content in pairs if content is not None} | sink.hashes
    return Features(dim or 0, rows, cache, failures, clock.seconds, counts, warnings, hashes)


class _Work:
    """Encodes decoded chunks in full batches and hands the vectors on, one batch behind.

    The lag lets a GPU start on the next batch before the last one's vectors are fetched.
    """

    def __init__(
        self,
        make_network: Callable[[], Network],
        sink: "_Sink",
        failures: dict[str, str],
        clock: Clock,
        done: "_Progress",
    ):
        self.network: Network | None = None
        self._make_network = make_network
        self._sink = sink
        self._failures = failures
        self._clock = clock
        self._done = done
        self._waiting: list[tuple[list[Piece], Tensor]] = []
        self._running: tuple[list[Piece], Tensor] | None = None

    def go(self, chunks: Iterator[Decoded]) -> None:
        for chunk in chunks:
            self._failures.update(chunk.failures)
            self._sink.note([*chunk.recognised, *chunk.unusable])
            self._done.add(len(chunk.failures) + len(chunk.recognised))
            if chunk.pixels is not None:
                self._accept(chunk.pieces, chunk.pixels)
            self._sink.flush_if_due()
        self._encode(last=True)
        self._fetch()
        self._sink.flush()

    def _accept(
        self, pieces: list[Piece], pixels: Shaped[Tensor, "n channels width height"]
    ) -> None:
        new = [number for number, piece in enumerate(pieces) if self._sink.claim(piece)]
        self._done.add(len(pieces) - len(new))
        if not new:
            return
        if len(new) < len(pieces):
            pixels = pixels[new]
        with self._clock.stage("forward"):
            if self.network is None:
                self.network = self._make_network()
            pixels = pixels.to(self.network.device, non_blocking=True)
        self._waiting.append(([pieces[number] for number in new], pixels))
        self._encode(last=False)

    def _encode(self, *, last: bool) -> None:
        """Encode what waits, as far as it fills batches; the rest too if it is the last."""
        n_waiting = sum(len(pieces) for pieces, _ in self._waiting)
        if self.network is None or not n_waiting:
            return
        n_now = n_waiting if last else n_waiting - n_waiting % self.network.batch_size
        if not n_now:
            return
        pieces = list(itertools.chain.from_iterable(pieces for pieces, _ in self._waiting))
        tensors = [pixels for _, pixels in self._waiting]
        pixels = torch.cat(tensors) if len(tensors) > 1 else tensors[0]
        self._waiting = [(pieces[n_now:], pixels[n_now:])] if n_now < n_waiting else []
        with self._clock.stage("forward"):
            names = [piece.name for piece in pieces[:n_now]]
            vectors = self.network.encode(pixels[:n_now], names)
        self._fetch()
        self._running = (pieces[:n_now], vectors)

    def _fetch(self) -> None:
        if self._running is None:
            return
        (pieces, vectors), self._running = self._running, None
        with self._clock.stage("forward"):
            array = vectors.cpu().numpy()
        self._sink.add(pieces, array)
        self._done.add(len(pieces))


class _Sink:
    """Gathers vectors into shards and knows where each content's vector is."""

    def __init__(
        self,
        cache: Generation,
        root: pathlib.Path,
        by_hash: dict[bytes, int],
        options: EmbedOptions,
        clock: Clock,
    ):
        self.n_embedded = 0
        self.hashes: dict[str, bytes] = {}
        """path -> content, of everything that was read."""
        self._known_by: dict[str, bytes] = {}
        """name -> what its vector is known by."""
        self._cache = cache
        self._root = root
        self._rows = by_hash
        self._options = options
        self._clock = clock
        self._bad: set[bytes] = set()
        self._claimed: set[bytes] = set()
        self._pieces: list[Piece] = []
        self._vectors: list[Float32[np.ndarray, "n dim"]] = []
        self._read: list[Record] = []
        self._written = time.monotonic()

    def claim(self, piece: Piece) -> bool:
        """Note what was read; returns whether this must be encoded."""
        self.note([piece])
        if piece.hash in self._rows or piece.hash in self._claimed:
            return False
        self._claimed.add(piece.hash)
        return True

    def note(self, pieces: list[Piece]) -> None:
        """Remember what was read."""
        self.hashes.update((piece.record.path, piece.record.hash) for piece in pieces)
        self._known_by.update((piece.name, piece.hash) for piece in pieces)
        self._read += [piece.record for piece in pieces]

    def add(self, pieces: list[Piece], vectors: Float32[np.ndarray, "n dim"]) -> None:
        """Take the vectors of claimed pieces; those that are not finite are failures."""
        finite = np.atleast_1d(np.isfinite(vectors).all(axis=1))
        self._bad.update(piece.hash for piece, ok in zip(pieces, finite, strict=True) if not ok)
        self._pieces += [piece for piece, ok in zip(pieces, finite, strict=True) if ok]
        self._vectors.append(vectors[finite])
        if len(self._pieces) >= self._options.shard_rows:
            self.flush()

    def flush_if_due(self) -> None:
        if time.monotonic() - self._written > self._options.flush_seconds:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered; raises CellFailed if it cannot be written."""
        with self._clock.stage("write"):
            # First, so that every vector that is written is found again without reading.
            contents.remember(self._root, self._read)
            self._read = []
            if self._pieces:
                vectors = np.concatenate(self._vectors)
                records = [replace(piece.record, hash=piece.hash) for piece in self._pieces]
                parts = [piece.part for piece in self._pieces]
                rows = self._cache.append(os.path.realpath(self._root), records, vectors, parts)
                hashes = (piece.hash for piece in self._pieces)
                self._rows.update(zip(hashes, rows.tolist(), strict=True))
                self.n_embedded += len(self._pieces)
                self._pieces, self._vectors = [], []
        self._written = time.monotonic()

    def row_of(self, name: str, failures: dict[str, str]) -> int:
        """The row of a name's vector; -1, with an entry in `failures`, if it has none."""
        known_by = self._known_by[name]
        if known_by in self._bad:
            failures[name] = NOT_FINITE
            return -1
        return self._rows[known_by]


def _list_files(images: Sequence[str], crops: Mapping[str, Crop]) -> Sequence[str]:
    """The pictures of which `images` are all or a part, each once."""
    if not crops:
        return images
    return list(dict.fromkeys(crops[name].image if name in crops else name for name in images))


def _name_missing(
    images: Sequence[str], crops: Mapping[str, Crop], missing: Mapping[str, str]
) -> dict[str, str]:
    if not (crops and missing):
        return dict(missing)
    files = ((name, crops[name].image if name in crops else name) for name in images)
    return {name: missing[file] for name, file in files if file in missing}


def _derive(
    images: Sequence[str], crops: Mapping[str, Crop], files: Sequence[str], hashes: pl.Series
) -> pl.Series:
    """What the vector of each image is known by; null where its picture's content is not known."""
    if not crops:
        return hashes
    known = dict(zip(files, hashes.to_list(), strict=True))
    found: list[bytes | None] = []
    for name in images:
        crop = crops.get(name)
        content = known[crop.image if crop else name]
        found.append(crop.digest(content) if crop and content else content)
    return pl.Series("hash", found, dtype=pl.Binary)


class _Progress:
    def __init__(self, done: int, total: int):
        self.done, self.total = done, total
        progress.report("embed", done, total)

    def add(self, n: int) -> None:
        self.done += n
        if n:
            progress.report("embed", self.done, self.total)


def _iter_chunks(chunks: PictureChunks, options: EmbedOptions, clock: Clock) -> Iterator[Decoded]:
    """Decoded chunks in order, from workers; raises CellFailed if a worker dies."""
    loader = torch.utils.data.DataLoader(
        chunks,
        batch_size=None,
        shuffle=False,
        num_workers=_count_workers(chunks, options.n_workers),
        collate_fn=typing.cast(typing.Any, _identity),
        pin_memory=torch.cuda.is_available() and options.device != "cpu",
        worker_init_fn=start_worker,
        # Its own, so that the caller's random numbers stay as they are.
        generator=torch.Generator(),
    )
    iterator = iter(loader)
    while True:
        try:
            # One thread, as a worker has: a transform's rounding may depend on it.
            with clock.stage("wait"), set_threads(1):
                chunk = next(iterator)
        except StopIteration:
            return
        except RuntimeError as err:
            if "worker" not in str(err):
                raise
            raise CellFailed(
                f"A decoding process died ({err}); most likely memory ran out: use fewer workers, "
                "or 0 to decode in the main process."
            ) from err
        for name, seconds in chunk.seconds.items():
            clock.add(name, seconds)
        yield chunk


def _count_workers(chunks: PictureChunks, n_workers: int) -> int:
    # One chunk is decoded sooner than a process starts; more processes than cores get in the way.
    if len(chunks) == 1 or not _can_send(chunks.transform):
        return 0
    return min(n_workers, len(chunks), joblib.cpu_count())


def _can_send(transform: Callable) -> bool:
    """Whether workers can be given the transform; a forked one inherits it."""
    if multiprocessing.get_start_method() == "fork":
        return True
    try:
        pickle.dumps(transform)
    except Exception:
        return False
    return True


def _identity(chunk: Decoded) -> Decoded:
    return chunk
