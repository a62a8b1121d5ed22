"""What a download would do: each source's state, what is left to fetch, and whether it fits.

plan = make_plan("newt", newt.SOURCES, root / "newt", mirrors)
plan.items[0].state, plan.items[0].to_fetch
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal

from biobench.data.sources import Source
from biobench.download import checksums
from biobench.download.mirrors import Mirrors
from biobench.download.shelf import Record, Shelf
from biobench.download.sizes import ROOM, show_bytes
from biobench.download.unpacking import Journal
from biobench.errors import BadInput

__all__ = ["Item", "Plan", "find_missing", "find_plain", "is_complete", "make_plan", "require_room"]

State = Literal["complete", "elsewhere", "there", "begun", "missing", "by hand"]


@dataclasses.dataclass(frozen=True)
class Item:
    """One source, and what is there of it."""

    source: Source
    addresses: dict[str, tuple[str, ...]]
    """of the file, its pieces and its list of checksums: name -> addresses in the order tried."""
    state: State
    """"elsewhere": what it gives stands there, but was not unpacked by this program."""
    size: int | None
    """bytes, exact or not; None where nothing is published."""
    to_fetch: int
    """bytes, as far as they are known."""
    to_unpack: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """A task's sources, and the folder that they go to."""

    task: str
    folder: Path
    items: tuple[Item, ...]

    @property
    def needed(self) -> int:
        """Bytes that the disk must still take, as far as they are known."""
        return sum(item.to_fetch + item.to_unpack for item in self.items)


Ask = Callable[[tuple[str, ...]], int | None]
"""addresses -> the size of the file that they give, where that can be known."""


def make_plan(
    task: str,
    sources: Sequence[Source],
    folder: Path,
    mirrors: Mirrors | None = None,
    ask: Ask = lambda addresses: None,
) -> Plan:
    """Look at what is there; nothing is written and nothing fetched.

    ask: called for each file of which no size is published.

    Raises BadInput where a source contradicts itself, or a mirror is of a file that there is not.
    """
    mirrors = mirrors or Mirrors()
    _check(task, sources)
    names = {task: {file.name for source in sources for file in list_files(source)}}
    for key in mirrors.find_unused(names):
        known = ", ".join(sorted(names[task]))
        raise BadInput(f"The mirror of '{key}' is of no use: the files of {task} are {known}.")
    shelf = Shelf(folder)
    items = []
    for source in sources:
        files = list_files(source)
        addresses = {file.name: mirrors.find(task, file.name, file.urls) for file in files}
        own = _list_own(source, sources)
        items.append(_look(source, own, shelf, addresses, ask))
    return Plan(task, folder, tuple(items))


def require_room(plans: Iterable[Plan]) -> None:
    """Raise BadInput where a disk has less room than what is left to fetch and to unpack."""
    disks: dict[int, tuple[Path, int]] = {}
    for plan in plans:
        place = next(path for path in (plan.folder, *plan.folder.parents) if path.exists())
        device = place.stat().st_dev
        disks[device] = (place, disks.get(device, (place, 0))[1] + plan.needed)
    for place, needed in disks.values():
        free = shutil.disk_usage(place).free
        if needed and needed + ROOM > free:
            raise BadInput(
                f"The disk of {place} has {show_bytes(free)} free, but about {show_bytes(needed)} "
                "are needed; make room, name another folder with --data, or download fewer tasks "
                "at once (with --remove-archives each archive makes room for the next task)."
            )


def list_files(source: Source) -> list[Source]:
    """All that may be fetched for a source: itself or its pieces, and its list of checksums."""
    listed = [source.checksums] if source.checksums else []
    return [source, *source.parts, *listed]


def is_complete(folder: Path, source: Source, record: Record) -> bool:
    """Whether all that a source gives was put in place, and still stands there."""
    if not record.complete or source.checksum not in ("", record.checksum):
        return False
    if source.listing:
        return stat_files([folder / source.listing.table]) == record.stats
    if not source.archive:
        return stat_files([find_plain(folder, source)]) == record.stats
    is_here = all((folder / name).exists() for name in record.sample)
    return is_here and not find_missing(folder, source.gives)


