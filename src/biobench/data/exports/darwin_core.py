"""Darwin Core archives, as GBIF's downloads are: occurrences, and the pictures of each.

Source: the Darwin Core text guide (dwc.tdwg.org/text), the extensions Simple Multimedia
(rs.gbif.org/terms/1.0/Multimedia) and Audubon Media Description, and GBIF's download formats
(techdocs.gbif.org). Read are an archive with `meta.xml`, and GBIF's occurrence.txt with or without
multimedia.txt where `meta.xml` is gone.

Pictures are named by address and downloaded apart: a file belongs to an occurrence where its path
is the end of an address, or where it is called by the occurrence's id (4711.jpg, 4711_2.jpg,
4711/a.jpg). All pictures of one occurrence are one group. The label is the species, which GBIF
writes without the author; where a table has none, the scientific name.

The archive's description is read here, and its tables by polars: python-dwca-reader, against which
that is tested, makes an object of every row.
"""

import codecs
import dataclasses
import pathlib
import xml.etree.ElementTree as ET

import polars as pl

from biobench.data.exports.dates import keep_dates
from biobench.data.exports.kind import (
    MISSING,
    RANKS,
    SCHEMA,
    VIDEO,
    Format,
    Options,
    Place,
    Rows,
    Table,
)
from biobench.data.exports.locating import say_gone
from biobench.errors import BadInput

__all__ = ["FORMAT", "read_archive"]

SPACE = "{http://rs.tdwg.org/dwc/text/}"
OCCURRENCE = "occurrence"
MULTIMEDIA = "multimedia"
GBIF = ("gbifID", "basisOfRecord", "scientificName")
GBIF_MEDIA = ("gbifID", "identifier", "format")
NO_PICTURE = "occurrences without a picture"
NOT_A_PICTURE = "sounds and other media that are not pictures"
ORPHAN = "pictures of occurrences that are not in the archive"
CORE_KEY, CORE_OF_MEDIA = "core id", "core of media"
FURTHER = {
    "vernacular_name": "vernacularName",
    "scientific_name": "scientificName",
    "rank": "taxonRank",
    "observer": "recordedBy",
    "basis_of_record": "basisOfRecord",
    "sex": "sex",
    "life_stage": "lifeStage",
    "country": "countryCode",
    "dataset": "datasetKey",
}


@dataclasses.dataclass(frozen=True)
class _Part:
    """One table as `meta.xml` describes it."""

    files: tuple[pathlib.Path, ...]
    kind: str
    key: int
    terms: dict[int, str]
    defaults: dict[str, str]
    delimiter: str
    quote: str | None
    encoding: str
    n_header: int


def find(place: Place) -> pathlib.Path | None:
    for path in place.files:
        if path.suffix.lower() == ".xml" and _is_archive(path):
            return path
    return place.find_list_of_addresses(*GBIF)


def read(main: pathlib.Path, options: Options) -> Rows:
    core, media, own = read_archive(main)
    key = core.get(CORE_KEY)
    genus, epithet = core.get("genus"), core.get("specificEpithet")
    binomial = pl.select((genus + pl.lit(" ") + epithet).alias("species")).to_series()
    made = {"core": key}
    made |= {rank: core.get(rank) for rank in RANKS}
    made["species"] = made["species"].fill_null(binomial)
    label = "species" if made["species"].count() else "scientific_name"
    made |= {new: core.get(old) for new, old in FURTHER.items()}
    made["date"] = keep_dates(core.get("eventDate", "verbatimEventDate"))
    for new, old in (("latitude", "decimalLatitude"), ("longitude", "decimalLongitude")):
        made[new] = core.get(old)
    made["event"], made["location"] = core.get("eventID"), core.get("locationID", "locality")
    occurrences = pl.DataFrame(made).unique("core", keep="first", maintain_order=True)
    joined = occurrences.join(_read_media(core, media), on="core", how="full", coalesce=True)
    known = pl.col("core").is_in(occurrences["core"].drop_nulls().implode())
    joined = joined.with_columns(
        pl.col("core").alias("key"),
        pl.col("shown").fill_null(pl.lit("occurrence ") + pl.col("core")),
        pl.col("paths").fill_null(pl.lit([], SCHEMA["paths"])),
        pl.concat_list("core").alias("ids"),
        pl.col("gone").fill_null(NO_PICTURE),
        pl.when(known).then("why").otherwise(pl.lit(ORPHAN)).alias("why"),
        pl.lit(None, SCHEMA["box"]).alias("box"),
        pl.col("core").alias("occurrence"),
    )
    return Rows(joined.drop("core"), label=label, group=("occurrence", "event"), own=tuple(own))


def read_archive(main: pathlib.Path) -> tuple[Table, Table, list[pathlib.Path]]:
    """The occurrences, with their ids in `core id`; their media, with them in `core of media`; and
    the files of the archive. Terms are called by their last part, as `decimalLatitude`."""
    if main.suffix.lower() != ".xml":
        return _read_download(main)
    core, *extensions = _read_description(main)
    own = [main]
    table = _read_part(core, main, CORE_KEY)
    own += core.files
    found = []
    for extension in extensions:
        own += extension.files
        if extension.kind == MULTIMEDIA:
            found.append(_read_part(extension, main, CORE_OF_MEDIA))
    media = pl.concat(found, how="diagonal_relaxed") if found else pl.DataFrame()
    return Table(table), Table(media), own


