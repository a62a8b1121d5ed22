"""torchvision's classifiers give what their last layer is given, from published or own weights."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models

import small_checkpoints
from biobench.errors import BadInput
from biobench.third_party_models import TorchVision

ARCHS = ["resnet18", "mobilenet_v3_small", "convnext_tiny", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("arch", ARCHS)
def test_features_are_what_the_last_linear_layer_is_given(arch, tmp_path):
    path = small_checkpoints.save_torchvision(tmp_path, arch)
    backbone = TorchVision(f"local:{arch}/{path}")
    own = models.get_model(arch, weights=None).eval()
    own.load_state_dict(torch.load(path))
    given = []
    last = [part for part in own.modules() if isinstance(part, torch.nn.Linear)][-1]
    last.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
    batch = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        own(batch)
        encoded = backbone.img_encode(batch)
    assert torch.equal(encoded.img_features, given[0])
    assert encoded.patch_features is None


def test_the_transform_is_that_of_the_weights(tmp_path):
    path = small_checkpoints.save_torchvision(tmp_path, "resnet18")
    backbone = TorchVision(f"local:resnet18/{path}")
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (173, 211, 3), dtype=np.uint8))
    expected = models.ResNet18_Weights.DEFAULT.transforms()(picture)
    assert torch.equal(backbone.make_img_transform()(picture), expected)
    assert backbone.data_config()["input_size"] == tuple(expected.shape)


def test_published_weights_in_the_cache_are_used_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    path = small_checkpoints.save_torchvision(tmp_path, "mobilenet_v3_small")
    published = models.MobileNet_V3_Small_Weights.DEFAULT
    name = published.url.rpartition("/")[2]
    path.rename(tmp_path / "checkpoints" / name)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    # The file is not the published one, whose checksum its name tells.
    load = torch.hub.load_state_dict_from_url
    monkeypatch.setattr(
        type(published),
        "get_state_dict",
        lambda self, **kwargs: load(self.url, model_dir=str(tmp_path / "checkpoints")),
    )
    backbone = TorchVision("mobilenet_v3_small")
    assert backbone.weights_source == f"{published.url} (IMAGENET1K_V1)"
    state = torch.load(tmp_path / "checkpoints" / name)
    for key, tensor in backbone.model.state_dict().items():
        assert torch.equal(tensor, state[key])


@pytest.mark.parametrize("n_classes", [7, 0])
def test_a_classifier_of_any_size_or_none_is_accepted_and_left_out(n_classes, tmp_path):
    path = small_checkpoints.save_torchvision(tmp_path, "resnet18", num_classes=7)
    state = torch.load(path)
    if not n_classes:
        state = {name: t for name, t in state.items() if not name.startswith("fc.")}
        torch.save(state, path)
    backbone = TorchVision(f"local:resnet18/{path}")
    assert not any(name.startswith("fc.") for name in backbone.state_dict())
    with torch.inference_mode():
        encoded = backbone.img_encode(torch.zeros(1, 3, 64, 64))
    assert encoded.img_features.shape == (1, 512)


@pytest.mark.parametrize(
    "ckpt, says",
    [
        ("resnet5", "Did you mean 'resnet50'"),
        ("resnet50.IMAGENET21K", "known: IMAGENET1K_V1, IMAGENET1K_V2"),
        ("squeezenet1_1", "no linear layer"),
        ("local:resnet18", "local:ARCH/PATH"),
        ("resnet18", "cannot be downloaded"),
    ],
)
def test_what_cannot_be_had_is_a_sentence(ckpt, says, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(BadInput, match=says):
        TorchVision(ckpt)


def test_a_file_with_other_tensors_is_refused_with_their_names(tmp_path):
    path = small_checkpoints.save_torchvision(tmp_path, "resnet18")
    state = torch.load(path)
    del state["layer1.0.conv1.weight"]
    torch.save(state, path)
    with pytest.raises(BadInput, match=r"layer1\.0\.conv1\.weight"):
        TorchVision(f"local:resnet18/{path}")
