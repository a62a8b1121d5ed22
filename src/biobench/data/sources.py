"""Where a task's published data come from, as data: what `biobench download` fetches and verifies.

    SOURCES = (
        Source(
            name="newt2021_labels.csv.tar.gz",
            urls=("https://…/newt2021_labels.csv.tar.gz",),
            checksum="sha256:e098…",
            archive="tar",
            gives=("newt2021_labels.csv",),
            licence="…",
            citation="Van Horn et al., CVPR 2021",
        ),
    )

A task module names its sources as `SOURCES`; a task without any (one's own folder) has none.
docs/download.md says how each field is used.
"""

import dataclasses
from typing import Literal

__all__ = ["Listing", "Source"]


@dataclasses.dataclass(frozen=True)
class Listing:
    """A table of files that are fetched one by one."""

    table: str
    """a CSV file below the task's data folder, brought by an earlier source."""
    address: str
    """column of the files' addresses."""
    file: str
    """column whose last part, behind the last slash, is the file's name."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One file to fetch, and what it becomes below the task's data folder."""

    name: str
    """the file's name once fetched, relative to the task's data folder."""
    urls: tuple[str, ...]
    """addresses in the order tried; empty where only a person can fetch it (see `by_hand`)."""
    size: int | None = None
    """bytes, held against what is fetched; None where it is not published."""
    checksum: str = ""
    """"sha256:HEX" or "md5:HEX"; empty where none is published: recorded on the first download."""
    archive: Literal["", "tar", "zip"] = ""
    """how it is unpacked ("tar" with any compression); empty: it is kept as it is."""
    into: str = "."
    """folder below the task's data folder that it is unpacked into, or moved to."""
    gives: tuple[str, ...] = ()
    """files and folders below the task's data folder that stand there once it is unpacked; left
    empty where another source gives the same, for nobody could tell then which one did."""
    parts: tuple["Source", ...] = ()
    """the pieces of a split archive, joined in this order; they have the addresses then."""
    licence: str = ""
    """the licence's name as published, or "unknown"."""
    citation: str = ""
    """the paper or data set to cite."""
    by_hand: str = ""
    """where the source is dead or walled: what to do, in a sentence."""
    about: int | None = None
    """bytes where only a rounded or doubtful number is published: for plans, never held against."""
    checksums: "Source | None" = None
    """a published list of checksums (as md5sum or BSD's md5 write them) of this file or its parts,
    fetched first."""
    renames: tuple[tuple[str, str], ...] = ()
    """(name in the archive, name it gets) of members that are published under a useless name."""
    listing: Listing | None = None
    """where the source is many files, put into `into`: the table that lists them."""
