"""Runs a plan on a Slurm cluster, through submitit: `biobench run --slurm`, `biobench cancel`.

    submission = submit(plan, checked, settings.slurm)      # only what is missing and not queued
    scripts = preview(plan, checked, settings.slurm)        # what submit would hand to sbatch
    cancel(plan)

Which jobs these are is in `biobench.launch.slurm.work`, what each does in
`biobench.launch.slurm.jobs`. Everything known of a job is in RESULTS/.launch/<plan id>/: `jobs/`
what was submitted, `slurm/` submitit's own files and Slurm's logs.
"""

import dataclasses
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from biobench.errors import BadInput
from biobench.launch.cell import describe
from biobench.launch.checking import Checked, find_finished
from biobench.launch.config import SlurmSettings
from biobench.launch.cores import divide_threads
from biobench.launch.plan import Cell, Plan
from biobench.launch.slurm.jobs import CellJob, PartJob
from biobench.launch.slurm.work import get_probe_settings, plan_work
from biobench.launch.states.job_ends import get_marker
from biobench.launch.states.json_files import read_json, write_json
from biobench.launch.states.state import StateFile, read_state
from biobench.launch.states.status import read_status

__all__ = ["Script", "Submission", "cancel", "preview", "submit"]

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


@dataclasses.dataclass(frozen=True)
class Script:
    """What sbatch is given, once for an array of jobs."""

    title: str
    """what the jobs do, in words."""
    text: str
    """the batch script; DEPENDENCY in it stands for ids that Slurm gives on submission."""


DEPENDENCY = "IDS_OF_THE_JOBS_THAT_EMBED"


def submit(plan: Plan, checked: dict[str, Checked], settings: SlurmSettings) -> Submission:
    """Submit every cell that is neither finished nor in a job that is alive.

    Raises BadInput where submitit or Slurm is not there, or Slurm refuses.
    """
    _require_submitit()
    plan.save()
    live = _list_live_jobs()
    missing, n_queued, n_finished = _list_missing(plan, checked, live)
    jobs: list[str] = []
    for work in plan_work(plan, missing, checked, settings, live):
        ids = _submit_array(plan, work.parts, settings, "")
        arrays = sorted({id.partition("_")[0] for id in (*ids, *work.embedding)})
        after = f"afterany:{':'.join(arrays)}" if arrays else ""
        ids += _submit_array(plan, work.direct, settings, "")
        ids += _submit_array(plan, work.dependent, get_probe_settings(settings), after)
        jobs += ids
    return Submission(len(missing), n_queued, n_finished, jobs)


def preview(plan: Plan, checked: dict[str, Checked], settings: SlurmSettings) -> list[Script]:
    """The batch scripts that `submit` would hand to Slurm now; nothing is submitted or written.

    Works without Slurm, too, where no job can be alive. Raises BadInput where there is no submitit.
    """
    _require_submitit()
    live = _list_live_jobs() if shutil.which("squeue") else set()
    missing, _, _ = _list_missing(plan, checked, live)
    scripts: list[Script] = []
    for work in plan_work(plan, missing, checked, settings, live):
        model = work.cells[0].model_name
        after = f"afterany:{DEPENDENCY}" if work.parts or work.embedding else ""
        probe = get_probe_settings(settings)
        for jobs, its, dependency, what in (
            (work.parts, settings, "", "embed a part of the pictures each"),
            (work.direct, settings, "", "embed and fit the probe of a cell each"),
            (work.dependent, probe, after, "fit the probe of a cell each, after those that embed"),
        ):
            for chunk in _split_in_arrays(jobs):
                many = f"{len(chunk)} jobs" if len(chunk) > 1 else "1 job"
                text = _write_script(plan, its, dependency, len(chunk))
                scripts.append(Script(f"{model}: {many}, to {what}", text))
    return scripts


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


def _list_missing(
    plan: Plan, checked: dict[str, Checked], live: set[str]
) -> tuple[list[Cell], int, int]:
    """The cells to submit, how many are in live jobs, how many are finished."""
    states = {cell.id: read_state(plan.folder, cell.id) for cell in plan.cells}
    finished = set() if plan.force or not plan.resume else set(find_finished(plan, checked))
    queued = {id for id, state in states.items() if state.job in live} - finished
    missing = [cell for cell in plan.cells if cell.id not in finished | queued]
    return missing, len(queued), len(finished)


def _submit_array(
    plan: Plan, jobs: Sequence[CellJob | PartJob], settings: SlurmSettings, dependency: str
) -> list[str]:
    """Submit `jobs` as arrays and note them; returns the jobs' ids."""
    ids: list[str] = []
    for chunk in _split_in_arrays(jobs):
        (plan.folder / "slurm").mkdir(parents=True, exist_ok=True)
        (plan.folder / "jobs").mkdir(exist_ok=True)
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


def _split_in_arrays(
    jobs: Sequence[CellJob | PartJob],
) -> list[Sequence[CellJob | PartJob]]:
    return [jobs[start : start + MAX_ARRAY] for start in range(0, len(jobs), MAX_ARRAY)]


def _write_script(plan: Plan, settings: SlurmSettings, dependency: str, n_jobs: int) -> str:
    """The text of the file that submitit hands to sbatch for an array of `n_jobs`, or a job."""
    executor = _make_executor(plan, settings, dependency, preview=True)
    if n_jobs > 1:
        executor.parameters["map_count"] = n_jobs
    return executor._make_submission_file_text(executor._submitit_command_str, "")


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


def _make_executor(plan: Plan, settings: SlurmSettings, dependency: str, *, preview: bool = False):
    import submitit

    class Anywhere(submitit.SlurmExecutor):
        """One that only writes scripts, which needs no Slurm."""

        @classmethod
        def affinity(cls) -> int:
            return 1

    kind = Anywhere if preview else submitit.SlurmExecutor
    executor = kind(plan.folder / "slurm", max_num_timeout=settings.restarts)
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
            "--slurm needs submitit: install it with pip install submitit, or in the clone of the "
            "repository with pip install '.[slurm]'."
        ) from None
