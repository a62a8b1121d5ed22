"""Wildlife Insights: images.csv, beside it deployments.csv, cameras.csv and projects.csv.

Source: the download of wildlifeinsights.org as the package wiutils reads it
(wiutils.readthedocs.io): one row an image and identification, with its address as `gs://`. Projects
that are annotated by sequence have sequences.csv in its place, which names no pictures.

Pictures are downloaded apart from the tables: a file is found by the end of its address, by the
deployment's folder and its name, or by its image_id.
"""

import pathlib

import polars as pl

from biobench.data.exports.dates import keep_dates
from biobench.data.exports.kind import (
    BLANK,
    SCHEMA,
    UNKNOWN,
    Format,
    Options,
    Place,
    Rows,
    Table,
    read_text,
)
from biobench.data.exports.locating import say_gone
from biobench.data.exports.naming import find_why

__all__ = ["FORMAT"]

IMAGES = ("deployment_id", "image_id", "location", "is_blank", "common_name")
DEPLOYMENTS = ("deployment_id", "latitude", "longitude", "start_date")
CAMERAS = ("camera_id", "make", "model")
PROJECTS = ("project_id", "project_name", "project_admin")
HIGHER = ("class", "order", "family")
FURTHER = ("age", "sex", "behavior", "number_of_objects", "license")


def find(place: Place) -> pathlib.Path | None:
    return place.find_table(*IMAGES)


def read(main: pathlib.Path, options: Options) -> Rows:
    table, notes = read_text(main, *IMAGES)
    place = Place.of(main.parent)
    beside = {c: place.find_table(*c) for c in (DEPLOYMENTS, CAMERAS, PROJECTS)}
    deployments, more = _read_deployments(beside[DEPLOYMENTS])
    key, name, address = table.get("image_id"), table.get("filename"), table.get("location")
    deployment, common = table.get("deployment_id"), table.get("common_name")
    rows = list(zip(key, name, address, deployment, strict=True))
    species, scientific = _name(table)
    blank = [str(value).lower() in ("1", "true", "yes", "1.0") for value in table.get("is_blank")]
    words = zip(blank, scientific, common, strict=True)
    made = pl.DataFrame(
        {
            "key": key.fill_null(address),
            "shown": [address or name or key for key, name, address, _ in rows],
            "paths": [_list_names(*row[1:]) for row in rows],
            "ids": [[one] if one else [] for one in key],
            "gone": [say_gone(address) for _, _, address, _ in rows],
            "why": [_find_why(*word) for word in words],
            "box": [None] * len(rows),
        },
        schema=SCHEMA,
    ).with_columns(
        scientific.alias("scientific_name"),
        common.alias("vernacular_name"),
        *(table.get(rank) for rank in (*HIGHER, "genus")),
        species.alias("species"),
        deployment.alias("deployment"),
        table.get("sequence_id").alias("sequence"),
        keep_dates(table.get("timestamp")).alias("date"),
        table.get("identified_by").alias("observer"),
        *(table.get(name) for name in FURTHER),
    )
    return Rows(
        made.join(deployments, on="deployment", how="left"),
        label="scientific_name",
        group=("deployment", "location", "camera", "sequence"),
        own=(main, *(path for path in beside.values() if path)),
        notes=(*notes, *more),
    )


def _find_why(blank: bool, scientific: str | None, common: str | None) -> str | None:
    found = find_why(common) or find_why(scientific)
    if blank:
        return BLANK
    return found or (None if scientific or not common else UNKNOWN)


def _name(table: Table) -> tuple[pl.Series, pl.Series]:
    """The species' name of two words, and that of the lowest rank that is named."""
    columns = [table.get(rank) for rank in (*HIGHER, "genus", "species")]
    both, lowest = [], []
    for *higher, genus, epithet in zip(*columns, strict=True):
        name = f"{genus} {epithet}" if genus and epithet else None
        both.append(name)
        lowest.append(name or genus or next((one for one in reversed(higher) if one), None))
    return pl.Series(both, dtype=pl.String), pl.Series(lowest, dtype=pl.String)


def _list_names(name: str | None, address: str | None, deployment: str | None) -> list[str]:
    found = [address] if address else []
    if name and deployment:
        found.append(f"{deployment}/{name}")
    return [*found, name] if name else found


def _read_deployments(path: pathlib.Path | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    if path is None:
        table, notes = Table(pl.DataFrame()), ("There is no table of deployments beside it.",)
    else:
        table, notes = read_text(path, *DEPLOYMENTS)
    made = pl.DataFrame(
        {
            "deployment": table.get("deployment_id"),
            "camera": table.get("camera_id"),
            "location": table.get("placename"),
            "habitat": table.get("feature_type"),
            "latitude": table.get("latitude"),
            "longitude": table.get("longitude"),
        }
    )
    return made.unique("deployment", keep="first", maintain_order=True), notes


FORMAT = Format("Wildlife Insights download", find=find, read=read)
