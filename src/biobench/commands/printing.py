"""Where commands print what people read."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biobench.console import CleanConsole

__all__ = ["make_console"]

PIPE_WIDTH = 120
"""width of a table that does not go to a terminal."""


def make_console() -> "CleanConsole":
    """A console as wide as the terminal; in a pipe as COLUMNS says, else of a fixed width."""
    from biobench.console import CleanConsole

    console = CleanConsole()
    if console.is_terminal or os.environ.get("COLUMNS", "").isdecimal():
        return console
    return CleanConsole(width=PIPE_WIDTH)
