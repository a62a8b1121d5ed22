"""Holds a process to its share of the cores, by the environment it starts with."""

import os

__all__ = ["default_workers", "divide_threads"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
MAX_WORKERS = 4


def divide_threads(cores: int) -> dict[str, str]:
    """The variables that hold a process to `cores`, or to less where the user said so."""
    variables = {}
    for name in THREAD_VARIABLES:
        given = os.environ.get(name, "")
        variables[name] = str(min(cores, int(given)) if given.isdigit() else cores)
    return variables


def default_workers(cores: int) -> int:
    """How many processes that decode suit a cell with `cores`: a single core has none to spare."""
    return 0 if cores == 1 else min(MAX_WORKERS, cores)
