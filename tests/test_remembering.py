"""What a task loaded is loaded again when anything that decides it has changed, and only then."""

import dataclasses
import hashlib
import os
import pathlib
import shutil
import sys
import types

import polars as pl
import pytest

import worlds
from biobench import _remembering, evaluate, plantnet, registry
from biobench.data import LeftOut, Manifest, contents, listing


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Pl@ntNet's layout, written long enough ago."""
    monkeypatch.setattr(_remembering, "SETTLED", -(10**18))
    monkeypatch.setattr(contents, "MIN_RECOGNISED", 0)
    return pathlib.Path(worlds.WRITERS["plantnet"](tmp_path / "plantnet"))


@pytest.fixture
def loads(monkeypatch):
    """How often the task has read its folder."""
    seen = []
    original = _remembering._load

    def load(load, args, key):
        seen.append(args)
        return original(load, args, key)

    monkeypatch.setattr(_remembering, "_load", load)
    return seen


def make_args(root, **fields):
    return plantnet.Args(datadir=str(root), device="cpu", **fields)


def test_what_was_loaded_comes_back_equal_and_is_not_read_again(root, loads):
    first = plantnet.load(make_args(root))
    again = plantnet.load(make_args(root))
    assert len(loads) == 1
    fresh = plantnet.load.__wrapped__(make_args(root))
    for manifest in (first, again):
        assert manifest.table.equals(fresh.table) and manifest.table.schema == fresh.table.schema
        for name in ("root", "dropped", "left_out", "notes"):
            assert getattr(manifest, name) == getattr(fresh, name)
    assert again.digest() == fresh.digest()


@pytest.mark.parametrize("name", sorted({*registry.TASKS.builtins} - {"mammalnet"}))
def test_what_a_task_loads_is_remembered(name):
    assert evaluate.is_remembered(registry.load_task(name).load)


@pytest.mark.parametrize(
    "fields",
    [{"n_train": 2}, {"probe": "knn"}, {"batch_size": 3}, {"features": "x"}, {"exif": True}],
)
def test_arguments_that_say_nothing_of_the_data_share_what_was_loaded(fields, root, loads):
    plantnet.load(make_args(root))
    plantnet.load(make_args(root, **fields))
    assert len(loads) == 1


def first_image(root):
    return sorted((root / "images").rglob("*.jpg"))[0]


def rewrite(root):
    path = root / "plantnet300K_metadata.json"
    text = path.read_text()
    times = path.stat()
    path.write_text(text.replace("flower", "leaf  ") if "flower" in text else text[::-1])
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


