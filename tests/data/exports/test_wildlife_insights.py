"""A Wildlife Insights download gives the pictures that it names, with deployment and camera."""

import pytest

from biobench.data import exports
from biobench.data.exports import assembling, kind
from exports_world import draw, reasons, write

BUCKET = "gs://project-main/deployment/"


def image(name, deployment="D1", genus="", species="", common="", **more):
    row = dict(project_id="2004", deployment_id=deployment, image_id=name, filename=f"{name}.jpg")
    row |= dict(location=f"{BUCKET}{deployment}/{name}.jpg", is_blank=0, identified_by="Ana")
    row |= {"wi_taxon_id": "x", "class": "Mammalia", "order": "Carnivora", "family": "Felidae"}
    row |= dict(genus=genus, species=species, common_name=common, uncertainty="")
    row |= dict(timestamp="2021-08-26 10:05:00", number_of_objects=1, age="Adult", sex="")
    return row | dict(license="CC-BY-NC", sequence_id="") | more


NONE = {"class": "", "order": "", "family": ""}
IMAGES = [
    image("jaguar", genus="Panthera", species="onca", common="Jaguar"),
    image("cat", genus="Leopardus", common="Leopardus Species", deployment="D2"),
    image("felid", common="Felidae Family"),
    image("blank", is_blank=1, common="Blank", **NONE),
    image("man", genus="Homo", species="sapiens", common="Human-Camera Trapper"),
    image("two", genus="Panthera", species="onca", common="Jaguar"),
    image("two", genus="Leopardus", species="wiedii", common="Margay"),
    image("none", common="No CV Result", **NONE),
    image("far", genus="Panthera", species="onca", common="Jaguar", deployment="D9"),
    image("4f0c2a6e-91aa", genus="Panthera", species="onca", common="Jaguar", filename="IMG1.JPG")
    | {"location": ""},
]
DEPLOYMENTS = [
    dict(project_id="2004", deployment_id=name, placename=f"site {name}", longitude=-62.9)
    | dict(latitude=-8.5, start_date="2021-08-26 00:00:00", end_date="2022-01-19 00:00:00")
    | dict(camera_id=camera, feature_type="Trail", recorded_by="Elildo")
    for name, camera in (("D1", "2008"), ("D2", "2038"))
]
CAMERAS = [dict(project_id="2004", camera_id="2008", make="Bushnell", model="HD")]
PROJECTS = [dict(project_id="2004", project_name="Test", project_admin="Ana")]


@pytest.fixture
def bundle(tmp_path):
    write(tmp_path / "images_2004.csv", IMAGES, "utf-8-sig")
    write(tmp_path / "deployments.csv", DEPLOYMENTS)
    write(tmp_path / "cameras.csv", CAMERAS)
    write(tmp_path / "projects.csv", PROJECTS)
    for seed, row in enumerate(IMAGES):
        if row["image_id"] != "far":
            draw(tmp_path / "pictures" / row["deployment_id"] / f"{row['image_id']}.jpg", seed)
    return tmp_path


def read(path, **columns):
    return exports.find_export(exports.Place.of(path)).read(path, columns)


def test_the_label_is_the_lowest_name_and_deployments_are_groups(bundle):
    found = read(bundle)
    rows = {row["path"]: row for row in found.table.iter_rows(named=True)}
    assert {path: row["label"] for path, row in rows.items()} == {
        "pictures/D1/4f0c2a6e-91aa.jpg": "Panthera onca",
        "pictures/D1/felid.jpg": "Felidae",
        "pictures/D1/jaguar.jpg": "Panthera onca",
        "pictures/D2/cat.jpg": "Leopardus",
    }
    cat = rows["pictures/D2/cat.jpg"]
    assert (cat["group"], cat["deployment"], cat["camera"]) == ("D2", "D2", "2038")
    assert (cat["location"], cat["latitude"], cat["longitude"]) == ("site D2", "-8.5", "-62.9")
    assert (cat["date"], cat["genus"], cat["species"]) == ("2021-08-26T10:05:00", "Leopardus", None)
    assert (cat["observer"], cat["class"]) == ("Ana", "Mammalia")


def test_what_is_left_out_is_listed(bundle):
    assert reasons(read(bundle)) == {
        kind.BLANK: ["pictures/D1/blank.jpg"],
        kind.HUMAN: ["pictures/D1/man.jpg"],
        kind.UNCLASSIFIED: ["pictures/D1/none.jpg"],
        assembling.SEVERAL: ["pictures/D1/two.jpg"],
        kind.REMOTE: [f"{BUCKET}D9/far.jpg"],
    }


def test_vernacular_names_and_ranks_may_be_the_label(bundle):
    assert set(read(bundle, label="vernacularName").table["label"]) == {
        "Jaguar",
        "Leopardus Species",
        "Felidae Family",
    }
    found = read(bundle, label="species")
    assert set(found.table["label"]) == {"Panthera onca"}
    assert set(reasons(found)["pictures that have no species"]) == {
        "pictures/D1/felid.jpg",
        "pictures/D2/cat.jpg",
    }


def test_without_deployments_the_pictures_are_read_and_that_is_said(bundle):
    (bundle / "deployments.csv").unlink()
    found = read(bundle)
    assert found.table["group"].n_unique() == 2
    assert "camera" not in found.table.columns
    assert any("no table of deployments" in note for note in found.notes)
