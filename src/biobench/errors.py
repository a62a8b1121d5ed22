"""The errors that biobench raises on purpose, and what the command line makes of each."""

__all__ = ["BadInput", "CellFailed"]


class BadInput(ValueError):
    """Something the user gave cannot be used: exit code 2.

    The message is one sentence that names the file, row, column or key, and says what to do.
    """


class CellFailed(RuntimeError):
    """One (model, task) cell cannot be finished; the other cells go on: exit code 1."""
