"""Runs plans: models x tasks, on this machine or on a cluster.

    from biobench import launch

    settings = launch.load(Path("suite.toml"), jobs=2)      # or launch.Settings(models=[…], …)
    plan = launch.make_plan(settings)
    checked = launch.check(plan)                            # BadInput before hours of work
    states = launch.run(plan, jobs=settings.jobs, checked=checked)      # one `CellState` a cell

Importing this loads neither torch nor polars; `check` and `run` do.
"""

from collections.abc import Mapping, Sequence

from biobench.launch.checking import Checked, check, find_finished
from biobench.launch.config import Settings, SlurmSettings, load
from biobench.launch.plan import Cell, Plan, make_plan
from biobench.launch.states.state import CellState, list_plans, read_states

__all__ = [
    "Cell",
    "CellState",
    "Checked",
    "Plan",
    "Settings",
    "SlurmSettings",
    "check",
    "find_finished",
    "list_plans",
    "load",
    "make_plan",
    "read_states",
    "run",
]


def run(
    plan: Plan,
    *,
    jobs: int = 1,
    cells: Sequence[Cell] | None = None,
    checked: Mapping[str, Checked] | None = None,
) -> list[CellState]:
    """Run a plan's cells (or some of them) on this machine, showing how it goes.

    checked: the answer of `check`, where it was asked: the data are not looked at again then.
    Returns each cell's last state, in order. A cell that fails does not stop the others.
    """
    from biobench.launch.local import run_local
    from biobench.launch.showing import open_display

    with open_display(plan) as show:
        cells = plan.cells if cells is None else cells
        return run_local(plan, cells, jobs=jobs, show=show, checked=checked)
