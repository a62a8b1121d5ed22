"""Camtrap DP: a Data Package with the tables deployments, media and observations.

Source: Camtrap DP 1.0 (Biodiversity Information Standards, camtrap-dp.tdwg.org; Bubnicki et al.
2023, doi:10.1002/rse2.374). Packages of earlier versions have fewer columns under the same names.

An observation counts where it is of one file (`observationLevel` media); those of a whole event
cannot say which of its pictures show the animal. Where people have classified a file, machines'
classifications of it are passed over.
"""

import json
import pathlib
import typing

import polars as pl

from biobench.data.exports.dates import keep_dates
from biobench.data.exports.kind import (
    BLANK,
    BOX,
    HUMAN,
    NOT_NAMED,
    RANKS,
    SCHEMA,
    UNCLASSIFIED,
    UNKNOWN,
    VEHICLE,
    VIDEO,
    Format,
    Options,
    Place,
    Rows,
    Table,
    decode_json,
    read_text,
)
from biobench.data.exports.locating import is_remote, say_gone
from biobench.errors import BadInput

__all__ = ["FORMAT"]

TABLES = {
    "media": ("mediaID", "filePath", "timestamp"),
    "observations": ("observationID", "observationType", "mediaID"),
    "deployments": ("deploymentID", "latitude", "longitude"),
}
"""the tables of a package, and columns by which each is known."""
TYPES = {
    "blank": BLANK,
    "human": HUMAN,
    "vehicle": VEHICLE,
    "unknown": UNKNOWN,
    "unclassified": UNCLASSIFIED,
}
NO_OBSERVATION = "pictures without an observation"
OF_OBSERVATIONS = {
    "life_stage": "lifeStage",
    "sex": "sex",
    "behavior": "behavior",
    "count": "count",
    "individual": "individualID",
    "observer": "classifiedBy",
}
OF_DEPLOYMENTS = {
    "camera": "cameraID",
    "location": "locationID",
    "location_name": "locationName",
    "habitat": "habitat",
}


def find(place: Place) -> pathlib.Path | None:
    found = place.find_json(resources="[")
    if found:
        names = {one.get("name") for one in _list_resources(found)}
        return found if {"media", "observations"} <= names else None
    media = place.find_table(*TABLES["media"])
    return media if media and place.find_table(*TABLES["observations"]) else None


def read(main: pathlib.Path, options: Options) -> Rows:
    files, taxa = _list_tables(main)
    tables, notes, own = {}, [], [main]
    for name in TABLES:
        tables[name], said, paths = _read_table(name, files.get(name, []))
        notes += said
        own += paths
    media, observations = _read_media(tables["media"], main), tables["observations"]
    seen, passed_over = _read_observations(observations, main)
    if passed_over:
        notes.append(
            f"Classifications by machines, passed over for those by people: {passed_over:,}."
        )
    joined = media.join(seen.drop("shown"), on="key", how="left").with_columns(
        pl.when(pl.col("media_why").is_not_null())
        .then("media_why")
        .when(pl.col("type").is_null())
        .then(pl.lit(NO_OBSERVATION))
        .otherwise("why")
        .alias("why")
    )
    joined = joined.join(_read_deployments(tables["deployments"]), on="deployment", how="left")
    names = _read_taxa(taxa, joined["scientific_name"])
    joined = joined.join(names, on="scientific_name", how="left")
    joined = joined.rename({"type": "observation_type"}).drop("media_why")
    unnamed = seen.filter(pl.col("key").is_null()).select("shown", "why")
    unnamed = unnamed.with_columns(pl.lit(None, SCHEMA[n]).alias(n) for n in ("key", "box"))
    return Rows(
        pl.concat([joined, unnamed], how="diagonal_relaxed"),
        label="scientific_name",
        group=("deployment", "location", "camera", "sequence"),
        own=tuple(own),
        everything="observation_type",
        notes=tuple(dict.fromkeys(notes)),
    )


def _list_resources(main: pathlib.Path) -> list[dict[str, typing.Any]]:
    try:
        package = decode_json(main, dict[str, typing.Any])
    except BadInput:
        return []
    return [one for one in package.get("resources") or [] if isinstance(one, dict)]


def _list_tables(
    main: pathlib.Path,
) -> tuple[dict[str, list[pathlib.Path]], list[dict[str, typing.Any]]]:
    """The files of each table, and the taxa that the package describes."""
    if main.suffix.lower() != ".json":
        place = Place.of(main.parent)
        found = {name: place.find_table(*columns) for name, columns in TABLES.items()}
        return {name: [path] for name, path in found.items() if path}, []
    files = {}
    for one in _list_resources(main):
        names = one.get("path") or []
        for name in [names] if isinstance(names, str) else names:
            if one.get("name") in TABLES:
                files.setdefault(one["name"], []).append(_resolve(main, str(name)))
    taxa = decode_json(main, dict[str, typing.Any]).get("taxonomic") or []
    return files, [taxon for taxon in taxa if isinstance(taxon, dict)]


def _resolve(main: pathlib.Path, name: str) -> pathlib.Path:
    parts = name.replace("\\", "/").split("/")
    if is_remote(name) or ".." in parts or name.startswith("/"):
        raise BadInput(
            f"{main}: the table '{name}' is not a file of the package; put it beside and name it "
            "there."
        )
    path = main.parent.joinpath(*parts)
    if path.suffix.lower() in (".gz", ".zip"):
        raise BadInput(f"{main}: the table '{name}' is packed; unpack it and name that file there.")
    return path


