"""Runs a plan on this machine: cells in worker processes, `jobs` at a time.

    states = run_local(plan, plan.cells, jobs=2, show=print)

A worker keeps its model for as long as there are cells for it, so that one model's tasks share one
load, and cells that need the same features do not embed the same pictures twice at once. Cores are
divided among the workers, GPUs dealt out in turn. A worker that dies costs its cell one retry.
"""

import contextlib
import dataclasses
import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from biobench.launch.checking import Checked, find_answered
from biobench.launch.cores import default_workers, divide_threads
from biobench.launch.plan import Cell, Plan
from biobench.launch.states.state import CellState, StateFile, get_log, read_state

__all__ = ["Show", "choose", "get_devices", "run_local"]

Show = Callable[[Cell, CellState], None]
"""Told whenever a cell's state or progress changes."""

MAX_ATTEMPTS = 2
STOP_SECONDS = 5.0
POLL_SECONDS = 1.0


def run_local(
    plan: Plan,
    cells: Sequence[Cell],
    *,
    jobs: int,
    show: Show,
    checked: Mapping[str, Checked] | None = None,
) -> list[CellState]:
    """Run `cells` and return their last states, in order.

    checked: the answer of `check`: the data are then taken as they were there, and cells that are
    seen to be finished are answered without a worker.
    KeyboardInterrupt stops the workers, marks their cells as waiting and is passed on.
    """
    plan.save()
    checked = checked or {}
    ended = _answer(plan, cells, checked, show)
    waiting = {cell.id: cell for cell in cells if cell.id not in ended}
    jobs = max(1, min(jobs, len(waiting)))
    devices = get_devices(plan.device, jobs) if waiting else []
    pool = _Pool(plan, devices, show, checked, ended)
    try:
        while waiting or pool.running:
            while len(pool.running) < jobs and (cell := pool.take(waiting.values())):
                del waiting[cell.id]
                pool.start(cell)
            pool.wait()
    finally:
        pool.stop()
    return [pool.ended[cell.id] for cell in cells]


def _answer(
    plan: Plan, cells: Sequence[Cell], checked: Mapping[str, Checked], show: Show
) -> dict[str, CellState]:
    """The states of cells that need no worker."""
    answered = find_answered(plan, dict(checked))
    ended = {}
    for cell in cells:
        if cell.id in answered:
            file = StateFile(plan.folder, cell.id)
            ended[cell.id] = file.update(state="done", **answered[cell.id])
            show(cell, ended[cell.id])
    return ended


def choose(
    waiting: Iterable[Cell], model: object, running: Sequence[Cell], warm: set[object]
) -> Cell | None:
    """The cell to run next by a worker that has `model` loaded; None where it should wait.

    warm: the feature keys that are in the cache. Prefers a cell of the loaded model, then one of a
    model that no other worker has; never one whose pictures another worker is embedding.
    """
    embedding = {cell.feature_key for cell in running} - warm
    busy = {cell.model for cell in running}
    ready = [cell for cell in waiting if cell.feature_key not in embedding]
    return min(ready, key=lambda cell: (cell.model != model, cell.model in busy), default=None)


def get_devices(device: str, jobs: int) -> list[str]:
    """One device a worker: "cuda" (or "auto", where there are any) deals out all GPUs in turn."""
    from biobench import features

    resolved = str(features.resolve_device(device))
    if resolved != "cuda" or jobs == 1:
        return [resolved] * jobs
    import torch

    n = torch.cuda.device_count()
    return [f"cuda:{i % n}" for i in range(jobs)]


