"""The table of poolings: every row is asked, says who says so, and the traps are in it."""

import pytest

from biobench.pooling_table import WORDS, find_row, list_rows


def test_every_row_names_its_source_and_is_reached():
    for row in list_rows():
        assert row.source and row.pool in WORDS and row.match
        assert row.adapter != "hf" or row.model
        # Another row above it would hide it from all that it names.
        names = [pattern.replace("*", "x") for pattern in row.match]
        assert any(find_row(row.adapter, name) == row for name in names), row


@pytest.mark.parametrize(
    "name, pool",
    [
        ("vit_base_patch16_dinov3.lvd1689m", "cls"),
        ("vit_base_patch16_dinov3_qkvb.eupe_lvd1689m", "cls"),
        ("convnext_tiny.dinov3_lvd1689m", "own"),
        ("vit_base_patch14_reg4_dinov2.lvd142m", "cls"),
        ("vit_base_patch16_siglip_224.v2_webli", "map"),
        ("vit_base_patch16_siglip_gap_224.v2_webli", "mean"),
        ("vit_huge_patch14_gap_224.in1k_ijepa", "mean"),
        ("vit_base_patch16_224.mae", "cls"),
        ("vit_base_patch14_reg1_tipsv2.webli", "cls"),
        ("vit_base_patch16_radio_v3.c_radio", "cls"),
        ("vit_pe_core_base_patch16_224.fb", "map"),
        ("eva02_tiny_patch14_224.mim_in22k", "mean"),
        ("eva02_base_patch14_448.mim_in22k_ft_in22k_in1k", "own"),
        ("eva02_base_patch16_clip_224.merged2b", "cls"),
        ("resnet50.a1_in1k", "own"),
    ],
)
def test_a_published_checkpoint_has_the_pooling_of_its_authors(name, pool):
    row = find_row("timm", name)
    assert row is not None and row.pool == pool


def test_the_names_in_the_table_are_those_that_timm_has():
    import fnmatch

    import timm

    names = [*timm.list_pretrained(), *timm.list_models()]
    for row in list_rows():
        if row.adapter == "timm":
            assert fnmatch.filter(names, row.match[0]), row.match


def test_an_adapter_without_rows_has_none():
    assert find_row("my-lab", "v2") is None


@pytest.mark.parametrize(
    "name",
    [
        "vit_small_patch14_reg4_dinov2.lvd142m",
        "vit_small_patch16_dinov3.lvd1689m",
        "vit_huge_patch14_gap_224.in1k_ijepa",
        "vit_base_patch16_siglip_224.v2_webli",
        "vit_base_patch16_siglip_gap_224.v2_webli",
        "aimv2_large_patch14_224.apple_pt",
        "deit3_small_patch16_224.fb_in22k_ft_in1k",
    ],
)
def test_the_rule_of_timm_vit_is_told_of_a_name_as_of_the_network(name):
    import timm
    import torch

    from biobench.third_party_models.timm_pooling import has_class_token

    with torch.device("meta"):
        model = timm.create_model(name)
    row = find_row("timm-vit", name)
    assert row is not None and row.pool == ("cls" if has_class_token(model) else "max")
