"""Ctrl-C while modules are imported ends in one line, before there is anything to lose.

    with end_imports_in_one_line():
        …

Importing torch or polars takes seconds, in which an interrupt would show the traceback of some
library, be taken by it for a broken installation, or be lost in a callback.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

__all__ = ["STOPPED", "end_imports_in_one_line"]

STOPPED = 130
"""exit code of a command that was interrupted."""

_IMPORTER = "<frozen importlib._bootstrap>"


@contextlib.contextmanager
def end_imports_in_one_line() -> Iterator[None]:
    """While this is open, SIGINT during an import ends the process; else it is KeyboardInterrupt.

    Does nothing outside the main thread, or where somebody else handles the signal.
    """
    owner = os.getpid()

    def stop(number: int, frame: object) -> None:
        # A forked child has the handler too, but says nothing.
        if os.getpid() == owner and _is_importing(frame):
            os.write(2, b"biobench: stopped.\n")
            os._exit(STOPPED)
        signal.default_int_handler(number, frame)

    try:
        before = signal.getsignal(signal.SIGINT)
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, stop)
    except ValueError:  # not the main thread
        before = None
    try:
        yield
    finally:
        if before is signal.default_int_handler:
            signal.signal(signal.SIGINT, before)


def _is_importing(frame: object) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            return True
        frame = frame.f_back
    return False
