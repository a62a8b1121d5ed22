"""One small random network of every family of timm that users name: the right vector and size."""

import dataclasses
import typing

import pytest
import timm
import torch

import small_checkpoints
from biobench.errors import BadInput
from biobench.features import cost
from biobench.features.doctor import examine
from biobench.third_party_models import Timm, TimmVit

# timm's own way of resampling position embeddings.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:timm.*", "ignore:torch.searchsorted")

VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2}
STAGES = {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}
FAST = {"layers": (1, 1, 1, 1), "embed_dims": (32, 64, 64, 128)}


@pytest.fixture(autouse=True)
def no_timing(monkeypatch):
    """The doctor also measures the speed, which is of no use here."""
    monkeypatch.setattr(cost, "_SECONDS", 0.0)


@dataclasses.dataclass(frozen=True)
class Family:
    """An architecture made small, and what is known of it beforehand."""

    arch: str
    pool: str
    n_patches: int
    size: int = 64
    options: dict[str, typing.Any] = dataclasses.field(default_factory=lambda: VIT)
    timm_pools: str = ""
    """where it is another than `pool`."""


FAMILIES = {
    "ViT": Family("vit_base_patch16_224", "cls", 16),
    "MAE": Family("vit_base_patch16_224", "cls", 16),
    "DINOv2": Family("vit_small_patch14_dinov2", "cls", 16, 56),
    "DINOv2 with registers": Family("vit_small_patch14_reg4_dinov2", "cls", 16, 56),
    "DINOv3 ViT": Family("vit_small_patch16_dinov3", "cls", 16, timm_pools="mean"),
    "EUPE": Family("vit_tiny_patch16_dinov3_qkvb", "cls", 16, timm_pools="mean"),
    "DINOv3 ConvNeXt": Family("convnext_tiny", "mean", 4, options=STAGES),
    "EVA-02": Family("eva02_tiny_patch14_224", "mean", 16, 56),
    "SigLIP 2": Family("vit_base_patch16_siglip_224", "map", 16),
    "SigLIP without its head": Family("vit_base_patch16_siglip_gap_224", "mean", 16),
    "I-JEPA": Family("vit_huge_patch14_gap_224", "mean", 16, 56),
    "AIMv2": Family("aimv2_large_patch14_224", "mean", 16, 56),
    "PE core": Family("vit_pe_core_tiny_patch16_384", "map", 16),
    "PE spatial": Family("vit_pe_spatial_tiny_patch16_512", "mean", 16),
    "TIPSv2": Family("vit_base_patch14_reg1_tipsv2", "cls", 16, 56),
    "RADIO": Family("vit_base_patch16_radio_v3", "cls", 16),
    "BEiT": Family("beit_base_patch16_224", "mean", 16),
    "MobileCLIP2": Family("fastvit_mci0", "mean", 4, options=FAST),
    "FastViT": Family("fastvit_t8", "mean", 4, options=FAST),
    "SAM 2 Hiera": Family(
        "sam2_hiera_tiny",
        "mean",
        16,
        128,
        {
            "embed_dim": 16,
            "stages": (1, 1, 1, 1),
            "global_att_blocks": (),
            "window_spec": (8, 4, 4, 2),
        },
    ),
    "ConvNeXt V2": Family("convnextv2_atto", "mean", 4, options=STAGES),
    "Swin": Family(
        "swin_tiny_patch4_window7_224",
        "mean",
        4,
        options={"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 2, 4, 8)},
    ),
    "EfficientNet": Family("test_efficientnet", "mean", 4, options={}),
    "MobileNetV4": Family("mobilenetv4_conv_small_035", "mean", 4, options={}),
    "NaFlexViT": Family("naflexvit_base_patch16_gap", "mean", 16),
    "NaFlexViT of SigLIP 2": Family("naflexvit_base_patch16_siglip", "map", 16),
}
POOLED = ("ViT", "DINOv3 ViT", "SigLIP 2", "BEiT", "PE core", "Swin", "SAM 2 Hiera", "EfficientNet")
NAMES = {"cls": "token", "mean": "avg", "map": "map", "max": "max"}


@dataclasses.dataclass(frozen=True)
class Made:
    family: Family
    backbone: Timm
    own: typing.Any
    ckpt: str
    batch: torch.Tensor


@pytest.fixture(scope="module", params=FAMILIES)
def made(request, tmp_path_factory) -> Made:
    return make(request.param, tmp_path_factory.mktemp("family"))


def save(folder, name) -> str:
    arch, options = FAMILIES[name].arch, FAMILIES[name].options
    return f"local:{arch}/{small_checkpoints.save_timm(folder, arch, **options)}"


def make(name, folder) -> Made:
    family = FAMILIES[name]
    ckpt = save(folder, name)
    backbone = Timm(ckpt, image_size=family.size, **family.options)
    plain = timm.create_model(family.arch, **family.options)
    overlay = {"file": ckpt.partition("/")[2], "num_classes": plain.num_classes}
    # Networks of feature maps, and NaFlexViT, take any size.
    is_sized = plain.pretrained_cfg["fixed_input_size"]
    own = timm.create_model(
        family.arch,
        pretrained=True,
        pretrained_cfg_overlay=overlay,
        **({"img_size": family.size} if is_sized else {}),
        **family.options,
    )
    own.reset_classifier(0)
    size = (3, 3, family.size, family.size)
    batch = torch.randn(size, generator=torch.Generator().manual_seed(1))
    return Made(family, backbone, own.eval(), ckpt, batch)


def test_the_vector_is_the_one_that_its_authors_evaluate_to_the_bit(made):
    with torch.inference_mode():
        found = made.backbone.img_encode(made.batch)
        tokens = made.own.forward_features(made.batch)
        expected = tokens[:, 0] if made.family.timm_pools else made.own(made.batch)
        assert torch.equal(found.img_features, expected)
        if made.family.timm_pools:
            assert not torch.allclose(found.img_features, made.own(made.batch))
    assert made.backbone.get_pooling().pool == made.family.pool
    assert made.backbone.get_pooling().source


def test_patches_are_as_many_as_the_size_has(made):
    with torch.inference_mode():
        patches = made.backbone.img_encode(made.batch).patch_features
    assert patches.shape[:2] == (3, made.family.n_patches)


def test_the_transform_makes_the_size_and_the_doctor_finds_nothing_wrong(made):
    size = made.family.size
    assert made.backbone.data_config()["input_size"] == (3, size, size)
    checks = {check.name: check for check in examine(made.backbone, ("timm", made.ckpt))}
    assert [check for check in checks.values() if check.status == "fail"] == []
    assert f"3 x {size} x {size}" in checks["transform"].value
    assert made.backbone.get_pooling().source in checks["vector"].value


@pytest.mark.parametrize("name", POOLED)
def test_another_pooling_is_timms_own_of_that_name_or_refused(name, tmp_path):
    made = make(name, tmp_path)
    options = {"image_size": made.family.size, **made.family.options}
    with torch.no_grad():
        tokens = made.own.forward_features(made.batch)
        own = made.own(made.batch)
    expected = {}
    if tokens.ndim == 3:
        patches = tokens[:, made.own.num_prefix_tokens :]
        expected = {"mean": patches.mean(dim=1), "max": patches.amax(dim=1)}
        if made.own.cls_token is not None:
            expected["cls"] = tokens[:, 0]
        with torch.no_grad():
            expected = {pool: made.own.fc_norm(vector) for pool, vector in expected.items()}
        if getattr(made.own, "attn_pool", None) is not None:
            expected["map"] = own
    else:
        for pool in ("mean", "max"):
            made.own.reset_classifier(0, NAMES[pool])
            expected[pool] = made.own(made.batch)
    for pool in ("cls", "mean", "max", "map"):
        if pool not in expected:
            with pytest.raises(BadInput, match=r"--pool .*mean"):
                Timm(made.ckpt, pool=pool, **options)
            continue
        backbone = Timm(made.ckpt, pool=pool, **options)
        with torch.inference_mode():
            assert torch.equal(backbone.img_encode(made.batch).img_features, expected[pool])
        assert backbone.get_pooling().pool == pool
        assert backbone.get_pooling().source == "--pool"


def test_an_image_has_its_vector_whatever_stands_beside_it(made):
    with torch.inference_mode():
        together = made.backbone.img_encode(made.batch).img_features
        alone = torch.cat([made.backbone.img_encode(one[None]).img_features for one in made.batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not any(module.training for module in made.backbone.modules())


@pytest.mark.parametrize(
    "name, pool, theirs",
    [
        ("SigLIP 2", "max", "the attention-pooling head"),
        ("I-JEPA", "max", "the mean over the patches"),
        ("EVA-02", "cls", "the mean over the patches"),
    ],
)
def test_the_rule_of_timm_vit_stays_and_says_what_timm_would_give(name, pool, theirs, tmp_path):
    ckpt = save(tmp_path, name)
    backbone = TimmVit(ckpt, **FAMILIES[name].options)
    assert backbone.get_pooling().pool == pool
    (check,) = [c for c in examine(backbone, ("timm-vit", ckpt)) if c.name == "vector"]
    assert check.status == "warn" and theirs in check.advice and f"timm:{ckpt}" in check.advice


def test_timm_vit_and_timm_agree_on_dinov3(tmp_path):
    ckpt = save(tmp_path, "DINOv3 ViT")
    vit, same = TimmVit(ckpt, **VIT), Timm(ckpt, **VIT)
    batch = torch.randn(2, 3, 256, 256)
    with torch.inference_mode():
        assert torch.equal(vit.img_encode(batch).img_features, same.img_encode(batch).img_features)
    assert vit.get_pooling().advice == ""


def test_registers_are_not_class_tokens(tmp_path):
    ckpt = save(tmp_path, "NaFlexViT")
    backbone = Timm(ckpt, **VIT)
    assert backbone.model.num_prefix_tokens == 4
    with pytest.raises(BadInput, match="has no class token"):
        Timm(ckpt, pool="cls", **VIT)


def test_a_class_token_that_training_never_moved_is_told(tmp_path):
    family = FAMILIES["MAE"]
    model = timm.create_model(family.arch, **VIT)
    path = tmp_path / "untrained.pt"
    torch.save(model.state_dict(), path)
    assert "--pool mean" in Timm(f"local:{family.arch}/{path}", **VIT).get_pooling().advice
    assert Timm(f"local:{family.arch}/{path}", pool="mean", **VIT).get_pooling().advice == ""


@pytest.mark.parametrize("name, low, high", [("TIPSv2", 0.0, 1.0), ("RADIO", -1.792, 2.146)])
def test_pixels_are_scaled_once_by_the_transform_or_by_the_model(name, low, high, tmp_path):
    from PIL import Image

    transform = Timm(save(tmp_path, name), **VIT).make_img_transform()
    for level, expected in ((0, low), (255, high)):
        pixels = transform(Image.new("RGB", (64, 64), (level,) * 3))
        assert float(pixels.amin() if level == 0 else pixels.amax()) == pytest.approx(
            expected, abs=1e-3
        )


def test_a_size_that_the_patches_do_not_divide_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"65 x 65 pixels .*--image-size"):
        Timm(save(tmp_path, "DINOv3 ViT"), image_size=65, **VIT)
