"""Timelapse: the CSV that the image analyser exports, one row a file.

Source: the Timelapse reference guide (timelapse.ucalgary.ca). File, RelativePath (or Folder),
DateTime (or Date and Time), DeleteFlag and, of earlier versions, RootFolder and ImageQuality are
always there; all other columns are the project's own, the label among them.
"""

import pathlib

import polars as pl

from biobench.data.exports.dates import keep_dates
from biobench.data.exports.kind import (
    MISSING,
    SCHEMA,
    Format,
    Options,
    Place,
    Rows,
    Table,
    plain,
    read_text,
)
from biobench.data.exports.naming import find_why
from biobench.data.picture_table import ROLES
from biobench.errors import BadInput

__all__ = ["FORMAT"]

ALWAYS = ("File", "DeleteFlag")
FOLDERS = ("RelativePath", "Folder")
STANDARD = ("RootFolder", "DateTime", "Date", "Time", "UtcOffset", "ImageQuality", "ID")
DELETED = "pictures that are marked for deletion"
UNREADABLE = ("dark", "corrupted", "missing", "filenolongeravailable")
UNUSABLE = "pictures that are dark, corrupt or missing"
GROUPS = ("deployment", "camera", "location", "station", "site", "folder")


def find(place: Place) -> pathlib.Path | None:
    return next((path for one in FOLDERS if (path := place.find_table(*ALWAYS, one))), None)


def read(main: pathlib.Path, options: Options) -> Rows:
    table, notes = read_text(main, *ALWAYS, *FOLDERS, *STANDARD)
    label = _find_label(table, options, main)
    file, folder = table.require("File", main), table.get(*FOLDERS)
    names = [
        f"{above}/{name}" if above else str(name) for above, name in zip(folder, file, strict=True)
    ]
    deleted = [str(value).lower() in ("true", "1") for value in table.get("DeleteFlag")]
    quality = [str(value).lower() for value in table.get("ImageQuality")]
    whys = [
        DELETED if gone else UNUSABLE if how in UNREADABLE else find_why(said)
        for gone, how, said in zip(deleted, quality, table.get(label), strict=True)
    ]
    made = pl.DataFrame(
        {
            "key": names,
            "shown": names,
            "paths": [[name] for name in names],
            "ids": [[] for _ in names],
            "gone": [MISSING] * len(names),
            "why": whys,
            "box": [None] * len(names),
        },
        schema=SCHEMA,
    )
    known = {plain(name): name for name in ("camera", "deployment", "sequence", "latitude")}
    rest = table.get_rest(*ALWAYS, *FOLDERS, *STANDARD)
    rest = {known.get(plain(name), name): values for name, values in rest.items()}
    made = made.with_columns(
        folder.alias("folder"),
        _read_dates(table).alias("date"),
        *(values.alias(name) for name, values in rest.items() if name not in (*SCHEMA, "folder")),
    )
    return Rows(
        made,
        label=next(name for name in made.columns if plain(name) == plain(label)),
        group=tuple(name for name in GROUPS if name in made.columns),
        own=(main,),
        notes=notes,
    )


def _find_label(table: Table, options: Options, main: pathlib.Path) -> str:
    if options.label:
        if options.label not in table:
            raise BadInput(
                f"{main}: there is no column '{options.label}' for label (found: "
                f"{', '.join(table.table.columns)})."
            )
        return options.label
    found = next((name for name in ROLES["label"] if name in table), None)
    if found is None:
        raise BadInput(
            f"{main} is a Timelapse table, but which of its columns is the label? Say it with "
            f"--columns label=NAME (found: {', '.join(table.table.columns)})."
        )
    return found


def _read_dates(table: Table) -> pl.Series:
    if "DateTime" in table:
        return keep_dates(table.get("DateTime"))
    pairs = zip(table.get("Date"), table.get("Time"), strict=True)
    joined = [" ".join(part for part in pair if part) for pair in pairs]
    return keep_dates(pl.Series(joined, dtype=pl.String))


FORMAT = Format("Timelapse table", find=find, read=read)
