"""Brings a task's sources into its folder: fetch, verify, unpack, and note what was done.

for outcome in download(plan, Fetcher()):
    outcome.source, outcome.status, outcome.text
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Literal

from biobench.data.sources import Listing, Source
from biobench.download import checksums
from biobench.download.archives import DEFAULT_LIMITS, Limits
from biobench.download.listed import fetch_listed
from biobench.download.planning import Item, Plan, find_missing, find_plain, is_complete, stat_files
from biobench.download.problems import ArchiveDamaged, ArchiveRefused, NotFetched, SourceFailed
from biobench.download.shelf import Record, Shelf
from biobench.download.transfer import Fetcher, Wanted, forget
from biobench.download.unpacking import Archive, unpack
from biobench.errors import BadInput

__all__ = ["Outcome", "download"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one source."""

    source: str
    status: Literal["done", "there", "elsewhere", "failed"]
    text: str


def download(
    plan: Plan,
    fetcher: Fetcher,
    *,
    remove_archives: bool = False,
    limits: Limits = DEFAULT_LIMITS,
    tell: Callable[[str], None] = lambda text: None,
    after_member: Callable[[str], None] = lambda name: None,
) -> list[Outcome]:
    """Bring every source of the plan into place; one that fails does not keep the others.

    tell: called with what a person should know meanwhile.
    after_member: called with the name of each member of an archive when it is in place.
    """
    shelf = Shelf(plan.folder)
    with shelf.lock(tell):
        work = _Work(shelf, fetcher, remove_archives, limits, after_member)
        return [_bring(work, item) for item in plan.items]


def _bring(work: "_Work", item: Item) -> Outcome:
    name = item.source.name
    try:
        return work.bring(item)
    except NotFetched as err:
        hint = f"; {item.source.by_hand.rstrip('.')}" if item.source.by_hand else ""
        place = work.shelf.folder / name
        text = f"{err}{hint}; a copy put at {place} is verified and used by the same command"
        return Outcome(name, "failed", text)
    except (SourceFailed, BadInput) as err:
        return Outcome(name, "failed", str(err))
    except OSError as err:
        where = f"{err.filename}: " if err.filename else ""
        text = f"{where}{err.strerror or err}; where that is mended, the same command goes on"
        return Outcome(name, "failed", text)


