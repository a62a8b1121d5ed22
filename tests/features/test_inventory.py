"""What is in the cache can be listed, verified and pruned, and exported with `embed`."""

import json
import os
import time

import numpy as np
import polars as pl
import pytest

import tiny_backbones
from biobench import cli, registry
from biobench.errors import BadInput
from biobench.features import BackboneSource, EmbedOptions, cache_root, inventory, picture_vectors


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    monkeypatch.setitem(registry.BACKBONES.registered, "tiny", tiny_backbones.TinyConv)


@pytest.fixture
def pictures(tmp_path):
    return tmp_path / "pictures", tiny_backbones.write_pictures(tmp_path / "pictures", 12)


def embed(pictures, ckpt, **options):
    options = EmbedOptions(device="cpu", n_workers=0, **options)
    source = BackboneSource(tiny_backbones.TinyConv(ckpt), options, name=f"tiny:{ckpt}")
    return source(*pictures)


def list_files(root):
    return sorted(path for path in root.rglob("*") if path.is_file())


def age(folder, days):
    then = time.time() - days * 86400
    for path in (folder / "meta.json", folder):
        os.utime(path, (then, then))


def test_entries_tell_models_rows_and_bytes(pictures):
    for ckpt in "01":
        embed(pictures, ckpt)
    entries = inventory.list_entries(cache_root())
    assert {entry.models[0] for entry in entries} == {"tiny:0", "tiny:1"}
    for entry in entries:
        folder = cache_root() / entry.key
        assert (entry.n_rows, entry.n_shards, entry.dim) == (12, 1, 16)
        assert entry.n_bytes == sum(path.stat().st_size for path in list_files(folder))


def test_one_checkpoint_under_two_names_is_one_entry(pictures):
    embed(pictures, "0")
    options = EmbedOptions(device="cpu", n_workers=0)
    features = BackboneSource(tiny_backbones.TinyConv("0"), options, name="other:name")(*pictures)
    assert features.counts["known"] == 12
    (entry,) = inventory.list_entries(cache_root())
    assert entry.models == ["other:name", "tiny:0"]


def test_verify_finds_damage_and_nothing_else(pictures):
    embed(pictures, "0")
    assert inventory.verify(cache_root()) == []
    (path,) = cache_root().rglob("*.arrow")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    (problem,) = inventory.verify(cache_root())
    assert str(path) in problem


def test_prune_by_age_and_model_deletes_just_those(pictures):
    for ckpt in "012":
        embed(pictures, ckpt)
    root = cache_root()
    by_model = {entry.models[0]: entry for entry in inventory.list_entries(root)}
    age(root / by_model["tiny:0"].key, 40)
    deleted, n_bytes = inventory.prune(root, older_than=30 * 86400, dry_run=True)
    assert [entry.models for entry in deleted] == [["tiny:0"]]
    assert n_bytes == by_model["tiny:0"].n_bytes
    assert len(inventory.list_entries(root)) == 3
    inventory.prune(root, older_than=30 * 86400)
    inventory.prune(root, model="tiny:1")
    assert [entry.models for entry in inventory.list_entries(root)] == [["tiny:2"]]


def test_prune_with_neither_deletes_only_what_nothing_reads(pictures):
    embed(pictures, "0")
    root = cache_root()
    (first,) = root.rglob("*.arrow")
    embed(pictures, "0", resume=False)
    second = next(path for path in root.rglob("*.arrow") if path != first)
    stale, young = second.parent / ".tmp-1", second.parent / ".tmp-2"
    for path in (stale, young):
        path.write_bytes(b"half a shard")
    os.utime(stale, (0, 0))
    (second.parent / "x.arrow.damaged").write_bytes(b"")
    inventory.prune(root)
    assert list_files(second.parent) == sorted([young, second])
    assert not first.exists()
    assert embed(pictures, "0").counts["known"] == 12


