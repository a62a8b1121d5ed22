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
import typing
from collections.abc import Callable, Iterator, Sequence

import joblib
import numpy as np
import torch
from jaxtyping import Float32, Shaped
from torch import Tensor

from biobench import progress
from biobench.data import contents
from biobench.data.contents import Record
from biobench.errors import CellFailed
from biobench.features.cache import Generation
from biobench.features.decoding import Clock, Decoded, PictureChunks, start_worker
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
) -> Features:
    """Features of the pictures `images` (unique) below `root`; of each content once.

    make_network: called only if some picture must be encoded.
    transform, shape: PIL image -> tensor, and the shape it makes.
    Pictures that cannot be used are in `failures`. Raises CellFailed if the cache cannot be
    written or the network cannot be run; what was embedded until then is kept.
    """
    start = time.perf_counter()
    clock = Clock()
    with clock.stage("scan"):
        known = contents.lookup(root, images)
        failures = dict(known.missing)
        rows, by_hash = cache.lookup(known.hashes)
    todo = [
        image for image, row in zip(images, rows, strict=True) if row < 0 and image not in failures
    ]
    n_known = int((rows >= 0).sum())
    done = _Progress(n_known + len(failures), len(images))
    sink = _Sink(cache, root, by_hash, options, clock)
    warnings: list[str] = list(known.warnings)
    if todo:
        chunks = PictureChunks(
            root, todo, transform, set(by_hash), shape, chunk_size=CHUNK_SIZE, exif=options.exif
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
    pairs = zip(images, known.hashes.to_list(), strict=True)
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
        self._waiting: list[tuple[list[Record], Tensor]] = []
        self._running: tuple[list[Record], Tensor] | None = None

    def go(self, chunks: Iterator[Decoded]) -> None:
        for chunk in chunks:
            self._failures.update(chunk.failures)
            self._sink.note([*chunk.recognised, *chunk.unusable])
            self._done.add(len(chunk.failures) + len(chunk.recognised))
            if chunk.pixels is not None:
                self._accept(chunk.records, chunk.pixels)
            self._sink.flush_if_due()
        self._encode(last=True)
        self._fetch()
        self._sink.flush()

    def _accept(
        self, records: list[Record], pixels: Shaped[Tensor, "n channels width height"]
    ) -> None:
        new = [number for number, record in enumerate(records) if self._sink.claim(record)]
        self._done.add(len(records) - len(new))
        if not new:
            return
        if len(new) < len(records):
            pixels = pixels[new]
        with self._clock.stage("forward"):
            if self.network is None:
                self.network = self._make_network()
            pixels = pixels.to(self.network.device, non_blocking=True)
        self._waiting.append(([records[number] for number in new], pixels))
        self._encode(last=False)

    def _encode(self, *, last: bool) -> None:
        """Encode what waits, as far as it fills batches; the rest too if it is the last."""
        n_waiting = sum(len(records) for records, _ in self._waiting)
        if self.network is None or not n_waiting:
            return
        n_now = n_waiting if last else n_waiting - n_waiting % self.network.batch_size
        if not n_now:
            return
        records = list(itertools.chain.from_iterable(records for records, _ in self._waiting))
        tensors = [pixels for _, pixels in self._waiting]
        pixels = torch.cat(tensors) if len(tensors) > 1 else tensors[0]
        self._waiting = [(records[n_now:], pixels[n_now:])] if n_now < n_waiting else []
        with self._clock.stage("forward"):
            names = [record.path for record in records[:n_now]]
            vectors = self.network.encode(pixels[:n_now], names)
        self._fetch()
        self._running = (records[:n_now], vectors)

    def _fetch(self) -> None:
        if self._running is None:
            return
        (records, vectors), self._running = self._running, None
        with self._clock.stage("forward"):
            array = vectors.cpu().numpy()
        self._sink.add(records, array)
        self._done.add(len(records))


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
        """of everything that was read."""
        self._cache = cache
        self._root = root
        self._rows = by_hash
        self._options = options
        self._clock = clock
        self._bad: set[bytes] = set()
        self._claimed: set[bytes] = set()
        self._records: list[Record] = []
        self._vectors: list[Float32[np.ndarray, "n dim"]] = []
        self._read: list[Record] = []
        self._written = time.monotonic()

    def claim(self, record: Record) -> bool:
        """Note what was read; returns whether this content must be encoded."""
        self.note([record])
        if record.hash in self._rows or record.hash in self._claimed:
            return False
        self._claimed.add(record.hash)
        return True

    def note(self, records: list[Record]) -> None:
        """Remember what was read."""
        self.hashes.update((record.path, record.hash) for record in records)
        self._read += records

    def add(self, records: list[Record], vectors: Float32[np.ndarray, "n dim"]) -> None:
        """Take the vectors of claimed records; those that are not finite are failures."""
        finite = np.atleast_1d(np.isfinite(vectors).all(axis=1))
        self._bad.update(record.hash for record, ok in zip(records, finite, strict=True) if not ok)
        self._records += [record for record, ok in zip(records, finite, strict=True) if ok]
        self._vectors.append(vectors[finite])
        if len(self._records) >= self._options.shard_rows:
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
            if self._records:
                vectors = np.concatenate(self._vectors)
                rows = self._cache.append(os.path.realpath(self._root), self._records, vectors)
                hashes = (record.hash for record in self._records)
                self._rows.update(zip(hashes, rows.tolist(), strict=True))
                self.n_embedded += len(self._records)
                self._records, self._vectors = [], []
        self._written = time.monotonic()

    def row_of(self, path: str, failures: dict[str, str]) -> int:
        """The row of a path's vector; -1, with an entry in `failures`, if it has none."""
        content = self.hashes[path]
        if content in self._bad:
            failures[path] = NOT_FINITE
            return -1
        return self._rows[content]


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
