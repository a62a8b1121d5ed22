"""JSON files that are read while others write them: replaced whole, never locked."""

import contextlib
import json
import os
import secrets
import typing
from pathlib import Path

__all__ = ["read_json", "write_json"]


def write_json(path: Path, value: object) -> None:
    """Replace `path` in one step; a reader sees the old file or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(3)}")
    text = json.dumps(value, ensure_ascii=False)
    try:
        try:
            partial.write_text(text, encoding="utf-8")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    except OSError:
        # On a full disk, half a file would only be in the way.
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def read_json(path: Path) -> dict[str, typing.Any] | None:
    """The dict in `path`; None where there is no such file or it holds none."""
    try:
        # A named pipe would keep the reader waiting for a writer for ever.
        value = json.loads(path.read_bytes()) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
