"""A Timelapse table gives the pictures of which its own columns say what they show."""

import pytest

from biobench.data import exports
from biobench.data.exports import kind, timelapse
from biobench.errors import BadInput
from exports_world import draw, reasons, write


def row(file, species, folder="Station 1\\2024", **more):
    made = dict(RootFolder="Traps", File=file, RelativePath=folder)
    made |= dict(DateTime="2024-05-03 10:11:12", DeleteFlag="false", ImageQuality="Ok")
    return made | dict(Species=species, Camera="c1", Count=1, Analyst="Ana") | more


ROWS = [
    row("IMG_1.JPG", "Fox"),
    row("IMG_1.JPG", "Heron", "Station 2", Camera="c2"),
    row("IMG_2.JPG", "Fox", DeleteFlag="true"),
    row("IMG_3.JPG", "Fox", ImageQuality="Corrupted"),
    row("IMG_4.JPG", ""),
    row("IMG_5.JPG", "Empty"),
    row("IMG_6.JPG", "Fox"),
    row("VID_1.AVI", "Fox"),
]


@pytest.fixture
def table(tmp_path):
    for seed, one in enumerate(ROWS):
        if one["File"] not in ("IMG_6.JPG", "VID_1.AVI"):
            path = one["RelativePath"].replace("\\", "/") + "/" + one["File"]
            draw(tmp_path / path, seed, format="JPEG")
    (tmp_path / "Station 1" / "2024" / "VID_1.AVI").write_bytes(b"-")
    return write(tmp_path / "TimelapseData.csv", ROWS)


def read(path, **columns):
    return exports.find_export(exports.Place.of(path)).read(path.parent, columns)


def test_pictures_are_found_by_folder_and_file_and_own_columns_are_kept(table):
    found = read(table)
    rows = {one["path"]: one for one in found.table.iter_rows(named=True)}
    assert {path: one["label"] for path, one in rows.items()} == {
        "Station 1/2024/IMG_1.JPG": "Fox",
        "Station 2/IMG_1.JPG": "Heron",
    }
    heron = rows["Station 2/IMG_1.JPG"]
    assert (heron["camera"], heron["group"], heron["date"]) == ("c2", "c2", "2024-05-03T10:11:12")
    assert (heron["Count"], heron["Analyst"]) == ("1", "Ana")


def test_what_is_left_out_is_listed(table):
    assert reasons(read(table)) == {
        timelapse.DELETED: ["Station 1/2024/IMG_2.JPG"],
        timelapse.UNUSABLE: ["Station 1/2024/IMG_3.JPG"],
        "pictures that have no Species": ["Station 1/2024/IMG_4.JPG"],
        kind.BLANK: ["Station 1/2024/IMG_5.JPG"],
        kind.MISSING: ["Station 1\\2024/IMG_6.JPG"],
        kind.VIDEO: ["Station 1/2024/VID_1.AVI"],
    }


def test_dates_of_two_columns_and_older_names_are_read(table):
    rows = [
        {k: v for k, v in one.items() if k not in ("DateTime", "RelativePath", "RootFolder")}
        | {"Folder": one["RelativePath"], "Date": "03-May-2024", "Time": "10:11:12"}
        for one in ROWS
    ]
    expected = read(table).table
    write(table, rows, "utf-16", delimiter=";")
    assert read(table).table.equals(expected)


def test_the_label_is_asked_for_where_no_column_is_known_to_be_it(table):
    rows = [{("Qué" if k == "Species" else k): v for k, v in one.items()} for one in ROWS]
    write(table, rows)
    with pytest.raises(BadInput, match="--columns label=NAME"):
        read(table)
    assert set(read(table, label="Qué").table["label"]) == {"Fox", "Heron"}
    with pytest.raises(BadInput, match="no column 'Que'"):
        read(table, label="Que")
