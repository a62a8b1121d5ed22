"""iNaturalist: the CSV of observations that the site exports, pictures brought beside it.

Source: the export of inaturalist.org/observations/export: one row an observation, with the address
of its first photo in `image_url`. The export has no pictures. A file belongs to an observation
where it is called by its id (4711.jpg, 4711_2.jpg, 4711/a.jpg), by its uuid, or by the photo's id
in the address; all pictures of one observation are one group.
"""

import pathlib
import re

import polars as pl

from biobench.data.exports.dates import keep_dates
from biobench.data.exports.kind import (
    RANKS,
    REMOTE,
    SCHEMA,
    Format,
    Options,
    Place,
    Rows,
    read_text,
)

__all__ = ["FORMAT"]

NEEDED = ("id", "image_url", "scientific_name")
ONE_OF = ("quality_grade", "taxon_id", "user_login", "observed_on")
NO_PHOTO = "observations without a photo"
PHOTO = re.compile(r"/photos/(\d+)/")


def find(place: Place) -> pathlib.Path | None:
    return next(
        (path for one in ONE_OF if (path := place.find_list_of_addresses(*NEEDED, one))), None
    )


def read(main: pathlib.Path, options: Options) -> Rows:
    table, notes = read_text(main, *NEEDED, *ONE_OF)
    key, address = table.require("id", main), table.get("image_url")
    uuid, name = table.get("uuid"), table.get("scientific_name")
    rows = list(zip(key, uuid, address, strict=True))
    made = pl.DataFrame(
        {
            "key": key,
            "shown": [f"{one} ({at})" if at else f"observation {one}" for one, _, at in rows],
            # The name in an address is that of the size, the same for all.
            "paths": [[] for _ in rows],
            "ids": [_list_ids(*row) for row in rows],
            "gone": [REMOTE if at else NO_PHOTO for *_, at in rows],
            "why": [None] * len(rows),
            "box": [None] * len(rows),
        },
        schema=SCHEMA,
    )
    ranks = {rank: table.get(f"taxon_{rank}_name") for rank in RANKS}
    date = table.get("time_observed_at").fill_null(table.get("observed_on"))
    made = made.with_columns(
        name,
        table.get("common_name").alias("vernacular_name"),
        *(values.alias(rank) for rank, values in ranks.items()),
        keep_dates(date).alias("date"),
        *(table.get(one) for one in ("latitude", "longitude")),
        key.alias("observation"),
        table.get("user_login", "user_id").alias("observer"),
        table.get("quality_grade"),
        table.get("iconic_taxon_name"),
        table.get("captive_cultivated"),
        table.get("license"),
    )
    return Rows(made, label="scientific_name", group=("observation",), own=(main,), notes=notes)


def _list_ids(key: str | None, uuid: str | None, address: str | None) -> list[str]:
    photo = PHOTO.search(address or "")
    return [one for one in (key, uuid, photo[1] if photo else None) if one]


FORMAT = Format("iNaturalist export", find=find, read=read)
