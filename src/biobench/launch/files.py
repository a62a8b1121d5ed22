"""JSON files that are read while others write them: replaced whole, never locked."""

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
        partial.write_text(text, encoding="utf-8")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def read_json(path: Path) -> dict[str, typing.Any] | None:
    """The dict in `path`; None where there is no such file or it holds none."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
