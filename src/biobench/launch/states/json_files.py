"""JSON files that are read while others write them: replaced whole, never locked."""

import json
import typing
from pathlib import Path

from biobench import atomic

__all__ = ["read_json", "write_json"]


def write_json(path: Path, value: object) -> None:
    """Replace `path` in one step; a reader sees the old file or the new one."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        atomic.write(path, text)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, text)


def read_json(path: Path) -> dict[str, typing.Any] | None:
    """The dict in `path`; None where there is no such file or it holds none."""
    try:
        # A named pipe would keep the reader waiting for a writer for ever.
        value = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
