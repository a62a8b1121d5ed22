"""The cache survives death, damage, a full disk and company, and says what it lost."""

import hashlib
import os
import random
import signal
import time

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import embedding_children
import tiny_backbones
from biobench.data.contents import Record
from biobench.errors import BadInput
from biobench.features import inventory
from biobench.features.cache import open_generation
from embedding_children import SHARD_ROWS, embed

N_IMAGES = 280


def take_all(features):
    return features.take(np.arange(len(features)))


def list_shards(cache_root):
    return sorted(path for path in cache_root.rglob("*.arrow"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Pictures, their names, and their features from a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("world")
    images = tiny_backbones.write_pictures(folder / "pictures", N_IMAGES)
    features = embed(folder / "pictures", images, folder / "cache")
    return folder / "pictures", images, take_all(features)


@pytest.fixture(scope="module")
def nursery():
    with embedding_children.Nursery() as nursery:
        yield nursery


def test_killed_at_random_moments_a_run_goes_on_at_its_last_shard(world, nursery, tmp_path):
    root, images, reference = world
    rng = random.Random(0)
    cache_root = tmp_path / "cache"
    log = embedding_children.Counting(tmp_path / "cache.log")
    on_disk = [0]
    for number in range(20):
        before = log.count()
        child = nursery.start("embed", root, images, cache_root, 2 if number % 5 == 4 else 0)
        moment = rng.randrange(8, 40)
        while log.count() < min(before + moment, before + N_IMAGES - on_disk[-1]):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.01))
        os.kill(child, signal.SIGKILL)
        assert nursery.wait(child) == -signal.SIGKILL
        on_disk.append(count_rows(cache_root))
        # What is lost is at most a shard, a chunk in flight, and the passes that try it out.
        lost = (log.count() - before) - (on_disk[-1] - on_disk[-2])
        assert lost <= SHARD_ROWS + 8 + 1 + 1 + 3 * 4
    assert len(set(on_disk)) > 5
    features = embed(root, images, cache_root)
    assert features.warnings == []
    assert features.counts["known"] == on_disk[-1]
    assert take_all(features).tobytes() == reference.tobytes()


def count_rows(cache_root):
    return sum(read(path).num_rows for path in list_shards(cache_root))


def read(path):
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def test_two_processes_fill_one_cache_at_once(world, nursery, tmp_path):
    root, images, reference = world
    children = [nursery.start("embed", root, images, tmp_path / "cache") for _ in range(2)]
    assert [nursery.wait(child) for child in children] == [0, 0]
    features = embed(root, images, tmp_path / "cache")
    assert features.counts["known"] == N_IMAGES
    assert take_all(features).tobytes() == reference.tobytes()
    assert not list(tmp_path.rglob(".tmp-*"))


def truncate(path, _):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path, _):
    path.write_bytes(b"")


def flip_a_bit_of_a_feature(path, _):
    data = bytearray(path.read_bytes())
    needle = np.float32(read(path).column("feature")[3].as_py()[5]).tobytes()
    data[data.index(needle)] ^= 1
    path.write_bytes(data)


def flip_a_bit_anywhere(path, rng):
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [truncate, empty, flip_a_bit_of_a_feature, *[flip_a_bit_anywhere] * 6]
)
def test_a_damaged_shard_is_detected_redone_and_reported(world, tmp_path, damage, request):
    root, images, reference = world
    embed(root, images, tmp_path)
    rng = random.Random(request.node.name)
    path = rng.choice(list_shards(tmp_path))
    damage(path, rng)
    features = embed(root, images, tmp_path)
    assert features.counts["embedded"] == SHARD_ROWS
    assert len(features.warnings) == 1
    assert str(path) in features.warnings[0]
    assert take_all(features).tobytes() == reference.tobytes()
    again = embed(root, images, tmp_path)
    assert again.warnings == []
    assert again.counts["known"] == N_IMAGES


def test_a_shard_of_another_key_is_detected_and_reported(world, tmp_path):
    root, images, reference = world
    other = embed(root, images, tmp_path / "other", backbone=tiny_backbones.TinyConv("1"))
    foreign = list_shards(tmp_path / "other")[0]
    embed(root, images[:10], tmp_path / "mine")
    home = list_shards(tmp_path / "mine")[0].parent
    (home / foreign.name).write_bytes(foreign.read_bytes())
    features = embed(root, images, tmp_path / "mine")
    assert len(features.warnings) == 1
    assert "belongs to the key" in features.warnings[0]
    assert take_all(features).tobytes() == reference.tobytes()
    assert take_all(other).tobytes() != reference.tobytes()


def test_a_full_disk_is_a_clear_error_and_the_cache_is_as_good_as_before(world, nursery, tmp_path):
    root, images, reference = world
    cache_root = tmp_path / "cache"
    embed(root, images[:40], cache_root)
    before = {path: path.read_bytes() for path in list_shards(cache_root)}
    child = nursery.start(
        "embed_with_small_files", tmp_path / "message", 1000, root, images, cache_root
    )
    assert nursery.wait(child) == 0
    message = (tmp_path / "message").read_text()
    assert "cannot be written (File too large)" in message
    assert "BIOBENCH_CACHE" in message
    assert {path: path.read_bytes() for path in list_shards(cache_root)} == before
    assert not list(tmp_path.rglob(".tmp-*"))
    features = embed(root, images, cache_root)
    assert features.counts["known"] == 40
    assert take_all(features).tobytes() == reference.tobytes()


