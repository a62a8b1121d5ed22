"""Which checkpoints are printed, and the numbers that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biobench.catalog import choose, parse_count, read_checkpoints
from biobench.errors import BadInput


def name_all(found):
    return [one.name for one in found]


def test_every_wish_is_held_against_every_checkpoint():
    every = read_checkpoints()
    found = choose(family="dinov2", max_params=100e6, seen="imagenet1k")
    assert name_all(found) == [
        one.name
        for one in every
        if one.family == "DINOv2" and one.params <= 100e6 and "imagenet1k" in one.seen
    ]
    assert 0 < len(found) < len(choose(family="DINOv2"))
    assert name_all(choose()) == name_all(every)


def test_a_data_set_or_a_source_may_be_asked_for_as_well_as_a_task():
    by_set, by_source, by_task = (
        set(name_all(choose(seen=what))) for what in ("treeoflife-10m", "inaturalist", "inat21")
    )
    assert "open-clip:hf-hub:imageomics/bioclip" in by_set < by_source <= by_task
    assert name_all(choose(seen="TreeOfLife-10M")) == name_all(choose(seen="treeoflife-10m"))
    # GBIF passes iNaturalist's pictures on.
    assert "open-clip:hf-hub:imageomics/bioclip-2" in by_task - by_source


def test_names_may_be_patterns_or_other_names_of_the_same_weights():
    found = choose(["timm:resnet50", "open-clip:*SigLIP2-512/*"])
    assert name_all(found) == [
        "open-clip:ViT-B-16-SigLIP2-512/webli",
        "open-clip:ViT-L-16-SigLIP2-512/webli",
        "open-clip:ViT-SO400M-16-SigLIP2-512/webli",
        "timm:resnet50.a1_in1k",
    ]


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"family": "dinov4"}, "Did you mean 'DINOv"),
        ({"seen": "inat"}, "Did you mean 'inat21'"),
        ({"names": ["timm:resnet51"]}, "Did you mean 'timm:resnet"),
        ({"names": ["zzz*"]}, "--adapters"),
    ],
)
def test_what_is_not_there_is_named_with_the_closest(wish, says):
    with pytest.raises(BadInput, match=says):
        choose(**wish)


@given(st.integers(0, 10**12))
def test_a_number_is_read_as_it_is_written(count):
    assert parse_count(str(count)) == parse_count(f"{count:,}") == count
    assert parse_count(f"{count}K") == 1000 * count
    assert parse_count(f"{count}m") == 1000 * parse_count(f"{count}k")


def test_thousands_and_powers_are_read():
    assert parse_count("1.2B") == 1.2e9
    assert parse_count("86e6") == 86e6


@pytest.mark.parametrize("text", ["", "many", "-5", "1.2.3", "5T", "nan", "1e999x"])
def test_what_is_no_number_is_refused_with_an_example(text):
    with pytest.raises(BadInput, match="100M"):
        parse_count(text)
