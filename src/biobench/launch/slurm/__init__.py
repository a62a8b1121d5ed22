"""Runs a plan's cells on a Slurm cluster: what is submitted, and what a job does."""

from biobench.launch.slurm.submission import (
    DEPENDENCY,
    Script,
    Submission,
    cancel,
    preview,
    submit,
)
from biobench.launch.slurm.work import asks_for_gpu

__all__ = ["DEPENDENCY", "Script", "Submission", "asks_for_gpu", "cancel", "preview", "submit"]
