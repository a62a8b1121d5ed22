"""Runs one cell, wherever it runs: this process, a worker's, a job's on a cluster.

    state = run_cell(plan, cell, device="cuda:0")       # never raises for what the cell does
    state.state, state.score, state.cause

Running a cell twice is safe: a finished one is found by its identity and left alone, an interrupted
one goes on from the features that were flushed.
"""

import contextlib
import dataclasses
import errno
import faulthandler
import os
import socket
import sys
import threading
import time
import traceback
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from biobench import progress
from biobench.errors import BadInput, CellFailed
from biobench.imports import import_modules
from biobench.interfaces import TaskReport
from biobench.launch.checking import summarise
from biobench.launch.plan import Cell, Plan
from biobench.launch.states.state import HEARTBEAT, CellState, StateFile, get_log
from biobench.screen import say

__all__ = ["redirect_output", "run_cell"]

MAX_LOG = 4 << 20
"""bytes at the end of what a cell printed that are kept with its run."""


def run_cell(
    plan: Plan,
    cell: Cell,
    *,
    device: str,
    precision: str = "",
    n_workers: int | None = None,
    attempt: int = 1,
    job: str = "",
    offset: int = 0,
    seen: Sequence[str] = (),
    on_progress: progress.Listener = lambda stage, done, total: None,
) -> CellState:
    """Benchmark `cell` and keep its run; returns its state, "done" or "failed".

    Prints to this process's output; the traceback of a failure too. What is printed here, or, where
    output goes to the cell's log, everything that was, is kept as the run's log. What interrupts
    the process (KeyboardInterrupt, SystemExit) is passed on, the state then says "waiting".
    precision: arithmetic of the features instead of the cell's own, where they were embedded
    elsewhere. seen: `Checked.seen`, where the data are to be taken as they were then. job, offset:
    on a cluster, the job's id and the size of its log before this attempt.
    """
    path = get_log(plan.folder, cell.id)
    log = _Log(path)
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
        log=str(path.relative_to(plan.results)),
    )
    file.update()
    where = f"{device} of {socket.gethostname()}"
    log.say(f"{cell.label} on {where}{f', attempt {attempt}' if attempt > 1 else ''}")

    def listener(stage: str, done: int, total: int) -> None:
        log.say_stage(stage, total)
        file.progress(stage, done, total)
        on_progress(stage, done, total)

    try:
        with progress.listen(listener), _heartbeat(file):
            run = _run(
                plan,
                cell,
                log,
                device=device,
                precision=precision,
                n_workers=n_workers,
                seen=seen,
            )
        return file.update(state="done", stage="", **run)
    except Exception as err:
        with contextlib.suppress(OSError):  # the log may be on the disk that is full
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
    if isinstance(err, OSError) and err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        where = f" ({err.filename})" if err.filename else ""
        return f"The disk cannot be written: {err.strerror}{where}; make room and run it again."
    return f"{type(err).__name__}: {text}" if text else type(err).__name__