@dataclasses.dataclass(frozen=True)
class _Work:
    """What bringing one source needs."""

    shelf: Shelf
    fetcher: Fetcher
    remove_archives: bool
    limits: Limits
    after_member: Callable[[str], None]

    def bring(self, item: Item) -> Outcome:
        source, folder = item.source, self.shelf.folder
        record = self.shelf.read(source.name)
        if is_complete(folder, source, record):
            # Another process, or an earlier run without --remove-archives.
            self._remove([folder / piece.name for piece in source.parts or (source,)], source)
            return Outcome(source.name, "there", "was there already, verified")
        if item.state == "elsewhere":
            stands = ", ".join(source.gives)
            return Outcome(
                source.name,
                "elsewhere",
                f"not fetched, for {stands} stood there before: whether that is whole and right "
                "was not verified; remove it to have it fetched",
            )
        if source.listing:
            return self._bring_listed(source, source.listing)
        if source.archive:
            return self._bring_archive(item, self._read_list(item))
        return self._bring_plain(item, self._read_list(item))

    def _bring_plain(self, item: Item, listed: dict[str, str]) -> Outcome:
        source, target = item.source, find_plain(self.shelf.folder, item.source)
        path = target if target.exists() else self.shelf.folder / source.name
        record = self._obtain(source, path, item, listed)
        if path != target:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
        record = dataclasses.replace(record, complete=True, stats=stat_files([target]))
        self.shelf.write(source.name, record)
        return Outcome(source.name, "done", _describe(record))

    def _bring_listed(self, source: Source, listing: Listing) -> Outcome:
        names = fetch_listed(source, listing, self.shelf, self.fetcher)
        stats = stat_files([self.shelf.folder / listing.table])
        record = Record(origin="recorded", stats=stats, complete=True, files=len(names))
        self.shelf.write(source.name, record)
        return Outcome(source.name, "done", f"{len(names):,} files, their checksums are recorded")

    def _bring_archive(self, item: Item, listed: dict[str, str]) -> Outcome:
        source, folder = item.source, self.shelf.folder
        whole = folder / source.name
        if source.parts and not whole.exists():
            paths = [folder / part.name for part in source.parts]
            record = self._obtain_parts(item, paths, listed)
        else:
            paths = [whole]
            record = self._obtain(source, whole, item, listed)
        archive = Archive(source.name, source.archive, tuple(paths), record.checksum)
        journal = self.shelf.journal(source.name)
        place = functools.partial(place_member, source)
        try:
            done = unpack(archive, folder, journal, place, self.limits, self.after_member)
        except ArchiveDamaged as err:
            # A cut that nobody saw must not be held against the next, whole file.
            advice = self._forget_unpublished(source, paths)
            raise ArchiveDamaged(f"{err}; {advice}") from err
        except ArchiveRefused as err:
            raise ArchiveRefused(
                f"{err}; it is not unpacked further, remove {paths[0]} if it should be fetched anew"
            ) from err
        if missing := find_missing(folder, source.gives):
            raise SourceFailed(f"it was unpacked, but did not give {', '.join(missing)}")
        record = dataclasses.replace(
            record,
            complete=True,
            files=done.files,
            bytes=done.bytes,
            sample=list(done.sample),
        )
        self.shelf.write(source.name, record)
        journal.unlink(missing_ok=True)
        self._remove(paths, source)
        return Outcome(source.name, "done", f"{_describe(record)}, {done.files:,} files unpacked")

    def _obtain(self, source: Source, path: Path, item: Item, listed: dict[str, str]) -> Record:
        """Have the verified file at `path`: what stands there, or fetched."""
        record = self.shelf.read(source.name)
        published = _find_published(source, listed)
        if source.parts and listed and not published:
            raise SourceFailed(
                f"only its pieces' checksums are published; put those in place of {path}"
            )
        expected = published or record.checksum
        origin = "published" if published else "recorded"
        if path.exists():
            if stat_files([path]) == record.stats and record.checksum == expected != "":
                return record
            found = _verify(path, source, expected, origin)
            address = record.address if record.checksum == found else ""
        else:
            wanted = self._want(source, item, expected, path)
            partial = self.shelf.partial(source.name)
            try:
                found, address = self.fetcher.fetch(wanted, partial)
            except NotFetched as err:
                if expected and not published and "checksum is" in str(err):
                    raise SourceFailed(f"{err}; {self._explain_recorded(source)}") from err
                raise
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial, path)
            forget(partial)
        record = Record(found, origin, address, stat_files([path]))
        self.shelf.write(source.name, record)
        return record

    def _obtain_parts(self, item: Item, paths: list[Path], listed: dict[str, str]) -> Record:
        """Have all pieces, each verified where that can be, and then the whole."""
        source = item.source
        pieces = [
            self._obtain(part, path, item, listed)
            for part, path in zip(source.parts, paths, strict=True)
        ]
        expected = _find_published(source, listed)
        record, stats = self.shelf.read(source.name), stat_files(paths)
        if not expected:
            if source.checksums and not all(piece.origin == "published" for piece in pieces):
                raise SourceFailed(
                    f"{source.checksums.name} lists neither it nor all of its pieces; remove that "
                    "file to fetch it again"
                )
            text = "\n".join(piece.checksum for piece in pieces)
            identity = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
            origin = "published" if source.checksums else "recorded"
            record = Record(identity, origin, pieces[0].address, stats)
        elif record.checksum != expected or record.stats != stats:
            algorithm = checksums.parse(expected, source.name)
            found = checksums.hash_file(paths, algorithm, f"verify {source.name}")
            if found != expected:
                self._forget_pieces(source, paths, pieces)
                raise SourceFailed(
                    f"its joined pieces have the checksum {found} and not the published "
                    f"{expected}; those that were fetched are removed, and the same command "
                    "fetches them anew"
                )
            record = Record(expected, "published", pieces[0].address, stats)
        self.shelf.write(source.name, record)
        return record

    def _forget_unpublished(self, source: Source, paths: list[Path]) -> str:
        """Remove the fetched files of which no checksum is published; what to do then."""
        files = source.parts if len(paths) > 1 else (source,)
        records = [self.shelf.read(file.name) for file in files]
        if any(record.origin == "published" or not record.address for record in records):
            return f"remove {paths[0]} to have it fetched anew"
        for file, path in zip(files, paths, strict=True):
            path.unlink()
            self.shelf.forget(file.name)
        return "no checksum of it is published, so it was removed; the same command fetches it anew"

    def _forget_pieces(self, source: Source, paths: list[Path], pieces: list[Record]) -> None:
        for part, path, piece in zip(source.parts, paths, pieces, strict=True):
            # What a person put there is not ours to remove; one that is listed is right.
            if piece.address and piece.origin == "recorded":
                path.unlink()
                self.shelf.forget(part.name)

    def _want(self, source: Source, item: Item, expected: str, path: Path) -> Wanted:
        addresses = item.addresses[source.name]
        if not addresses:
            why = (item.source.by_hand or "no address of it is known").rstrip(".")
            raise SourceFailed(
                f"no program can fetch it: {why}; put the file at {path}, and the same command "
                "verifies and uses it"
            )
        return Wanted(source.name, addresses, source.size, expected)

    def _read_list(self, item: Item) -> dict[str, str]:
        """File name -> checksum of the source's published list; empty where it has none."""
        listed = item.source.checksums
        if listed is None:
            return {}
        path = self.shelf.folder / listed.name
        self._obtain(listed, path, item, {})
        return checksums.read_list(path)

    def _remove(self, paths: list[Path], source: Source) -> None:
        if self.remove_archives and source.archive:
            for path in paths:
                path.unlink(missing_ok=True)

    def _explain_recorded(self, source: Source) -> str:
        path = self.shelf.folder / ".download"
        return (
            "none is published, and this one was recorded on the first download: where the "
            f"publisher has replaced the file, remove its record in {path}"
        )


