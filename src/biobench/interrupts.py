"""Ctrl-C while modules are imported ends in one line, before there is anything to lose.

    with ImportsEndInOneLine():
        …

Importing torch or polars takes seconds, in which an interrupt would show the traceback of some
library, be taken by it for a broken installation, or be lost in a callback.
"""

# What is imported here is imported before an interrupt can be caught: `signal` would bring `enum`.
import _signal  # pyright: ignore[reportMissingImports]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types

__all__ = ["STOPPED", "ImportsEndInOneLine"]

STOPPED = 130
"""exit code of a command that was interrupted."""

_IMPORTER = "<frozen importlib._bootstrap>"


class ImportsEndInOneLine:
    """While this is open, SIGINT during an import ends the process; else it is KeyboardInterrupt.

    Does nothing outside the main thread, or where somebody else handles the signal.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._is_open = False

    def __enter__(self) -> None:
        if _signal.getsignal(_signal.SIGINT) is not _signal.default_int_handler:
            return
        try:
            _signal.signal(_signal.SIGINT, self._stop)
            self._is_open = True
        except ValueError:
            pass  # Not the main thread, which alone may say what a signal does.

    def __exit__(self, *error: object) -> None:
        if self._is_open:
            _signal.signal(_signal.SIGINT, _signal.default_int_handler)

    def _stop(self, number: int, frame: "types.FrameType | None") -> None:
        # A forked child has the handler too, but says nothing.
        if os.getpid() == self._owner and _is_importing(frame):
            os.write(2, b"biobench: stopped.\n")
            os._exit(STOPPED)
        _signal.default_int_handler(number, frame)


def _is_importing(frame: "types.FrameType | None") -> bool:
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            return True
        frame = frame.f_back
    return False
