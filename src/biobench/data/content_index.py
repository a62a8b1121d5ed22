"""The index of known contents on disk, a folder for each folder of images.

    add(root, table)                       # columns path, size, mtime, ctime, inode, hash
    table, warnings = read(root)
    keep_set(root, images, files, …)       # these images, and the listing in which all were known
    list_entries(); prune(older_than=30 * 86400)

    ROOT/<digest of the folder>/<sha256>.arrow     what was learned: columns as above
                                <digest>.set       one set of images: size, …, inode, hash
                                folder.json        whose it is, for people

Files are renamed into place when whole, so any number of processes may write without a lock; those
of the index are named by the SHA-256 of their bytes and never changed. Losing one costs reading,
never a wrong answer.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterator, Sequence

import platformdirs
import polars as pl
import pyarrow as pa

from biobench import atomic
from biobench.data.listing import STAMP

__all__ = [
    "SCHEMA",
    "Entry",
    "KeptSet",
    "add",
    "cache_home",
    "contents_root",
    "find_set",
    "keep_set",
    "list_entries",
    "prune",
    "read",
]

SCHEMA = {"path": pl.String, **dict.fromkeys(STAMP, pl.Int64), "hash": pl.Binary}

SUFFIX = ".arrow"
SET_SUFFIX = ".set"
DAMAGED_SUFFIX = ".damaged"
PLACE = "folder.json"
MANIFESTS = "manifests"
"""beside the folders: what tasks have loaded (`biobench._remembering`)."""
CHECKS = "checks"
"""beside the folders: what checks have found (`biobench.data.checked`)."""
_NAMES = {MANIFESTS: "loaded data sets", CHECKS: "what checks found"}

MAX_FILES = 32
"""files of one folder's index beyond which they are made into one."""
MAX_SETS = 8
"""sets of images that are kept a folder: few-shot runs and tasks may share one."""
STALE_SECONDS = 3600.0


@dataclasses.dataclass(frozen=True)
class KeptSet:
    """Images that were all known, when their folders were listed."""

    files: pl.DataFrame
    """columns path, size, mtime, ctime, inode, hash: one row an image, in order."""
    folders: tuple[str, ...]
    digest: str
    """of their state (`biobench.data.listing.look_at`)."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is kept of one folder of images, or of what tasks have loaded."""

    what: str
    """for people."""
    n_bytes: int
    used: float
    """when it was last used, in seconds since 1970."""


def cache_home() -> pathlib.Path:
    """Where biobench keeps what it can make again: `$BIOBENCH_CACHE`, else the user's cache."""
    home = os.environ.get("BIOBENCH_CACHE") or platformdirs.user_cache_dir("biobench")
    return pathlib.Path(home).expanduser()


def contents_root() -> pathlib.Path:
    """The index of known contents: `$BIOBENCH_CONTENTS`, else `contents/` of the cache."""
    root = os.environ.get("BIOBENCH_CONTENTS")
    return pathlib.Path(root).expanduser() if root else cache_home() / "contents"


def add(root: pathlib.Path | str, table: pl.DataFrame) -> None:
    """Keep what was learned of files below `root`; raises OSError where that cannot be written."""
    folder = _get_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, table)
    _compact(folder)
    if not (folder / PLACE).exists():
        place = os.path.realpath(root).encode(errors="backslashreplace").decode()
        atomic.write(folder / PLACE, json.dumps({"folder": place}).encode())


def keep_set(
    root: pathlib.Path | str,
    images: Sequence[str],
    files: pl.DataFrame,
    folders: Sequence[str],
    digest: str,
) -> None:
    """Keep `files`, of which all hashes are known, for `find_set`; raises OSError."""
    folder = _get_folder(root)
    text = json.dumps([_describe_index(folder), digest, list(folders)])
    arrow = files.drop("path").to_arrow().replace_schema_metadata({"set": text})
    data = _to_bytes(arrow)
    atomic.write_sealed(folder / _name_set(images), data)
    kept = sorted(_stat_all(folder, SET_SUFFIX), reverse=True)
    for _, path in kept[MAX_SETS:]:
        path.unlink(missing_ok=True)


def find_set(root: pathlib.Path | str, images: Sequence[str]) -> KeptSet | None:
    """What was kept of just these images, if nothing was learned below `root` since."""
    folder = _get_folder(root)
    path = folder / _name_set(images)
    try:
        data = atomic.read_sealed(path)
        if data is None:
            return None
        with pa.ipc.open_file(pa.py_buffer(data)) as reader:
            arrow = reader.read_all()
        known, digest, folders = json.loads(arrow.schema.metadata[b"set"])
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None
    if known != _describe_index(folder) or arrow.num_rows != len(images):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)
    table = pl.DataFrame(pl.from_arrow(arrow)).cast({"hash": pl.Binary})
    paths = pl.Series("path", images, dtype=pl.String)
    return KeptSet(table.insert_column(0, paths), tuple(folders), digest)


def list_entries() -> list[Entry]:
    """What is kept, by folder of images, the one used last first."""
    return sorted(map(_describe, _list_folders()), key=lambda entry: -entry.used)


