"""Turns texts into vectors, through the same cache as pictures.

    source = TextSource(tower, EmbedOptions(device="cpu"), name="open-clip:ViT-B-16/openai")
    features = source(["a photo of a red fox.", "a photo of a wolf."])      # Features

A vector is found by the text, byte for byte, and by the key of the tower (`text_digest`): its
weights, its tokenizer, its code, the arithmetic. Batches are of one size, the last filled up, as
pictures' are.
"""

import contextlib
import functools
import hashlib
import time
import typing
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import torch
from jaxtyping import Float32

from biobench import progress
from biobench.data.contents import HASH_BYTES, Record
from biobench.errors import CellFailed
from biobench.features.agreement import DTYPES
from biobench.features.cache import Generation, open_generation, write_meta
from biobench.features.code import digest_code
from biobench.features.digest import at_rest, coarsen, iter_tensors, strip_addresses, to_bytes
from biobench.features.network import is_out_of_memory
from biobench.features.options import (
    EmbedOptions,
    cache_root,
    require_precision,
    resolve_device,
    resolve_precision,
)
from biobench.features.vectors import Features
from biobench.interfaces import TextTower

__all__ = ["TextSource", "text_digest"]

# Raised when this module changes what comes out for the same inputs.
POLICY_VERSION = "1"

TRIALS = ("a photo of a red fox.", "Pica hudsonia with common name black-billed magpie", "naïve")
BATCH_SIZES = {"cpu": 8, "cuda": 256}


class TextSource:
    """Features of texts; call it with a list of them.

    name: ORG:CKPT, shown by `biobench cache ls`.
    Raises BadInput if the device asked for is not there; when called, if it would have to run the
    tower in a precision that the device lacks.
    """

    def __init__(self, tower: TextTower, options: EmbedOptions | None = None, *, name: str = ""):
        self.tower = tower
        self.options = options or EmbedOptions()
        self.name = name
        self.device = resolve_device(self.options.device)
        self.precision = resolve_precision(self.options.precision, self.device)
        self.batch_size = BATCH_SIZES[self.device.type]
        self.warnings: list[str] = []
        self._fresh = not self.options.resume

    def __call__(self, prompts: Sequence[str]) -> Features:
        """Features of the texts, in order; each is encoded once.

        Reports progress as stage "text". Raises CellFailed where the tower cannot be run or the
        cache not be written; what was encoded until then is kept.
        """
        start = time.perf_counter()
        root = self.options.cache_root or cache_root()
        cache = open_generation(root, self.digest, fresh=self._fresh)
        self._fresh = False
        hashes = pl.Series([_hash(prompt) for prompt in prompts], dtype=pl.Binary)
        rows, _ = cache.lookup(hashes)
        todo = list(dict.fromkeys(p for p, row in zip(prompts, rows, strict=True) if row < 0))
        if todo:
            require_precision(self.precision, self.device)
            self._encode_all(todo, cache)
            rows, _ = cache.lookup(hashes)
        dim = cache.read_dim() or 0
        write_meta(root / self.digest, self._make_meta(dim))
        n_unique = len(set(prompts))
        return Features(
            dim,
            rows,
            cache,
            stages={"total": time.perf_counter() - start},
            counts={"known": n_unique - len(todo), "embedded": len(todo)},
            warnings=[*self.warnings, *cache.damaged],
        )

    def describe(self) -> dict[str, object]:
        """digest (of all that decides the vectors), n_parameters, what it was made from."""
        return {
            "digest": self.digest,
            "n_parameters": sum(tensor.numel() for tensor in self.tower.parameters()),
            "tower": type(self.tower).__qualname__,
            "code": digest_code(type(self.tower)),
            "weights": str(self.tower.weights_source),
        }

    @functools.cached_property
    def digest(self) -> str:
        return text_digest(self.tower, precision=self.precision)

    def _encode_all(self, prompts: Sequence[str], cache: Generation) -> None:
        """Encode texts and write them, a shard whenever one is full or due."""
        self.tower.requires_grad_(False).to(self.device)
        waiting: list[tuple[Sequence[str], Float32[np.ndarray, "n dim"]]] = []
        written = time.monotonic()
        progress.report("text", 0, len(prompts))
        start = 0
        try:
            while start < len(prompts):
                part = prompts[start : start + self.batch_size]
                vectors = self._try(part)
                if vectors is None:
                    self._shrink()
                    continue
                waiting.append((part, vectors))
                start += len(part)
                progress.report("text", start, len(prompts))
                is_full = sum(len(part) for part, _ in waiting) >= self.options.shard_rows
                if is_full or time.monotonic() - written > self.options.flush_seconds:
                    _flush(waiting, cache)
                    written = time.monotonic()
        except BaseException:
            # What is finished is worth keeping, however this ends.
            with contextlib.suppress(CellFailed):
                _flush(waiting, cache)
            raise
        _flush(waiting, cache)

    def _try(self, prompts: Sequence[str]) -> Float32[np.ndarray, "n dim"] | None:
        """Vectors of at most `batch_size` texts; None if they do not fit in memory."""
        filled = [*prompts, *[prompts[-1]] * (self.batch_size - len(prompts))]
        self.tower.eval()
        try:
            with torch.inference_mode(), self._arithmetic():
                features = self.tower.txt_encode(filled)
        except RuntimeError as err:
            if not is_out_of_memory(err) or self.batch_size == 1:
                raise
            return None
        name = type(self.tower).__name__
        if features.ndim != 2 or len(features) != len(filled):
            raise CellFailed(
                f"{name}.txt_encode made features of shape {tuple(features.shape)} from "
                f"{len(filled)} texts; it must be [n, dim]."
            )
        vectors = features[: len(prompts)].float().cpu().numpy()
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            raise CellFailed(
                f"{name} makes NaN or infinity of the text '{prompts[bad[0]]}' (try precision "
                "fp32); without it its class cannot be predicted."
            )
        return vectors

    def _arithmetic(self) -> contextlib.AbstractContextManager:
        if self.precision in DTYPES:
            return torch.autocast(self.device.type, dtype=DTYPES[self.precision])
        return contextlib.nullcontext()

    def _shrink(self) -> None:
        before, self.batch_size = self.batch_size, self.batch_size // 2
        self.warnings.append(
            f"Out of memory on {self.device} with {before} texts a pass; went on with "
            f"{self.batch_size}."
        )
        torch.cuda.empty_cache()

    def _make_meta(self, dim: int) -> dict[str, object]:
        return {
            "models": [self.name] if self.name else [],
            "adapter": type(self.tower).__qualname__,
            "dim": dim,
            "precision": self.precision,
        }


