"""What became of each cell of a plan, kept in files alone and read without torch or polars.

    RESULTS/.launch/<plan id>/plan.json         the cells (`biobench.launch.plan`)
                              state/<cell>.json one small file a cell, replaced whole
                              logs/<cell>.log   what the cell printed
                              jobs/<job>.json   Slurm jobs (`biobench.launch.slurm`)

    for state in read_states(folder): print(state.cell, state.state, state.cause)

A cell without a file is waiting. Whoever runs a cell writes its file; nobody needs a lock.
"""

import contextlib
import dataclasses
import os
import socket
import threading
import time
import typing
from pathlib import Path
from typing import Literal

import msgspec

from biobench.launch.states.json_files import read_json, write_json

__all__ = ["CellState", "StateFile", "get_log", "list_plans", "read_state", "read_states"]

SILENT_AFTER = 180
"""seconds without a heartbeat after which a running cell is called silent."""
HEARTBEAT = 20
WRITE_EVERY = 1.0


@dataclasses.dataclass(frozen=True)
class CellState:
    """One cell's state, as its file says."""

    cell: str
    """the cell's id."""
    state: Literal["waiting", "queued", "running", "done", "failed", "cancelled"] = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    score: float | None = None
    ci: list[float] | None = None
    run: str = ""
    """the run's folder, relative to the results folder."""
    files: list[dict[str, object]] | None = None
    """stamps of the model's files when the run was made or found to be of the same model."""
    cause: str = ""
    """why it failed, in one line."""
    log: str = ""
    """the file to read, relative to the results folder."""
    attempt: int = 1
    host: str = ""
    pid: int = 0
    job: str = ""
    """Slurm's id of the job."""
    offset: int = 0
    """bytes of the job's log that are from before this attempt."""
    started: float = 0.0
    updated: float = 0.0

    def is_silent(self, now: float) -> bool:
        """Whether a running cell's process seems to be gone."""
        if self.state != "running":
            return False
        if self.host == socket.gethostname() and not self.job and not _is_alive(self.pid):
            return True
        return now - self.updated > SILENT_AFTER


class StateFile:
    """Writes one cell's state; progress at most once a second."""

    def __init__(self, folder: Path, cell: str, **fields: typing.Any) -> None:
        self.path = _get_path(folder, cell)
        self.state = CellState(cell, **fields)
        self._written = 0.0
        self._lock = threading.Lock()

    def update(self, **changes: object) -> CellState:
        """Write the state with `changes`, now.

        A job that is being killed does not speak over the job that was submitted after it. A state
        that cannot be written (a full disk) is told to the caller alone: work goes on without it.
        """
        # A heartbeat comes from another thread, and must not undo what was just written.
        with self._lock:
            self._written = time.monotonic()
            self.state = dataclasses.replace(self.state, updated=time.time(), **changes)
            if not self._is_superseded():
                with contextlib.suppress(OSError):
                    write_json(self.path, dataclasses.asdict(self.state))
            return self.state

    def _is_superseded(self) -> bool:
        if not self.state.job:
            return False
        other = read_state(self.path.parent.parent, self.state.cell)
        return _get_number(other.job) > _get_number(self.state.job)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Note how far a stage is; a new stage is written at once."""
        is_new = stage != self.state.stage
        if is_new or time.monotonic() - self._written > WRITE_EVERY:
            self.update(stage=stage, done=done, total=total)


def read_state(folder: Path, cell: str) -> CellState:
    """The state of one cell; "waiting" where nobody has begun with it."""
    dct = read_json(_get_path(folder, cell)) or {}
    try:
        state = msgspec.convert(dct | {"cell": cell}, CellState)
    except msgspec.ValidationError:
        return CellState(cell)
    return state if state.ci is None or len(state.ci) == 2 else CellState(cell)


def read_states(folder: Path) -> list[CellState]:
    """The state of every cell of the plan in `folder`, in the plan's order."""
    plan = read_json(folder / "plan.json") or {"cells": []}
    return [read_state(folder, cell["id"]) for cell in plan["cells"]]


def list_plans(results: Path) -> list[Path]:
    """The plans' folders below a results folder, the one that was started last first."""
    plans = [path.parent for path in (results / ".launch").glob("*/plan.json")]
    return sorted(plans, key=lambda path: (path / "plan.json").stat().st_mtime, reverse=True)


def get_log(folder: Path, cell: str) -> Path:
    """Where what a cell prints is kept."""
    return folder / "logs" / f"{cell}.log"


def _get_path(folder: Path, cell: str) -> Path:
    return folder / "state" / f"{cell}.json"


def _get_number(job: str) -> int:
    """A job's number; Slurm counts up."""
    number = job.partition("_")[0]
    return int(number) if number.isdigit() else 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:  # no process ever had that number
        return False
    return True
