"""What a task's `load` made of a folder, kept for as long as nothing there changes.

    @evaluate.remembered
    def load(args): ...             # as ever; the folder is listed, and read where it has changed

    with evaluate.session():        # one step: what it has loaded it does not load again
    with evaluate.session(seen):    # within a plan: what was so at its start is not looked at again

    CONTENTS/manifests/<digest of what decides it>.manifest

What decides it is the task's code, the arguments that say which data, and the names, sizes, times
and inodes of everything below `args.datadir`. What cannot be kept is loaded.
"""

import contextlib
import contextvars
import dataclasses
import functools
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import polars as pl

from biobench import atomic, probes
from biobench.args import Args
from biobench.data import LeftOut, Manifest, content_index, contents, listing
from biobench.features.code import list_module
from biobench.fields import list_options

__all__ = ["Seen", "get_seen", "is_remembered", "remembered", "session"]

Load = Callable[..., Manifest]

FORMAT = 1
SUFFIX = ".manifest"
MAX_KEPT = 32
SETTLED = 2_000_000_000
"""nanoseconds after which no further change can have the same time, on any filesystem."""

NO_DATA = {field.name for field in dataclasses.fields(Args)} - {"datadir", "seed", "debug"}
"""arguments of every task that do not say which data there are."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """Data as they were at one moment, for a process that takes them as they were then."""

    key: str
    """of the task, its code and arguments."""
    digest: str
    """of everything below the data folder."""
    contents: str
    """`biobench.data.contents.Known.digest` of the pictures."""


@dataclasses.dataclass(frozen=True)
class _Session:
    seen: Seen | None = None
    loaded: dict[str, tuple[Manifest, str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Kept:
    manifest: Manifest
    folders: tuple[str, ...]
    digest: str


_session: contextvars.ContextVar[_Session | None] = contextvars.ContextVar("session", default=None)


@contextlib.contextmanager
def session(seen: Seen | None = None) -> Iterator[None]:
    """In the body nothing is loaded twice, and no folder listed twice.

    seen: data that are taken as they were, where they are kept.
    """
    token = None if _session.get() and seen is None else _session.set(_Session(seen))
    try:
        with listing.once():
            yield
    finally:
        if token:
            _session.reset(token)


def remembered(load: Load) -> Load:
    """A `load(args)` whose answer is kept until something below `args.datadir` changes.

    For a task that reads only what lies there, and whose manifest follows from that, from its own
    code and the modules beside it, and from the fields of its `Args`, of those of `evaluate.Args`
    only datadir, seed, debug, and whether the probe is trained. A table of pictures, which may name
    files anywhere, is read every time.
    """

    @functools.wraps(load)
    def load_once(args: Args) -> Manifest:
        key = _get_key(load, args)
        here = _session.get() or _Session()
        if key not in here.loaded:
            here.loaded[key] = _find(key, args, here.seen) or _load(load, args, key)
        return here.loaded[key][0]

    vars(load_once)["get_key"] = functools.partial(_get_key, load)
    return load_once


def is_remembered(load: Load) -> bool:
    """Whether a task's `load` answers from what it has loaded before."""
    return hasattr(load, "get_key")


def get_seen(load: Load, args: Args, known: contents.Known | None = None) -> Seen | None:
    """What was loaded in this session, if it is kept; or what the session takes as seen.

    known: what is known of the pictures, all of whose contents must be.
    """
    here = _session.get()
    if here is None or not is_remembered(load):
        return None
    key = load.get_key(args)
    if known is None:
        return here.seen if here.seen and here.seen.key == key else None
    _, digest = here.loaded.get(key, (None, ""))
    return Seen(key, digest, known.digest) if digest and known.digest else None


def _get_key(load: Load, args: Args) -> str:
    fields = {name: value for name, value in vars(args).items() if name not in NO_DATA}
    fields["datadir"] = os.path.abspath(args.datadir)
    if args.probe and probes.reads_text(args.probe):
        # Data without a training split are then data, too.
        fields["trained"] = False
    text = json.dumps(fields, sort_keys=True, default=repr)
    parts = [str(FORMAT), load.__module__, _digest_code(load.__module__), text]
    return hashlib.sha256("\x1f".join(parts).encode(errors="surrogateescape")).hexdigest()[:32]


