"""Tables of pictures are read as their owners have them; guesses are said, the rest is refused."""

import pathlib
import re

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from biobench import folder
from biobench.data import parse_columns, read_picture_table
from biobench.data.picture_table import ROLES
from biobench.data.plaintext import read_any_table
from biobench.errors import BadInput

ROWS = [
    ("a/1.jpg", "Lynx lynx", "c1"),
    ("a/2.jpg", "Bär; groß", "c1"),
    ("b/3.JPG", "Renard, roux", "c2"),
    ("b/4.jpg", "Lynx lynx", "c2"),
]
PLAIN = "path,label,group\n" + "".join(f'{p},"{label}",{g}\n' for p, label, g in ROWS)


@pytest.fixture
def here(tmp_path):
    for name, _, _ in ROWS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path


def write(here, content, name="cameras.csv") -> pathlib.Path:
    path = here / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path, **options):
    found = read_picture_table(path, **options)
    return found, found.table.select("path", "label", "group").rows()


def swap(header, delimiter=",", quote=True):
    lines = [delimiter.join(header)]
    lines += [delimiter.join(f'"{v}"' if quote else v for v in row) for row in ROWS]
    return "\n".join(lines) + "\n"


# Each plain variant: what is written, under which name, what must be said of it.
VARIANTS = {
    "plain": (PLAIN, "t.csv", []),
    "semicolons": (swap(["path", "label", "group"], ";"), "t.csv", ["semicolons"]),
    "tabs": (swap(["path", "label", "group"], "\t"), "t.tsv", []),
    "tabs in a csv": (swap(["path", "label", "group"], "\t"), "t.csv", ["tabs"]),
    "bars": (swap(["path", "label", "group"], "|"), "t.txt", ["bars"]),
    "Excel's declaration": ("sep=;\n" + swap(["path", "label", "group"], ";"), "t.csv", []),
    "byte-order mark": (b"\xef\xbb\xbf" + PLAIN.encode(), "t.csv", []),
    "UTF-16": (PLAIN.encode("utf-16"), "t.csv", ["UTF-16"]),
    "UTF-16 big-endian": (b"\xfe\xff" + PLAIN.encode("utf-16-be"), "t.csv", ["UTF-16"]),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), "t.csv", ["UTF-16"]),
    "Latin-1": (PLAIN.encode("latin-1"), "t.csv", ["Western European"]),
    "Windows' lines": (PLAIN.replace("\n", "\r\n"), "t.csv", []),
    "old Mac's lines": (PLAIN.replace("\n", "\r"), "t.csv", []),
    "empty lines": (PLAIN.replace("\n", "\n\n"), "t.csv", []),
    "spaces around names": (
        PLAIN.replace("path,label,group", " path , label , group "),
        "t.csv",
        [],
    ),
    "shouted names": (PLAIN.replace("path,label,group", "PATH,Label,GROUP"), "t.csv", ["'PATH'"]),
    "camera-trap names": (
        PLAIN.replace("path,label,group", "filePath,scientificName,deploymentID"),
        "t.csv",
        ["path from 'filePath'", "group from 'deploymentID'"],
    ),
    "other usual names": (
        PLAIN.replace("path,label,group", "file_name,species,sequence_id"),
        "t.csv",
        ["label from 'species'", "group from 'sequence_id'"],
    ),
    "backslashes": (PLAIN.replace("a/", "a\\").replace("b/", "b\\"), "t.csv", []),
    "dots": (PLAIN.replace("a/", "./a/"), "t.csv", []),
    "another machine's root": (
        PLAIN.replace("a/", "/mnt/traps/2021/a/").replace("b/", "/mnt/traps/2021/b/"),
        "t.csv",
        ["without 'mnt/traps/2021'"],
    ),
    "Windows' root": (
        PLAIN.replace("a/", "D:\\Traps\\a\\").replace("b/", "D:\\Traps\\b\\"),
        "t.csv",
        ["without 'D:/Traps'"],
    ),
    "a folder too many": (
        PLAIN.replace("a/", "pics/a/").replace("b/", "pics/b/"),
        "t.csv",
        ["without 'pics'"],
    ),
    "suffixes in another case": (PLAIN.replace(".jpg", ".JPG"), "t.csv", ["another case"]),
    "a delimiter too many": (PLAIN.replace("\n", ",\n"), "t.csv", []),
    "Ctrl-Z at the end": (PLAIN + "\x1a", "t.csv", []),
    "comments first": ("# exported, 2021\n#\n" + PLAIN, "t.csv", ["from line 3"]),
    "a title first": (
        "Survey;;\n;;\n" + swap(["Path", "Label", "Group"], ";"),
        "t.csv",
        ["from line 3", "semicolons"],
    ),
    "Timelapse": (
        re.sub(
            r"^(path|.)[,/]",
            lambda m: f"{m[1]}," if m[1] != "path" else "RelativePath,File,",
            PLAIN,
            flags=re.MULTILINE,
        ),
        "t.csv",
        ["of 'RelativePath' and 'File' together"],
    ),
    "camtrapR": (
        re.sub(
            r"^(path|.)[,/]",
            lambda m: f"D:\\x\\{m[1]}," if m[1] != "path" else "Directory,FileName,",
            PLAIN,
            flags=re.MULTILINE,
        ),
        "t.csv",
        ["of 'Directory' and 'FileName' together", "without 'D:/x'"],
    ),
    "repeated rows": (PLAIN + PLAIN.partition("\n")[2], "t.csv", []),
}


