"""Finds pictures in folders.

found = list_pictures(root)     # found.names: relative paths; found.n_others: files left out
"""

import dataclasses
import os
import pathlib
from collections.abc import Iterable

import polars as pl

__all__ = ["SUFFIXES", "Pictures", "list_pictures", "match_suffix_case"]

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
    | {".ppm", ".pgm", ".jp2", ".avif"}
)


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures below a folder, as sorted relative paths with forward slashes."""

    names: list[str]
    n_others: int
    """files that are not pictures by their suffix; hidden ones are not counted."""


def list_pictures(root: pathlib.Path) -> Pictures:
    """Every picture below `root`, however deep, by suffix in either case."""
    names, n_others = [], 0
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = pathlib.Path(folder).relative_to(root)
        for name in files:
            if name.startswith("."):
                continue
            if os.path.splitext(name)[1].lower() in SUFFIXES:
                names.append((relative / name).as_posix())
            else:
                n_others += 1
    return Pictures(sorted(names), n_others)


def match_suffix_case(root: pathlib.Path, names: Iterable[str]) -> pl.Series:
    """`names` with each suffix written as on disk: copies of a data set may shout (.JPG)."""
    names = list(names)
    folders = {name.rpartition("/")[0] for name in names}
    actual = {}
    for folder in folders:
        path = root / folder
        if not path.is_dir():
            continue
        prefix = f"{folder}/" if folder else ""
        for entry in os.scandir(path):
            stem, suffix = os.path.splitext(prefix + entry.name)
            actual[stem + suffix] = stem + suffix
            actual.setdefault(stem + suffix.lower(), stem + suffix)
    return pl.Series("image", [actual.get(name, name) for name in names], dtype=pl.String)