@contextlib.contextmanager
def redirect_output(path: Path) -> Iterator[None]:
    """Send what this process prints, libraries in C and fatal signals included, to `path`.

    Where there can be no such file (a full disk), output goes where it went.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError:
        yield
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    os.dup2(target, 1)
    os.dup2(target, 2)
    faulthandler.enable(file=2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        for number, handle in zip((1, 2), saved, strict=True):
            os.dup2(handle, number)
            os.close(handle)
        os.close(target)


def _run(
    plan: Plan,
    cell: Cell,
    log: "_Log",
    *,
    device: str,
    precision: str,
    n_workers: int | None,
    seen: Sequence[str],
) -> dict[str, object]:
    # Late: the states and plans that `status` reads need neither torch nor polars.
    from biobench import evaluate, registry, results

    import_modules(plan.imports, plan.search)
    overrides: dict[str, object] = {"device": device, "resume": plan.resume}
    if n_workers is not None and "n_workers" not in cell.args:
        overrides["n_workers"] = n_workers
    if precision:
        overrides["precision"] = precision
    args = cell.make_args(**overrides)
    task = registry.load_task(cell.kind)
    with evaluate.session(evaluate.Seen(*seen) if seen else None):
        if run := _find_finished(plan, cell, args):
            return run
        with _hand_over(task, args):
            _, report = task.benchmark(args, cell.model)
    made = report.provenance
    # A node that was given up may have finished the cell meanwhile.
    if run := _find(plan, cell, made.protocol_digest(), made.backbone):
        return run
    origin = registry.TASKS.describe_origin(cell.kind)
    made = dataclasses.replace(made, imports=[*origin, *made.imports])
    report = dataclasses.replace(report, argv=list(plan.argv) or report.argv, provenance=made)
    log.say_report(report)
    folder = results.write_run(
        plan.results,
        cell.task,
        cell.model,
        report,
        config=_get_config(plan, cell),
        log=log.read(),
    )
    return summarise(plan, folder, made.backbone.get("files"))


class _Log:
    """What one attempt at a cell says: printed, and kept with its run."""

    def __init__(self, path: Path) -> None:
        self.path, self.lines, self.stage = path, [], ""
        self.start = _get_size(path)

    def say(self, line: str) -> None:
        line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}"
        self.lines.append(line)
        with contextlib.suppress(OSError):
            say(line)

    def say_stage(self, stage: str, total: int) -> None:
        """Note that a stage begins."""
        if stage != self.stage:
            self.stage = stage
            self.say(f"{stage} {total:,}" if total else stage)

    def say_report(self, report: TaskReport) -> None:
        """Note what the run took, left out and warns of."""
        made = report.provenance
        took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in made.stages.items())
        self.say(f"took {took or 'no stage that was measured'}")
        self.say(", ".join(f"{name} {n:,}" for name, n in made.counts.items()) or "nothing counted")
        for entry in made.skipped:
            self.say(f"skipped {entry.get('image')} ({entry.get('split')}): {entry.get('reason')}")
        for warning in made.warnings:
            self.say(f"warning: {warning}")

    def read(self) -> str:
        """What was printed since the start, by libraries too where output goes to the log."""
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        try:
            with open(self.path, "rb") as file:
                file.seek(max(self.start, _get_size(self.path) - MAX_LOG))
                text = file.read().decode(errors="replace")
        except OSError:
            text = ""
        return text or "".join(f"{line}\n" for line in self.lines)


def _get_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


@contextlib.contextmanager
def _hand_over(task: types.ModuleType, args: typing.Any) -> Iterator[None]:
    """What is known of a task's data serves its benchmark, where that loads the same again."""
    from biobench import evaluate
    from biobench.data import contents

    if not evaluate.is_remembered(task.load):
        yield
        return
    prepared = evaluate.prepare(task, args)
    with contents.given(prepared.data.root, prepared.known):
        yield


def _find_finished(plan: Plan, cell: Cell, args: typing.Any) -> dict[str, object] | None:
    """The run of this cell that is there already, found by its identity."""
    from biobench import evaluate, registry, results

    if not plan.resume or plan.force:
        return None
    protocols = results.find_protocols(plan.results, cell.task, cell.model)
    if not protocols:
        return None
    prepared = evaluate.prepare(registry.load_task(cell.kind), args)
    if prepared.protocol_text not in protocols:
        # Then no picture need be read to find out that it is not finished.
        return None
    probe = str(prepared.protocol["probe"])
    backbone = evaluate.get_source(args, cell.model, probe).describe()
    return _find(plan, cell, prepared.protocol_digest, backbone)


def _find(
    plan: Plan, cell: Cell, protocol_digest: str, backbone: dict[str, object]
) -> dict[str, object] | None:
    from biobench import results

    if not plan.resume or plan.force:
        return None
    digest = str(backbone.get("digest"))
    run = results.find_run(plan.results, cell.task, cell.model, protocol_digest, digest)
    return None if run is None else summarise(plan, run, backbone.get("files"))


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
