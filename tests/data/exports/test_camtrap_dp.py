"""A Camtrap DP package, valid in the eyes of frictionless, gives the pictures that it labels."""

import csv
import dataclasses

import pytest

from biobench.data import exports, picture_files
from biobench.data.exports import assembling, camtrap_dp, kind
from biobench.errors import BadInput
from exports_world import draw, reasons, to_csv, write, write_json


@pytest.fixture
def frictionless():
    """The validator, which lets the csv module of the whole process take values of any length."""
    limit = csv.field_size_limit()
    import frictionless

    yield frictionless
    csv.field_size_limit(limit)


def field(name, kind="string", required=False, unique=False, **rules):
    constraints = {"required": required, "unique": unique, **rules}
    made = {"name": name, "type": kind, "constraints": constraints}
    return made | ({"format": "%Y-%m-%dT%H:%M:%S%z"} if kind == "datetime" else {})


# The tables of Camtrap DP 1.0 as its documentation describes them.
SCHEMAS = {
    "deployments": {
        "fields": [
            field("deploymentID", required=True, unique=True),
            field("locationID"),
            field("locationName"),
            field("latitude", "number", required=True, minimum=-90, maximum=90),
            field("longitude", "number", required=True, minimum=-180, maximum=180),
            field("deploymentStart", "datetime", required=True),
            field("deploymentEnd", "datetime", required=True),
            field("cameraID"),
            field("habitat"),
        ],
        "primaryKey": "deploymentID",
    },
    "media": {
        "fields": [
            field("mediaID", required=True, unique=True),
            field("deploymentID", required=True),
            field("captureMethod", enum=["activityDetection", "timeLapse"]),
            field("timestamp", "datetime", required=True),
            field("filePath", required=True, pattern=r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"),
            field("filePublic", "boolean", required=True),
            field("fileName"),
            field("fileMediatype", required=True, pattern="^(image|video|audio)/.*$"),
        ],
        "primaryKey": "mediaID",
        "foreignKeys": [
            {
                "fields": "deploymentID",
                "reference": {"resource": "deployments", "fields": "deploymentID"},
            }
        ],
    },
    "observations": {
        "fields": [
            field("observationID", required=True, unique=True),
            field("deploymentID", required=True),
            field("mediaID"),
            field("eventID"),
            field("eventStart", "datetime", required=True),
            field("eventEnd", "datetime", required=True),
            field("observationLevel", required=True, enum=["media", "event"]),
            field(
                "observationType",
                required=True,
                enum=["animal", "human", "vehicle", "blank", "unknown", "unclassified"],
            ),
            field("scientificName"),
            field("count", "integer", minimum=1),
            field("lifeStage", enum=["adult", "subadult", "juvenile"]),
            field("sex", enum=["female", "male"]),
            field("bboxX", "number", minimum=0, maximum=1),
            field("bboxY", "number", minimum=0, maximum=1),
            field("bboxWidth", "number", minimum=1e-15, maximum=1),
            field("bboxHeight", "number", minimum=1e-15, maximum=1),
            field("classificationMethod", enum=["human", "machine"]),
            field("classifiedBy"),
        ],
        "primaryKey": "observationID",
        "foreignKeys": [
            {"fields": "mediaID", "reference": {"resource": "media", "fields": "mediaID"}}
        ],
    },
}
TAXA = [
    {
        "scientificName": "Vulpes vulpes",
        "taxonRank": "species",
        "family": "Canidae",
        "order": "Carnivora",
        "vernacularNames": {"nld": "vos", "eng": "red fox"},
    },
    {"scientificName": "Ardea", "taxonRank": "genus", "vernacularNames": {"eng": "herons"}},
]
START, END = "2024-05-01T00:00:00Z", "2024-06-01T00:00:00Z"


def deployment(name, camera, location, **more):
    row = dict(deploymentID=name, locationID=location, latitude=51.5, longitude=4.25)
    return row | dict(deploymentStart=START, deploymentEnd=END, cameraID=camera) | more


def medium(name, deployment="d1", path=None, kind="image/jpeg", **more):
    row = dict(mediaID=name, deploymentID=deployment, captureMethod="activityDetection")
    row |= dict(timestamp="2024-05-03T10:11:12+0200", filePath=path or f"media/{name}.jpg")
    return row | dict(filePublic="true", fileMediatype=kind) | more


def observation(name, media, what, kind="animal", level="media", **more):
    row = dict(observationID=name, deploymentID="d1", mediaID=media, eventID="e1")
    row |= dict(eventStart=START, eventEnd=START, observationLevel=level, observationType=kind)
    return row | dict(scientificName=what) | more


DEPLOYMENTS = [deployment("d1", "C1", "L1"), deployment("d2", "C2", "L2", habitat="dune")]
BOX = dict(bboxX=0.1, bboxY=0.25, bboxWidth=0.5, bboxHeight=0.5)
MEDIA = [
    *(medium(name) for name in ("fox", "two", "blank", "person", "both", "mixed", "nothing")),
    medium("heron", "d2"),
    medium("gone"),
    medium("far", path="https://example.org/assets/far/file"),
    medium("film", path="media/film.mp4", kind="video/mp4"),
    medium("raw", path="media/raw.cr2"),
    medium("machine"),
    medium("whole", fileName="IMG_7.jpg", path="https://example.org/assets/whole/file"),
    medium("named"),
    medium("what"),
]
OBSERVATIONS = [
    observation("o1", "fox", "Vulpes vulpes", sex="male", **BOX),
    observation("o2", "two", "Vulpes vulpes", **BOX),
    observation("o3", "two", "Vulpes vulpes", bboxX=0, bboxY=0, bboxWidth=1, bboxHeight=1),
    observation("o4", "blank", "", "blank"),
    observation("o5", "person", "Homo sapiens", "human"),
    observation("o6", "both", "Vulpes vulpes"),
    observation("o7", "both", "Ardea"),
    observation("o8", "mixed", "Ardea"),
    observation("o9", "mixed", "", "human"),
    observation("o10", "heron", "Ardea"),
    observation("o11", "gone", "Ardea"),
    observation("o12", "far", "Ardea"),
    observation("o13", "film", "Ardea"),
    observation("o14", "raw", "Ardea"),
    observation("o15", "machine", "Ardea", classificationMethod="machine"),
    observation("o16", "machine", "Vulpes vulpes", classificationMethod="human"),
    observation("o17", "whole", "Ardea"),
    observation("o18", "named", "", "animal"),
    observation("o19", "what", "", "unclassified"),
    observation("o20", "", "Ardea", level="event"),
    observation("o21", "", "Ardea", level="event"),
]
FILES = ("fox", "two", "blank", "person", "both", "mixed", "nothing", "heron", "machine", "named")


def describe(**changes):
    resources = [
        {
            "name": name,
            "path": f"{name}.csv",
            "profile": "tabular-data-resource",
            "format": "csv",
            "mediatype": "text/csv",
            "encoding": "utf-8",
            "schema": schema,
        }
        for name, schema in SCHEMAS.items()
    ]
    package = {"resources": resources, "profile": "data-package", "name": "small"}
    return package | {"created": START, "taxonomic": TAXA} | changes


@pytest.fixture
def package(tmp_path):
    """A package with a row of each odd kind, and its pictures."""
    for name, rows in (
        ("deployments", DEPLOYMENTS),
        ("media", MEDIA),
        ("observations", OBSERVATIONS),
    ):
        names = [one["name"] for one in SCHEMAS[name]["fields"]]
        write(tmp_path / f"{name}.csv", [{n: row.get(n, "") for n in names} for row in rows])
    write_json(tmp_path / "datapackage.json", describe())
    for seed, name in enumerate((*FILES, "what", "other", "d1/IMG_7")):
        draw(tmp_path / "media" / f"{name}.jpg", seed)
    for name in ("film.mp4", "raw.cr2"):
        (tmp_path / "media" / name).write_bytes(b"-")
    (tmp_path / "notes.txt").write_text("-")
    return tmp_path


def read(path, /, root=None, **columns):
    found = exports.find_export(exports.Place.of(path))
    return found.read(root or found.main.parent, columns)


def test_the_package_that_is_read_is_valid(package, frictionless):
    found = frictionless.validate(str(package / "datapackage.json"))
    assert found.valid, found.flatten(["type", "message"])


def test_pictures_with_one_label_are_used_with_what_is_known_of_them(package):
    found = read(package)
    table = found.table.sort("path")
    assert dict(table.select("path", "label").iter_rows()) == {
        "media/d1/IMG_7.jpg": "Ardea",
        "media/fox.jpg": "Vulpes vulpes",
        "media/heron.jpg": "Ardea",
        "media/machine.jpg": "Vulpes vulpes",
        "media/two.jpg": "Vulpes vulpes",
    }
    rows = {row["path"]: row for row in table.iter_rows(named=True)}
    fox = rows["media/fox.jpg"]
    assert (fox["group"], fox["camera"], fox["location"], fox["sequence"]) == (
        "d1",
        "C1",
        "L1",
        "e1",
    )
    assert (fox["deployment"], fox["date"]) == ("d1", "2024-05-03T10:11:12+0200")
    assert (fox["latitude"], fox["longitude"]) == ("51.5", "4.25")
    assert (fox["species"], fox["genus"], fox["family"]) == ("Vulpes vulpes", "Vulpes", "Canidae")
    assert (fox["vernacular_name"], fox["sex"]) == ("red fox", "male")
    assert rows["media/heron.jpg"]["genus"] == "Ardea"
    assert rows["media/heron.jpg"]["species"] is None
    assert rows["media/heron.jpg"]["habitat"] == "dune"


def test_boxes_are_in_pixels_of_the_file_and_the_largest_is_kept(package):
    found = read(package)
    boxes = dict(found.table.select("path", "box").iter_rows())
    assert boxes["media/fox.jpg"] == [4.0, 5.0, 20.0, 10.0]
    assert boxes["media/two.jpg"] == [0.0, 0.0, 40.0, 20.0]
    assert boxes["media/heron.jpg"] is None
    assert any("the largest is kept (1 times)" in note for note in found.notes)


def test_what_is_left_out_is_listed_by_reason(package):
    assert reasons(read(package)) == {
        kind.BLANK: ["media/blank.jpg"],
        kind.HUMAN: ["media/person.jpg"],
        kind.UNCLASSIFIED: ["media/what.jpg"],
        assembling.SEVERAL: ["media/both.jpg", "media/mixed.jpg"],
        camtrap_dp.NO_OBSERVATION: ["media/nothing.jpg"],
        "pictures that have no scientific name": ["media/named.jpg"],
        kind.MISSING: ["media/gone.jpg"],
        kind.REMOTE: ["https://example.org/assets/far/file"],
        kind.VIDEO: ["media/film.mp4"],
        "pictures and videos in formats that are not read": ["media/raw.cr2"],
        kind.NOT_NAMED: ["observation o20", "observation o21"],
        assembling.UNMENTIONED: ["media/other.jpg"],
        "files that are not pictures": ["notes.txt"],
    }


def test_every_picture_and_every_medium_is_used_or_listed(package):
    found = read(package)
    listed = {out.path for out in found.left_out} | set(found.table["path"])
    on_disk = {str(path.relative_to(package)) for path in (package / "media").rglob("*.*")}
    assert on_disk <= listed
    n_media = len(MEDIA) + 1  # and the picture that it does not name
    n_other = sum(
        out.reason in (kind.NOT_NAMED, picture_files.NOT_PICTURES) for out in found.left_out
    )
    assert len(listed) - n_other == n_media


def test_it_is_said_what_was_read_and_that_machines_were_passed_over(package):
    notes = read(package).notes
    assert notes[0] == (
        "datapackage.json is read as a Camtrap DP package: label from 'scientific_name', group "
        "from 'deployment' (--columns says otherwise)."
    )
    assert "Classifications by machines, passed over for those by people: 1." in notes


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("vernacularName", {"red fox", "herons"}),
        ("genus", {"Vulpes", "Ardea"}),
        ("order", {"Carnivora"}),
        ("scientificName", {"Vulpes vulpes", "Ardea"}),
    ],
)
def test_the_label_may_be_another_name_or_a_rank(package, label, expected):
    found = read(package, label=label)
    assert set(found.table["label"]) == expected
    if label == "order":
        assert "media/heron.jpg" in reasons(found)["pictures that have no order"]


