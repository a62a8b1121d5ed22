"""One feature an image: right whatever the batch, the workers, the order or the batch-mates."""

import numpy as np
import torch
from PIL import Image

import tiny_backbones
from biobench.features import BackboneSource, EmbedOptions


def embed(root, images, backbone=None, **options):
    options = {"n_workers": 0, "device": "cpu", **options}
    source = BackboneSource(backbone or tiny_backbones.TinyConv(), EmbedOptions(**options))
    return source(root, images)


def encode_one_by_one(root, images, backbone):
    """The features by PyTorch alone: one image, eval mode, no loop."""
    transform = backbone.make_img_transform()
    vectors = []
    for image in images:
        pixels = transform(Image.open(root / image).convert("RGB"))
        backbone.eval()
        with torch.no_grad():
            vectors.append(backbone.img_encode(pixels[None]).img_features[0].numpy())
    return np.stack(vectors)


def take_all(features):
    return features.take(np.arange(len(features)))


def test_features_are_those_of_each_image_alone_in_eval_mode(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 11)
    expected = encode_one_by_one(tmp_path, images, tiny_backbones.TinyConv())
    np.testing.assert_allclose(take_all(embed(tmp_path, images)), expected, rtol=1e-5, atol=1e-6)


def test_batch_size_workers_and_order_do_not_change_a_bit(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path / "pictures", 30)
    reference = take_all(embed(tmp_path / "pictures", images, cache_root=tmp_path / "0"))
    order = np.random.default_rng(0).permutation(len(images))
    for number, (batch_size, n_workers) in enumerate([(1, 0), (7, 3), (64, 1)], start=1):
        shuffled = [images[position] for position in order]
        features = embed(
            tmp_path / "pictures",
            shuffled,
            batch_size=batch_size,
            n_workers=n_workers,
            cache_root=tmp_path / str(number),
        )
        assert take_all(features).tobytes() == reference[order].tobytes()


def test_a_second_run_runs_no_network(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 9)
    first = embed(tmp_path, images)
    backbone = tiny_backbones.TinyConv()
    second = embed(tmp_path, images, backbone)
    assert backbone.batches == []
    assert second.counts == {"known": 9, "recognised": 0, "embedded": 0, "failed": 0}
    assert take_all(second).tobytes() == take_all(first).tobytes()