@pytest.mark.parametrize("kind", VARIANTS)
def test_every_plain_variant_gives_the_same_rows_and_what_was_guessed_is_said(kind, here):
    content, name, said = VARIANTS[kind]
    found, rows = read(write(here, content, name))
    assert rows == ROWS
    assert found.root == here
    text = " ".join(found.notes)
    for words in said:
        assert words in text
    assert bool(found.notes) == bool(said)


def test_a_parquet_file_is_read_likewise(here):
    table = pl.DataFrame(ROWS, schema=["filepath", "species", "camera"], orient="row")
    table.write_parquet(here / "t.parquet")
    assert read(here / "t.parquet")[1] == ROWS


def test_absolute_paths_that_are_there_are_taken_as_they_are(here, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    text = PLAIN.replace("a/", f"{here}/a/").replace("b/", f"{here}/b/")
    found, rows = read(write(other, text))
    assert found.root == here and rows == ROWS


def test_columns_and_root_may_be_named(here, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    text = PLAIN.replace("path,label,group", "bild,art,ort")
    path = write(other, text)
    with pytest.raises(BadInput, match=r"path or the label .*--columns path=NAME label=NAME"):
        read_picture_table(path)
    given = parse_columns(["path=bild", "label=art", "group=ort"])
    with pytest.raises(BadInput, match=r"4 of its 4 pictures .*--root"):
        read_picture_table(path, columns=given)
    assert read(path, columns=given, root=here)[1] == ROWS
    with pytest.raises(BadInput, match=r"no column 'Art'.*Did you mean 'art'"):
        read_picture_table(path, columns={"label": "Art"})


@pytest.mark.parametrize("words", [["lable=x"], ["label"], ["label="], ["path="], ["=x"]])
def test_a_word_that_names_no_column_is_refused(words):
    with pytest.raises(BadInput, match="ROLE=NAME"):
        parse_columns(words)


def test_what_is_left_out_is_counted_and_missing_pictures_only_on_request(here):
    path = write(here, PLAIN + 'c/5.jpg,Lynx lynx,c3\na/1.jpg,"Lynx lynx",c1\na/2.jpg,,c1\n')
    with pytest.raises(BadInput, match=r"1 of its 5 pictures .*c/5\.jpg.*--skip-missing"):
        read_picture_table(path)
    found, rows = read(path, skip_missing=True)
    assert rows == ROWS
    assert found.dropped == {"rows without a label": 1, "rows that stand twice": 1}
    assert [(out.path, out.reason) for out in found.left_out] == [
        ("c/5.jpg", "pictures that are missing")
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("path,label\na/1.jpg,x\na/1.jpg,y\n", "a/1.jpg stands in several rows with the labels"),
        ("path,label\na/1.jpg,x,y\n", "line 2 has 3 values, but the header has 2"),
        ("# a title\npath,label\na/1.jpg,x,y\n", "line 3 has 3 values, but the header has 2"),
        ("path,label\na/1.jpg\n", "line 2 has 1 values, .* complete the line"),
        ("path,label\n,x\n", "row 1 has no path"),
        ("path,path,label\n", "two columns are called 'path'"),
        ('path,label\na/1.jpg,"x\n', "line 2 cannot be read"),
        ("", "is empty"),
        ("path,label\n", "lists no picture; write one row"),
        ("path,label\na/1.jpg,\n", r"lists no picture that can be used \(1 rows without a label\)"),
        ("a" * 200_000, "line 1 cannot be read"),
        ("x\n" + "a" * 200_000, "line 2 cannot be read"),
        (b"\x00\x01\x02\x00\x00\xff\xd8\x00\xdc", "is no text"),
        ("wort,zahl\na,1\n", "no column is known to be the path or the label"),
    ],
)
def test_what_cannot_be_understood_is_a_sentence_that_fits(content, says, here):
    with pytest.raises(BadInput, match=says) as caught:
        read_picture_table(write(here, content))
    assert "extract" not in str(caught.value)


def test_a_column_of_ids_is_one_only_where_it_tells_rows_apart(here):
    lines = PLAIN.splitlines()
    ids = ["id", "x1", "x2", "x3", "x4"]
    unique = "\n".join(f"{line},{id}" for line, id in zip(lines, ids, strict=True))
    assert read_picture_table(write(here, unique)).table["id"].to_list() == ids[1:]
    same = "\n".join(f"{line},{id}" for line, id in zip(lines, ["id", *"1123"], strict=True))
    assert "id" not in read_picture_table(write(here, same)).table.columns


def test_a_group_may_be_declined_and_one_that_all_are_in_is_none(here):
    camera = PLAIN.replace("group", "camera")
    assert "group" in read_picture_table(write(here, camera)).table.columns
    declined = read_picture_table(write(here, camera), columns=parse_columns(["group="]))
    assert "group" not in declined.table.columns and "camera" in declined.table.columns
    same = camera.replace("c2", "c1")
    assert "group" not in read_picture_table(write(here, same)).table.columns


def test_a_folder_column_beside_whole_paths_is_only_a_column(here):
    lines = PLAIN.splitlines()
    text = "\n".join([f"{lines[0]},folder", *(f"{line},elsewhere" for line in lines[1:])])
    found, rows = read(write(here, text))
    assert rows == ROWS and found.notes == ()


VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]),
    min_size=1,
    max_size=8,
).filter(lambda text: text.strip() == text)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=5),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_any_values_in_any_delimiter_and_encoding_come_back(
    values, delimiter, encoding, newline, tmp_path
):
    rows = [("path", "label"), *values]
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in rows]
    text = newline.join(delimiter.join(row) for row in quoted) + newline
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode(encoding))
    known = {"path", "label"}
    found = read_any_table(path, lambda names: len(known & set(names)))
    assert found.table.rows() == values


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    path_name=st.sampled_from(ROLES["path"]),
    label_name=st.sampled_from(ROLES["label"]),
    case=st.sampled_from([str.lower, str.upper, str.title]),
    space=st.sampled_from("_ .-"),
)
def test_usual_names_are_known_in_any_case_and_spelling(path_name, label_name, case, space, here):
    names = [case(name.replace("_", space)) for name in (path_name, label_name)]
    found, rows = read(write(here, PLAIN.replace("path,label", ",".join(names))))
    assert rows == ROWS
    for role, name in zip(("path", "label"), names, strict=True):
        assert (name == role) or any(f"{role} from '{name}'" in note for note in found.notes)


