"""Where commands print what people read."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["make_console"]

PIPE_WIDTH = 120
"""width of a table that does not go to a terminal."""


def make_console() -> "Console":
    """A console as wide as the terminal, or of a fixed width in a pipe."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)
