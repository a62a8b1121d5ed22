"""What a Slurm job does: embed a part of the pictures, or run a cell; submitit pickles these.

    CellJob(str(plan.folder), cell.id, cpus=8, device="cuda")()

Every job may be stopped and started again, by the cluster or by hand: what was flushed to the cache
and what is finished is found again.
"""

import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from biobench.errors import CellFailed
from biobench.imports import import_modules
from biobench.launch.cell import describe, redirect_output, run_cell
from biobench.launch.cores import default_workers
from biobench.launch.plan import Plan
from biobench.launch.states.job_ends import get_job_log
from biobench.launch.states.state import CellState, StateFile, get_log
from biobench.screen import say

__all__ = ["CellJob", "PartJob"]


@dataclasses.dataclass(frozen=True)
class CellJob:
    """The job of one cell; submitit pickles it."""

    folder: str
    cell: str
    cpus: int
    device: str
    precision: str = ""
    """arithmetic of the features, where other jobs embed them on another kind of device."""

    def __call__(self) -> None:
        plan, job, offset = _enter(self.folder)
        with redirect_output(get_log(plan.folder, self.cell)):
            state = run_cell(
                plan,
                plan.get_cell(self.cell),
                device=self.device,
                precision=self.precision,
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
    device: str

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
        from biobench import evaluate

        import_modules(plan.imports, plan.search)
        with evaluate.session():
            counts, seconds = self._embed_all(plan, file)
        _say_rate(counts, seconds, os.uname().nodename)

    def _embed_all(self, plan: Plan, file: StateFile) -> tuple[Mapping[str, int], float]:
        from biobench import evaluate, progress, registry
        from biobench.data.crops import Crop, list_views

        cells = [plan.get_cell(id) for id in self.cells]
        names: dict[str, None] = {}
        crops: dict[str, Crop] = {}
        for cell in cells:
            # A task's own batch size may count clips; here it is pictures.
            size = cell.args.get("batch_size", "auto")
            args = cell.make_args(device=self.device, resume=plan.resume, batch_size=size)
            manifest = evaluate.prepare(registry.load_task(cell.kind), args).manifest
            views = list_views(manifest.table, args.crop, args.crop_margin)
            names.update(dict.fromkeys(views.names))
            crops.update(views.crops)
        every = sorted(names)
        start, end = (len(every) * i // self.n_parts for i in (self.index, self.index + 1))
        source = evaluate.get_source(args, cells[0].model)
        begun = time.perf_counter()
        with progress.listen(file.progress):
            parts = {"crops": crops} if crops else {}
            counts = source(manifest.root, every[start:end], **parts).counts
        return counts, time.perf_counter() - begun

    def checkpoint(self):
        """Go on in a further job: what was embedded is in the cache."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _say_rate(counts: Mapping[str, int], seconds: float, host: str) -> None:
    """Note in the job's log what `time` and `images_per_job` are chosen by (docs/launch.md)."""
    n = counts["embedded"]
    known = sum(counts.values()) - n
    say(
        f"embedded {n:,} pictures in {seconds:.1f} s on {host}: {n / seconds:.1f} a second"
        f" ({known:,} others were known or could not be read)"
    )


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