CHANGES = {
    "a picture is added": lambda root: shutil.copy(
        first_image(root), first_image(root).with_name("new.jpg")
    ),
    "a picture is removed": lambda root: first_image(root).unlink(),
    "a picture is renamed": lambda root: first_image(root).rename(
        first_image(root).with_name("x.jpg")
    ),
    "a content is replaced": lambda root: first_image(root).write_bytes(b"x"),
    "a folder is renamed": lambda root: first_image(root).parent.rename(root / "images/train/999"),
    "an empty class is made": lambda root: (root / "images/train/new").mkdir(),
    "a file beside the pictures is made": lambda root: (root / "notes.txt").write_text("x"),
    "the metadata are removed": lambda root: (root / "plantnet300K_metadata.json").unlink(),
    "the metadata are touched": lambda root: (root / "plantnet300K_metadata.json").touch(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_below_the_folder_is_loaded_anew(change, root, loads):
    plantnet.load(make_args(root))
    CHANGES[change](root)
    found = plantnet.load(make_args(root))
    assert len(loads) == 2
    assert found.table.equals(plantnet.load.__wrapped__(make_args(root)).table)


def test_another_seed_and_other_code_are_loaded_anew(root, loads, monkeypatch):
    plantnet.load(make_args(root))
    plantnet.load(make_args(root, seed=1))
    monkeypatch.setattr(_remembering, "_digest_code", lambda module: "edited")
    plantnet.load(make_args(root))
    assert len(loads) == 3


def test_a_folder_that_changed_just_now_is_not_kept(root, loads, monkeypatch):
    monkeypatch.setattr(_remembering, "SETTLED", 3600 * 10**9)
    plantnet.load(make_args(root))
    plantnet.load(make_args(root))
    assert len(loads) == 2


def test_a_folder_whose_times_were_set_is_not_kept(root, loads, monkeypatch):
    original = listing.look_at
    monkeypatch.setattr(
        listing,
        "look_at",
        lambda *place: dataclasses.replace(original(*place), is_timed=False),
    )
    plantnet.load(make_args(root))
    plantnet.load(make_args(root))
    assert len(loads) == 2


@pytest.mark.parametrize("damage", [lambda data: data[:-5], lambda data: b"", None])
def test_a_damaged_file_is_loaded_anew(damage, root, loads):
    plantnet.load(make_args(root))
    (path,) = contents.contents_root().rglob("*.manifest")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(damage(data) if damage else data)
    found = plantnet.load(make_args(root))
    assert len(loads) == 2
    assert found.table.equals(plantnet.load.__wrapped__(make_args(root)).table)


def test_a_cache_that_cannot_be_written_costs_only_time(root, loads, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIOBENCH_CONTENTS", str(tmp_path / "file"))
    assert plantnet.load(make_args(root)).table.equals(plantnet.load(make_args(root)).table)
    assert len(loads) == 2


def test_one_step_loads_once_and_lists_once(root, loads, monkeypatch):
    listed = []
    original = listing._list_folder
    monkeypatch.setattr(
        listing, "_list_folder", lambda path, wanted: listed.append(path) or original(path, wanted)
    )
    with evaluate.session():
        for n_train in (-1, 2, 3):
            prepared = evaluate.prepare(plantnet, make_args(root, n_train=n_train))
            assert prepared.protocol_digest
    assert len(loads) == 1
    assert len(listed) == len(set(listed))


def test_what_another_process_saw_is_taken_without_a_look(root, loads, monkeypatch):
    plantnet.load(make_args(root))
    assert evaluate.prepare(plantnet, make_args(root)).protocol_digest
    first = evaluate.prepare(plantnet, make_args(root))
    assert first.seen is not None
    monkeypatch.setattr(listing, "_list_folder", lambda *place: pytest.fail("looked"))
    with evaluate.session(first.seen):
        second = evaluate.prepare(plantnet, make_args(root, features="other"))
        assert second.protocol_digest == first.protocol_digest
        with contents.given(second.data.root, second.known):
            some = second.data.images()[3:7]
            known = contents.lookup(second.data.root, some)
            assert known.files.equals(first.known.files[3:7])
    assert len(loads) == 1


def test_what_was_seen_counts_for_just_that_state(root, loads):
    assert evaluate.prepare(plantnet, make_args(root)).protocol_digest
    seen = evaluate.prepare(plantnet, make_args(root)).seen
    first_image(root).unlink()
    with evaluate.session(dataclasses.replace(seen, digest="0" * 64, contents="0" * 64)):
        prepared = evaluate.prepare(plantnet, make_args(root))
    assert len(loads) == 2
    assert prepared.data.table.equals(plantnet.load.__wrapped__(make_args(root)).table)


def test_nothing_is_said_to_be_seen_whose_contents_are_not_known(root):
    assert evaluate.prepare(plantnet, make_args(root)).seen is None


def test_every_kind_of_column_and_left_out_file_survives(tmp_path, monkeypatch):
    monkeypatch.setattr(_remembering, "SETTLED", -(10**18))
    (tmp_path / "a.png").write_text("a")
    table = pl.DataFrame(
        {
            "image": ["a.png", "b.png"],
            "example": ["1", "2"],
            "split": ["train", "test"],
            "label": ["x", "y"],
            "day": pl.Series(["2020-01-01", None]).str.to_date(),
            "kind": pl.Series(["p", "q"], dtype=pl.Categorical),
            "weight": [0.1, float("nan")],
        }
    )
    calls = []
    module = types.ModuleType("a_task_of_the_test")
    module.__file__ = __file__
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def load(args):
        calls.append(args)
        out = (LeftOut("\u202e\x1b", "hidden files"),)
        return Manifest.build(tmp_path, table, source="x", left_out=out, notes=("one",))

    load.__module__ = module.__name__
    load = evaluate.remembered(load)
    first = load(evaluate.Args(datadir=str(tmp_path)))
    second = load(evaluate.Args(datadir=str(tmp_path)))
    assert len(calls) == 1
    assert second.digest() == first.digest() and second.left_out == first.left_out


@pytest.mark.parametrize("lengths", [[], [None], [16] * 50, [16, None, 16], [8, 24], [1, 31]])
def test_hashes_enter_the_digest_one_by_one_however_they_lie_in_memory(lengths, tmp_path):
    values = [None if n is None else bytes([i % 251]) * n for i, n in enumerate(lengths)]
    whole = pl.Series(values, dtype=pl.Binary)
    names = [str(i) for i in range(len(values) + 3)]
    table = pl.DataFrame({"image": names}, schema={"image": pl.String})
    manifest = Manifest(tmp_path, table)
    body = table.write_csv(None, include_header=False, null_value="\x00")
    for some in (whole, whole[1:], whole[:3], pl.concat([whole[2:], whole])):
        expected = hashlib.sha256(f"image:String\n{body}\n".encode())
        for content in some.to_list():
            expected.update(b"\x00" if content is None else b"\x01" + content)
        assert manifest.digest(some) == expected.hexdigest()
