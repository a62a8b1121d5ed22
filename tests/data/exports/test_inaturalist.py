"""An iNaturalist export names its observations; pictures brought beside it are found by id."""

import pytest

from biobench.data import exports
from biobench.data.exports import assembling, inaturalist, kind
from exports_world import draw, reasons, write


def observation(id, name, photo="", **more):
    address = f"https://static.inaturalist.org/photos/{photo}/medium.jpg" if photo else ""
    row = dict(id=id, uuid=f"{id}-aaaa", observed_on="2024-05-03", time_observed_at="")
    row |= dict(user_id=1, user_login="ana", quality_grade="research", license="CC-BY")
    row |= dict(url=f"https://www.inaturalist.org/observations/{id}", image_url=address)
    row |= dict(place_guess='Königsberg, "Süd"', latitude=51.5, longitude=4.25)
    row |= dict(species_guess=name, scientific_name=name, common_name=f"the {name}")
    row |= dict(iconic_taxon_name="Aves", taxon_id=9, taxon_family_name="Ardeidae")
    return row | dict(taxon_genus_name=name.split(" ")[0], taxon_species_name=name) | more


ROWS = [
    observation(4711, "Ardea cinerea", "900"),
    observation(4712, "Ardea alba", "901", user_login="ben"),
    observation(4713, "Ardea alba", "902", time_observed_at="2024-05-04 09:00:00 UTC"),
    observation(4714, "Ardea alba", "903"),
    observation(4715, "Ardea alba"),
    observation(4716, "", "905", common_name=""),
    observation(4717, "Ardea alba", "906"),
    observation(4718, "Ardea cinerea", "906"),
]
FILES = (
    "4711.jpg",
    "4711_2.jpg",
    "4712/one.jpg",
    "photos/902.jpg",
    "4716.jpg",
    "906.jpg",
    "me.jpg",
)


@pytest.fixture
def export(tmp_path):
    for seed, name in enumerate(FILES):
        draw(tmp_path / name, seed)
    write(tmp_path / "observations-1.csv", ROWS)
    return tmp_path


def read(path, **columns):
    return exports.find_export(exports.Place.of(path)).read(path, columns)


def test_pictures_are_found_by_the_id_of_observation_or_photo(export):
    found = read(export)
    rows = {row["path"]: row for row in found.table.iter_rows(named=True)}
    assert {path: (row["label"], row["group"]) for path, row in rows.items()} == {
        "4711.jpg": ("Ardea cinerea", "4711"),
        "4711_2.jpg": ("Ardea cinerea", "4711"),
        "4712/one.jpg": ("Ardea alba", "4712"),
        "photos/902.jpg": ("Ardea alba", "4713"),
    }
    late = rows["photos/902.jpg"]
    assert (late["date"], late["observer"]) == ("2024-05-04T09:00:00Z", "ana")
    assert (late["latitude"], late["family"], late["species"]) == ("51.5", "Ardeidae", "Ardea alba")
    assert rows["4712/one.jpg"]["date"] == "2024-05-03"
    assert "id" not in found.table.columns


def test_what_is_left_out_is_listed(export):
    assert reasons(read(export)) == {
        kind.REMOTE: ["4714 (https://static.inaturalist.org/photos/903/medium.jpg)"],
        inaturalist.NO_PHOTO: ["observation 4715"],
        "pictures that have no scientific name": ["4716.jpg"],
        assembling.NOT_FOR_SURE: ["906.jpg"],
        assembling.UNMENTIONED: ["me.jpg"],
    }


def test_the_label_may_be_the_common_name(export):
    assert set(read(export, label="vernacularName").table["label"]) == {
        "the Ardea cinerea",
        "the Ardea alba",
    }
