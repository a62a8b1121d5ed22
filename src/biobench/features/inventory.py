"""What is in the feature cache, whether it is intact, and what of it to delete.

for entry in list_entries(root): print(entry.models, entry.n_rows, entry.n_bytes)
problems = verify(root)
n_bytes = prune(root, older_than=30 * 86400)
"""

import contextlib
import dataclasses
import pathlib
import shutil
import time
from collections.abc import Iterator

import pyarrow as pa

from biobench import atomic
from biobench.features import cache

__all__ = ["Entry", "list_entries", "prune", "verify"]

# A temporary file this old is no longer being written.
STALE_SECONDS = 3600.0


@dataclasses.dataclass(frozen=True)
class Entry:
    """One key of the cache: one backbone, as one digest."""

    key: str
    models: list[str]
    """the names under which the backbone was run; empty if it was run without one."""
    adapter: str
    dim: int
    precision: str
    n_rows: int
    """vectors of the newest generation."""
    n_shards: int
    n_bytes: int
    """on disk, with older generations and damaged files."""
    used: float
    """when the key was last used, in seconds since 1970."""

    def matches(self, model: str) -> bool:
        """Whether `model` is one of the names or the beginning of the key."""
        return model in self.models or self.key.startswith(model)


def list_entries(root: pathlib.Path) -> list[Entry]:
    """Every key below `root`, the one used last first."""
    folders = [folder for folder in _list_folders(root) if cache.generations(folder)]
    entries = [_describe(folder) for folder in folders]
    return sorted(entries, key=lambda entry: -entry.used)


def verify(root: pathlib.Path) -> list[str]:
    """Read every byte of every shard; one sentence for each that is damaged or misplaced."""
    problems = []
    for folder in _list_folders(root):
        for path in sorted(folder.rglob("*")):
            problem = _find_problem(path, folder.name)
            if problem:
                problems.append(f"{path}: {problem}")
    return problems


def prune(
    root: pathlib.Path,
    *,
    older_than: float | None = None,
    model: str | None = None,
    dry_run: bool = False,
) -> tuple[list[Entry], int]:
    """Delete keys that were not used for `older_than` seconds and match `model`, if given.

    With neither, only what nothing will ever read: older generations, damaged and half-written
    files, lists of paths that earlier versions wrote. Returns the keys deleted whole and the bytes
    freed; `dry_run` only tells.
    """
    deleted, n_bytes = [], 0
    for folder in _list_folders(root):
        entry = _describe(folder)
        old = older_than is None or time.time() - entry.used > older_than
        asked = model is None or entry.matches(model)
        if (older_than is not None or model is not None) and old and asked:
            deleted.append(entry)
            n_bytes += entry.n_bytes
            if not dry_run:
                shutil.rmtree(folder, ignore_errors=True)
        elif older_than is None and model is None:
            for path in _iter_waste(folder):
                n_bytes += _measure(path)
                if not dry_run:
                    _remove(path)
    return deleted, n_bytes


def _list_folders(root: pathlib.Path) -> list[pathlib.Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink())


def _describe(folder: pathlib.Path) -> Entry:
    meta = cache.read_meta(folder)
    shards = []
    for path in _list_shards(folder):
        with contextlib.suppress(OSError, ValueError, KeyError, pa.ArrowException):
            shards.append(cache.open_shard(path))
    times = [path.stat().st_mtime for path in (folder, *folder.glob("meta.json"))]
    return Entry(
        key=folder.name,
        models=list(meta.get("models", [])),
        adapter=str(meta.get("adapter", "")),
        dim=int(meta.get("dim", 0)),
        precision=str(meta.get("precision", "")),
        n_rows=sum(shard.n_rows for shard in shards),
        n_shards=len(shards),
        n_bytes=_measure(folder),
        used=max(times),
    )


def _list_shards(folder: pathlib.Path) -> list[pathlib.Path]:
    newest = cache.generations(folder)[-1:]
    paths = [path for generation in newest for path in sorted(generation.glob("*.arrow"))]
    return [path for path in paths if not path.name.endswith(cache.PATHS_SUFFIX)]


def _find_problem(path: pathlib.Path, key: str) -> str | None:
    if path.name.endswith(cache.DAMAGED_SUFFIX):
        return "was found damaged and put aside earlier"
    if path.suffix != ".arrow":
        return None
    try:
        shard = cache.open_shard(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, pa.ArrowException) as err:
        return f"cannot be read ({err})"
    if shard.key != key:
        return f"belongs to the key {shard.key[:12]}"
    return None if shard.is_intact() else "its bytes are not those that were written"


def _iter_waste(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    *older, _ = cache.generations(folder) or [folder]
    yield from older
    for path in sorted(folder.rglob("*")):
        if any(generation in path.parents for generation in older):
            continue
        if path.name.endswith((cache.DAMAGED_SUFFIX, cache.PATHS_SUFFIX)):
            yield path
        elif path.name.startswith(atomic.PREFIX):
            # It may belong to a process that is writing now.
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > STALE_SECONDS:
                    yield path


def _measure(path: pathlib.Path) -> int:
    paths = path.rglob("*") if path.is_dir() else [path]
    n_bytes = 0
    for each in paths:
        with contextlib.suppress(FileNotFoundError):
            n_bytes += each.stat().st_size if each.is_file() else 0
    return n_bytes


def _remove(path: pathlib.Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