def test_the_task_takes_such_a_table_with_counts_and_notes(here):
    rows = "".join(f"D:\\x\\a\\{i}.jpg;{'xy'[i % 2]};c{i // 2}\n" for i in range(12))
    for i in range(11):
        (here / "a" / f"{i}.jpg").write_bytes(bytes([i]))
    path = write(here, "File;Species;Station\n" + rows)
    with pytest.raises(BadInput, match="--skip-missing"):
        folder.load(folder.Args(datadir=str(path)))
    manifest = folder.load(folder.Args(datadir=str(path), skip_missing=True))
    assert manifest.table.height == 11
    assert manifest.dropped == {"pictures that are missing": 1}
    assert set(manifest.table["group"]) == {f"c{i}" for i in range(6)}
    assert any("'Species'" in note for note in manifest.notes)


def write_facts(here, header, *rows):
    lines = [f"{name},{label},{row}" for (name, label, _), row in zip(ROWS, rows, strict=False)]
    lines = [line.replace("Bär; groß", "Bär").replace("Renard, roux", "Renard") for line in lines]
    return write(here, "\n".join([f"file,species,{header}", *lines]) + "\n")


def test_what_a_picture_knows_is_found_by_usual_names_and_the_rest_stays(here):
    header = "deploymentID,eventDate,decimalLatitude,Lon,Family,weather"
    path = write_facts(
        here, header, *(f"d{i},2019-07-0{i + 1},5{i}.5,{i},F{i},dry" for i in range(4))
    )
    found = read_picture_table(path)
    columns = {"path", "label", "group", "species", "deployment", "date", "latitude", "longitude"}
    assert set(found.table.columns) == columns | {"family", "weather"}
    assert found.table["deployment"].equals(found.table["group"])
    assert found.table["species"].to_list() == found.table["label"].to_list()
    assert found.table["date"].to_list() == [f"2019-07-0{i + 1}" for i in range(4)]
    (note,) = found.notes
    for words in ("date from 'eventDate'", "longitude from 'Lon'", "family from 'Family'"):
        assert words in note


