"""Names tables and lists of candidates: what is understood, what is refused in a sentence."""

import polars as pl
import pytest

from biobench.data import names, prompts
from biobench.errors import BadInput

FOX = {
    "label": "a",
    "scientific": "Vulpes vulpes",
    "common": "red fox",
    **dict(kingdom="Animalia", phylum="Chordata", order="Carnivora", family="Canidae"),
    **{"class": "Mammalia", "genus": "Vulpes", "species": "vulpes"},
}


def make_row(**given):
    return {**dict.fromkeys(names.COLUMNS), **given}


def make_table(*rows):
    made = [make_row(**row) for row in rows]
    return pl.DataFrame(made, schema=dict.fromkeys(names.COLUMNS, pl.String))


def write(folder, text, name="names.csv"):
    path = folder / name
    path.write_text(text)
    return path


def test_the_four_forms_are_those_of_bioclips_authors():
    # The names of Table 3 of the paper's kind, for one species.
    lineage = "Animalia Chordata Mammalia Carnivora Canidae Vulpes vulpes"
    assert prompts.write_name(make_row(**FOX), "common") == "red fox"
    assert prompts.write_name(make_row(**FOX), "scientific") == "Vulpes vulpes"
    assert prompts.write_name(make_row(**FOX), "taxonomic") == lineage
    assert prompts.write_name(make_row(**FOX), "mixed") == f"{lineage} with common name red fox"


@pytest.mark.parametrize(
    ("known", "mixed", "scientific", "taxonomic"),
    [
        (dict(common="red fox"), "red fox", None, None),
        (dict(scientific="Vulpes vulpes"), "Vulpes vulpes", "Vulpes vulpes", None),
        (dict(genus="Vulpes", species="vulpes"), "Vulpes vulpes", "Vulpes vulpes", None),
        (dict(genus="Vulpes", species="Vulpes lagopus"), "Vulpes lagopus", "Vulpes lagopus", None),
        (
            dict(kingdom="Animalia", family="Canidae"),
            "Animalia Canidae",
            "Canidae",
            "Animalia Canidae",
        ),
        (
            dict(family="Canidae", genus="Vulpes", common="fox"),
            "Canidae Vulpes with common name fox",
            "Vulpes",
            "Canidae Vulpes",
        ),
        (
            dict(family="Canidae", scientific="Vulpes vulpes schrencki"),
            "Canidae Vulpes vulpes schrencki",
            "Vulpes vulpes schrencki",
            "Canidae Vulpes vulpes schrencki",
        ),
        (dict(text="some thing"), "some thing", "some thing", None),
    ],
)
def test_a_form_is_made_of_what_is_known(known, mixed, scientific, taxonomic):
    row = make_row(**known)
    forms = ("mixed", "scientific", "taxonomic")
    assert [prompts.write_name(row, form) for form in forms] == [mixed, scientific, taxonomic]


def test_templates_are_those_that_are_named():
    import open_clip

    assert prompts.list_templates("none") == ("{}",)
    assert prompts.list_templates("bioclip") == ("a photo of {}.",)
    for name, own in (
        ("openai", open_clip.OPENAI_IMAGENET_TEMPLATES),
        ("simple", open_clip.SIMPLE_IMAGENET_TEMPLATES),
    ):
        found = [template.format("a {name}") for template in prompts.list_templates(name)]
        assert found == [template("a {name}") for template in own]
    assert (
        len(prompts.list_templates("openai")) == 80 and len(prompts.list_templates("simple")) == 7
    )


def test_columns_are_known_by_their_usual_names(tmp_path):
    path = write(
        tmp_path, "Label;Scientific Name;vernacularName;Family\n7; Vulpes vulpes ;;Canidae\n"
    )
    (row,) = names.read_names(path).rows(named=True)
    assert row == make_row(label="7", scientific="Vulpes vulpes", family="Canidae")


