"""The errors that biobench raises on purpose, and what the command line makes of each."""

from collections.abc import Iterable

__all__ = ["BadInput", "CellFailed", "did_you_mean", "find_close"]


class BadInput(ValueError):
    """Something the user gave cannot be used: exit code 2.

    The message is one sentence that names the file, row, column or key, and says what to do.
    """


class CellFailed(RuntimeError):
    """One (model, task) cell cannot be finished; the other cells go on: exit code 1."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error on an unknown name: " Did you mean 'x'?"; "" where none is close."""
    close = find_close(name, known)
    return f" Did you mean '{close}'?" if close is not None else ""


def find_close(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most like `name`; None where none is as like as `cutoff` (0 to 1) says."""
    import difflib

    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), None)
