"""What became of each cell of a plan: its own file (`state`), and what else tells (`status`)."""

from biobench.launch.states.state import (
    CellState,
    StateFile,
    get_log,
    list_plans,
    read_state,
    read_states,
)

__all__ = ["CellState", "StateFile", "get_log", "list_plans", "read_state", "read_states"]
