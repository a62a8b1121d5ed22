"""The OpenCLIP adapter equals OpenCLIP's own image features, and keeps the image tower only."""

import json
import pickle

import numpy as np
import open_clip
import open_clip.pretrained
import pytest
import torch
from PIL import Image

import small_checkpoints
from biobench.errors import BadInput
from biobench.third_party_models import OpenClip, weights

CLIPS = sorted(small_checkpoints.CLIPS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    small_checkpoints.register_clips(folder)
    return {arch: small_checkpoints.save_clip(folder, arch) for arch in CLIPS}


def make_batch(backbone: OpenClip) -> torch.Tensor:
    size = backbone.data_config()["input_size"]
    return torch.randn(3, *size, generator=torch.Generator().manual_seed(1))


def make_picture() -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (173, 211, 3), dtype=np.uint8))


def load_own(arch: str, path) -> torch.nn.Module:
    model = open_clip.create_model(arch, pretrained=str(path))
    return model.eval()


@pytest.mark.parametrize("arch", CLIPS)
def test_image_features_equal_openclips_encode_image(arch, files):
    backbone = OpenClip(f"local:{arch}/{files[arch]}")
    own = load_own(arch, files[arch])
    batch = make_batch(backbone)
    with torch.inference_mode():
        found = backbone.img_encode(batch).img_features
        expected = own.encode_image(batch, normalize=False)
    assert found.shape == (3, small_checkpoints.CLIP_CONFIG["embed_dim"])
    # The CoCa class cannot leave its latent unnormalised, so directions are compared there.
    if arch == "tiny-coca":
        found = torch.nn.functional.normalize(found, dim=-1)
        expected = torch.nn.functional.normalize(own.encode_image(batch), dim=-1)
        torch.testing.assert_close(found, expected)
    else:
        assert torch.equal(found, expected)


@pytest.mark.parametrize("arch", CLIPS)
def test_patch_tokens_come_where_the_tower_gives_them(arch, files):
    backbone = OpenClip(f"local:{arch}/{files[arch]}")
    batch = make_batch(backbone)
    with torch.inference_mode():
        patches = backbone.img_encode(batch).patch_features
    if arch in ("tiny-resnet", "tiny-coca"):
        assert patches is None
        return
    visual = load_own(arch, files[arch]).visual
    with torch.inference_mode():
        if arch == "tiny-clip":
            visual.output_tokens = True
            expected = visual(batch)[1]
            assert patches.shape == (3, 16, 64)
        else:
            expected = visual.trunk.forward_features(batch)[:, 1:]
            assert patches.shape == (3, 100, 64)
    assert torch.equal(patches, expected)


@pytest.mark.parametrize("arch", CLIPS)
def test_only_the_image_tower_is_kept(arch, files):
    backbone = OpenClip(f"local:{arch}/{files[arch]}")
    expected = load_own(arch, files[arch]).visual.state_dict()
    found = backbone.state_dict()
    assert set(found) == {f"tower.{name}" for name in expected}
    assert all(torch.equal(found[f"tower.{name}"], tensor) for name, tensor in expected.items())


@pytest.fixture
def tagged(files, monkeypatch):
    """Weights that OpenCLIP's registry knows by a tag with its own normalisation."""
    tag = {
        "file": str(files["tiny-clip"]),
        "mean": (0.1, 0.2, 0.3),
        "std": (0.4, 0.5, 0.6),
        "interpolation": "bilinear",
        "resize_mode": "squash",
        "quick_gelu": True,
    }
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-clip", {"lab": tag})
    return "tiny-clip/lab"


@pytest.mark.filterwarnings("ignore:QuickGELU mismatch")  # of OpenCLIP, which does not act on it
def test_the_transform_is_the_tags_own(tagged):
    backbone = OpenClip(tagged)
    _, _, expected = open_clip.create_model_and_transforms("tiny-clip", pretrained="lab")
    transform = backbone.make_img_transform()
    picture = make_picture()
    assert torch.equal(transform(picture), expected(picture))
    assert torch.equal(pickle.loads(pickle.dumps(transform))(picture), expected(picture))
    assert backbone.data_config() == {
        "input_size": (3, 64, 64),
        "mean": (0.1, 0.2, 0.3),
        "std": (0.4, 0.5, 0.6),
    }


def test_a_tag_trained_with_quick_gelu_is_run_with_it(tagged, files):
    backbone = OpenClip(tagged)
    own = open_clip.create_model(
        "tiny-clip", pretrained=str(files["tiny-clip"]), force_quick_gelu=True
    ).eval()
    plain = load_own("tiny-clip", files["tiny-clip"])
    batch = make_batch(backbone)
    with torch.inference_mode():
        found = backbone.img_encode(batch).img_features
        assert torch.equal(found, own.encode_image(batch))
        assert not torch.allclose(found, plain.encode_image(batch))


def test_openais_tags_of_plain_architectures_ask_for_quick_gelu():
    tag = open_clip.get_pretrained_cfg("ViT-B-16", "openai")
    assert tag["quick_gelu"] and not open_clip.get_model_config("ViT-B-16").get("quick_gelu")