def test_with_the_type_of_observation_as_the_label_nothing_is_left_out_for_what_it_shows(package):
    found = read(package, label="observationType")
    labels = dict(found.table.select("path", "label").iter_rows())
    assert labels["media/blank.jpg"] == "blank" and labels["media/person.jpg"] == "human"
    assert labels["media/both.jpg"] == "animal"
    assert reasons(found)[assembling.SEVERAL] == ["media/mixed.jpg"]


def test_other_roles_may_be_named_and_unknown_columns_are_refused(package):
    assert set(read(package, group="camera").table["group"]) == {"C1", "C2"}
    assert "group" not in read(package, group="").table.columns
    with pytest.raises(
        BadInput, match=r"no column 'scientificNmae'.*Did you mean 'scientific_name'"
    ):
        read(package, label="scientificNmae")
    with pytest.raises(BadInput, match="--root"):
        read(package, path="filePath")


def test_content_decides_not_the_name_of_the_file(package):
    expected = read(package).table
    (package / "datapackage.json").rename(package / "export 7.JSON")
    assert read(package).table.equals(expected)
    assert read(package / "export 7.JSON").table.equals(expected)
    (package / "export 7.JSON").unlink()
    (package / "media.csv").rename(package / "files.csv")
    without = read(package)
    assert without.table["path"].to_list() == expected["path"].to_list()
    # The names of taxa stand in the description only.
    assert "vernacular_name" not in without.table.columns


