"""Where commands print what people read."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from biobench.console import CleanConsole

__all__ = ["make_console", "show_progress"]

PIPE_WIDTH = 120
"""width of a table that does not go to a terminal."""


def make_console() -> "CleanConsole":
    """A console as wide as the terminal; in a pipe as COLUMNS says, else of a fixed width."""
    from biobench.console import CleanConsole

    console = CleanConsole()
    if console.is_terminal or os.environ.get("COLUMNS", "").isdecimal():
        return console
    return CleanConsole(width=PIPE_WIDTH)


@contextlib.contextmanager
def show_progress(stage: str, text: str) -> Iterator[None]:
    """A bar with rate and time left on a terminal, the plain line `text` elsewhere."""
    from biobench import progress, screen

    if not screen.is_terminal(sys.stderr):
        screen.say(text, error=True)
        yield
        return
    import rich.progress as bars

    from biobench.console import CleanConsole

    columns = (
        bars.TextColumn("{task.description}", markup=False),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}", markup=False),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=CleanConsole(stderr=True)) as display:
        task = display.add_task(stage, total=None, rate="")

        def update(stage: str, done: int, total: int) -> None:
            speed = display.tasks[0].speed
            rate = f"{speed:.1f} images/s" if speed else ""
            display.update(task, description=stage, completed=done, total=total, rate=rate)

        with progress.listen(update):
            yield