def test_embed_writes_id_path_and_feature(pictures, tmp_path, capsys):
    root, images = pictures
    out = tmp_path / "out" / "vectors.parquet"
    command = ["embed", "tiny:0", "--images", str(root), "--out", str(out), "--device", "cpu"]
    assert cli.main([*command, "--n-workers", "0"]) == 0
    assert "12 rows of 16 numbers" in capsys.readouterr().out
    table = pl.read_parquet(out)
    assert table.columns == ["id", "path", "feature"]
    assert table["path"].to_list() == sorted(images)
    features = embed((root, sorted(images)), "0")
    np.testing.assert_array_equal(table["feature"].to_numpy(), features.take(np.arange(12)))


def test_embed_lists_failures_keeps_the_rest_and_says_so(pictures, tmp_path, capsys):
    root = pictures[0]
    (root / "bad.jpg").write_text("not a picture")
    (root / "notes.txt").write_text("no picture at all")
    out = tmp_path / "vectors.parquet"
    command = ["embed", "tiny:0", "--images", str(root), "--out", str(out), "--device", "cpu"]
    assert cli.main([*command, "--n-workers", "0"]) == 1
    printed = capsys.readouterr()
    assert "1 failed" in printed.out
    assert "failed: bad.jpg: not a picture" in printed.err
    assert "notes.txt: files that are not pictures" in printed.err
    assert pl.read_parquet(out).height == 12


def test_a_table_of_pictures_gives_ids(pictures, tmp_path):
    root, images = pictures
    table = root / "table.csv"
    pl.DataFrame({"id": ["x", "y", "z"], "path": [images[0], images[1], images[0]]}).write_csv(
        table
    )
    read = picture_vectors.read_pictures(table)
    assert (read.root, read.images) == (root, images[:2])
    features = embed((read.root, read.images), "0")
    assert picture_vectors.write_vectors(read, features, tmp_path / "v.parquet") == 3
    written = pl.read_parquet(tmp_path / "v.parquet")
    assert written["id"].to_list() == ["x", "y", "z"]
    assert written["feature"][0].to_list() == written["feature"][2].to_list()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("v.csv", "ends in .parquet"),
        ("vectors", "ends in .parquet"),
        ("mine.parquet", "is there already"),
        ("link.parquet", "is there already"),
    ],
)
def test_embed_neither_overwrites_a_file_nor_writes_parquet_under_another_name(
    pictures, tmp_path, capsys, monkeypatch, name, words
):
    (tmp_path / "mine.parquet").write_text("mine")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "nowhere")
    monkeypatch.setattr(BackboneSource, "__call__", lambda *args: pytest.fail("embedded first"))
    command = ["embed", "tiny:0", "--images", str(pictures[0]), "--out", str(tmp_path / name)]
    assert cli.main([*command, "--device", "cpu"]) == 2
    assert words in capsys.readouterr().err
    assert (tmp_path / "mine.parquet").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": ["a.jpg"]}, "no column is known to be the path"),
        ({"path": ["a.jpg", None]}, "row 2 has no path"),
        ({"path": ["gone.jpg"]}, r"1 of its 1 pictures are not in .*gone\.jpg"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(tmp_path, content, message):
    path = tmp_path / "table.parquet"
    pl.DataFrame(content).write_parquet(path)
    with pytest.raises(BadInput, match=message):
        picture_vectors.read_pictures(path)


def test_the_cache_command_lists_verifies_and_prunes(pictures, capsys):
    embed(pictures, "0")
    assert cli.main(["cache", "ls"]) == 0
    out = capsys.readouterr().out
    assert "tiny:0" in out and f"contents of {pictures[0]}" in out
    assert cli.main(["cache", "ls", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["n_rows"] == 12
    assert cli.main(["cache", "verify"]) == 0
    (path,) = cache_root().rglob("*.arrow")
    path.write_bytes(path.read_bytes()[:-1])
    assert cli.main(["cache", "verify"]) == 1
    assert cli.main(["cache", "prune", "--model", "tiny:0"]) == 0
    assert "1 models deleted" in capsys.readouterr().out
    assert cli.main(["cache", "prune", "--older-than", "1"]) == 0
    assert "0 folders deleted" in capsys.readouterr().out
    assert cli.main(["cache", "prune", "--older-than", "0"]) == 0
    assert "1 folders deleted" in capsys.readouterr().out
    assert inventory.list_entries(cache_root()) == []