def test_a_cache_that_cannot_be_made_is_bad_input(world, tmp_path):
    root, images, *_ = world
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="set BIOBENCH_CACHE"):
        embed(root, images, tmp_path / "file")


def test_a_shard_has_the_columns_that_other_programs_expect(world, tmp_path):
    root, images, reference = world
    embed(root, images, tmp_path, shard_rows=4096)
    (path,) = list_shards(tmp_path)
    table = read(path)
    assert table.schema.names == ["hash", "path", "size", "mtime", "feature"]
    assert table.column("path").to_pylist() == images
    assert table.column("size").to_pylist() == [(root / i).stat().st_size for i in images]
    assert table.column("mtime").to_pylist() == [(root / i).stat().st_mtime_ns for i in images]
    assert np.array(table.column("feature").to_pylist(), np.float32).tobytes() == (
        reference.tobytes()
    )


def fill(cache, n_shards, rows, dim, rng):
    vectors = rng.standard_normal((n_shards, rows, dim)).astype(np.float32)
    everything = []
    for number in range(n_shards):
        records = [Record(rng.bytes(16), f"{number}-{row}", number, row) for row in range(rows)]
        cache.append("/images", records, vectors[number])
        everything += records
    return vectors.reshape(-1, dim), everything


def test_blocks_are_views_of_the_mapped_files_and_hold_no_memory(tmp_path):
    from biobench.features.vectors import Features

    rng = np.random.default_rng(0)
    cache = open_generation(tmp_path, "key")
    vectors, records = fill(cache, 5, 2000, 768, rng)
    hashes = pl.Series([record.hash for record in records], dtype=pl.Binary)
    rows, by_hash = open_generation(tmp_path, "key").lookup(hashes)
    assert by_hash == {}
    reopened = open_generation(tmp_path, "key")
    rows, _ = reopened.lookup(hashes)
    features = Features(768, rows, reopened)
    total = np.zeros(768)
    seen = []
    for index, block in features.blocks():
        assert not block.flags.owndata
        assert not block.flags.writeable
        total += block.sum(axis=0, dtype=np.float64)
        seen.append(index)
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(10_000))
    np.testing.assert_allclose(total, vectors.sum(axis=0, dtype=np.float64), rtol=1e-9)
    index = rng.permutation(10_000)[:777]
    assert features.take(index).tobytes() == vectors[index].tobytes()


def test_a_shard_costs_little_more_than_its_floats(tmp_path):
    rng = np.random.default_rng(0)
    cache = open_generation(tmp_path, "key")
    vectors, _ = fill(cache, 1, 4096, 768, rng)
    (path,) = list_shards(tmp_path)
    assert path.stat().st_size < 1.05 * vectors.nbytes


def test_contents_are_found_whatever_their_bytes_and_only_those_that_are_there(tmp_path):
    odd = [bytes(16), b"a".ljust(16, b"\0"), b"\0" * 15 + b"a", b"\xff" * 16, bytes(range(16))]
    cache = open_generation(tmp_path, "key")
    records = [Record(content, str(i), 1, 1) for i, content in enumerate(odd)]
    cache.append("/images", records, np.eye(5, dtype=np.float32))
    wanted = [odd[3], None, b"b".ljust(16, b"\0"), odd[0], odd[2], odd[1], odd[4]]
    rows, by_hash = open_generation(tmp_path, "key").lookup(pl.Series(wanted, dtype=pl.Binary))
    assert rows.tolist() == [3, -1, -1, 0, 2, 1, 4]
    assert by_hash == {content: row for row, content in enumerate(odd)}


def write_as_before(home, root, records, vectors, key, suffix=".arrow"):
    """A shard as the version before wrote it: paths known by size and mtime."""
    columns = {
        "hash": pa.array([r.hash for r in records], pa.binary(16)),
        "path": pa.array([r.path for r in records], pa.string()),
        "size": pa.array([r.size for r in records], pa.int64()),
        "mtime": pa.array([r.mtime for r in records], pa.int64()),
    }
    if vectors is not None:
        flat = pa.array(vectors.reshape(-1))
        columns["feature"] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    metadata = {"biobench.key": key, "biobench.root": str(root), "biobench.format": "1"}
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    data = sink.getvalue()
    path = home / f"{hashlib.sha256(data).hexdigest()}{suffix}"
    path.write_bytes(data)
    return path


def test_a_cache_of_an_earlier_version_is_used_by_content_and_not_by_path(world, tmp_path):
    root, images, reference = world
    embed(root, images[:1], tmp_path / "new")
    (home,) = (tmp_path / "new").glob("*/0000")
    for path in list_shards(home):
        path.unlink()
    status = {image: (root / image).stat() for image in images}
    hashes = [hashlib.sha256((root / image).read_bytes()).digest()[:16] for image in images]
    # The paths of two pictures are those of each other: size and time would have said so.
    hashes[0], hashes[1] = hashes[1], hashes[0]
    records = [
        Record(content, image, status[image].st_size, status[image].st_mtime_ns)
        for content, image in zip(hashes, images, strict=True)
    ]
    vectors = reference[[1, 0, *range(2, N_IMAGES)]]
    write_as_before(home, root, records, vectors, home.parent.name)
    paths = write_as_before(home, root, records, None, home.parent.name, ".paths.arrow")
    features = embed(root, images, tmp_path / "new")
    assert features.counts["embedded"] == 0 and features.warnings == []
    assert take_all(features).tobytes() == reference.tobytes()
    assert inventory.verify(tmp_path / "new") == []
    inventory.prune(tmp_path / "new")
    assert not paths.exists() and len(list_shards(tmp_path / "new")) == 1
