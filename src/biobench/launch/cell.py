"""Runs one cell, wherever it runs: this process, a worker's, a job's on a cluster.

    state = run_cell(plan, cell, device="cuda:0")       # never raises for what the cell does
    state.state, state.score, state.cause

Running a cell twice is safe: a finished one is found by its identity and left alone, an interrupted
one goes on from the features that were flushed.
"""

import contextlib
import dataclasses
import faulthandler
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from biobench import progress
from biobench.errors import BadInput, CellFailed
from biobench.launch.plan import Cell, Plan, import_modules
from biobench.launch.state import HEARTBEAT, CellState, StateFile, get_log

__all__ = ["redirect_output", "run_cell"]


def run_cell(
    plan: Plan,
    cell: Cell,
    *,
    device: str,
    n_workers: int | None = None,
    attempt: int = 1,
    job: str = "",
    offset: int = 0,
    on_progress: progress.Listener = lambda stage, done, total: None,
) -> CellState:
    """Benchmark `cell` and keep its run; returns its state, "done" or "failed".

    Prints to this process's output; the traceback of a failure too. What interrupts the process
    (KeyboardInterrupt, SystemExit) is passed on, the state then says "waiting".
    job, offset: on a cluster, the job's id and the size of its log before this attempt.
    """
    log = get_log(plan.folder, cell.id)
    file = StateFile(
        plan.folder,
        cell.id,
        state="running",
        stage="start",
        attempt=attempt,
        host=socket.gethostname(),
        pid=os.getpid(),
        job=job,
        offset=offset,
        started=time.time(),
        log=str(log.relative_to(plan.results)),
    )
    file.update()

    def listener(stage: str, done: int, total: int) -> None:
        file.progress(stage, done, total)
        on_progress(stage, done, total)

    try:
        with progress.listen(listener), _heartbeat(file):
            run = _run(plan, cell, device, n_workers, log)
        return file.update(state="done", stage="", **run)
    except Exception as err:
        traceback.print_exc()
        return file.update(state="failed", cause=describe(err))
    except BaseException:
        file.update(state="waiting")
        raise


def describe(err: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(err).split())
    if isinstance(err, BadInput | CellFailed):
        return text
    return f"{type(err).__name__}: {text}" if text else type(err).__name__


@contextlib.contextmanager
def redirect_output(path: Path) -> Iterator[None]:
    """Send what this process prints, libraries in C and fatal signals included, to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(target, 1)
    os.dup2(target, 2)
    faulthandler.enable(file=2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, handle in zip((1, 2), saved, strict=True):
            os.dup2(handle, number)
            os.close(handle)
        os.close(target)


def _run(
    plan: Plan, cell: Cell, device: str, n_workers: int | None, log: Path
) -> dict[str, object]:
    # Late: the states and plans that `status` reads need neither torch nor polars.
    from biobench import evaluate, registry, results

    import_modules(plan.imports, plan.search)
    overrides: dict[str, object] = {"device": device, "resume": plan.resume}
    if n_workers is not None and "n_workers" not in cell.args:
        overrides["n_workers"] = n_workers
    args = cell.make_args(**overrides)
    task = registry.load_task(cell.kind)
    find = None
    if plan.resume:
        identity = evaluate.identify(task, args, cell.model)
        find = (identity.protocol_digest, identity.backbone_digest)
        if not plan.force and (run := _find(plan, cell, find)):
            return run
    _, report = task.benchmark(args, cell.model)
    # A node that was given up may have finished the cell meanwhile.
    if find and not plan.force and (run := _find(plan, cell, find)):
        return run
    report = dataclasses.replace(report, argv=list(plan.argv) or report.argv)
    sys.stdout.flush()
    folder = results.write_run(
        plan.results,
        cell.task,
        cell.model,
        report,
        config=_get_config(plan, cell),
        log=log if log.is_file() else None,
    )
    return _summarise(plan, folder)


def _find(plan: Plan, cell: Cell, find: tuple[str, str]) -> dict[str, object] | None:
    from biobench import results

    run = results.find_run(plan.results, cell.task, cell.model, *find)
    return None if run is None else _summarise(plan, run)


def _summarise(plan: Plan, run: Path) -> dict[str, object]:
    from biobench import results

    report = results.read_report(run)
    return {
        "run": str(run.relative_to(plan.results)),
        "score": report["score"],
        "ci": results.get_shown(report),
    }


def _get_config(plan: Plan, cell: Cell) -> dict[str, object]:
    """What makes the cell again, in plain JSON types."""
    return {
        "task": cell.task,
        "kind": cell.kind,
        "model": cell.model_name,
        "args": cell.args,
        "imports": list(plan.imports),
        "search": _find_homes(plan.imports),
        "device": plan.device,
    }


def _find_homes(modules: Iterable[str]) -> list[str]:
    """The folders that imported modules were found in, but for installed ones."""
    homes = []
    for name in modules:
        file = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None)
        if file and "site-packages" not in file:
            path = Path(file).resolve()
            homes.append(str(path.parents[path.name == "__init__.py"]))
    return list(dict.fromkeys(homes))


@contextlib.contextmanager
def _heartbeat(file: StateFile) -> Iterator[None]:
    """Renew a running cell's file, so that a reader elsewhere can tell it from a dead one."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT):
            if time.time() - file.state.updated >= HEARTBEAT:
                file.update()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
