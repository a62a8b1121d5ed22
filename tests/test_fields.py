"""A field that is an option keeps what it is, whatever a descendant makes of it."""

import dataclasses
from typing import Literal

import pytest

from biobench import fields
from biobench.fields import option


@dataclasses.dataclass(frozen=True)
class Base:
    crop: float = option(0.9, decides=("features",), usual="as published")
    """part of the picture
    that is seen."""
    exif: bool = option(False, decides=("features", "protocol"), always=True)
    plain: str = "x"
    """not an option."""
    names: list[str] = option(factory=list, decides=("protocol",))


@dataclasses.dataclass(frozen=True)
class Child(Base):
    crop: float = 1.0
    exif: bool = option(True, usual="as this task has it")
    """its own text."""


def test_a_descendant_changes_default_and_words_but_not_what_an_option_decides():
    assert list(fields.list_options(Child)) == ["crop", "exif", "names"]
    crop, exif, _ = fields.list_options(Child).values()
    assert (crop.default, crop.decides, crop.usual) == (0.9, ("features",), "as published")
    assert exif.decides == ("features", "protocol") and exif.always
    assert exif.usual == "as this task has it"
    assert fields.get_text(Child, "crop") == "part of the picture that is seen."
    assert fields.get_text(Child, "exif") == "its own text."
    assert fields.get_text(Base, "exif") == ""


def test_what_is_decided_holds_a_later_option_only_where_it_is_set():
    assert fields.get_decided(Base(), "features") == {"exif": False}
    assert fields.get_decided(Base(crop=0.5), "features") == {"exif": False, "crop": 0.5}
    assert fields.get_decided(Base(names=["a"]), "protocol") == {"exif": False, "names": ["a"]}
    # One value is one key, though a task has another default.
    assert fields.get_decided(Child(), "features") == fields.get_decided(
        Base(crop=1.0, exif=True), "features"
    )


def test_a_class_without_source_has_options_without_texts():
    made = dataclasses.make_dataclass("Made", [("pool", str, option("own"))])
    assert list(fields.list_options(made)) == ["pool"] and fields.get_text(made, "pool") == ""


@pytest.mark.parametrize(
    ("kind", "good", "bad", "words"),
    [
        (int, 3, True, "an integer"),
        (float, 3, "3", "a number"),
        (int | Literal["auto"], "auto", "all", "an integer or 'auto'"),
        (tuple[str, ...], ["a"], [1], "a list of texts"),
        (dict[str, str], {"a": "b"}, {"a": 1}, "a table"),
    ],
)
def test_a_value_fits_a_type_that_is_said_in_words(kind, good, bad, words):
    assert fields.fits(good, kind) and not fields.fits(bad, kind)
    assert fields.describe_type(kind) == words
