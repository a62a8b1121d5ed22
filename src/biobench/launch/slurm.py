"""Runs a plan on a Slurm cluster, through submitit: `biobench run --slurm`, `biobench cancel`.

    submission = submit(plan, checked, settings.slurm)      # only what is missing and not queued
    cancel(plan)

Of each model, cells that share pictures (or have very many) are embedded by an array of jobs, a
range of the pictures each; their probes are an array that depends on it. Every job may be stopped
and started again, by the cluster or by hand: what was flushed to the cache and what is finished is
found again. Everything known of a job is in RESULTS/.launch/<plan id>/: `jobs/` what was submitted,
`slurm/` submitit's own files and Slurm's logs.
"""

import dataclasses
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from biobench.errors import BadInput, CellFailed
from biobench.launch.cell import describe, redirect_output, run_cell
from biobench.launch.checking import Checked, find_finished
from biobench.launch.config import SlurmSettings
from biobench.launch.cores import default_workers, divide_threads
from biobench.launch.files import read_json, write_json
from biobench.launch.plan import Cell, Plan, import_modules
from biobench.launch.state import CellState, StateFile, get_log, read_state
from biobench.launch.status import get_job_log, get_marker, read_status

__all__ = ["CellJob", "PartJob", "Submission", "cancel", "submit"]

MAX_ARRAY = 500
"""jobs of one array; clusters refuse more than MaxArraySize, by default 1,001."""


@dataclasses.dataclass(frozen=True)
class Submission:
    """What `submit` did, in counts of cells."""

    submitted: int
    queued: int
    """cells that wait or run in a job that was submitted before."""
    finished: int
    jobs: list[str]


def submit(plan: Plan, checked: dict[str, Checked], settings: SlurmSettings) -> Submission:
    """Submit every cell that is neither finished nor in a job that is alive.

    Raises BadInput where submitit or Slurm is not there, or Slurm refuses.
    """
    _require_submitit()
    plan.save()
    live = _list_live_jobs()
    states = {cell.id: read_state(plan.folder, cell.id) for cell in plan.cells}
    finished = set() if plan.force or not plan.resume else set(find_finished(plan, checked))
    queued = {id for id, state in states.items() if state.job in live} - finished
    missing = [cell for cell in plan.cells if cell.id not in finished | queued]
    jobs: list[str] = []
    for model in dict.fromkeys(cell.model for cell in missing):
        cells = [cell for cell in missing if cell.model == model]
        jobs += _submit_model(plan, cells, checked, settings, live)
    return Submission(len(missing), len(queued), len(finished), jobs)


def cancel(plan: Plan) -> list[str]:
    """Cancel the plan's jobs that are alive and mark their cells; returns the jobs' ids."""
    live = _list_live_jobs()
    jobs = [job for job in _list_own_jobs(plan.folder) if job in live]
    if jobs:
        _call("scancel", *jobs)
    for _, state in read_status(plan.folder):
        if state.job in jobs and state.state in ("queued", "running"):
            file = StateFile(plan.folder, state.cell)
            file.state = state
            file.update(state="cancelled", cause="Cancelled by biobench cancel.")
    return jobs