def test_a_hub_repository_in_the_cache_is_read_without_a_network(tmp_path, monkeypatch, files):
    from safetensors.torch import save_file

    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path))
    repo = tmp_path / "models--lab--tiny"
    snapshot = repo / "snapshots" / ("1" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("1" * 40)
    save_file(torch.load(files["tiny-clip"]), snapshot / "open_clip_model.safetensors")
    preprocess = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    config = {"model_cfg": small_checkpoints.CLIP_CONFIG, "preprocess_cfg": preprocess}
    (snapshot / "open_clip_config.json").write_text(json.dumps(config))
    backbone = OpenClip("hf-hub:lab/tiny")
    own = load_own("tiny-clip", files["tiny-clip"])
    batch = make_batch(backbone)
    with torch.inference_mode():
        assert torch.equal(backbone.img_encode(batch).img_features, own.encode_image(batch))
    assert list(backbone.data_config()["mean"]) == [0.1, 0.2, 0.3]
    assert backbone.weights_source == f"the Hugging Face hub's lab/tiny at commit {'1' * 40}"
    # A folder in that format, as OpenCLIP itself reads it.
    OpenClip.check_ckpt(f"local-dir:{snapshot}")
    same = OpenClip(f"local-dir:{snapshot}")
    with torch.inference_mode():
        assert torch.equal(same.img_encode(batch).img_features, own.encode_image(batch))
    weights_file = snapshot / "open_clip_model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"weights of 'local-dir:.*cannot be read: "):
        OpenClip(f"local-dir:{snapshot}")
    weights_file.unlink()
    with pytest.raises(BadInput, match="has no weights"):
        OpenClip.check_ckpt(f"local-dir:{snapshot}")
    with pytest.raises(BadInput, match=r"must name a folder with open_clip_config\.json"):
        OpenClip.check_ckpt(f"local-dir:{tmp_path}")


@pytest.mark.parametrize(
    "names, expected",
    [
        (("BIOBENCH_CACHE", "HF_HOME", "HF_HUB_CACHE"), "BIOBENCH_CACHE"),
        (("HF_HOME", "HF_HUB_CACHE"), "HF_HOME"),
        (("HF_HUB_CACHE",), "HF_HUB_CACHE"),
        ((), None),
    ],
)
def test_the_cache_is_the_first_variable_that_is_set(names, expected, monkeypatch):
    for name in ("BIOBENCH_CACHE", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in names:
        monkeypatch.setenv(name, f"/{name}")
    assert weights.cache_dir() == (f"/{expected}" if expected else None)


@pytest.mark.parametrize(
    "ckpt, says",
    [
        ("ViT-B-18/openai", "Did you mean 'ViT-B-16'"),
        ("ViT-B-16/openaj", "known: openai"),
        ("ViT-B-16", "ARCH/PRETRAINED"),
        ("hf-hub:bioclip", "hf-hub:ORG/REPO"),
        ("local:ViT-B-16", "local:ARCH/PATH"),
        ("local:ViT-B-16/missing.pt", "does not exist"),
    ],
)
def test_a_name_that_cannot_exist_is_refused_before_any_weights(ckpt, says):
    with pytest.raises(BadInput, match=says):
        OpenClip.check_ckpt(ckpt)
    with pytest.raises(BadInput, match=says):
        OpenClip(ckpt)


@pytest.mark.parametrize("ckpt", ["ViT-B-16/openai", "RN50/yfcc15m", "hf-hub:imageomics/bioclip"])
def test_weights_out_of_reach_are_a_sentence_and_never_random(ckpt):
    OpenClip.check_ckpt(ckpt)
    with pytest.raises(BadInput, match=f"weights of '{ckpt}' .*local:ARCH/PATH"):
        OpenClip(ckpt)


def test_a_file_with_other_tensors_is_refused_with_their_names(files, tmp_path):
    state = torch.load(files["tiny-clip"])
    state["visual.proj"] = state["visual.proj"][:, :-1]
    path = tmp_path / "cut.pt"
    torch.save(state, path)
    with pytest.raises(BadInput, match=r"visual\.proj"):
        OpenClip(f"local:tiny-clip/{path}")


@pytest.mark.parametrize(
    "arch, own, others",
    [
        ("tiny-clip", "cls", ("mean", "max")),
        ("tiny-resnet", "map", ()),
        ("tiny-coca", "map", ()),
        ("tiny-timm", "cls", ("mean", "max")),
    ],
)
def test_another_pooling_is_of_the_patches_before_the_projection(arch, own, others, files):
    ckpt = f"local:{arch}/{files[arch]}"
    plain = OpenClip(ckpt)
    batch = make_batch(plain)
    assert plain.get_pooling().pool == own and "projected" in plain.get_pooling().what
    with torch.inference_mode():
        found = plain.img_encode(batch)
        same = OpenClip(ckpt, pool=own).img_encode(batch)
        assert torch.equal(found.img_features, same.img_features)
    for pool in {"cls", "mean", "max", "map"} - {own}:
        if pool not in others:
            with pytest.raises(BadInput, match=f"--pool {pool} cannot be had .*default, {own}"):
                OpenClip(ckpt, pool=pool)
            continue
        with torch.inference_mode():
            vectors = OpenClip(ckpt, pool=pool).img_encode(batch).img_features
        patches = found.patch_features
        expected = patches.mean(dim=1) if pool == "mean" else patches.max(dim=1).values
        assert torch.equal(vectors, expected)


@pytest.mark.filterwarnings("ignore::UserWarning:timm.*", "ignore:torch.searchsorted")
@pytest.mark.parametrize("arch", ["tiny-clip", "tiny-timm"])
def test_another_size_is_openclips_own_resampling(arch, files):
    backbone = OpenClip(f"local:{arch}/{files[arch]}", image_size=96)
    own = open_clip.create_model(arch, pretrained=str(files[arch]), force_image_size=96).eval()
    batch = torch.randn(2, 3, 96, 96)
    assert backbone.data_config()["input_size"] == (3, 96, 96)
    with torch.inference_mode():
        found = backbone.img_encode(batch)
        assert torch.equal(found.img_features, own.encode_image(batch))
    assert found.patch_features.shape[1] == 36
