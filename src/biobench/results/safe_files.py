"""Reading files that somebody else may have put there: regular ones, of a bounded size.

data = read_file(run / "report.json", MAX_REPORT)
"""

import os
import stat
from pathlib import Path

from biobench.errors import BadInput

__all__ = ["MAX_LOG", "MAX_PREDICTIONS", "MAX_REPORT", "MAX_SCORES", "explain", "read_file"]

MAX_REPORT = 64 << 20
MAX_PREDICTIONS = 4 << 30
MAX_SCORES = 1 << 30
MAX_LOG = 256 << 20
"""bytes; a file that is larger is none of ours."""


def read_file(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """The bytes of a regular file; BadInput where it is none, is larger than `limit`, or fails.

    follow: whether `path` may be a link.
    """
    # A named pipe would keep the reader waiting for a writer for ever.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        if not follow and path.is_symlink():
            raise BadInput(f"{path} is a link; put the file itself in its place.")
        handle = os.open(path, flags)
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise BadInput(f"{path} is not a regular file.")
            if status.st_size > limit:
                raise BadInput(
                    f"{path} has {status.st_size:,} bytes, more than the {limit:,} that are read."
                )
            return file.read(limit + 1)
    except FileNotFoundError as err:
        raise BadInput(f"{path} is missing.") from err
    except (OSError, ValueError) as err:
        if isinstance(err, BadInput):
            raise
        raise BadInput(f"{path} cannot be read ({explain(err)}).") from err


def explain(err: Exception) -> str:
    """Why a system call failed, in a few words."""
    return getattr(err, "strerror", None) or str(err) or type(err).__name__