def _read_table(
    name: str, paths: list[pathlib.Path]
) -> tuple[Table, tuple[str, ...], list[pathlib.Path]]:
    found = [read_text(path, *TABLES[name]) for path in paths]
    notes = tuple(note for _, said in found for note in said)
    if not found:
        return Table(pl.DataFrame()), (), []
    joined = pl.concat([table.table for table, _ in found], how="diagonal_relaxed")
    return Table(joined), notes, paths


def _read_media(table: Table, main: pathlib.Path) -> pl.DataFrame:
    path = table.require("filePath", main)
    key = table.require("mediaID", main).fill_null(path)
    kinds = table.get("fileMediatype").fill_null("").str.to_lowercase()
    names, deployments = table.get("fileName"), table.get("deploymentID")
    rows = list(zip(key, path, names, deployments, strict=True))
    shown = [file or name or key for key, file, name, _ in rows]
    return pl.DataFrame(
        {
            "key": key,
            "shown": pl.Series(shown, dtype=pl.String),
            "paths": pl.Series([_list_names(*row[1:]) for row in rows], dtype=pl.List(pl.String)),
            "ids": pl.Series([[one] if one else [] for one in key], dtype=pl.List(pl.String)),
            "gone": pl.Series([say_gone(file) for _, file, _, _ in rows], dtype=pl.String),
            "media_why": pl.Series(
                [VIDEO if kind.startswith("video") else None for kind in kinds], dtype=pl.String
            ),
            "deployment": deployments,
            "date": keep_dates(table.get("timestamp")),
            "capture_method": table.get("captureMethod"),
        }
    )


def _list_names(path: str | None, name: str | None, deployment: str | None) -> list[str]:
    found = [path] if path else []
    if name and deployment:
        found.append(f"{deployment}/{name}")
    return [*found, name] if name else found


def _read_observations(table: Table, main: pathlib.Path) -> tuple[pl.DataFrame, int]:
    """One row an observation, with the file's key where it is of one; how many are passed over."""
    kinds = table.require("observationType", main)
    level = table.get("observationLevel")
    media = table.get("mediaID")
    shown = [
        f"observation {id or number}" for number, id in enumerate(table.get("observationID"), 1)
    ]
    box = pl.Series(_read_boxes(table), dtype=BOX)
    found = pl.DataFrame(
        {
            "key": media,
            "shown": pl.Series(shown, dtype=pl.String),
            "type": kinds,
            "box": box,
            "scientific_name": table.get("scientificName"),
            "sequence": table.get("eventID", "sequenceID"),
            "method": table.get("classificationMethod"),
            **{new: table.get(old) for new, old in OF_OBSERVATIONS.items()},
        }
    )
    if level.null_count() < len(level):
        of_events = level.str.to_lowercase() != "media"
        found = found.with_columns(
            pl.when(of_events.fill_null(False)).then(None).otherwise("key").alias("key")
        )
    reasons = pl.col("type").replace_strict(TYPES, default=None, return_dtype=pl.String)
    found = found.with_columns(
        pl.when(pl.col("key").is_null()).then(pl.lit(NOT_NAMED)).otherwise(reasons).alias("why")
    )
    by_people = found.filter((pl.col("method") == "human") & pl.col("key").is_not_null())["key"]
    over = (pl.col("method") == "machine") & pl.col("key").is_in(by_people.unique().implode())
    kept = found.filter(~over.fill_null(False))
    return kept.drop("method"), found.height - kept.height


def _read_boxes(table: Table) -> list[list[float] | None]:
    columns = [
        table.get(f"bbox{name}").cast(pl.Float64, strict=False)
        for name in ("X", "Y", "Width", "Height")
    ]
    rows = zip(*columns, strict=True)
    return [None if None in row else [*map(float, row), 1.0, 1.0] for row in rows]


def _read_deployments(table: Table) -> pl.DataFrame:
    made = {"deployment": table.get("deploymentID")}
    made |= {new: table.get(old) for new, old in OF_DEPLOYMENTS.items()}
    for name in ("latitude", "longitude"):
        made[name] = table.get(name)
    return pl.DataFrame(made).unique("deployment", keep="first", maintain_order=True)


def _read_taxa(taxa: list[dict[str, typing.Any]], names: pl.Series) -> pl.DataFrame:
    """What is known of each scientific name: ranks and the vernacular name (English, if there)."""
    known = {str(taxon.get("scientificName", "")).strip(): taxon for taxon in taxa}
    rows = []
    for name in names.drop_nulls().unique(maintain_order=True):
        taxon = known.get(name, {})
        row = {rank: str(taxon[rank]) if taxon.get(rank) else None for rank in RANKS}
        rank, words = str(taxon.get("taxonRank") or "").lower(), name.split()
        is_species = rank in ("species", "subspecies") or (not rank and len(words) > 1)
        if is_species and len(words) > 1:
            row["species"] = row["species"] or " ".join(words[:2])
        if is_species or rank == "genus":
            row["genus"] = row["genus"] or words[0]
        elif rank in RANKS:
            row[rank] = row[rank] or name
        rows.append(row | {"scientific_name": name, "vernacular_name": _name_it(taxon)})
    columns: tuple[str, ...] = (*RANKS, "scientific_name", "vernacular_name")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String))


def _name_it(taxon: dict[str, typing.Any]) -> str | None:
    names = taxon.get("vernacularNames") or {}
    if isinstance(names, str):
        try:
            names = json.loads(names)
        except ValueError:
            return names
    if not isinstance(names, dict):
        return None
    best = next((names[code] for code in ("eng", "en") if names.get(code)), None)
    best = best or next((name for name in names.values() if name), None)
    return None if best is None else str(best)


FORMAT = Format("Camtrap DP package", find=find, read=read)
