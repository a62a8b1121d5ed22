"""Shows how a plan goes: one live table on a terminal; elsewhere plain lines, few enough for a log.

with open_display(plan) as show:
    states = run_local(plan, plan.cells, jobs=2, show=show)
say(summarise(plan, states))
"""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from biobench import clean
from biobench.launch.local import Show
from biobench.launch.plan import Cell, Plan
from biobench.launch.states.state import CellState
from biobench.launch.states.status import describe_score
from biobench.screen import is_terminal, say

__all__ = ["describe_left", "open_display", "summarise"]

MOST_SILENT = 30.0
"""seconds of a stage after which its progress is said again."""
LEAST_SILENT = 5.0
"""seconds between two lines about one stage, however fast its quarters pass."""


@contextlib.contextmanager
def open_display(plan: Plan) -> Iterator[Show]:
    """A function to call whenever a cell's state changes."""
    if not is_terminal(sys.stdout):
        yield _Lines(plan)
        return
    import rich.live

    from biobench.console import CleanConsole

    table = _Table(plan)
    with rich.live.Live(get_renderable=table.render, refresh_per_second=4, console=CleanConsole()):
        yield table


def summarise(plan: Plan, states: Sequence[CellState]) -> str:
    """What came of the plan; the failures last, each with its cause and the file to read."""
    failed = [state for state in states if state.state == "failed"]
    done = sum(state.state == "done" for state in states)
    folder = clean.line(str(plan.results))
    lines = [f"{done} of {len(states)} cells done; results in {folder}"]
    if failed:
        lines.append(f"{len(failed)} failed:")
    for state in failed:
        lines.append(f"  {plan.get_cell(state.cell).label}: {clean.sentence(state.cause)}")
        lines.append(f"    log: {clean.line(str(plan.results / state.log))}")
    return "\n".join(lines)


def describe_left(seconds: float) -> str:
    """A time to wait in words, as exact as it can be known."""
    if seconds < 60:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {round(seconds / 3600)} h left"


@dataclasses.dataclass
class _Stage:
    """A stage of a cell, since when it runs, and when it was spoken of last."""

    name: str
    attempt: int
    start: float
    first: int
    """units that were done when it began."""
    said: float
    quarter: int

    def is_due(self, now: float, quarter: int) -> bool:
        silent = now - self.said
        return silent >= MOST_SILENT or (quarter > self.quarter and silent >= LEAST_SILENT)

    def estimate(self, now: float, done: int, total: int) -> float | None:
        """Seconds to go, at the pace so far; None where nothing was done yet."""
        moved = done - self.first
        return (now - self.start) / moved * (total - done) if moved > 0 else None


class _Lines:
    """A line when a stage of a cell begins, each quarter or half a minute, and when a cell ends."""

    def __init__(self, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
        self.n_cells, self.n_ended, self.clock = len(plan.cells), 0, clock
        self.stages: dict[str, _Stage] = {}

    def __call__(self, cell: Cell, state: CellState) -> None:
        if state.state == "done":
            self._end(cell, describe_score(state))
        elif state.state == "failed":
            self._end(cell, f"failed: {clean.sentence(state.cause)}")
        else:
            self._go_on(cell, state)

    def _end(self, cell: Cell, text: str) -> None:
        self.stages.pop(cell.id, None)
        self.n_ended += 1
        say(f"{cell.label}: {text} ({self.n_ended} of {self.n_cells} cells)")

    def _go_on(self, cell: Cell, state: CellState) -> None:
        now, (done, total) = self.clock(), (state.done, state.total)
        quarter = 4 * done // total if total else 0
        stage = self.stages.get(cell.id)
        if stage is None or (stage.name, stage.attempt) != (state.stage, state.attempt):
            new = _Stage(state.stage, state.attempt, now, done, now, quarter)
            self.stages[cell.id] = new
            say(f"{cell.label}: {_describe_count(state)}")
        elif total and done < total and stage.is_due(now, quarter):
            left = stage.estimate(now, done, total)
            stage.said, stage.quarter = now, quarter
            more = "" if left is None else f", {describe_left(left)}"
            say(f"{cell.label}: {_describe_count(state)}{more}")


def _describe_count(state: CellState) -> str:
    again = " (again)" if state.attempt > 1 else ""
    count = f" {state.done:,} of {state.total:,}" if state.total else ""
    return f"{clean.line(state.stage)}{count}{again}"


class _Table:
    """Models down, tasks across: every cell in one table."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.start = time.monotonic()
        self.states: dict[str, CellState] = {}
        self.columns = list(dict.fromkeys((cell.task, cell.variant) for cell in plan.cells))
        self.models = list(dict.fromkeys(cell.model_name for cell in plan.cells))
        self.cells = {(c.model_name, c.task, c.variant): c for c in plan.cells}

    def __call__(self, cell: Cell, state: CellState) -> None:
        self.states[cell.id] = state

    def render(self):
        """A table that fits the terminal: where it is too tall, the models at work stay."""
        import rich.table
        import rich.text

        ended = sum(state.state in ("done", "failed") for state in self.states.values())
        minutes, seconds = divmod(int(time.monotonic() - self.start), 60)
        title = f"{ended} of {len(self.plan.cells)} cells, {minutes}:{seconds:02}"
        table = rich.table.Table(title=title, title_justify="left")
        table.add_column("model", overflow="fold")
        for task, variant in self.columns:
            head = f"{clean.line(task)}\n{variant}" if variant else clean.line(task)
            table.add_column(rich.text.Text(head), justify="right")
        for model in self._get_shown():
            row = [self.cells.get((model, *column)) for column in self.columns]
            name = rich.text.Text(clean.line(model))
            table.add_row(name, *(self._render_cell(cell) for cell in row))
        return table

    def _get_shown(self) -> list[str]:
        import shutil

        room = max(4, shutil.get_terminal_size().lines - 8)
        if len(self.models) <= room:
            return self.models
        running = {
            self.plan.get_cell(id).model_name
            for id, state in self.states.items()
            if state.state == "running"
        }
        first = min((self.models.index(name) for name in running), default=0)
        start = max(0, min(first - 2, len(self.models) - room))
        return self.models[start : start + room]

    def _render_cell(self, cell: Cell | None):
        import rich.text

        if cell is None:
            return rich.text.Text("")
        state = self.states.get(cell.id)
        if state is None or state.state == "waiting":
            return rich.text.Text("·", style="dim")
        if state.state == "done":
            return rich.text.Text(describe_score(state).replace(" [", "\n["), style="green")
        if state.state == "failed":
            return rich.text.Text("failed", style="bold red")
        return rich.text.Text(_describe_stage(state), style="yellow")


def _describe_stage(state: CellState) -> str:
    share = f" {state.done / state.total:.0%}" if state.total and state.done else ""
    again = " (again)" if state.attempt > 1 else ""
    return f"{clean.line(state.stage)}{share}{again}"
