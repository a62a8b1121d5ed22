"""A Darwin Core archive, read as python-dwca-reader reads it, gives the pictures of occurrences."""

import pytest
from dwca.darwincore.utils import qualname
from dwca.read import DwCAReader

from biobench.data import exports
from biobench.data.exports import assembling, darwin_core, kind
from biobench.errors import BadInput
from exports_world import draw, reasons

DWC = "http://rs.tdwg.org/dwc/terms/"
DC = "http://purl.org/dc/terms/"
FIELDS = (
    *("gbifID", "basisOfRecord", "scientificName", "family", "genus", "species", "taxonRank"),
    *("eventDate", "decimalLatitude", "decimalLongitude", "recordedBy", "vernacularName"),
)
MEDIA = ("gbifID", "type", "format", "identifier")


def occurrence(id, name, author='(Linnaeus, 1758) "auct."', **more):
    row = dict(gbifID=id, basisOfRecord="PRESERVED_SPECIMEN", scientificName=f"{name} {author}")
    row |= dict(family="Ardeidae", genus=name.split(" ")[0], species=name, taxonRank="SPECIES")
    row |= dict(eventDate="2024-05-03T10:11", decimalLatitude="51.5", decimalLongitude="4.25")
    return row | dict(recordedBy="Zoë", vernacularName="") | more


OCCURRENCES = [
    occurrence("4711", "Ardea cinerea"),
    occurrence("4712", "Ardea alba", eventDate="2024-05-03/2024-05-09"),
    occurrence("4713", "Ardea", species="", taxonRank="GENUS"),
    occurrence("4714", "Ardea alba"),
    occurrence("4715", "Ardea alba"),
    occurrence("4716", "Ardea alba"),
]
MULTIMEDIA = [
    ("4711", "StillImage", "image/jpeg", "https://example.org/herbarium/sheet%201.jpg"),
    ("4711", "StillImage", "image/jpeg", "https://example.org/herbarium/sheet2.jpg"),
    ("4712", "StillImage", "image/jpeg", "https://example.org/x?id=4712"),
    ("4713", "StillImage", "image/jpeg", "https://example.org/herbarium/sheet3.jpg"),
    ("4714", "StillImage", "image/jpeg", "https://example.org/herbarium/sheet4.jpg"),
    ("4715", "Sound", "audio/mpeg", "https://example.org/song.mp3"),
    ("9999", "StillImage", "image/jpeg", "https://example.org/herbarium/sheet5.jpg"),
]
FILES = (
    "pictures/sheet 1.jpg",
    "pictures/sheet2.jpg",
    "pictures/4712_1.jpg",
    "pictures/sheet3.jpg",
)


def describe(encoding="UTF-8", delimiter="\\t", quote="", header=1, ids="0"):
    """meta.xml as GBIF writes it."""

    def fields(names, spaces):
        return "".join(
            f'<field index="{i}" term="{spaces.get(name, DWC)}{name}"/>'
            for i, name in enumerate(names)
        )

    how = f'encoding="{encoding}" fieldsTerminatedBy="{delimiter}" linesTerminatedBy="\\n" '
    how += f"fieldsEnclosedBy='{quote}' ignoreHeaderLines=\"{header}\""
    dc = dict.fromkeys(("type", "format", "identifier"), DC)
    gbif = {"gbifID": "http://rs.gbif.org/terms/1.0/"}
    return (
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="metadata.xml">'
        f'<core {how} rowType="{DWC}Occurrence"><files><location>occurrence.txt</location></files>'
        f'<id index="{ids}"/>{fields(FIELDS, gbif)}<field term="{DWC}countryCode" default="BE"/>'
        f'</core><extension {how} rowType="http://rs.gbif.org/terms/1.0/Multimedia"><files>'
        f'<location>multimedia.txt</location></files><coreid index="0"/>{fields(MEDIA, dc | gbif)}'
        "</extension></archive>"
    )


def write_archive(root, encoding="utf-8", delimiter="\t", quote="", **how):
    def lines(names, rows):
        texts = [
            names,
            *([row[n] for n in names] if isinstance(row, dict) else row for row in rows),
        ]
        escaped = ([quote + v.replace('"', '""') + quote if quote else v for v in r] for r in texts)
        return "".join(delimiter.join(row) + "\n" for row in escaped).encode(encoding)

    (root / "occurrence.txt").write_bytes(lines(FIELDS, OCCURRENCES))
    (root / "multimedia.txt").write_bytes(lines(MEDIA, MULTIMEDIA))
    shown = delimiter.encode("unicode_escape").decode()
    meta = describe(encoding=encoding, delimiter=shown, quote=quote, **how)
    (root / "meta.xml").write_text(meta)
    (root / "metadata.xml").write_text("<eml/>")
    return root


