"""A worker process: told cells on its standard input, tells their progress on its standard output.

    python -m biobench.launch.local.worker PLAN_FOLDER DEVICE N_WORKERS

Each line is one JSON object: in, {"cell": id, "attempt": n, "seen": […]}; out, {"progress": […]}
and, when a cell is finished, its state. What the cell prints goes to its log. When the input
closes, the launcher is gone or done with this worker, and the worker ends at once with all that it
started: nothing half written is ever read.
"""

import dataclasses
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

from biobench.launch.cell import redirect_output, run_cell
from biobench.launch.plan import Plan
from biobench.launch.states.state import get_log

__all__ = ["main"]

PROGRESS_EVERY = 0.2


def main(folder: str, device: str, n_workers: str) -> None:
    """Run cells until the input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the launcher's to handle.
    orders, out = os.dup(0), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    # A process forked while a thread reads sys.stdin hangs when it closes its copy.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    cells: queue.Queue[dict] = queue.Queue()
    threading.Thread(target=_listen, args=(orders, cells), daemon=True).start()
    plan = Plan.read(Path(folder))
    sys.argv = list(plan.argv)
    while True:
        order = cells.get()
        cell = plan.get_cell(order["cell"])
        with redirect_output(get_log(plan.folder, cell.id)):
            state = run_cell(
                plan,
                cell,
                device=device,
                n_workers=int(n_workers),
                attempt=order["attempt"],
                seen=order["seen"],
                on_progress=_Reporter(out),
            )
        print(json.dumps(dataclasses.asdict(state)), file=out)


class _Reporter:
    """A progress listener that writes at most a few lines a second."""

    def __init__(self, out) -> None:
        self.out, self.stage, self.last = out, "", 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage == self.stage and now - self.last < PROGRESS_EVERY:
            return
        self.stage, self.last = stage, now
        print(json.dumps({"progress": [stage, done, total]}), file=self.out)


def _listen(orders: int, cells: "queue.Queue[dict]") -> None:
    buffer = b""
    while data := os.read(orders, 1 << 16):
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            cells.put(json.loads(line))
    # The launcher made this process the leader of a group: processes that decode end with it.
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
