"""What a plan's cells are doing, from files alone: no torch, no polars, no Slurm commands.

    for cell, state in read_status(folder): say(f"{cell.label} {describe(state)}")

A job that was killed cannot say so itself; `job_ends` finds it out.
"""

import dataclasses
import hashlib
import time
from pathlib import Path

import msgspec

from biobench import clean
from biobench.launch.plan import Cell, Plan
from biobench.launch.states.job_ends import find_cause, get_job_log
from biobench.launch.states.json_files import read_json
from biobench.launch.states.state import CellState, read_state, read_states

__all__ = [
    "count",
    "describe",
    "describe_score",
    "read_status",
]


def read_status(folder: Path) -> list[tuple[Cell, CellState]]:
    """Every cell of the plan in `folder` with what is known of it, in the plan's order."""
    plan = Plan.read(folder)
    parts = _read_parts(folder)
    states = [_correct(plan, _verify(plan, state), parts) for state in read_states(folder)]
    return list(zip(plan.cells, states, strict=True))


def count(states: list[CellState]) -> dict[str, int]:
    """How many cells are in each state that occurs, in the order of a cell's life."""
    names = ("waiting", "queued", "running", "done", "failed", "cancelled")
    counts = {name: sum(state.state == name for state in states) for name in names}
    return {name: n for name, n in counts.items() if n}


def describe(state: CellState) -> str:
    """A state in a few words, with progress, score or cause."""
    if state.state == "done":
        return f"done {describe_score(state)}" + (f" ({state.cause})" if state.cause else "")
    if state.state == "failed":
        return f"failed: {clean.sentence(state.cause)}"
    words = [state.state]
    if state.state == "queued" and state.job:
        words.append(f"as job {clean.line(state.job)}")
    if state.stage:
        share = f" {state.done / state.total:.0%}" if state.total else ""
        words.append(f"{clean.line(state.stage)}{share}")
    if state.attempt > 1:
        words.append(f"attempt {state.attempt}")
    if state.is_silent(time.time()):
        words.append("(its process is silent or gone; run the plan again)")
    return " ".join(words)


def describe_score(state: CellState) -> str:
    """A finished cell's score with its interval."""
    if state.score is None:
        return "without a score"
    interval = f" [{state.ci[0]:.3f}, {state.ci[1]:.3f}]" if state.ci else ""
    return f"{state.score:.3f}{interval}"


def _verify(plan: Plan, state: CellState) -> CellState:
    """A finished cell without its score, where that is no longer the one of its run's files."""
    if state.state != "done" or not state.run:
        return state
    run = plan.results / state.run
    report = read_json(run / "report.json")
    if report is None:
        return _doubt(state, "its run is not there any more, or damaged; run the plan again")
    written = report.get("predictions")
    if isinstance(written, dict) and _hash(run / "predictions.parquet") != written.get("sha256"):
        return _doubt(state, "its predictions were changed since; see biobench leaderboard")
    if report.get("score") != state.score:
        return _doubt(state, "its report says another score; see biobench leaderboard")
    return state


def _doubt(state: CellState, cause: str) -> CellState:
    return dataclasses.replace(state, score=None, ci=None, cause=cause)


def _hash(path: Path) -> str | None:
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _correct(plan: Plan, state: CellState, parts: dict[str, list[CellState]]) -> CellState:
    if state.state not in ("waiting", "queued", "running") or not state.job:
        return state
    if found := find_cause(plan.folder, state):
        if found[0] == "queued":
            return dataclasses.replace(state, state="queued", stage="")
        log = get_job_log(plan.folder, state.job).relative_to(plan.results)
        return dataclasses.replace(state, state=found[0], cause=found[1], log=str(log))
    mine = parts.get(state.cell, [])
    if state.state == "queued" and mine and any(part.state == "running" for part in mine):
        done, total = sum(part.done for part in mine), sum(part.total for part in mine)
        return dataclasses.replace(state, state="running", stage="embed", done=done, total=total)
    return state


def _read_parts(folder: Path) -> dict[str, list[CellState]]:
    """The states of the jobs that embed a part of a cell's pictures, by cell."""
    found: dict[str, list[CellState]] = {}
    for path in (folder / "jobs").glob("*.json"):
        try:
            parts = msgspec.convert(read_json(path), _Submitted).parts
        except msgspec.ValidationError:
            continue
        for part in parts:
            state = read_state(folder, part.id)
            for cell in part.cells:
                found.setdefault(cell, []).append(state)
    return found


class _Part(msgspec.Struct):
    id: str
    cells: list[str]


class _Submitted(msgspec.Struct):
    """What is noted of jobs that were submitted together."""

    parts: list[_Part] = []