@pytest.fixture
def archive(tmp_path):
    for seed, name in enumerate(FILES):
        draw(tmp_path / name, seed)
    return write_archive(tmp_path)


def read(path, **columns):
    return exports.find_export(exports.Place.of(path)).read(path, columns)


def test_the_tables_are_those_that_python_dwca_reader_reads(archive):
    core, media, own = darwin_core.read_archive(archive / "meta.xml")
    with DwCAReader(str(archive)) as reader:
        rows = {row.id: row.data for row in reader}
        pictures = [
            (row.id, one.data[f"{DC}identifier"]) for row in reader for one in row.extensions
        ]
    assert core.get("core id").to_list() == list(rows)
    for name in ("scientificName", "decimalLatitude", "countryCode", "recordedBy"):
        assert core.get(name).to_list() == [row[qualname(name)] or None for row in rows.values()]
    pairs = list(zip(media.get("core of media"), media.get("identifier"), strict=True))
    assert [pair for pair in pairs if pair[0] in rows] == pictures
    assert {path.name for path in own} == {"meta.xml", "occurrence.txt", "multimedia.txt"}


def test_pictures_are_found_by_address_or_id_and_one_occurrence_is_one_group(archive):
    found = read(archive)
    rows = {row["path"]: row for row in found.table.iter_rows(named=True)}
    assert {path: (row["label"], row["group"]) for path, row in rows.items()} == {
        "pictures/4712_1.jpg": ("Ardea alba", "4712"),
        "pictures/sheet 1.jpg": ("Ardea cinerea", "4711"),
        "pictures/sheet2.jpg": ("Ardea cinerea", "4711"),
    }
    sheet = rows["pictures/sheet2.jpg"]
    assert (sheet["date"], sheet["latitude"], sheet["family"]) == (
        "2024-05-03T10:11",
        "51.5",
        "Ardeidae",
    )
    assert sheet["scientific_name"] == 'Ardea cinerea (Linnaeus, 1758) "auct."'
    assert (sheet["observer"], sheet["country"]) == ("Zoë", "BE")
    assert rows["pictures/4712_1.jpg"]["date"] == "2024-05"


def test_what_is_left_out_is_listed(archive):
    assert reasons(read(archive)) == {
        "pictures that have no species": ["pictures/sheet3.jpg"],
        kind.REMOTE: ["https://example.org/herbarium/sheet4.jpg"],
        darwin_core.NOT_A_PICTURE: ["https://example.org/song.mp3"],
        darwin_core.NO_PICTURE: ["occurrence 4716"],
        darwin_core.ORPHAN: ["https://example.org/herbarium/sheet5.jpg"],
        "files that are not pictures": ["metadata.xml"],
    }


def test_the_label_may_be_the_scientific_name_or_a_rank(archive):
    assert set(read(archive, label="scientificName").table["label"]) == {
        f'{name} (Linnaeus, 1758) "auct."' for name in ("Ardea cinerea", "Ardea alba", "Ardea")
    }
    assert set(read(archive, label="genus").table["label"]) == {"Ardea"}


@pytest.mark.parametrize(
    "how",
    [
        {"encoding": "utf-8-sig"},
        {"encoding": "latin-1"},
        {"delimiter": ",", "quote": '"'},
        {"delimiter": ";", "quote": '"', "encoding": "utf-16"},
    ],
)
def test_an_archive_is_read_as_its_description_says(archive, how):
    expected = read(archive).table
    assert read(write_archive(archive, **how)).table.equals(expected)


def test_tables_of_gbif_without_their_description_are_read_too(archive):
    expected = read(archive).table.drop("country")
    (archive / "meta.xml").unlink()
    assert read(archive).table.equals(expected)
    (archive / "multimedia.txt").unlink()
    found = read(archive)
    assert found.table["path"].to_list() == ["pictures/4712_1.jpg"]
    assert set(reasons(found)[assembling.UNMENTIONED]) == set(FILES) - {"pictures/4712_1.jpg"}


def test_a_description_that_names_files_elsewhere_is_refused(archive):
    text = (archive / "meta.xml").read_text()
    (archive / "meta.xml").write_text(text.replace("multimedia.txt", "../multimedia.txt"))
    with pytest.raises(BadInput, match="no file beside it"):
        read(archive)
    (archive / "meta.xml").write_text(text.replace("multimedia.txt", "gone.txt"))
    with pytest.raises(BadInput, match=r"gone\.txt cannot be read"):
        read(archive)