def _find_published(source: Source, listed: dict[str, str]) -> str:
    """The published checksum of a file; a list's only line may be a whole's, without its name."""
    alone = listed.get("", "") if source.checksums and len(listed) == 1 else ""
    return source.checksum or listed.get(Path(source.name).name, "") or alone


def place_member(source: Source, name: str) -> str:
    """Where an archive's member goes, relative to the task's data folder.

    A folder around everything, as many archives have, is left away where `gives` says so.
    """
    name = dict(source.renames).get(name, name)
    placed = PurePosixPath(source.into, name)
    inner = PurePosixPath(source.into, *PurePosixPath(name).parts[1:])
    gives = [PurePosixPath(given) for given in source.gives]
    is_given = any(placed.is_relative_to(g) or g.is_relative_to(placed) for g in gives)
    has_folder = not is_given and any(inner.is_relative_to(given) for given in gives)
    return str(inner if has_folder else placed)


def _verify(path: Path, source: Source, expected: str, origin: str) -> str:
    """The checksum of a file that stands there; raises SourceFailed where it is another file."""
    if not path.is_file():
        raise SourceFailed(f"{path} is no file; remove it, or put the file in its place")
    size = path.stat().st_size
    advice = f"it is damaged or another version; remove {path} to have it fetched"
    if source.size is not None and size != source.size:
        raise SourceFailed(f"it has {size:,} bytes and not the published {source.size:,}: {advice}")
    algorithm = checksums.parse(expected, source.name) if expected else checksums.RECORDED
    found = checksums.hash_file(path, algorithm, f"verify {source.name}")
    if expected and found != expected:
        raise SourceFailed(f"its checksum is {found}, but {expected} is {origin}: {advice}")
    return found


def _describe(record: Record) -> str:
    came = f"fetched from {record.address}" if record.address else "found there"
    algorithm = record.checksum.partition(":")[0]
    if record.origin == "published":
        return f"{came}, {algorithm} as published"
    return f"{came}, no checksum is published ({record.checksum} is recorded)"
