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

from biobench.errors import BadInput

__all__ = ["Backend", "get_backend", "one_blas_thread", "run_in_threads"]


@typing.runtime_checkable
class Backend(typing.Protocol):
    """Float64 arrays on some device."""

    def array(self, array: np.ndarray):
        """Float64 copy on the device."""

    def numpy(self, array) -> np.ndarray:
        """Back on the CPU."""

    def zeros(self, *shape: int):
        """Float64 zeros."""

    def eigh(self, array):
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
    if device == "cpu":
        return _Numpy()
    import torch

    if not device.startswith("cuda") or not torch.cuda.is_available():
        raise BadInput(f"Device '{device}' is not available here; use 'cpu', or 'cuda' with a GPU.")
    return _Torch(device)


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