@pytest.mark.parametrize(
    ("encoding", "delimiter", "path"),
    [
        ("utf-8-sig", ",", str),
        ("utf-16", ";", str),
        ("cp1252", "\t", str),
        ("utf-8", ";", lambda path: path.replace("/", "\\")),
        ("utf-8", ",", lambda path: f"D:\\Traps\\2024\\{path.upper()}".replace("/", "\\")),
        ("utf-8", ",", lambda path: f"/mnt/agouti/{path}"),
    ],
)
def test_tables_of_any_encoding_delimiter_and_machine_are_read(package, encoding, delimiter, path):
    expected = read(package).table
    media = [row | {"filePath": path(row["filePath"])} for row in MEDIA if "http" not in str(row)]
    media += [row for row in MEDIA if "http" in str(row)]
    write(package / "media.csv", media, encoding, delimiter=delimiter)
    write(package / "observations.csv", OBSERVATIONS, encoding, delimiter=delimiter)
    assert read(package).table.equals(expected)


def test_the_order_of_rows_changes_nothing(package):
    expected = read(package)
    write(package / "media.csv", MEDIA[::-1])
    write(package / "observations.csv", OBSERVATIONS[::-1])
    found = read(package)
    assert found.table.equals(expected.table)
    assert sorted(map(dataclasses.astuple, found.left_out)) == sorted(
        map(dataclasses.astuple, expected.left_out)
    )


def test_a_package_of_which_nothing_can_be_used_says_why(package):
    write(package / "observations.csv", OBSERVATIONS[-2:])
    with pytest.raises(BadInput, match=r"none of its pictures.*2 observations that belong to no"):
        read(package)


@pytest.mark.parametrize("path", ["https://example.org/media.csv", "../media.csv", "media.csv.gz"])
def test_a_table_that_is_elsewhere_or_packed_is_refused(package, path):
    broken = describe()
    broken["resources"][1]["path"] = path
    write_json(package / "datapackage.json", broken)
    with pytest.raises(BadInput, match=r"media\.csv"):
        read(package)


def test_one_table_may_be_several_files(package):
    expected = read(package).table
    several = describe()
    several["resources"][1]["path"] = ["media-1.csv", "media-2.csv"]
    write_json(package / "datapackage.json", several)
    (package / "media-1.csv").write_text(to_csv(MEDIA[:5]))
    (package / "media-2.csv").write_text(to_csv(MEDIA[5:]))
    (package / "media.csv").unlink()
    assert read(package).table.equals(expected)