class _Pool:
    """Workers, the cells they run, and what became of those that ended."""

    def __init__(
        self,
        plan: Plan,
        devices: list[str],
        show: Show,
        checked: Mapping[str, Checked],
        ended: dict[str, CellState],
    ) -> None:
        self.plan, self.devices, self.show = plan, devices, show
        self.checked, self.ended = checked, ended
        self.workers: dict[int, _Worker] = {}
        self.warm: set[object] = set()
        self.selector = selectors.DefaultSelector()

    @property
    def running(self) -> list[Cell]:
        return [worker.cell for worker in self.workers.values() if worker.cell]

    def take(self, waiting: Iterable[Cell]) -> Cell | None:
        """The next cell for the next free worker."""
        worker = self._find_free()
        model = worker.model if worker else None
        return choose(list(waiting), model, self.running, self.warm)

    def start(self, cell: Cell, attempt: int = 1) -> None:
        worker = self._find_free(cell.model) or self._add()
        here = self.checked.get(cell.id)
        worker.start(cell, attempt, here.seen if here else ())
        self.show(cell, CellState(cell.id, state="running", stage="start", attempt=attempt))

    def wait(self) -> None:
        """Handle what the workers say next, and those that died."""
        for key, _ in self.selector.select(timeout=POLL_SECONDS):
            worker: _Worker = key.data
            for message in worker.read():
                self._handle(worker, message)
        for worker in list(self.workers.values()):
            # Processes that it forked may hold its output open for a while.
            if worker.is_closed or worker.process.poll() is not None:
                for message in worker.read():
                    self._handle(worker, message)
                if self.workers.get(worker.slot) is worker:
                    self._bury(worker)

    def stop(self) -> None:
        for worker in list(self.workers.values()):
            worker.stop()
            if worker.cell:
                StateFile(self.plan.folder, worker.cell.id).update(state="waiting")
            self._remove(worker)
        self.selector.close()

    def _find_free(self, model: object = None) -> "_Worker | None":
        free = [worker for worker in self.workers.values() if worker.cell is None]
        return min(free, key=lambda worker: worker.model != model, default=None)

    def _add(self) -> "_Worker":
        slot = next(i for i in range(len(self.devices)) if i not in self.workers)
        worker = _Worker(self.plan, slot, self.devices[slot], len(self.devices))
        self.workers[slot] = worker
        self.selector.register(worker.stdout, selectors.EVENT_READ, worker)
        return worker

    def _remove(self, worker: "_Worker") -> None:
        self.selector.unregister(worker.stdout)
        del self.workers[worker.slot]

    def _handle(self, worker: "_Worker", message: dict) -> None:
        cell = worker.cell
        assert cell is not None
        if "progress" in message:
            stage, done, total = message["progress"]
            state = CellState(cell.id, state="running", stage=stage, done=done, total=total)
            self.show(cell, dataclasses.replace(state, attempt=worker.attempt))
            return
        worker.cell = None
        state = CellState(**message)
        self._end(cell, state)
        if state.state == "failed":
            # Whatever went wrong (a lost GPU, a leak) must not reach the next cell.
            worker.stop()
            self._remove(worker)

    def _end(self, cell: Cell, state: CellState) -> None:
        self.ended[cell.id] = state
        if state.state == "done":
            self.warm.add(cell.feature_key)
        self.show(cell, state)

    def _bury(self, worker: "_Worker") -> None:
        """Try a dead worker's cell once more, in a new worker."""
        worker.stop()
        self._remove(worker)
        cell = worker.cell
        if cell is None:
            return
        cause = _explain(worker.process.returncode)
        if worker.attempt < MAX_ATTEMPTS:
            with contextlib.suppress(OSError), open(_make_log(self.plan, cell), "a") as log:
                print(f"biobench: {cause} Trying this cell once more.", file=log)
            self.start(cell, worker.attempt + 1)
            return
        changes = {"attempt": worker.attempt, "log": _relative_log(self.plan, cell)}
        file = StateFile(self.plan.folder, cell.id)
        file.state = read_state(self.plan.folder, cell.id)
        self._end(cell, file.update(state="failed", cause=f"{cause} Twice.", **changes))


class _Worker:
    """One process and its two pipes."""

    def __init__(self, plan: Plan, slot: int, device: str, jobs: int) -> None:
        self.slot = slot
        self.cell: Cell | None = None
        self.model: object = None
        self.attempt = 1
        self.is_closed = False
        cores = max(1, len(os.sched_getaffinity(0)) // jobs)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "biobench.launch.local.worker"),
                *(str(plan.folder), device, str(default_workers(cores))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **divide_threads(cores)},
            start_new_session=True,
        )
        assert self.process.stdout is not None and self.process.stdin is not None
        self.stdout, self.stdin = self.process.stdout, self.process.stdin
        os.set_blocking(self.stdout.fileno(), False)
        self.buffer = b""

    def start(self, cell: Cell, attempt: int, seen: Sequence[str]) -> None:
        self.cell, self.model, self.attempt = cell, cell.model, attempt
        line = json.dumps({"cell": cell.id, "attempt": attempt, "seen": seen}) + "\n"
        try:
            self.stdin.write(line.encode())
            self.stdin.flush()
        except BrokenPipeError:
            pass  # It died while idle; its closed output is what starts the retry.

    def read(self) -> list[dict]:
        """Whole lines that have arrived; sets `is_closed` at the end."""
        try:
            data = os.read(self.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return []
        self.is_closed = not data
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """End the process and what it started; it ends by itself when its input closes."""
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.stdout.close()


def _explain(code: int) -> str:
    if code >= 0:
        return f"The worker process ended with exit code {code}."
    name = signal.Signals(-code).name
    if name == "SIGKILL":
        return "The worker process was killed (SIGKILL), as when memory runs out."
    return f"The worker process crashed ({name})."


def _make_log(plan: Plan, cell: Cell):
    path = get_log(plan.folder, cell.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _relative_log(plan: Plan, cell: Cell) -> str:
    return str(get_log(plan.folder, cell.id).relative_to(plan.results))
