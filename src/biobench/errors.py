"""The errors that biobench raises on purpose, and what the command line makes of each."""

from collections.abc import Iterable

__all__ = ["BadInput", "CellFailed", "did_you_mean", "find_close", "require_extra"]


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


def require_extra(extra: str, package: str, what: str, *, module: str = "") -> None:
    """Raise BadInput where a package that an optional extra brings is not installed.

    what: what needs it. module: by which it is imported, where that is not the package's name.
    """
    import importlib.util

    if importlib.util.find_spec(module or package) is None:
        # Never by our own name, which in a public index may be anybody's.
        raise BadInput(
            f"{what} needs {package}: install it with pip install {package}, or in the clone of "
            f"the repository with pip install '.[{extra}]'."
        )
