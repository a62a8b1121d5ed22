"""Ecdysis's layout: `metadata.csv`, a row a photograph, and `images/`.

The collection grows, so no counts are published. Odd: rows without a picture, without a date and
without a name; a picture that was not downloaded; a species with one photograph; specimens with
two, at times a day apart; names that are known to the family only.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Animal, Shot, ShotLayout

__all__ = ["Ecdysis"]

# Beetles, butterflies and spiders.
_SPECIES = (25, 26, 28, 29)
_FIELDS = (
    "id,specimen_id,image_thumbnail_large,archival_identifier,archival_stored,visit_date,country,"
    "state_region,county_region,us_state_county_fips,gbif_class,gbif_order,gbif_family,gbif_genus,"
    "gbif_species,reviewed,public_url"
)


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One row of the table."""

    id: int
    specimen: int
    species: int
    date: str
    file: str
    taxa: tuple[str, str, str, str, str]
    missing: bool = False


@dataclasses.dataclass(frozen=True)
class Ecdysis(ShotLayout):
    """The whole layout."""

    folder: str = "ecdysis"

    def photographs(self) -> Iterator[Photograph]:
        """Two photographs a specimen, days apart from specimen to specimen, ids in no order."""
        number = 0
        for species in range(self.scale.classes):
            last = species == self.scale.classes - 1
            n = 1 if last else self.scale.train + self.scale.test
            for index in range(n):
                day = datetime.date(2019, 5, 1) + datetime.timedelta(days=3 * (index // 2))
                family = f"Family{species // 2}"
                genus = "" if species == 1 else f"Genus{species}"
                taxa = ("Insecta", f"Order{species % 2}", family, genus, genus and f"{genus} alba")
                file = f"{species}_{index:02d}.{'JPG' if index % 3 else 'jpg'}"
                yield Photograph(
                    1000 + (number * 37) % 991, 50 * species + index // 2, species,
                    day.isoformat(), file, taxa, missing=species == 0 and index == 3,
                )  # fmt: skip
                number += 1

    def shots(self) -> Iterator[Shot]:
        """Every photograph that was downloaded."""
        for one in self.photographs():
            if not one.missing:
                species = _SPECIES[one.species % len(_SPECIES)] + 30 * (one.species // 4)
                yield Shot(f"images/{one.file}", Animal(self.seed, species))

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The metadata, with the odd rows at the end."""
        yield "metadata.csv", self._rows()

    def _rows(self) -> Iterator[str]:
        yield _FIELDS
        for one in self.photographs():
            yield self._row(one)
        first = next(self.photographs())
        nameless = ("", "", "", "", "")
        for i, odd in enumerate(({"file": ""}, {"taxa": nameless}, {"date": ""})):
            yield self._row(dataclasses.replace(first, id=9000 + i, **odd))

    def _row(self, one: Photograph) -> str:
        thumbnail = one.file and f"specimen_images/{one.file}"
        url = one.file and f"https://pictures.example/specimen_images/{one.file}"
        row = (
            one.id, one.specimen, thumbnail, f"EC{one.id}", "True", one.date, "United States",
            "South Dakota", "Deuel", 46039, *one.taxa, "True", url,
        )  # fmt: skip
        return ",".join(map(str, row))
