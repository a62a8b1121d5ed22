"""Vectors of parts of pictures: those of pictures cropped by Pillow, and never one another's."""

import io
import itertools
import os
import signal
import time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from PIL import ExifTags, Image, ImageOps

import tiny_backbones
from biobench.cli import main
from biobench.data import contents
from biobench.data.crops import Crop
from biobench.data.images import decode
from biobench.errors import BadInput
from biobench.features import BackboneSource, EmbedOptions, FileSource
from embedding_children import SHARD_ROWS, Nursery, embed_parts

BOXES = [(2, 3, 9, 6), (2, 3, 9, 7), (10.5, 1.25, 12, 12), (-4, 12, 9, 40), (0, 0, 28, 60)]
OPTIONS = [("box", 0.0), ("box", 0.25), ("square", 0.0), ("square", 0.25)]


def make_source(**options):
    options = {"n_workers": 0, "device": "cpu", **options}
    return BackboneSource(tiny_backbones.TinyConv(), EmbedOptions(**options))


def make_crops(images, shape="box", margin=0.0, boxes=BOXES):
    """Every box of every picture, by name."""
    made = [Crop(*both, shape, margin) for both in itertools.product(images, boxes)]
    return {crop.name: crop for crop in made}


def take_all(features):
    assert not features.failures
    return features.take(np.arange(len(features)))


@pytest.fixture
def world(tmp_path):
    return tmp_path, tiny_backbones.write_pictures(tmp_path, 5)


@pytest.mark.parametrize(("shape", "margin"), OPTIONS)
@pytest.mark.parametrize("n_workers", [0, 2])
def test_vectors_are_those_of_pictures_cropped_by_pillow(world, shape, margin, n_workers):
    root, images = world
    crops = make_crops(images, shape, margin)
    found = make_source(n_workers=n_workers)(root, [*crops, *images], crops)
    apart = []
    for number, crop in enumerate(crops.values()):
        with Image.open(root / crop.image) as picture:
            place = crop.place(*picture.size)
            picture.convert("RGB").crop(place).save(root / f"{number}.png")
        apart.append(f"{number}.png")
    expected = make_source(cache_root=root / "other")(root, [*apart, *images])
    assert take_all(found).tobytes() == take_all(expected).tobytes()


def test_several_boxes_of_a_picture_have_a_vector_each_and_are_embedded_once(world):
    root, images = world
    crops = make_crops(images)
    first = make_source()(root, list(crops), crops)
    assert first.counts == {"known": 0, "recognised": 0, "embedded": 25, "failed": 0}
    vectors = take_all(first)
    assert len(np.unique(vectors, axis=0)) == 25
    # In another order, beside the whole pictures, and of a copy elsewhere.
    names = [*images, *reversed(list(crops))]
    again = make_source()(root, names, crops)
    assert again.counts == {"known": 25, "recognised": 0, "embedded": 5, "failed": 0}
    assert take_all(again)[5:][::-1].tobytes() == vectors.tobytes()
    (root / "copy.png").write_bytes((root / images[0]).read_bytes())
    copies = make_crops(["copy.png"])
    found = make_source()(root, list(copies), copies)
    assert found.counts == {"known": 0, "recognised": 5, "embedded": 0, "failed": 0}
    assert take_all(found).tobytes() == vectors[:5].tobytes()


def test_two_options_never_share_a_vector(world):
    root, images = world
    seen = {}
    for option in [*OPTIONS, None]:
        crops = make_crops(images, *option) if option else {}
        found = make_source()(root, list(crops) or images, crops)
        assert found.counts["known"] == found.counts["recognised"] == 0
        for name, row in zip(list(crops) or images, found.rows.tolist(), strict=True):
            assert row not in seen.values()
            seen[name] = row
    assert len(seen) == 4 * 25 + 5


def test_whole_pictures_keep_their_vectors_and_their_files(world):
    root, images = world
    plain = make_source()(root, images)
    folder = plain.store.folder
    (shard,) = folder.glob("*.arrow")
    with pa.memory_map(str(shard)) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.column_names == ["hash", "path", "size", "mtime", "feature"]
    hashes = contents.hash_files(root, images).to_list()
    assert table["hash"].to_pylist() == hashes
    # A run that crops others takes them as they are, under the same key.
    crops = make_crops(images[:1])
    mixed = make_source(crop="box")(root, [*crops, *images[1:]], crops)
    assert mixed.counts["known"] == 4 and mixed.store.folder == folder
    assert make_source(crop="box").digest == make_source().digest
    (other,) = set(folder.glob("*.arrow")) - {shard}
    with pa.memory_map(str(other)) as file:
        parts = pa.ipc.open_file(file).read_all()
    assert parts["part"].to_pylist() == [crop.text for crop in crops.values()]
    assert mixed.contents == dict(zip(images, hashes, strict=True))


