"""Where the dense float64 algebra runs: NumPy on the CPU, torch on CUDA.

Only what differs between the two is here; `@`, `.T`, `*`, `.sum(0)` and indexing are written once.
"""

import contextlib
import functools
import typing
from collections.abc import Callable, Iterable

import joblib
import numpy as np
import threadpoolctl
from jaxtyping import Float32

from biobench.errors import BadInput

__all__ = [
    "Backend",
    "check_device",
    "get_backend",
    "multiply32",
    "one_blas_thread",
    "run_in_threads",
]


@typing.runtime_checkable
class Backend(typing.Protocol):
    """Float64 arrays on some device."""

    def array(self, array: np.ndarray) -> typing.Any:
        """Float64 copy on the device."""

    def numpy(self, array) -> np.ndarray:
        """Back on the CPU."""
        ...

    def zeros(self, *shape: int) -> typing.Any:
        """Float64 zeros."""

    def eigh(self, array) -> typing.Any:
        """Eigenvalues ascending and eigenvectors of a symmetric matrix."""


class _Numpy:
    def array(self, array: np.ndarray):
        return np.array(array, dtype=np.float64)

    def numpy(self, array) -> np.ndarray:
        return array

    def zeros(self, *shape: int):
        return np.zeros(shape)

    def eigh(self, array):
        # np.linalg rather than scipy.linalg: it lets other threads run meanwhile.
        return np.linalg.eigh(array)


class _Torch:
    def __init__(self, device: str):
        import torch

        self.torch, self.device = torch, torch.device(device)

    def array(self, array: np.ndarray):
        # Narrow floats travel as they are and widen on the device.
        tensor = self.torch.from_numpy(np.array(array, order="C"))
        return tensor.to(self.device).to(self.torch.float64)

    def numpy(self, array) -> np.ndarray:
        return array.cpu().numpy()

    def zeros(self, *shape: int):
        return self.torch.zeros(shape, dtype=self.torch.float64, device=self.device)

    def eigh(self, array):
        return self.torch.linalg.eigh(array)


def get_backend(device: str) -> Backend:
    """The backend of a device name: cpu, cuda or cuda:N; raises BadInput without such a device."""
    check_device(device)
    return _Numpy() if device == "cpu" else _Torch(device)


def check_device(device: str) -> None:
    """Raise BadInput when the device is neither cpu nor a CUDA device of this machine."""
    if device == "cpu":
        return
    import torch

    if not str(device).startswith("cuda") or not torch.cuda.is_available():
        raise BadInput(f"Device '{device}' is not available here; use 'cpu', or 'cuda' with a GPU.")


def multiply32(
    a: Float32[np.ndarray, "m d"], b: Float32[np.ndarray, "d n"], device: str
) -> Float32[np.ndarray, "m n"]:
    """a @ b in float32 on the device."""
    if device == "cpu":
        return a @ b
    import torch

    # Not TF32, whatever the program around us has set: callers rely on float32's error bound.
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return (torch.from_numpy(a).to(device) @ torch.from_numpy(b).to(device)).cpu().numpy()
    finally:
        torch.set_float32_matmul_precision(precision)


@functools.cache
def _blas() -> threadpoolctl.ThreadpoolController:
    return threadpoolctl.ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread():
    """Keep BLAS and OpenMP to one thread, so that the threads above them do not fight.

    It is also what makes results the same bits for any number of threads.
    """
    with _blas().limit(limits=1):
        yield


def run_in_threads(n_jobs: int | None, tasks: Iterable[Callable[[], typing.Any]]) -> list:
    """Results of the tasks, in order, `n_jobs` at a time (-1: as many as cores; None: one)."""
    parallel = joblib.Parallel(n_jobs=n_jobs or 1, backend="threading", batch_size=1)
    return parallel(joblib.delayed(task)() for task in tasks)
