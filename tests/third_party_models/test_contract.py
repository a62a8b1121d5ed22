"""What every adapter promises, whatever library stands behind it."""

import copy
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import small_checkpoints
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.registry import load_vision_backbone, load_vision_backbone_class

MODELS = [
    ("open-clip", "local:tiny-clip/{}"),
    ("open-clip", "local:tiny-timm/{}"),
    ("open-clip", "local:tiny-resnet/{}"),
    ("timm-vit", "local:test_vit/{}"),
    ("timm-vit", "local:test_vit_relpos/{}"),
    ("timm", "local:test_resnet/{}"),
    ("timm", "local:test_efficientnet/{}"),
    ("timm", "tf_efficientnet_lite0"),
    ("torchvision", "local:resnet18/{}"),
    ("torchvision", "local:mobilenet_v3_small/{}"),
    ("baseline", "color-hog"),
    ("baseline", "color-hist"),
    ("baseline", "hog"),
    ("baseline", "random-vit"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("checkpoints")
    small_checkpoints.register_clips(folder)
    return folder


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: ":".join(model))
def model(request, folder) -> tuple[str, str]:
    org, ckpt = request.param
    if "{}" in ckpt:
        arch = ckpt.removeprefix("local:").partition("/")[0]
        savers = {"open-clip": small_checkpoints.save_clip}
        savers["torchvision"] = small_checkpoints.save_torchvision
        save = savers.get(org, small_checkpoints.save_timm)
        ckpt = ckpt.format(save(folder, arch))
    return org, ckpt


@pytest.fixture(scope="module")
def backbone(model) -> VisionBackbone:
    return load_vision_backbone(*model)


def make_batch(backbone: VisionBackbone) -> torch.Tensor:
    rng = np.random.default_rng(0)
    transform = backbone.make_img_transform()
    shapes = [(90, 120), (240, 180), (300, 300), (64, 64)]
    noise = [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in shapes]
    return torch.stack([transform(Image.fromarray(image)) for image in noise])


def test_features_have_one_row_an_image(backbone):
    batch = make_batch(backbone)
    with torch.inference_mode():
        encoded = backbone.img_encode(batch)
    assert isinstance(backbone, VisionBackbone) and isinstance(encoded, EncodedImgBatch)
    assert encoded.img_features.ndim == 2 and len(encoded.img_features) == len(batch)
    assert encoded.img_features.dtype == torch.float32
    assert encoded.img_features.isfinite().all()
    if encoded.patch_features is not None:
        assert encoded.patch_features.ndim == 3 and len(encoded.patch_features) == len(batch)


def test_a_backbone_is_made_in_evaluation_mode_without_gradients(backbone):
    assert not any(module.training for module in backbone.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    backbone.img_encode(make_batch(backbone))
    assert not any(module.training for module in backbone.modules())


def test_an_images_feature_does_not_depend_on_its_batch(backbone):
    batch = make_batch(backbone)
    with torch.inference_mode():
        together = backbone.img_encode(batch).img_features
        alone = torch.cat([backbone.img_encode(image[None]).img_features for image in batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_different_pictures_have_different_features(backbone):
    with torch.inference_mode():
        features = backbone.img_encode(make_batch(backbone)).img_features
    assert len(features.unique(dim=0)) == len(features)


def test_the_same_checkpoint_gives_the_same_bits_when_loaded_again(backbone, model):
    again = load_vision_backbone(*model)
    batch = make_batch(backbone)
    with torch.inference_mode():
        expected = backbone.img_encode(batch).img_features
        assert torch.equal(again.img_encode(batch).img_features, expected)


def test_the_transform_can_be_sent_to_workers_and_fits_the_declared_size(backbone):
    transform = backbone.make_img_transform()
    picture = Image.new("RGB", (50, 75), (250, 120, 10))
    sent = pickle.loads(pickle.dumps(transform))
    assert torch.equal(sent(picture), transform(picture))
    assert transform(picture).shape == tuple(backbone.data_config()["input_size"])
    assert repr(sent) == repr(transform)


def test_the_name_passes_the_cheap_check_and_the_source_of_the_weights_is_told(backbone, model):
    org, ckpt = model
    load_vision_backbone_class(org).check_ckpt(ckpt)
    assert isinstance(backbone.weights_source, str) and backbone.weights_source


def test_a_backbone_can_be_copied(backbone):
    batch = make_batch(backbone)
    with torch.inference_mode():
        expected = backbone.img_encode(batch).img_features
        assert torch.equal(copy.deepcopy(backbone).img_encode(batch).img_features, expected)


def test_importing_the_adapters_loads_no_library_behind_them():
    code = (
        "import sys, biobench.third_party_models as m; "
        "heavy = {'timm', 'open_clip', 'skimage', 'torchvision', 'huggingface_hub'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