def test_boxes_that_cannot_be_cropped_are_failures_and_the_others_are_not(world):
    root, images = world
    boxes = [(0, 0, 5, 5), (0, 0, 0, 5), (500, 0, 5, 5), (float("nan"), 0, 5, 5)]
    crops = make_crops(images[:1], boxes=boxes)
    lost = Crop("missing.png", (0, 0, 5, 5), "box")
    crops[lost.name] = lost
    found = make_source()(root, list(crops), crops)
    assert found.counts == {"known": 0, "recognised": 0, "embedded": 1, "failed": 4}
    assert found.rows.tolist()[1:] == [-1] * 4
    reasons = list(found.failures.items())
    assert reasons[0] == (lost.name, "no such file")
    for (name, reason), crop, word in zip(
        reasons[1:], list(crops.values())[1:], ["empty", "outside", "four numbers"], strict=False
    ):
        assert name == crop.name and word in reason


def test_a_killed_run_goes_on_and_keeps_boxes_apart(tmp_path):
    root, cache = tmp_path / "pictures", tmp_path / "cache"
    images = tiny_backbones.write_pictures(root, 12)
    parts = [(image, box, "box", 0.0) for image in images for box in BOXES]
    with Nursery() as nursery:
        pid = nursery.start("embed_parts", root, parts, cache)
        deadline = time.monotonic() + 60
        while not list(cache.rglob("*.arrow")) and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        assert nursery.wait(pid) == -signal.SIGKILL
    found = embed_parts(root, parts, cache)
    assert found.counts["known"] >= SHARD_ROWS and not found.failures
    assert found.counts["known"] + found.counts["embedded"] == 60
    fresh = embed_parts(root, parts, tmp_path / "fresh")
    assert fresh.counts["embedded"] == 60
    assert take_all(found).tobytes() == take_all(fresh).tobytes()
    assert len(np.unique(take_all(fresh), axis=0)) == 60


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_of_the_stored_pixels_and_the_part_is_turned(orientation):
    pixels = np.random.default_rng(orientation).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    picture, exif = Image.fromarray(pixels), Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    picture.save(file, "PNG", exif=exif)
    crop = Crop("a", (3, 4, 12, 7), "box")
    stored = pixels[4:11, 3:15]
    found = decode(file.getvalue(), part=crop.cut)
    assert np.array_equal(np.asarray(found), stored)
    alone = io.BytesIO()
    Image.fromarray(stored).save(alone, "PNG", exif=exif)
    with Image.open(alone) as part:
        expected = np.asarray(ImageOps.exif_transpose(part))
    turned = decode(file.getvalue(), exif=True, part=crop.cut)
    assert np.array_equal(np.asarray(turned), expected)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16"])
def test_a_part_of_a_picture_of_any_mode_is_the_part_of_what_it_decodes_to(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 31, 4), dtype=np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(pixels, "RGBA").convert(mode)
    file = io.BytesIO()
    picture.save(file, "TIFF")
    crop = Crop("a", (3, 4, 12, 7), "square", 0.25)
    whole = decode(file.getvalue())
    found = decode(file.getvalue(), part=crop.cut)
    assert found.tobytes() == whole.crop(crop.place(31, 20)).tobytes()


def write_table(root, images):
    rows = [
        (image, f"{image} {n}", str(list(box))) for image in images for n, box in enumerate(BOXES)
    ]
    table = pl.DataFrame(rows, schema=["path", "id", "bbox"], orient="row")
    table.write_csv(root / "boxes.csv")
    return table


def test_embed_writes_a_row_a_box_that_a_run_can_read(world, capsys):
    root, images = world
    table = write_table(root, images)
    out = root / "vectors.parquet"
    words = ["embed", "baseline:color-hist", "--images", str(root / "boxes.csv")]
    words += ["--out", str(out), "--device", "cpu", "--n-workers", "0"]
    assert main([*words, "--crop", "square", "--crop-margin", "0.25"]) == 0
    assert "25 pictures embedded" in capsys.readouterr().out.replace("\n", " ")
    written = pl.read_parquet(out)
    crops = make_crops(images, "square", 0.25)
    assert written["id"].to_list() == table["id"].to_list()
    assert written["path"].to_list() == list(crops)
    found = FileSource(out, "mine")(root, list(crops), crops)
    assert take_all(found).tolist() == written["feature"].to_list()
    assert main([*words[:5], str(root / "whole.parquet"), *words[6:]]) == 0
    whole = pl.read_parquet(root / "whole.parquet")
    assert whole["path"].to_list() == table["path"].to_list()


def test_embed_refuses_to_crop_what_has_no_box_and_a_margin_of_nothing(world, capsys):
    root, images = world
    pl.DataFrame({"path": images}).write_csv(root / "plain.csv")
    words = ["embed", "baseline:color-hist", "--out", str(root / "out.parquet"), "--images"]
    assert main([*words, str(root), "--crop", "box"]) == 2
    assert "no boxes to crop" in capsys.readouterr().err.replace("\n", " ")
    assert main([*words, str(root / "plain.csv"), "--crop", "box"]) == 2
    assert "needs boxes" in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(BadInput, match=r"crop_margin is 0\.5, but nothing is cropped"):
        EmbedOptions(crop_margin=0.5)
    for wrong in (-0.1, float("nan"), 11):
        with pytest.raises(BadInput, match="give a fraction from 0 to 10"):
            EmbedOptions(crop="box", crop_margin=wrong)