def text_digest(tower: TextTower, *, precision: str = "fp32") -> str:
    """Hex string over everything that decides what `tower` makes of a text, as `backbone_digest`.

    What else its vectors depend on (the tokenizer), its `cache_identity()` says.
    """
    digest = hashlib.sha256()
    for name, value in _describe(tower, precision):
        digest.update(f"\x1e{name}\x1f".encode())
        digest.update(value)
    return digest.hexdigest()


def _describe(tower: TextTower, precision: str) -> Iterator[tuple[str, typing.Any]]:
    cls = type(tower)
    yield "text policy", POLICY_VERSION.encode()
    yield "class", f"{cls.__module__}.{cls.__qualname__}".encode()
    yield "adapter", str(tower.adapter_version).encode()
    yield "source", digest_code(cls).encode()
    yield "architecture", strip_addresses(repr(tower)).encode()
    yield "identity", str(tower.cache_identity()).encode()
    # Not of the vectors, but of what is made of them, which the same digest stands for in a cell.
    yield "logits", f"{tower.logit_scale!r} {tower.logit_bias!r} {tower.link}".encode()
    yield "precision", precision.encode()
    for name, tensor in iter_tensors(tower):
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}", to_bytes(tensor)
    for prompt in TRIALS:
        yield f"encoded {prompt}", _encode_trial(tower, prompt)


def _encode_trial(tower: TextTower, prompt: str) -> bytes:
    """What the tower makes of a text, on a CPU and in its own arithmetic, told coarsely."""
    try:
        with at_rest(tower), torch.inference_mode():
            features = tower.txt_encode([prompt])
        return coarsen(features.detach().float().cpu().numpy().reshape(-1))
    except Exception as err:
        # It may need a GPU, or be broken: then running it says so.
        return f"cannot be run on a CPU: {type(err).__name__}".encode()


def _flush(
    waiting: list[tuple[Sequence[str], Float32[np.ndarray, "n dim"]]], cache: Generation
) -> None:
    """Write what waits, and empty the list."""
    if not waiting:
        return
    prompts = [prompt for part, _ in waiting for prompt in part]
    records = [
        Record(hash=_hash(prompt), path=prompt, size=len(prompt.encode()), mtime=0)
        for prompt in prompts
    ]
    cache.append("", records, np.concatenate([vectors for _, vectors in waiting]))
    waiting.clear()


def _hash(prompt: str) -> bytes:
    return hashlib.sha256(prompt.encode()).digest()[:HASH_BYTES]
