"""Runs a backbone so that an image's feature is its own: whatever its batch, its batch-mates, the
order, or how the backbone's author left it.

    network = Network(backbone, device, trial, precision="fp32", batch_size=64)
    vectors = network.encode(pixels, names)       # float32 [n, dim], on the device

The network only ever sees batches of one size, the last one filled up by repeating an image,
because a kernel's rounding depends on the shape it is given.
"""

import contextlib
import math
import time
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float32, Shaped
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from biobench.errors import CellFailed
from biobench.features.agreement import DTYPES, TOLERANCE, distance
from biobench.interfaces import VisionBackbone

__all__ = ["Network", "is_out_of_memory", "set_threads"]

MIN_AUTO_BATCH, MAX_AUTO_BATCH = 16, 1024

# Only their ratio matters: how the cores of a CPU are shared out between network and decoding.
FLOPS_A_CORE = 60e9
SECONDS_TO_DECODE = 0.04


class Network:
    """A frozen backbone on a device.

    trial: one prepared image, with which the backbone is tried out first.
    batch_size: images a pass, or "auto". It shrinks where they do not fit, and stays so.
    Raises CellFailed if the backbone fails on the trial.
    """

    def __init__(
        self,
        backbone: VisionBackbone,
        device: torch.device,
        trial: Shaped[Tensor, "channels width height"],
        *,
        precision: str,
        batch_size: int | str,
        compile: bool = False,
    ):
        self.backbone = backbone.requires_grad_(False).to(device)
        self.device = device
        self.precision = precision
        self.warnings: list[str] = []
        """what was found out about the backbone, one sentence each."""
        self._encode = backbone.img_encode
        self._memory_format = torch.contiguous_format
        if device.type == "cuda":
            self._memory_format = torch.channels_last
            self.backbone.to(memory_format=torch.channels_last)
            self.batch_size = MIN_AUTO_BATCH if batch_size == "auto" else int(batch_size)
        else:
            # Larger batches fall out of a CPU's caches: measured no faster, often slower.
            self.batch_size = 4
        self._n_threads = 1
        trial = trial.to(device)
        if device.type == "cpu":
            self._n_threads = _share_cores(torch.get_num_threads(), self._count_flops(trial))
            self.batch_size = max(self.batch_size, self._n_threads)
        self.dim = self.encode(trial[None], ["a generated picture"]).shape[1]
        if compile:
            self._encode = torch.compile(backbone.img_encode)
        if device.type == "cuda" and batch_size == "auto":
            self._find_batch_size(trial)
        self._check_independence(trial)

    def encode(
        self, pixels: Shaped[Tensor, "n channels width height"], names: Sequence[str]
    ) -> Float32[Tensor, "n dim"]:
        """Features of prepared images, on the device; names: what errors call the images.

        Raises CellFailed if a single image does not fit in memory.
        """
        done: list[Tensor] = []
        start = 0
        while start < len(pixels):
            part = pixels[start : start + self.batch_size]
            features = self._try(part)
            if features is not None:
                done.append(features)
                start += len(part)
            elif self.batch_size == 1:
                raise CellFailed(
                    f"Out of memory on {self.device}: {names[start]} does not fit even alone; use "
                    "a device with more memory or a smaller backbone."
                )
            else:
                self._shrink()
        return torch.cat(done)

    def _try(
        self, pixels: Shaped[Tensor, "n channels width height"]
    ) -> Float32[Tensor, "n dim"] | None:
        """Features of at most `batch_size` images; None if they do not fit in memory."""
        try:
            return self._run(self._fill_up(pixels))[: len(pixels)]
        except RuntimeError as err:
            if not is_out_of_memory(err):
                raise
        # After the handler, so that the traceback no longer holds the tensors that did not fit.
        return None

    def _shrink(self) -> None:
        before, self.batch_size = self.batch_size, self.batch_size // 2
        self.warnings.append(
            f"Out of memory on {self.device} with {before} images a pass; went on with "
            f"{self.batch_size}."
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _fill_up(
        self, pixels: Shaped[Tensor, "n channels width height"]
    ) -> Shaped[Tensor, "batch channels width height"]:
        # A fresh tensor even where nothing is missing: rounding may depend on alignment too.
        batch = torch.empty(
            (self.batch_size, *pixels.shape[1:]),
            dtype=pixels.dtype,
            device=self.device,
            memory_format=self._memory_format,
        )
        batch[: len(pixels)] = pixels
        batch[len(pixels) :] = pixels[-1]
        return batch

    def _run(
        self, batch: Shaped[Tensor, "batch channels width height"]
    ) -> Float32[Tensor, "batch dim"]:
        # Every time: img_encode may switch its own modules back to training.
        self.backbone.eval()
        with torch.inference_mode(), self._arithmetic():
            features = self._encode(batch).img_features
        if features.ndim != 2 or len(features) != len(batch):
            raise CellFailed(
                f"{type(self.backbone).__name__}.img_encode made img_features of shape "
                f"{tuple(features.shape)} from {len(batch)} images; it must be [batch, dim]."
            )
        return features.float()

    @contextlib.contextmanager
    def _arithmetic(self) -> Iterator[None]:
        if self.device.type == "cpu":
            with set_threads(self._n_threads):
                yield
        elif self.precision in DTYPES:
            with torch.autocast("cuda", dtype=DTYPES[self.precision]):
                yield
        else:
            # cuDNN rounds fp32 to TF32 unless told not to.
            before = torch.backends.cudnn.allow_tf32
            torch.backends.cudnn.allow_tf32 = False
            try:
                yield
            finally:
                torch.backends.cudnn.allow_tf32 = before

    def _count_flops(self, trial: Shaped[Tensor, "channels width height"]) -> float:
        """Floating-point operations an image; infinity where they cannot be counted."""
        counter = FlopCounterMode(display=False)
        try:
            with counter:
                self._run(trial[None])
        except Exception:
            # Compiled and quantised networks refuse to be watched; a real error comes again.
            return math.inf
        return float(counter.get_total_flops())

    def _check_independence(self, trial: Shaped[Tensor, "channels width height"]) -> None:
        """Fall back to one image a pass for a backbone that mixes the images of a batch."""
        mates = torch.stack([trial, -trial.flip(-1), trial.flip(-2) / 2])[: self.batch_size]
        alone = self.encode(trial[None], ["a generated picture"])
        mixed = self.encode(mates, ["a generated picture"] * len(mates))[:1]
        name, tolerance = type(self.backbone).__name__, TOLERANCE[self.precision]
        # A feature that is not finite shows on the pictures themselves, one by one.
        if not distance(alone, mixed) > tolerance:
            return
        self.batch_size = 1
        again = self.encode(trial[None], ["a generated picture"])
        once_more = self.encode(trial[None], ["a generated picture"])
        if distance(again, once_more) > tolerance:
            self.warnings.append(
                f"{name} gives the same image another feature on every pass (dropout or other "
                "randomness that eval() does not stop); its features are not reproducible."
            )
        else:
            self.warnings.append(
                f"{name} gives an image another feature when its batch-mates change; images were "
                "embedded one at a time."
            )

    def _find_batch_size(self, trial: Shaped[Tensor, "channels width height"]) -> None:
        """Double the batch for as long as that is faster by 5% and fits."""
        best_rate, best = 0.0, self.batch_size
        while self.batch_size <= MAX_AUTO_BATCH:
            pixels = trial.expand(self.batch_size, *trial.shape)
            rate = self._measure_rate(pixels)
            if rate is None or rate < 1.05 * best_rate:
                break
            best_rate, best = rate, self.batch_size
            self.batch_size *= 2
        self.batch_size = best
        torch.cuda.empty_cache()

    def _measure_rate(self, pixels: Shaped[Tensor, "n channels width height"]) -> float | None:
        """Images a second; None if they do not fit in memory."""
        # The first pass picks kernels.
        for _ in range(2):
            torch.cuda.synchronize(self.device)
            start = time.perf_counter()
            if self._try(pixels) is None:
                return None
            torch.cuda.synchronize(self.device)
        return len(pixels) / (time.perf_counter() - start)


def _share_cores(n_cores: int, flops: float) -> int:
    """Threads for a network that needs `flops` an image; the other cores are left to decoding.

    A thread that shares its core with a decoder makes every other thread of the network wait, so
    small networks run best on few. The number follows from the network and the machine alone,
    because a kernel's rounding depends on it.
    """
    seconds = flops / FLOPS_A_CORE
    share = 1 - SECONDS_TO_DECODE / (seconds + SECONDS_TO_DECODE)
    return max(1, round(n_cores * share))


@contextlib.contextmanager
def set_threads(n: int) -> Iterator[None]:
    """Run PyTorch's operations inside the block on `n` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def is_out_of_memory(err: RuntimeError) -> bool:
    """Whether an error of torch means that something did not fit in memory."""
    signs = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(err, torch.cuda.OutOfMemoryError) or any(sign in str(err) for sign in signs)