def test_a_fact_may_be_named_and_declined_and_a_column_in_its_way_is_kept(here):
    path = write_facts(here, "date,Aufnahme", *("soon,2019", "later,2020", "a,2021", "b,2022"))
    plain = read_picture_table(path).table
    assert plain["date"].to_list() == ["soon", "later", "a", "b"]
    named = read_picture_table(path, columns=parse_columns(["date=Aufnahme"])).table
    assert named["date"].to_list() == ["2019", "2020", "2021", "2022"]
    assert named["date_"].to_list() == ["soon", "later", "a", "b"]
    declined = read_picture_table(path, columns=parse_columns(["species="])).table
    assert "species" not in declined.columns
    with pytest.raises(BadInput, match=r"no column 'Date' for date .* Did you mean 'date'"):
        read_picture_table(path, columns=parse_columns(["date=Date"]))


def test_a_column_class_that_is_the_label_is_no_taxon(here):
    path = write(here, "path,class\na/1.jpg,ants\n")
    assert read_picture_table(path).table.columns == ["path", "label"]
    path = write(here, "path,label,class\na/1.jpg,ants,Insecta\n")
    assert read_picture_table(path).table["class"].to_list() == ["Insecta"]


def test_a_picture_may_stand_in_several_rows_with_a_box_each(here):
    lines = ["path,label,bbox", 'a/1.jpg,x,"[0, 0, 10, 20]"', 'a/1.jpg,y,"[5, 0, 10, 20]"']
    again = 'a/1.jpg,x,"[0, 0, 10, 20]"'
    path = write(here, "\n".join([*lines, again, "a/2.jpg,x,"]))
    found = read_picture_table(path)
    assert found.table["box"].to_list() == [[0, 0, 10, 20], [5, 0, 10, 20], None]
    assert found.dropped == {"rows that stand twice": 1}
    path = write(here, "\n".join([*lines, again.replace("x", "y")]))
    with pytest.raises(BadInput, match="several rows with the labels 'x', 'y'"):
        read_picture_table(path)


def test_boxes_of_fractions_are_made_pixels_and_said(tmp_path):
    Image.new("RGB", (200, 100)).save(tmp_path / "a.png")
    header = "filepath,species,bboxX,bboxY,bboxWidth,bboxHeight\n"
    path = write(tmp_path, header + "a.png,x,0.25,0.5,0.5,0.25\n")
    found = read_picture_table(path)
    assert found.table["box"].to_list() == [[50, 50, 100, 25]]
    assert "fractions of the pictures" in found.notes[-1]
    path = write(tmp_path, header + "a.png,x,25,50,50,25\n")
    assert read_picture_table(path).table["box"].to_list() == [[25, 50, 50, 25]]


def test_a_column_that_holds_no_boxes_cannot_be_named_as_one(here):
    path = write(here, "path,label,n\na/1.jpg,x,3\n")
    pl.read_csv(path).write_parquet(here / "t.parquet")
    with pytest.raises(
        BadInput, match="'n' is to be the box, but a column of Int64 holds no boxes"
    ):
        read_picture_table(here / "t.parquet", columns=parse_columns(["box=n"]))
    with pytest.raises(BadInput, match="there is no column 'a,b,c,d' for box"):
        read_picture_table(path, columns=parse_columns(["box=a,b,c,d"]))
