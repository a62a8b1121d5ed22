"""The floors are what scikit-image computes, the same for every batch, and know nothing."""

import hashlib
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from skimage.feature import hog

from biobench.errors import BadInput
from biobench.third_party_models import Baseline

KNOWN = ["color-hog", "color-hist", "hog", "random-vit"]


def make_batch(backbone: Baseline) -> torch.Tensor:
    transform = backbone.make_img_transform()
    pictures = [data.chelsea(), data.astronaut(), data.coffee()]
    return torch.stack([transform(Image.fromarray(picture)) for picture in pictures])


def test_an_unknown_baseline_is_a_value_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="known: color-hog, color-hist, hog, random-vit") as err:
        Baseline("colour-hog")
    assert "Did you mean 'color-hog'" in str(err.value)


def test_without_scikit_image_the_handcrafted_ones_are_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    for ckpt in ("color-hog", "color-hist", "hog"):
        said = rf"baseline:{ckpt} needs scikit-image: .*pip install '\.\[baselines\]'\.$"
        with pytest.raises(BadInput, match=said):
            Baseline.check_ckpt(ckpt)
    Baseline.check_ckpt("random-vit")


def test_hog_is_scikit_images_scaled_to_unit_length():
    backbone = Baseline("hog")
    batch = make_batch(backbone)
    found = backbone.img_encode(batch).img_features
    for image, feature in zip(batch, found, strict=True):
        expected = hog(
            image.permute(1, 2, 0).numpy(), pixels_per_cell=(16, 16), cells_per_block=(2, 2),
            orientations=9, channel_axis=2,
        )  # fmt: skip
        np.testing.assert_allclose(feature, expected / np.linalg.norm(expected), atol=1e-6)


def test_a_colour_histogram_counts_every_pixel_once():
    feature = Baseline("color-hist").img_encode(make_batch(Baseline("color-hist"))).img_features
    # square roots of shares
    np.testing.assert_allclose((feature**2).sum(dim=1), 1.0, atol=1e-6)


def test_a_colour_histogram_of_one_colour_fills_one_bin():
    red = torch.zeros(1, 3, 128, 128)
    red[:, 0] = 1.0
    feature = Baseline("color-hist").img_encode(red).img_features[0].reshape(8, 4, 4)
    assert feature[0, 3, 3] == 1.0 and feature.sum() == 1.0


def test_a_colour_histogram_does_not_see_shape_and_hog_does():
    batch = make_batch(Baseline("color-hog"))
    mirrored = batch.flip(-1)
    histogram, gradients = Baseline("color-hist"), Baseline("hog")
    same = histogram.img_encode(mirrored).img_features - histogram.img_encode(batch).img_features
    other = gradients.img_encode(mirrored).img_features - gradients.img_encode(batch).img_features
    assert same.abs().max() < 1e-6 < 0.1 < other.norm(dim=1).min()


def test_color_hog_is_both_one_after_the_other():
    batch = make_batch(Baseline("color-hog"))
    parts = [Baseline(name).img_encode(batch).img_features for name in ("color-hist", "hog")]
    assert torch.equal(Baseline("color-hog").img_encode(batch).img_features, torch.cat(parts, 1))


def test_a_picture_of_one_colour_has_a_finite_feature():
    black = torch.zeros(1, 3, 128, 128)
    assert Baseline("color-hog").img_encode(black).img_features.isfinite().all()


def test_the_random_vit_has_the_same_bits_on_every_machine():
    digest = hashlib.sha256()
    for _, parameter in sorted(Baseline("random-vit").named_parameters()):
        digest.update(parameter.numpy().tobytes())
    assert digest.hexdigest()[:16] == "18c875799d660bc2"


def test_the_random_vit_leaves_the_programs_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    Baseline("random-vit")
    assert torch.equal(torch.rand(2), expected)
