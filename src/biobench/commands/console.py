"""Where commands print what people read."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biobench.console import CleanConsole

__all__ = ["make_console"]

PIPE_WIDTH = 120
"""width of a table that does not go to a terminal."""


def make_console() -> "CleanConsole":
    """A console as wide as the terminal, or of a fixed width in a pipe."""
    from biobench.console import CleanConsole

    console = CleanConsole()
    return console if console.is_terminal else CleanConsole(width=PIPE_WIDTH)
