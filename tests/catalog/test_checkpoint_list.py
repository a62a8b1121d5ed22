"""The list of checkpoints: whole, found by every name, counted as libraries count."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from biobench import registry
from biobench.catalog import (
    MEASURED,
    find_checkpoint,
    find_dataset,
    list_tasks,
    read_checkpoints,
)
from biobench.results.published.known_facts import map_model

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import make_models  # noqa: E402
import measure_models  # noqa: E402

EVERY = read_checkpoints()
COUNTED = [one for one in EVERY if one.arch]

SAMPLE = (
    "timm:resnet18.a1_in1k",
    "timm:mobilenetv4_conv_small.e2400_r224_in1k",
    "timm:sam2_hiera_tiny.fb_r896_2pt1",
    "timm-vit:vit_small_patch16_224.dino",
    "timm-vit:vit_7b_patch16_dinov3.lvd1689m",
    "open-clip:ViT-B-32/openai",
    "open-clip:hf-hub:imageomics/bioclip",
    "hf:facebook/dinov2-small",
    "torchvision:resnet50.IMAGENET1K_V2",
)


def test_at_least_120_checkpoints_are_listed_each_once_and_each_with_what_is_asked_of_it():
    names = [one.name for one in EVERY]
    assert len(names) == len(set(names)) >= 120
    for one in EVERY:
        registry.parse_model(one.name)
        assert one.family and one.organisation and one.licence and one.source and one.data
        assert 2015 < one.year < 2100
        assert one.params and one.image_size
        assert (one.gflops is None) == (one.dim is None) == (not one.arch)
        assert set(one.to_dict()["contamination"]) == set(list_tasks())


def test_every_task_but_the_users_own_is_judged():
    assert set(list_tasks()) == set(registry.list_tasks()) - {"folder"}


def test_every_checkpoint_of_a_library_is_one_that_the_library_has():
    import open_clip
    import timm

    timms = set(timm.list_pretrained())
    clips = {f"{arch}/{tag}" for arch, tag in open_clip.list_pretrained()}
    for one in EVERY:
        org, _, ckpt = one.name.partition(":")
        if not ckpt.startswith("hf-hub:"):
            assert org not in ("timm", "timm-vit") or ckpt in timms, one.name
            assert org != "open-clip" or ckpt in clips, one.name


def test_the_file_of_counts_has_what_is_listed_and_nothing_else():
    assert list(json.loads(MEASURED.read_text())) == [one.name for one in COUNTED]


@pytest.mark.parametrize("name", SAMPLE)
def test_counting_again_gives_what_the_list_says(name):
    counted = measure_models.count(find_checkpoint(name))
    assert counted == json.loads(MEASURED.read_text())[name]


def test_parameters_are_those_of_the_librarys_own_network_with_real_tensors():
    import timm

    model = timm.create_model("resnet18", num_classes=0)
    assert find_checkpoint("timm:resnet18").params == sum(p.numel() for p in model.parameters())


def test_gflops_of_a_vision_transformer_are_those_of_pen_and_paper():
    # ViT-S/16 at 224 pixels: 12 blocks of width 384, 196 patches and a class token.
    n, width = 197, 384
    block = 4 * n * width**2 + 2 * n**2 * width + 8 * n * width**2
    multiplications = 12 * block + 196 * 3 * 16**2 * width
    one = find_checkpoint("timm-vit:vit_small_patch16_224.dino")
    assert one.gmacs == pytest.approx(multiplications / 1e9, rel=1e-3)
    assert one.gflops == 2 * one.gmacs


def test_parameters_are_within_2_percent_of_the_published_ones_but_for_stated_exceptions():
    published = [one for one in EVERY if one.published is not None]
    assert len(published) == 85
    odd = []
    for one in published:
        # A classifier, which is left off here: a weight for each feature and class, and a bias.
        classifier = one.published.classes * ((one.dim or 0) + 1)
        off = abs((one.params + classifier) / one.published.params - 1)
        odd += [one.name] * (off > 0.02)
    assert odd == [one.name for one in published if one.published.differs]


def test_a_checkpoint_is_found_by_every_name_of_its_weights():
    dinov2 = "timm-vit:vit_base_patch14_dinov2.lvd142m"
    for name, meant in {
        "timm:vit_base_patch14_dinov2.lvd142m": dinov2,
        "timm-vit:hf-hub:timm/vit_base_patch14_dinov2.lvd142m": dinov2,
        "timm:resnet50": "timm:resnet50.a1_in1k",
        "timm:tf_efficientnet_lite0": "timm:tf_efficientnet_lite0.in1k",
        "open-clip:ViT-B-16-quickgelu/openai": "open-clip:ViT-B-16/openai",
        "published:dinov2_vitb14_reg": "timm-vit:vit_base_patch14_reg4_dinov2.lvd142m",
        "hf:apple/aimv2-1B-patch14-224": "timm-vit:aimv2_1b_patch14_224.apple_pt",
        "timm:vit_pe_spatial_tiny_patch16_512": "timm:vit_pe_spatial_tiny_patch16_512.fb",
        "published:vitl16": "vjepa:vitl16",
    }.items():
        assert find_checkpoint(name).name == meant
    for one in EVERY:
        assert find_checkpoint(one.name) is one


def test_imported_rows_of_the_public_leaderboard_find_their_checkpoint():
    published = [one for one in EVERY if one.published is not None]
    for one in published:
        for org in ("", "open-clip", "timm"):
            if not org or one.name.startswith(f"{org}:"):
                name = ":".join(map_model(one.published.ckpt, org))
                assert find_checkpoint(name) is one


@pytest.mark.parametrize(
    "name",
    [
        "my-lab:vitl16",
        "timm:local:resnet50/run/best.pt",
        "open-clip:local:ViT-B-16/openai",
        "timm:resnet50.b1k_in1k",
        "resnet50",
        "",
    ],
)
def test_other_weights_are_not_taken_for_a_listed_checkpoint(name):
    assert find_checkpoint(name) is None


def test_every_data_set_is_named_with_its_source():
    for one in EVERY:
        for key in one.data:
            assert find_dataset(key).title and find_dataset(key).source


def test_the_list_is_read_without_torch_or_polars():
    code = "import biobench.catalog as c, sys; c.read_checkpoints(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "polars", "numpy"} & set(done.stdout.split())


def test_the_pages_print_the_list():
    for path, make in (
        (make_models.MODELS, make_models.make_models),
        (make_models.CONTAMINATION, make_models.make_contamination),
    ):
        page = path.read_text(encoding="utf-8")
        assert page == make(page), "run python docs/make_models.py"