def find_missing(folder: Path, names: Iterable[str]) -> list[str]:
    """Which of these files and folders are not there; names may have `*`."""
    return [name for name in names if not any(folder.glob(name.rstrip("/")))]


def find_plain(folder: Path, source: Source) -> Path:
    """Where a file that is no archive ends."""
    if source.into in ("", "."):
        return folder / source.name
    return folder / source.into / Path(source.name).name


def stat_files(paths: Sequence[Path]) -> list[list[int]]:
    """Size and modification time (ns) of each file; [] where one is missing."""
    try:
        stats = [path.stat() for path in paths]
    except OSError:
        return []
    return [[found.st_size, found.st_mtime_ns] for found in stats]


def _list_own(source: Source, sources: Sequence[Source]) -> list[str]:
    """What this source alone gives: that it stands there says that its archive was unpacked."""
    others = [Path(name) for other in sources if other is not source for name in other.gives]
    return [
        name
        for name in source.gives
        if not any(Path(name).is_relative_to(o) or o.is_relative_to(name) for o in others)
    ]


def _look(
    source: Source,
    own: list[str],
    shelf: Shelf,
    addresses: dict[str, tuple[str, ...]],
    ask: Ask,
) -> Item:
    state = _find_state(source, own, shelf, addresses)
    pieces = source.parts or (source,)
    size = source.size or source.about
    if size is None:
        sizes = [piece.size or piece.about for piece in pieces]
        if state in ("missing", "begun"):
            pairs = zip(sizes, pieces, strict=True)
            sizes = [known or ask(addresses[piece.name]) for known, piece in pairs]
        size = sum(filter(None, sizes)) or None
    done = state in ("complete", "elsewhere")
    to_fetch = 0 if done or state == "there" else max(0, (size or 0) - _count_here(shelf, pieces))
    unpacked = Journal.read(shelf.journal(source.name)).bytes
    to_unpack = max(0, (size or 0) - unpacked) if source.archive and not done else 0
    return Item(source, addresses, state, size, to_fetch, to_unpack)


def _find_state(
    source: Source, own: list[str], shelf: Shelf, addresses: dict[str, tuple[str, ...]]
) -> State:
    folder, record = shelf.folder, shelf.read(source.name)
    if is_complete(folder, source, record):
        return "complete"
    if source.listing:
        return "begun" if (folder / source.into).is_dir() else "missing"
    whole = folder / source.name
    if whole.exists() or (not source.archive and find_plain(folder, source).exists()):
        return "there"
    pieces = source.parts or (source,)
    if source.parts and all((folder / part.name).exists() for part in source.parts):
        return "there"
    begun_here = record.complete or shelf.journal(source.name).exists()
    # Of a file that can be fetched, its own name says enough.
    may_stand = bool(own) and (bool(source.archive) or not addresses[source.name])
    if may_stand and not begun_here and not find_missing(folder, own):
        return "elsewhere"
    if _count_here(shelf, pieces):
        return "begun"
    return "missing" if all(addresses[piece.name] for piece in pieces) else "by hand"


def _count_here(shelf: Shelf, pieces: Sequence[Source]) -> int:
    """Bytes of the pieces that are there, whole or not."""
    total = 0
    for piece in pieces:
        for path in (shelf.folder / piece.name, shelf.partial(piece.name)):
            if path.is_file():
                total += path.stat().st_size
                break
    return total


def _check(task: str, sources: Sequence[Source]) -> None:
    files = [file for source in sources for file in list_files(source)]
    for file in files:
        if file.checksum:
            checksums.parse(file.checksum, f"{task}: {file.name}")
        table = file.listing.table if file.listing else ""
        for path in (file.name, file.into, table, *file.gives):
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise BadInput(
                    f"{task}: the source {file.name} names '{path}', which is not below the task's "
                    "folder; correct SOURCES."
                )
    names = [file.name for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadInput(f"{task}: two sources are named {twice}; give each a name of its own.")