def test_a_parquet_file_is_a_names_table_too(tmp_path):
    path = tmp_path / "names.parquet"
    pl.DataFrame({"label": [3, 4], "common": ["fox", "wolf"]}).write_parquet(path)
    assert names.read_names(path)["label"].to_list() == ["3", "4"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,common\na,fox\n", r"names.csv: no column label \(found: name, common\); give each"),
        ("label,colour\na,red\n", r"no column with names \(found: label, colour\); add scientific"),
        ("label,common\na,fox\n,wolf\n", "row 2 has no label; fill it in or remove the row"),
        ("label,common\na,fox\na,wolf\n", "the label 'a' has two rows that differ"),
        (
            "label,commonName,vernacularName\na,b,c\n",
            "'commonName', 'vernacularName' both read as c",
        ),
        ("", "names.csv is empty"),
    ],
)
def test_what_is_no_names_table_is_refused_with_what_to_do(tmp_path, text, said):
    with pytest.raises(BadInput, match=said):
        names.read_names(write(tmp_path, text))


def test_a_column_that_is_called_just_so_goes_before_one_that_is_called_otherwise(tmp_path):
    text = "y,vernacularName,label,common\n0,a,fox,red fox\n"
    (row,) = names.read_names(write(tmp_path, text)).rows(named=True)
    assert row == make_row(label="fox", common="red fox")


def test_the_categories_of_iwildcam_are_a_names_table(tmp_path):
    text = "category_id,name,y\n0,empty,0\n2,tayassu pecari,1\n"
    found = names.read_names(write(tmp_path, text, "categories.csv"))
    assert found["label"].to_list() == ["0", "1"]
    written = [prompts.write_name(row, "mixed") for row in found.rows(named=True)]
    assert written == ["empty", "tayassu pecari"]


def test_a_row_that_stands_twice_is_one(tmp_path):
    assert names.read_names(write(tmp_path, "label,common\na,fox\na,fox\n")).height == 1


def test_a_label_may_have_a_name_in_each_subtask(tmp_path):
    text = "label,subtask,common\n0,sex,female\n0,age,adult\n"
    assert names.read_names(write(tmp_path, text)).height == 2


def match(tmp_path, text, *known, name="region.txt"):
    found = names.read_candidates(write(tmp_path, text, name))
    return names.match_candidates(found, make_table(*known))["label"].to_list()


KNOWN = (
    dict(label="fox", scientific="Vulpes vulpes", common="red fox"),
    dict(label="wolf_1", genus="Canis", species="lupus", common="wolf"),
    dict(label="wolf_2", scientific="Canis lupus"),
)


@pytest.mark.parametrize(
    ("line", "labels"),
    [
        ("fox", ["fox"]),
        ("VULPES  Vulpes", ["fox"]),
        ("vulpes_vulpes", ["fox"]),
        ("Red Fox", ["fox"]),
        ("Canis lupus", ["wolf_1", "wolf_2"]),
        ("wolf 2", ["wolf_2"]),
        ("Vulpes_lagopus", ["Vulpes lagopus"]),
    ],
)
def test_a_line_means_labels_scientific_and_common_names(tmp_path, line, labels):
    assert match(tmp_path, f"{line}\n", *KNOWN) == labels


def test_candidates_are_classes_once_each_and_those_that_are_known_come_first(tmp_path):
    text = "wolf\nVulpes lagopus\n\nfox\nred fox\nvulpes lagopus\n"
    assert match(tmp_path, text, *KNOWN) == ["wolf_1", "fox", "Vulpes lagopus"]


def test_a_table_of_candidates_brings_names_of_its_own(tmp_path):
    text = (
        "species,genus,family,vernacularName\nvulpes,Vulpes,,\nlagopus,Vulpes,Canidae,arctic fox\n"
    )
    found = names.read_candidates(write(tmp_path, text, "region.csv"))
    classes = names.match_candidates(found, make_table(*KNOWN))
    assert classes["label"].to_list() == ["fox", "Vulpes lagopus"]
    assert classes.rows(named=True)[1] == make_row(
        label="Vulpes lagopus",
        common="arctic fox",
        family="Canidae",
        genus="Vulpes",
        species="lagopus",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("place,count\nA,3\n", r"no column label, scientific or common \(found: place, count\)"),
        ("common\n \n", "names no species; write one a line"),
    ],
)
def test_what_is_no_list_of_candidates_is_refused(tmp_path, text, said):
    with pytest.raises(BadInput, match=said):
        names.read_candidates(write(tmp_path, text))
