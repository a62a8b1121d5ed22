"""Shows how a plan goes: one live table on a terminal, one plain line a stage elsewhere.

with open_display(plan) as show:
    states = run_local(plan, plan.cells, jobs=2, show=show)
say(summarise(plan, states))
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Sequence

from biobench import clean
from biobench.launch.local import Show
from biobench.launch.plan import Cell, Plan
from biobench.launch.state import CellState
from biobench.launch.status import describe_score
from biobench.screen import is_terminal, say

__all__ = ["open_display", "summarise"]


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


class _Lines:
    """One line a stage of each cell."""

    def __init__(self, plan: Plan) -> None:
        self.n_cells, self.n_ended = len(plan.cells), 0
        self.last: dict[str, tuple[str, str, int]] = {}

    def __call__(self, cell: Cell, state: CellState) -> None:
        key = (state.state, state.stage, state.attempt)
        if self.last.get(cell.id) == key:
            return
        self.last[cell.id] = key
        text = {
            "done": lambda: describe_score(state),
            "failed": lambda: f"failed: {clean.sentence(state.cause)}",
        }.get(state.state, lambda: _describe_stage(state))()
        if state.state in ("done", "failed"):
            self.n_ended += 1
            text = f"{text} ({self.n_ended} of {self.n_cells} cells)"
        say(f"{cell.label}: {text}")


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