@dataclasses.dataclass(frozen=True)
class CellJob:
    """The job of one cell; submitit pickles it."""

    folder: str
    cell: str
    cpus: int

    def __call__(self) -> None:
        plan, job, offset = _enter(self.folder)
        with redirect_output(get_log(plan.folder, self.cell)):
            state = run_cell(
                plan,
                plan.get_cell(self.cell),
                device=plan.device,
                n_workers=default_workers(self.cpus),
                attempt=_get_attempt(),
                job=job,
                offset=offset,
            )
        if state.state == "failed":
            _note_timeout(plan, state)
            raise CellFailed(state.cause)

    def checkpoint(self):
        """Go on in a further job: what was embedded is in the cache."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclasses.dataclass(frozen=True)
class PartJob:
    """The job that embeds one range of the pictures that `cells` need."""

    folder: str
    cells: tuple[str, ...]
    id: str
    index: int
    n_parts: int

    def __call__(self) -> None:
        plan, job, offset = _enter(self.folder)
        file = StateFile(plan.folder, self.id, state="running", job=job, offset=offset)
        file.update(started=time.time(), host=os.uname().nodename, pid=os.getpid())
        try:
            with redirect_output(get_log(plan.folder, self.id)):
                self._embed(plan, file)
        except Exception as err:
            file.update(state="failed", cause=describe(err))
            raise
        file.update(state="done")

    def _embed(self, plan: Plan, file: StateFile) -> None:
        from biobench import evaluate, progress, registry

        import_modules(plan.imports, plan.search)
        cells = [plan.get_cell(id) for id in self.cells]
        images: dict[str, None] = {}
        for cell in cells:
            # A task's own batch size may count clips; here it is pictures.
            size = cell.args.get("batch_size", "auto")
            args = cell.make_args(device=plan.device, resume=plan.resume, batch_size=size)
            manifest = evaluate.prepare(registry.load_task(cell.kind), args).manifest
            images.update(dict.fromkeys(manifest.images()))
        names = sorted(images)
        start, end = (len(names) * i // self.n_parts for i in (self.index, self.index + 1))
        with progress.listen(file.progress):
            evaluate.get_source(args, cells[0].model)(manifest.root, names[start:end])

    def checkpoint(self):
        """Go on in a further job: what was embedded is in the cache."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _submit_model(
    plan: Plan,
    cells: Sequence[Cell],
    checked: dict[str, Checked],
    settings: SlurmSettings,
    live: set[str],
) -> list[str]:
    """One model's jobs: parts, the cells that wait for them, cells that embed for themselves."""
    groups: dict[object, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.feature_key, []).append(cell)
    direct, dependent, parts = [], [], []
    for group in groups.values():
        n_images = max(checked[cell.id].n_images for cell in group)
        n_parts = math.ceil(n_images / settings.images_per_job)
        if n_parts == 1 and len(group) == 1:
            direct += group
            continue
        dependent += group
        parts += _make_parts(plan, group, n_parts)
    if plan.resume:
        parts = [part for part in parts if read_state(plan.folder, part.id).state != "done"]
    running = [part for part in parts if read_state(plan.folder, part.id).job in live]
    fresh = [part for part in parts if part not in running]
    ids = _submit_array(plan, fresh, settings, "")
    waited = ids + [read_state(plan.folder, part.id).job for part in running]
    arrays = sorted({id.partition("_")[0] for id in waited})
    dependency = f"afterany:{':'.join(arrays)}" if arrays else ""
    probe = dataclasses.replace(settings, **settings.probe, probe={})
    for some, its, after in ((direct, settings, ""), (dependent, probe, dependency)):
        jobs = [CellJob(str(plan.folder), cell.id, its.cpus) for cell in some]
        ids += _submit_array(plan, jobs, its, after)
    return ids


def _make_parts(plan: Plan, group: Sequence[Cell], n_parts: int) -> list[PartJob]:
    ids = tuple(cell.id for cell in group)
    # Named after the plan's first cell with these pictures, be it missing or not: the same parts
    # have the same names when the plan is submitted again.
    name = next(cell.id for cell in plan.cells if cell.feature_key == group[0].feature_key)
    return [
        PartJob(str(plan.folder), ids, f"{name}.part{i + 1}of{n_parts}", i, n_parts)
        for i in range(n_parts)
    ]


def _submit_array(
    plan: Plan, jobs: Sequence[CellJob | PartJob], settings: SlurmSettings, dependency: str
) -> list[str]:
    """Submit `jobs` as arrays and note them; returns the jobs' ids."""
    ids: list[str] = []
    for start in range(0, len(jobs), MAX_ARRAY):
        chunk = jobs[start : start + MAX_ARRAY]
        executor = _make_executor(plan, settings, dependency)
        try:
            with executor.batch():
                submitted = [executor.submit(job) for job in chunk]
        except (RuntimeError, ValueError) as err:
            raise BadInput(f"Slurm refused the jobs ({describe(err)}); see [slurm].") from err
        chunk_ids = [job.job_id for job in submitted]
        _note(plan, chunk, chunk_ids)
        ids += chunk_ids
    return ids


