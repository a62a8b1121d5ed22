"""Where long work says how far it is, without knowing who listens.

Code that works calls `report(stage, done, total)`; whoever wants to show it (a terminal, a status
file) installs a listener for the length of a `with listen(...)` block. Without one, nothing
happens.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

__all__ = ["Listener", "listen", "report"]

Listener = Callable[[str, int, int], None]

_listener: contextvars.ContextVar[Listener | None] = contextvars.ContextVar(
    "biobench_progress", default=None
)


def report(stage: str, done: int, total: int) -> None:
    """Say that `done` of `total` units (images, fits) of `stage` are finished."""
    listener = _listener.get()
    if listener is not None:
        listener(stage, done, total)


@contextlib.contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Send every `report` made inside the block (in this thread) to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
