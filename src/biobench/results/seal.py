"""Whether a run was made in this results folder by this user, or came from elsewhere.

    report["seal"] = sign(root, report)     # when a run is written
    is_ours(run, read_report(run))          # before what the run names is imported

A seal is a keyed digest (HMAC-SHA-256, RFC 2104) of the report and of the results folder's place.
The key is random, is made once, and lies in the user's own state folder: it is never in a results
folder, so that a run which was imported, merged with `cp -r` or edited has no seal that fits.
"""

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

import platformdirs

__all__ = ["is_ours", "sign"]

KEY_BYTES = 32


def sign(root: Path, report: dict[str, object]) -> str:
    """The seal of a report below the results folder `root`; empty where no key can be kept."""
    key = _get_key()
    if key is None:
        return ""
    rest = {name: value for name, value in report.items() if name != "seal"}
    text = json.dumps([os.path.realpath(root), rest], sort_keys=True)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_ours(run: Path, report: dict[str, object]) -> bool:
    """Whether the run in the folder `run` was made there, by this user, as it stands."""
    mark = sign(Path(os.path.realpath(run)).parents[2], report)
    given = str(report.get("seal", ""))
    return bool(mark) and hmac.compare_digest(mark.encode(), given.encode())


def _get_key() -> bytes | None:
    path = platformdirs.user_state_path("biobench") / "key"
    try:
        return _read_key(path) or _make_key(path)
    except OSError:
        return None


def _read_key(path: Path) -> bytes | None:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    return key if len(key) == KEY_BYTES else None


def _make_key(path: Path) -> bytes | None:
    """Make the key, or take the one that another process made at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(f".key.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink(missing_ok=True)
    return _read_key(path)
