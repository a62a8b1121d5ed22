"""Files that a table lists, fetched one by one: politely, and from where an earlier run was left.

    fetch_listed(source, source.listing, shelf, fetcher)

Each file is renamed into place when it is whole; its SHA-256 is added to `.download/NAME.sha256`,
in the form that `sha256sum -c` reads. Files that cannot be fetched are listed in
`.download/NAME.missing.txt`.
"""

import csv
import os
from pathlib import Path, PurePosixPath

from biobench import progress
from biobench.data.sources import Listing, Source
from biobench.download.problems import NotFetched, SourceFailed
from biobench.download.shelf import Shelf
from biobench.download.transfer import Fetcher, Wanted, forget

__all__ = ["fetch_listed"]

PAUSE = 0.1
"""seconds between two files, for the sake of who gives them."""
MOST_IN_A_ROW = 5
"""failures one after the other, after which the rest is not tried."""


def fetch_listed(source: Source, listing: Listing, shelf: Shelf, fetcher: Fetcher) -> list[str]:
    """Fetch what is not there yet; returns the names of all files, relative to the data folder.

    Raises SourceFailed where the table cannot be read, or files could not be fetched.
    """
    folder = shelf.folder
    listed = _read_table(folder / listing.table, listing, source.into)
    (folder / source.into).mkdir(parents=True, exist_ok=True)
    failed: dict[str, str] = {}
    in_a_row = 0
    wanted = {name: url for name, url in listed.items() if not (folder / name).exists()}
    n_here = len(listed) - len(wanted)
    for number, (name, address) in enumerate(wanted.items(), n_here):
        progress.report(f"fetch {source.name}, files", number, len(listed))
        try:
            _fetch(name, address, folder, shelf.partial(name), shelf.sums(source.name), fetcher)
            in_a_row = 0
        except NotFetched as err:
            failed[name] = err.causes[address]
            in_a_row += 1
        if in_a_row == MOST_IN_A_ROW:
            break
        fetcher.clock.sleep(PAUSE)
    progress.report(f"fetch {source.name}, files", len(listed) - len(failed), len(listed))
    missing = [name for name in wanted if not (folder / name).exists()]
    shelf.list_missing(source.name, missing)
    if missing:
        first, cause = next(iter(failed.items()))
        raise SourceFailed(
            f"{len(missing):,} of {len(listed):,} files could not be fetched (first: {first}: "
            f"{cause}); {shelf.missing(source.name)} lists them, and the same command tries again"
        )
    return list(listed)


def _fetch(
    name: str, address: str, folder: Path, partial: Path, sums: Path, fetcher: Fetcher
) -> None:
    # Of thousands of small files the count is what tells how far it is.
    with progress.listen(lambda stage, done, total: None):
        checksum, _ = fetcher.fetch(Wanted(name, (address,)), partial)
    with sums.open("a", encoding="utf-8") as file:
        file.write(f"{checksum.partition(':')[2]}  {name}\n")
    os.replace(partial, folder / name)
    forget(partial)


def _read_table(path: Path, listing: Listing, into: str) -> dict[str, str]:
    """File (relative to the data folder) -> address, of every row that has both."""
    if not path.is_file():
        raise SourceFailed(f"{path}, which lists its files, is not there yet")
    listed = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        for column in (listing.address, listing.file):
            if column not in (rows.fieldnames or ()):
                found = ", ".join(rows.fieldnames or ()) or "none"
                raise SourceFailed(f"{path} has no column {column} (found: {found})")
        for row in rows:
            name = PurePosixPath((row[listing.file] or "").strip()).name
            address = (row[listing.address] or "").strip()
            if name and address and not name.startswith(".") and "\0" not in name:
                listed[str(PurePosixPath(into, name))] = address
    if not listed:
        raise SourceFailed(f"{path} lists no files")
    return listed