def _read_download(main: pathlib.Path) -> tuple[Table, Table, list[pathlib.Path]]:
    """GBIF's tables without their description."""
    beside = Place.of(main.parent).find_table(*GBIF_MEDIA)
    tables = []
    for path, name in ((main, CORE_KEY), (beside, CORE_OF_MEDIA)):
        if path is None:
            tables.append(Table(pl.DataFrame()))
            continue
        table = _parse(path, path.read_bytes().decode("utf-8-sig"), "\t", None, True)
        key = Table(table).get("gbifID").alias(name)
        tables.append(Table(table.with_columns(key)))
    return tables[0], tables[1], [main, *([beside] if beside else [])]


def _read_media(core: Table, media: Table) -> pl.DataFrame:
    """One row a medium: of the extension, and of the column associatedMedia where there is none."""
    key = media.get(CORE_OF_MEDIA)
    address = media.get("accessURI", "identifier")
    kinds = list(zip(media.get("format"), media.get("type"), strict=True))
    rows = list(zip(key, address, map(_find_kind, kinds), strict=True))
    if not rows:
        pairs = zip(core.get(CORE_KEY), core.get("associatedMedia"), strict=True)
        rows = [
            (one, at.strip(), None)
            for one, text in pairs
            for at in (text or "").replace("|", ";").split(";")
            if at.strip()
        ]
    return pl.DataFrame(
        {
            "core": [one for one, _, _ in rows],
            "shown": [at or f"medium of occurrence {one}" for one, at, _ in rows],
            "paths": [[at] if at else [] for _, at, _ in rows],
            "gone": [say_gone(at) if at else MISSING for _, at, _ in rows],
            "why": [why for *_, why in rows],
        },
        schema={"core": pl.String, **{n: SCHEMA[n] for n in ("shown", "paths", "gone", "why")}},
    )


def _find_kind(said: tuple[str | None, str | None]) -> str | None:
    text = " ".join(one for one in said if one).lower()
    if "video" in text or "movingimage" in text:
        return VIDEO
    is_other = any(word in text for word in ("audio", "sound", "text/", "interactiveresource"))
    return NOT_A_PICTURE if is_other else None


def _is_archive(path: pathlib.Path) -> bool:
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, OSError):
        return False
    core = root.find(f"{SPACE}core")
    return core is not None and _shorten(core.get("rowType", "")).lower() == OCCURRENCE


def _read_description(main: pathlib.Path) -> list[_Part]:
    """The core first, then the extensions."""
    root = ET.parse(main).getroot()
    parts = [*root.findall(f"{SPACE}core"), *root.findall(f"{SPACE}extension")]
    return [_read_one(element, main) for element in parts]


def _read_one(element: ET.Element, main: pathlib.Path) -> _Part:
    names = [one.text or "" for one in element.iter(f"{SPACE}location")]
    bad = next((n for n in names if not n or "/" in n.replace("\\", "/") or n == ".."), None)
    if bad is not None or not names:
        raise BadInput(f"{main}: '{bad or ''}' is no file beside it; unpack the archive again.")
    key = element.find(f"{SPACE}id")
    key = element.find(f"{SPACE}coreid") if key is None else key
    terms, defaults = {}, {}
    for field in element.findall(f"{SPACE}field"):
        term = _shorten(field.get("term", ""))
        if field.get("default") is not None:
            defaults[term] = field.get("default", "")
        if field.get("index") is not None:
            terms[int(field.get("index", 0))] = term
    quote = element.get("fieldsEnclosedBy", '"')
    return _Part(
        files=tuple(main.parent / name for name in names),
        kind=_shorten(element.get("rowType", "")).lower(),
        key=int(key.get("index", 0)) if key is not None else 0,
        terms=terms,
        defaults=defaults,
        delimiter=codecs.decode(element.get("fieldsTerminatedBy", ","), "unicode_escape"),
        quote=quote or None,
        encoding=element.get("encoding", "UTF-8"),
        n_header=int(element.get("ignoreHeaderLines") or 0),
    )


def _shorten(term: str) -> str:
    return term.rstrip("/").rpartition("/")[2].rpartition("#")[2]


def _read_part(part: _Part, main: pathlib.Path, key: str) -> pl.DataFrame:
    tables = []
    for path in part.files:
        try:
            text = path.read_bytes().decode(part.encoding).removeprefix("\ufeff")
        except OSError as err:
            raise BadInput(f"{path} cannot be read ({err.strerror}), but {main} names it.") from err
        except (UnicodeDecodeError, LookupError) as err:
            raise BadInput(f"{path} is not {part.encoding}, as {main} says ({err}).") from err
        # The description says which column is what; headers may say anything.
        text = text.split("\n", part.n_header)[-1] if part.n_header else text
        table = _parse(path, text, part.delimiter, part.quote, False)
        columns = {key: table.columns[part.key]} if table.width > part.key else {}
        columns |= {t: table.columns[i] for i, t in part.terms.items() if i < table.width}
        tables.append(table.select(pl.col(old).alias(new) for new, old in columns.items()))
    joined = pl.concat(tables, how="diagonal_relaxed")
    filled = {
        term: pl.col(term).fill_null(value) if term in joined.columns else pl.lit(value)
        for term, value in part.defaults.items()
    }
    return joined.with_columns(expr.alias(term) for term, expr in filled.items())


def _parse(
    path: pathlib.Path, text: str, delimiter: str, quote: str | None, has_header: bool
) -> pl.DataFrame:
    if not text.strip():
        return pl.DataFrame()
    try:
        return pl.read_csv(
            text.encode(),
            separator=delimiter,
            quote_char=quote,
            has_header=has_header,
            infer_schema=False,
            truncate_ragged_lines=True,
        )
    except (pl.exceptions.PolarsError, ValueError) as err:
        raise BadInput(f"{path} cannot be read as a table ({err}).") from err


FORMAT = Format("Darwin Core archive", find=find, read=read)
