"""What a backbone costs: parameters, arithmetic, time and memory.

numbers = measure(encode, backbone, batch)
"""

import dataclasses
import resource
import sys
import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Cost", "count_gflops", "measure"]

_SECONDS = 1.5


@dataclasses.dataclass(frozen=True)
class Cost:
    """Numbers of one backbone on one device."""

    n_parameters: int
    gflops: float
    """10^9 floating-point operations an image; a multiplication with addition is two."""
    images_per_second: float
    """of the network alone, without decoding."""
    batch_size: int
    memory_mb: float
    memory_of: str
    """whose peak memory was measured."""


def measure(
    encode: Callable[[Tensor], object],
    backbone: torch.nn.Module,
    batch: Float[Tensor, "batch 3 width height"],
) -> Cost:
    """Run `encode` on `batch` for a second or two, on the device where the batch is."""
    device = batch.device
    gflops = count_gflops(encode, batch[:1])
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    rate = _measure_rate(encode, batch)
    if device.type == "cuda":
        peak, of = torch.cuda.max_memory_allocated(device), str(device)
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        peak, of = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, "this whole process"
    n_parameters = sum(parameter.numel() for parameter in backbone.parameters())
    return Cost(n_parameters, gflops, rate, len(batch), peak / 1e6, of)


def count_gflops(encode: Callable[[Tensor], object], batch: Float[Tensor, "batch ..."]) -> float:
    """10^9 floating-point operations of `encode(batch)`, as torch's FlopCounterMode counts them.

    Convolutions, matrix products and attention count; what else there is (norms, activations,
    anything outside torch) does not.
    """
    from torch.nn import attention
    from torch.utils.flop_counter import FlopCounterMode

    # The counter does not know the fused attention kernels of a CPU.
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.no_grad(),
            attention.sdpa_kernel(attention.SDPBackend.MATH),
            FlopCounterMode(display=False) as counter,
        ):
            encode(batch)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() / 1e9


def _measure_rate(encode: Callable[[Tensor], object], batch: Tensor) -> float:
    def run() -> float:
        start = time.perf_counter()
        encode(batch)
        if batch.device.type == "cuda":
            torch.cuda.synchronize(batch.device)
        return time.perf_counter() - start

    run()  # picks kernels and fills caches
    seconds = [run()]
    while sum(seconds) < _SECONDS and len(seconds) < 20:
        seconds.append(run())
    return len(batch) / sorted(seconds)[len(seconds) // 2]