def _note(plan: Plan, jobs: Sequence[CellJob | PartJob], ids: Sequence[str]) -> None:
    """Write what was submitted: the jobs' ids to cancel, the parts to follow, each cell's state."""
    parts = [{"id": job.id, "cells": job.cells} for job in jobs if isinstance(job, PartJob)]
    record = {"jobs": list(ids), "parts": parts, "submitted": time.time()}
    write_json(plan.folder / "jobs" / f"{ids[0]}.json", record)
    for job, id in zip(jobs, ids, strict=True):
        name = job.cell if isinstance(job, CellJob) else job.id
        # A job may have started before we get here, and knows better.
        if read_state(plan.folder, name).job != id:
            StateFile(plan.folder, name, state="queued", job=id).update()


def _make_executor(plan: Plan, settings: SlurmSettings, dependency: str):
    import submitit

    folder = plan.folder / "slurm"
    folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / "jobs").mkdir(exist_ok=True)
    executor = submitit.SlurmExecutor(folder, max_num_timeout=settings.restarts)
    marker = str(get_marker(plan.folder, "@")).replace(
        "@", "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID:+_$SLURM_ARRAY_TASK_ID}"
    )
    threads = [f"export {name}={n}" for name, n in divide_threads(settings.cpus).items()]
    values = {
        "job_name": "biobench",
        "comment": plan.id,
        "partition": settings.partition or None,
        "account": settings.account or None,
        "qos": settings.qos or None,
        "gpus_per_node": settings.gpus or None,
        "cpus_per_task": settings.cpus,
        "mem": f"{round(settings.memory * 1024)}MB" if settings.memory else None,
        "time": settings.time,
        "array_parallelism": settings.array_width,
        "dependency": dependency or None,
        "setup": [*settings.setup, *threads],
        "teardown": [f'echo $? > "{marker}"'],
        "additional_parameters": {"requeue": True, **settings.options},
    }
    executor.update_parameters(**{k: v for k, v in values.items() if v is not None})
    return executor


def _enter(folder: str) -> tuple[Plan, str, int]:
    """The plan, the job's id, and how much Slurm had written about it before this attempt."""
    import submitit

    _keep_signal_from_children()
    # submitit ignores it; whoever cancels a job should not wait until it is killed.
    signal.signal(signal.SIGTERM, _stop)
    plan = Plan.read(Path(folder))
    sys.argv = list(plan.argv)
    job = submitit.JobEnvironment().job_id
    log = get_job_log(plan.folder, job)
    return plan, job, log.stat().st_size if log.exists() else 0


def _stop(number: int, frame: object) -> None:
    # Slurm says it more than once, and the process may be ending already.
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _keep_signal_from_children() -> None:
    """Processes that decode must not react to the signal with which Slurm announces the end.

    Children inherit the mask of the thread that makes them. The signal goes to a thread that does
    not block it, and Python's handler runs in the main thread as ever.
    """
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})


def _get_attempt() -> int:
    return int(os.environ.get("SLURM_RESTART_COUNT", "0")) + 1


def _note_timeout(plan: Plan, state: CellState) -> None:
    """Say in our words what submitit raises when a job may not go on once more."""
    if "Job not requeued" in state.cause:
        file = StateFile(plan.folder, state.cell)
        file.state = state
        file.update(cause="The job ran into its time limit; raise time or restarts in [slurm].")


def _list_own_jobs(folder: Path) -> list[str]:
    records = [read_json(path) or {} for path in sorted((folder / "jobs").glob("*.json"))]
    return [job for record in records for job in record.get("jobs", [])]


def _list_live_jobs() -> set[str]:
    """Ids of this user's jobs that wait or run, as submitit writes them (arrays: 12_0)."""
    lines = _call("squeue", "--me", "--array", "--noheader", "--format=%i %T").splitlines()
    pairs = [line.split() for line in lines]
    return {id for id, state in pairs if state != "COMPLETING"}


def _call(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BadInput(f"There is no {command[0]} here: this is not a Slurm cluster.") from None
    except subprocess.CalledProcessError as err:
        raise BadInput(f"{command[0]} failed: {' '.join(err.stderr.split())}") from None
    return done.stdout


def _require_submitit() -> None:
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise BadInput(
            "--slurm needs submitit: install it with pip install 'biobench[slurm]'."
        ) from None
