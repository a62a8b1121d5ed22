"""How a Slurm job ended that could not say so itself: what Slurm wrote into its log, and the exit
code that the job's script leaves behind.

    found = find_cause(folder, state)       # ("failed", "The job ran into its time limit; …")
"""

import re
from pathlib import Path

from biobench.launch.states.state import CellState

__all__ = ["find_cause", "get_job_log", "get_marker"]

MAX_BYTES = 1 << 20
KILLED = re.compile(r"CANCELLED AT (?P<when>\S+)(?: DUE TO (?P<why>[A-Z ]+?))? \*\*\*")
MEMORY = re.compile(r"slurmstepd.*(oom[_-]kill|OOM Killed|exceeded.*memory limit)", re.I)
JOB = re.compile(r"[\w+-]+")
"""Slurm's id of a job: what is a part of a file's name, and no way out of a folder."""
REQUEUED = ("PREEMPTION", "NODE FAILURE", "JOB REQUEUE", "REQUEUE")
"""reasons after which Slurm runs the job again by itself."""


def find_cause(folder: Path, state: CellState) -> tuple[str, str] | None:
    """(state, why) of a cell whose job ended without saying so; None if it lives.

    "failed" or "cancelled"; "queued" where Slurm runs the job again by itself. Looks at what Slurm
    wrote into the job's log since the cell was started there, and at the exit code left by the
    job's script.
    """
    if not JOB.fullmatch(state.job):
        return None
    text = _read_log(get_job_log(folder, state.job), state.offset)
    if lines := [line.strip() for line in text.splitlines() if MEMORY.search(line)]:
        return "failed", f"The job used more memory than memory in [slurm] allows ({lines[0]})."
    if kills := list(KILLED.finditer(text)):
        when, why = kills[-1]["when"], kills[-1]["why"] or ""
        if why == "TIME LIMIT":
            return "failed", "The job ran into its time limit; raise time or restarts in [slurm]."
        if why in REQUEUED:
            return "queued", ""
        return "cancelled", f"Cancelled at {when}{f' due to {why.lower()}' if why else ''}."
    marker = get_marker(folder, state.job)
    if (
        state.state != "waiting"
        and marker.exists()
        and marker.stat().st_mtime >= (state.started or state.updated)
    ):
        lines = text.strip().splitlines() or ["its log is empty"]
        return "failed", f"The job ended with exit code {marker.read_text().strip()}: {lines[-1]}"
    return None


def get_marker(folder: Path, job: str) -> Path:
    """Where a job's script leaves its exit code."""
    return folder / "jobs" / f"{job}.exit"


def get_job_log(folder: Path, job: str) -> Path:
    """Where Slurm writes about a job."""
    return folder / "slurm" / f"{job}_0_log.err"


def _read_log(path: Path, offset: int) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""
