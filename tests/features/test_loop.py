"""One feature an image: right whatever the batch, the workers, the order or the batch-mates."""

import contextlib
import hashlib
import math
import os
import pathlib
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import tiny_backbones
from biobench import progress
from biobench.errors import BadInput, CellFailed
from biobench.features import BackboneSource, EmbedOptions, loop, network
from biobench.features.options import resolve_precision


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


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder of 30 pictures, their names, and their features, one by one."""
    root = tmp_path_factory.mktemp("pictures")
    images = tiny_backbones.write_pictures(root, 30)
    return root, images, encode_one_by_one(root, images, tiny_backbones.TinyConv())


def test_features_are_those_of_each_image_alone_in_eval_mode(world):
    root, images, expected = world
    np.testing.assert_allclose(take_all(embed(root, images)), expected, rtol=1e-5, atol=1e-6)


def test_batch_size_workers_and_order_do_not_change_a_bit(world, tmp_path):
    root, images, _ = world
    reference = take_all(embed(root, images, cache_root=tmp_path / "0"))
    order = np.random.default_rng(0).permutation(len(images))
    shuffled = [images[position] for position in order]
    for batch_size, n_workers in [(1, 0), (7, 3), (64, 1)]:
        cache_root = tmp_path / str(batch_size)
        features = embed(
            root, shuffled, batch_size=batch_size, n_workers=n_workers, cache_root=cache_root
        )
        assert take_all(features).tobytes() == reference[order].tobytes()


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_sequence_of_runs_gives_the_bits_of_one(world, data):
    root, images, _ = world
    reference = take_all(embed(root, images))
    runs = data.draw(st.lists(st.lists(st.sampled_from(images), unique=True), max_size=4))
    options = dict(
        batch_size=data.draw(st.integers(1, 70)),
        n_workers=data.draw(st.sampled_from([0, 0, 0, 2])),
        shard_rows=data.draw(st.integers(1, 9)),
        cache_root=pathlib.Path(os.environ["BIOBENCH_CACHE"], str(data.draw(st.uuids()))),
    )
    for run in [*runs, data.draw(st.permutations(images))]:
        cut = data.draw(st.one_of(st.none(), st.integers(0, len(run))))
        with contextlib.suppress(KeyboardInterrupt), interrupted_at(cut):
            embed(root, run, **options)
        features = embed(root, run, **options)
        index = [images.index(image) for image in run]
        assert take_all(features).tobytes() == reference[index].tobytes()


@contextlib.contextmanager
def interrupted_at(cut):
    """Raise KeyboardInterrupt once `cut` images are done."""

    def interrupt(_, done, __):
        if cut is not None and done >= cut:
            raise KeyboardInterrupt

    with progress.listen(interrupt):
        yield


def test_a_second_run_runs_no_network(world):
    root, images, _ = world
    first = embed(root, images)
    backbone = tiny_backbones.TinyConv()
    second = embed(root, images, backbone)
    # The trial picture's feature is part of the key.
    assert backbone.batches == [1]
    assert second.counts == {"known": 30, "recognised": 0, "embedded": 0, "failed": 0}
    assert take_all(second).tobytes() == take_all(first).tobytes()


def test_known_pictures_are_not_read_again(world, monkeypatch):
    root, images, _ = world
    embed(root, images)
    monkeypatch.setattr(loop, "PictureChunks", None)
    assert embed(root, images).counts["known"] == 30


def test_known_content_at_another_path_is_recognised_and_then_known(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path / "old", 9)
    first = embed(tmp_path / "old", images)
    shutil.copytree(tmp_path / "old", tmp_path / "new", copy_function=shutil.copy)
    backbone = tiny_backbones.TinyConv()
    moved = embed(tmp_path / "new", images, backbone)
    assert backbone.batches == [1]
    assert moved.counts == {"known": 0, "recognised": 9, "embedded": 0, "failed": 0}
    assert take_all(moved).tobytes() == take_all(first).tobytes()
    again = embed(tmp_path / "new", images)
    assert again.counts["known"] == 9
    assert take_all(again).tobytes() == take_all(first).tobytes()


def test_the_same_content_twice_is_encoded_once(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 5)
    shutil.copy(tmp_path / images[0], tmp_path / "twin.png")
    features = embed(tmp_path, [*images, "twin.png"])
    assert features.counts == {"known": 0, "recognised": 1, "embedded": 5, "failed": 0}
    vectors = take_all(features)
    assert vectors[0].tobytes() == vectors[5].tobytes()


def test_a_changed_picture_is_embedded_anew(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 3)
    before = take_all(embed(tmp_path, images))
    pixels = np.asarray(Image.open(tmp_path / images[1]))
    Image.fromarray(255 - pixels).save(tmp_path / images[1])
    after = embed(tmp_path, images)
    assert after.counts["embedded"] == 1
    changed = (take_all(after) != before).any(axis=1)
    assert changed.tolist() == [False, True, False]


@pytest.mark.parametrize("archived", [False, True])
def test_a_picture_replaced_with_equal_size_and_time_is_embedded_anew(archived, tmp_path):
    rng = np.random.default_rng(0)
    images = [f"{number}.bmp" for number in range(4)]
    for image in images:
        pixels = rng.integers(0, 256, (20, 28, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / image)
        if archived:
            os.utime(tmp_path / image, (1_000_000_000, 1_000_000_000))
    before = take_all(embed(tmp_path, images))
    status = (tmp_path / images[1]).stat()
    pixels = np.asarray(Image.open(tmp_path / images[1]))
    Image.fromarray(255 - pixels).save(tmp_path / images[1])
    os.utime(tmp_path / images[1], ns=(status.st_atime_ns, status.st_mtime_ns))
    again = (tmp_path / images[1]).stat()
    assert (status.st_size, status.st_mtime_ns) == (again.st_size, again.st_mtime_ns)
    after = embed(tmp_path, images)
    assert after.counts == {"known": 3, "recognised": 0, "embedded": 1, "failed": 0}
    assert (take_all(after) != before).any(axis=1).tolist() == [False, True, False, False]


def test_features_know_the_contents_that_they_were_made_from(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 5)
    (tmp_path / "text.jpg").write_text("not a picture")
    listed = [*images, "text.jpg", "missing.jpg"]
    expected = {
        image: hashlib.sha256((tmp_path / image).read_bytes()).digest()[:16]
        for image in listed[:-1]
    }
    assert embed(tmp_path, listed).contents == expected
    assert embed(tmp_path, listed).contents == expected


def test_without_resume_everything_is_embedded_again_and_nothing_deleted(world):
    root, images, _ = world
    embed(root, images)
    cache = os.environ["BIOBENCH_CACHE"]
    before = {path for path, *_ in os.walk(cache)}
    source = BackboneSource(
        tiny_backbones.TinyConv(), EmbedOptions(n_workers=0, device="cpu", resume=False)
    )
    assert source(root, images[:20]).counts["embedded"] == 20
    # One clean start a source: its next task goes on with it.
    assert source(root, images).counts == {
        "known": 20,
        "recognised": 0,
        "embedded": 10,
        "failed": 0,
    }
    assert before < {path for path, *_ in os.walk(cache)}
    assert embed(root, images).counts["known"] == 30


@pytest.mark.parametrize("limit", [1, 3, 50])
def test_out_of_memory_halves_the_batch_and_goes_on(world, limit):
    root, images, expected = world
    backbone = tiny_backbones.OutOfMemoryAbove()
    backbone.limit = limit
    features = embed(root, images, backbone)
    np.testing.assert_allclose(take_all(features), expected, rtol=1e-5, atol=1e-6)
    refused = [size for size in backbone.batches if size < 0]
    # Remembered: each size is refused at most once.
    assert len(refused) == len(set(refused)) <= 2
    assert max(backbone.batches) <= limit
    assert len(features.warnings) == len(refused)


def test_an_image_that_does_not_fit_alone_is_an_error_that_says_so(world, monkeypatch):
    root, images, _ = world
    backbone = tiny_backbones.OutOfMemoryAbove()
    backbone.limit = 4
    source = BackboneSource(backbone, EmbedOptions(n_workers=0, device="cpu"))
    source(root, images[:3])
    backbone.limit = 0
    with pytest.raises(CellFailed, match=rf"{images[3]} does not fit even alone"):
        source(root, images)


def test_a_backbone_that_mixes_batch_mates_sees_one_image_at_a_time(world):
    root, images, expected = world
    features = embed(root, images, tiny_backbones.MixesBatchMates())
    np.testing.assert_allclose(take_all(features), expected, rtol=1e-5, atol=1e-6)
    assert "embedded one at a time" in features.warnings[0]


def test_a_backbone_that_is_random_in_eval_mode_is_reported(world):
    root, images, _ = world
    features = embed(root, images, tiny_backbones.AlwaysRandom())
    assert "not reproducible" in features.warnings[0]


def test_a_network_whose_operations_cannot_be_counted_runs_all_the_same(world):
    root, images, expected = world
    features = embed(root, images, tiny_backbones.RefusesToBeWatched())
    np.testing.assert_allclose(take_all(features), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("n_cores", "flops", "n_threads"),
    [(2, 2.1e9, 1), (2, 34e9, 2), (16, 34e9, 15), (1, 34e9, 1), (8, 0.0, 1), (8, math.inf, 8)],
)
def test_cores_are_shared_out_by_the_networks_cost(n_cores, flops, n_threads):
    assert network._share_cores(n_cores, flops) == n_threads


def test_a_feature_that_is_not_finite_is_a_failure_and_is_not_cached(world, tmp_path):
    root, images, _ = world
    for name in ("black.png", "also-black.png"):
        Image.new("RGB", (20, 20)).save(root / name)
    listed = [*images[:5], "black.png", "also-black.png"]
    for _ in range(2):
        features = embed(root, listed, tiny_backbones.NanOnDark())
        assert features.failures == {
            "black.png": loop.NOT_FINITE,
            "also-black.png": loop.NOT_FINITE,
        }
        assert features.rows[5:].tolist() == [-1, -1]
    assert features.counts == {"known": 5, "recognised": 0, "embedded": 0, "failed": 2}


@pytest.mark.parametrize("n_workers", [0, 2])
def test_pictures_that_cannot_be_used_are_failures_with_a_reason(tmp_path, n_workers):
    images = tiny_backbones.write_pictures(tmp_path, 18)
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / images[0]).read_bytes()[:200])
    (tmp_path / "folder.jpg").mkdir()
    bad = ["empty.jpg", "text.jpg", "cut.png", "folder.jpg", "missing.jpg"]
    features = embed(tmp_path, [*bad, *images], n_workers=n_workers)
    assert list(features.failures) == sorted(features.failures, key=list(features.failures).index)
    assert set(features.failures) == set(bad)
    assert features.failures["missing.jpg"] == "no such file"
    assert features.failures["empty.jpg"] == "the file is empty"
    assert features.counts == {"known": 0, "recognised": 0, "embedded": 18, "failed": 5}
    with pytest.raises(ValueError, match="have no vector"):
        features.take(np.array([0, 5]))
    reference = take_all(embed(tmp_path, images))
    assert features.take(np.arange(5, 23)).tobytes() == reference.tobytes()


def test_a_transform_that_fails_on_a_picture_is_a_failure(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 3)
    Image.new("RGB", (3, 3)).save(tmp_path / "small.png")
    features = embed(tmp_path, [*images, "small.png"], tiny_backbones.CropsWithoutResize())
    assert "transform" in features.failures["small.png"]
    assert features.counts["embedded"] == 3


def test_an_interrupted_run_keeps_what_it_finished(world):
    root, images, expected = world
    with pytest.raises(KeyboardInterrupt), interrupted_at(16):
        embed(root, images)
    rest = embed(root, images)
    assert rest.counts["known"] >= 16
    np.testing.assert_allclose(take_all(rest), expected, rtol=1e-5, atol=1e-6)


def test_progress_counts_every_image_once(world):
    root, images, _ = world
    embed(root, images[:4])
    seen = []
    with progress.listen(lambda *args: seen.append(args)):
        embed(root, [*images, "missing.png"])
    assert seen[0] == ("embed", 5, 31)
    assert seen[-1] == ("embed", 31, 31)
    assert [done for _, done, _ in seen] == sorted({done for _, done, _ in seen})


def test_a_dead_decoding_worker_fails_the_cell_with_a_remedy(tmp_path):
    images = tiny_backbones.write_pictures(tmp_path, 30)
    with pytest.raises(CellFailed, match="use fewer workers"):
        embed(tmp_path, images, tiny_backbones.KillsItsWorker(), n_workers=2)


def test_the_callers_random_numbers_and_threads_stay_as_they_are(world):
    root, images, _ = world
    backbone = tiny_backbones.TinyConv()
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    embed(root, images, backbone, n_workers=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_source_describes_itself_before_and_after(world):
    root, images, _ = world
    source = BackboneSource(tiny_backbones.TinyConv(), EmbedOptions(n_workers=0, device="cpu"))
    before = source.describe()
    source(root, images)
    assert source.describe() == before
    assert before["dim"] == 16
    assert before["image_size"] == [24, 24]
    assert before["n_parameters"] == sum(p.numel() for p in tiny_backbones.TinyConv().parameters())


def test_options_and_devices_that_are_not_there_are_bad_input():
    backbone = tiny_backbones.TinyConv()
    for device in ("cuda:9", "gpu"):
        with pytest.raises(BadInput, match=device):
            BackboneSource(backbone, EmbedOptions(device=device))
    for options in (dict(batch_size=0), dict(n_workers=-1)):
        with pytest.raises(BadInput, match=next(iter(options))):
            EmbedOptions(**options)
    with pytest.raises(BadInput, match="'half'; give one of auto, fp32"):
        resolve_precision("half", torch.device("cpu"))
    assert resolve_precision("auto", torch.device("cuda")) == "fp16"


def test_half_precision_is_read_on_a_cpu_and_never_computed_there(world, monkeypatch):
    root, images, _ = world
    options = EmbedOptions(n_workers=0, device="cpu", precision="fp16")
    with pytest.raises(BadInput, match="'fp16' but a CPU only runs fp32"):
        BackboneSource(tiny_backbones.TinyConv(), options)(root, images)
    with monkeypatch.context() as patch:
        patch.setattr("biobench.features.backbone_source.require_precision", lambda *_: None)
        made = BackboneSource(tiny_backbones.TinyConv(), options)(root, images)
    read = BackboneSource(tiny_backbones.TinyConv(), options)(root, images)
    assert made.counts["embedded"] > 0 and read.counts["embedded"] == 0
    assert read.dim == made.dim