def prune(*, older_than: float | None = None, dry_run: bool = False) -> tuple[list[Entry], int]:
    """Delete what was not used for `older_than` seconds; without, only what nothing will read.

    Returns what was deleted whole, and the bytes freed; `dry_run` only tells.
    """
    deleted, n_bytes = [], 0
    for folder in _list_folders():
        entry = _describe(folder)
        if older_than is not None:
            if time.time() - entry.used > older_than:
                deleted.append(entry)
                n_bytes += entry.n_bytes
                if not dry_run:
                    shutil.rmtree(folder, ignore_errors=True)
            continue
        for path in _iter_waste(folder):
            with contextlib.suppress(OSError):
                n_bytes += path.stat().st_size
                if not dry_run:
                    path.unlink()
    return deleted, n_bytes


def _list_folders() -> list[pathlib.Path]:
    with contextlib.suppress(OSError):
        return [path for path in contents_root().iterdir() if path.is_dir()]
    return []


def _describe(folder: pathlib.Path) -> Entry:
    what = _NAMES.get(folder.name, "contents of a folder")
    sizes, times = [], [0.0]
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        what = f"contents of {json.loads((folder / PLACE).read_bytes())['folder']}"
    for path in (folder, *folder.glob("*")):
        with contextlib.suppress(OSError):
            status = path.stat()
            sizes.append(status.st_size if path != folder else 0)
            times.append(status.st_mtime)
    return Entry(what, sum(sizes), max(times))


def _iter_waste(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    yield from folder.glob(f"*{DAMAGED_SUFFIX}")
    for path in folder.glob(f"{atomic.PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                yield path


def _get_folder(root: pathlib.Path | str) -> pathlib.Path:
    name = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:32]
    return contents_root() / name


def _name_set(images: Sequence[str]) -> str:
    text = "\0".join(images).encode(errors="surrogateescape")
    return f"{hashlib.sha256(text).hexdigest()[:32]}{SET_SUFFIX}"


def _describe_index(folder: pathlib.Path) -> list[str]:
    """The names of the index's files, which are digests of what is in them."""
    return sorted(path.name for path in _list_index(folder))


def read(root: pathlib.Path | str) -> tuple[pl.DataFrame, list[str]]:
    """Everything that is known below one folder of images, newest last; and what was damaged."""
    return _read_index(_get_folder(root))


def _read_index(folder: pathlib.Path) -> tuple[pl.DataFrame, list[str]]:
    tables, damaged = [], []
    for path in _list_index(folder):
        try:
            tables.append(_read_file(path))
        except FileNotFoundError:
            # Another process has made several files into one; what we lose is read again.
            continue
        except (OSError, ValueError, pa.ArrowException, pl.exceptions.PolarsError) as err:
            with contextlib.suppress(OSError):
                path.rename(path.with_name(path.name + DAMAGED_SUFFIX))
            damaged.append(
                f"Index of file contents: {path} was damaged ({err}); its files are hashed again."
            )
    index = pl.concat([pl.DataFrame(schema=SCHEMA), *tables])
    return (_drop_contradictions(index) if len(tables) > 1 else index), damaged


def _list_index(folder: pathlib.Path) -> list[pathlib.Path]:
    return [path for _, path in sorted(_stat_all(folder, SUFFIX))]


def _stat_all(folder: pathlib.Path, suffix: str) -> list[tuple[int, pathlib.Path]]:
    """When each file that ends so was written, and where it is."""
    try:
        with os.scandir(folder) as entries:
            return [
                (entry.stat().st_mtime_ns, folder / entry.name)
                for entry in entries
                if entry.name.endswith(suffix)
            ]
    except OSError:
        return []


def _read_file(path: pathlib.Path) -> pl.DataFrame:
    data = path.read_bytes()
    if path.name.removesuffix(SUFFIX) != hashlib.sha256(data).hexdigest():
        raise ValueError("its bytes are not those that were written")
    with pa.ipc.open_file(pa.py_buffer(data)) as reader:
        return pl.DataFrame(pl.from_arrow(reader.read_all())).select(
            pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()
        )


def _drop_contradictions(index: pl.DataFrame) -> pl.DataFrame:
    distinct = index.unique(keep="last", maintain_order=True)
    return distinct.unique(["path", *STAMP], keep="none", maintain_order=True)


def _write(folder: pathlib.Path, table: pl.DataFrame) -> pathlib.Path:
    data = _to_bytes(table.to_arrow())
    path = folder / f"{hashlib.sha256(data).hexdigest()}{SUFFIX}"
    atomic.write(path, data)
    return path


def _to_bytes(arrow: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    return sink.getvalue().to_pybytes()


def _compact(folder: pathlib.Path) -> None:
    """Make one file of many; what others write meanwhile stays beside it."""
    paths = _list_index(folder)
    if len(paths) <= MAX_FILES:
        return
    index, _ = _read_index(folder)
    whole = _write(folder, index.unique("path", keep="last", maintain_order=True))
    for path in paths:
        if path != whole:
            path.unlink(missing_ok=True)
    for path in _iter_waste(folder):
        if path.name.startswith(atomic.PREFIX):
            path.unlink(missing_ok=True)