@functools.cache
def _digest_code(module: str) -> str:
    """Of everything that makes a manifest of files: the task, the package, and who reads tables."""
    digest = hashlib.sha256(importlib.metadata.version("polars").encode())
    own = pathlib.Path(__file__).parent
    paths = [*own.glob("*.py"), *(own / "data").rglob("*.py")]
    file = getattr(sys.modules.get(module), "__file__", None)
    if file and own not in pathlib.Path(file).parents:
        paths += list_module(module, pathlib.Path(file).resolve()).values()
    elif not file:
        # A task of a notebook has no file: never the same as another process's.
        digest.update(os.urandom(16))
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _find(key: str, args: Args, seen: Seen | None) -> tuple[Manifest, str] | None:
    kept = _read(key)
    if kept is None:
        return None
    if seen is None or (key, kept.digest) != (seen.key, seen.digest):
        now = listing.look_at(args.datadir, kept.folders)
        if now.digest != kept.digest:
            return None
    with contextlib.suppress(OSError):
        os.utime(_get_path(key))
    return kept.manifest, kept.digest


def _load(load: Load, args: Args, key: str) -> tuple[Manifest, str]:
    if not os.path.isdir(args.datadir) or _names_others(args):
        return load(args), ""
    # Before it is read: what changes meanwhile is then seen to have changed.
    folders = _list_tree(args.datadir)
    before = listing.look_at(args.datadir, folders)
    manifest = load(args)
    if not (before.digest and before.is_timed and time.time_ns() - before.newest > SETTLED):
        return manifest, ""
    with contextlib.suppress(OSError, pl.exceptions.PolarsError):
        if _write(key, _Kept(manifest, folders, before.digest)):
            return manifest, before.digest
    return manifest, ""


def _names_others(args: Args) -> bool:
    """Whether the arguments name files or folders of the data besides `datadir`."""
    options = list_options(type(args))
    named = {n for n, said in options.items() if said.path and "data" in said.decides}
    return any(getattr(args, name) for name in named - {"datadir"})


def _list_tree(root: str) -> tuple[str, ...]:
    """Every folder below `root`, itself as "", through links too, each real one once."""
    found, seen, waiting = [], set(), [""]
    while waiting:
        folder = waiting.pop()
        try:
            status = os.stat(os.path.join(root, folder))
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(os.path.join(root, folder)) as entries:
                waiting += [os.path.join(folder, e.name) for e in entries if e.is_dir()]
        except OSError:
            # That it cannot be listed shows when it is looked at, and then nothing is kept.
            pass
        found.append(folder)
    return tuple(found)


def _get_path(key: str) -> pathlib.Path:
    return contents.contents_root() / content_index.MANIFESTS / f"{key}{SUFFIX}"


def _write(key: str, kept: _Kept) -> bool:
    """Keep a manifest; whether what will be read is what was written."""
    manifest = kept.manifest
    head = {
        "digest": kept.digest,
        "folders": kept.folders,
        "root": str(manifest.root),
        "dropped": manifest.dropped,
        "left_out": [dataclasses.astuple(out) for out in manifest.left_out],
        "notes": manifest.notes,
    }
    buffer = io.BytesIO()
    buffer.write(json.dumps(head).encode(errors="surrogateescape") + b"\n")
    manifest.table.write_ipc(buffer, compression="zstd")
    data = buffer.getvalue()
    if not _is_same(_parse(data).manifest, manifest):
        return False
    path = _get_path(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_sealed(path, data)
    others = sorted(path.parent.glob(f"*{SUFFIX}"), key=lambda path: -path.stat().st_mtime)
    for old in others[MAX_KEPT:]:
        old.unlink(missing_ok=True)
    return True


def _is_same(one: Manifest, other: Manifest) -> bool:
    fields = [(m.root, m.dropped, m.left_out, m.notes, m.table.schema) for m in (one, other)]
    return fields[0] == fields[1] and one.table.equals(other.table)


def _read(key: str) -> _Kept | None:
    try:
        data = atomic.read_sealed(_get_path(key))
        return None if data is None else _parse(bytes(data))
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        return None


def _parse(data: bytes) -> _Kept:
    line, _, body = data.partition(b"\n")
    head = json.loads(line)
    manifest = Manifest(
        root=pathlib.Path(head["root"]),
        table=pl.read_ipc(io.BytesIO(body)),
        dropped=head["dropped"],
        left_out=tuple(LeftOut(*out) for out in head["left_out"]),
        notes=tuple(head["notes"]),
    )
    return _Kept(manifest, tuple(head["folders"]), head["digest"])
