"""Contents are known without reading where nothing can have changed, and read where it can."""

import dataclasses
import hashlib
import itertools
import json
import os
import stat
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.data import content_index, contents, listing


def write(root, names, text="content of"):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text} {name}")
    return names


def truth(root, names):
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest()[:32] for name in names}


def read_counting(root, names, monkeypatch):
    """The hashes, and the names of the files that were read for them."""
    opened = []
    original = contents.hash_file

    def hash_file(file, path):
        opened.append(path)
        return original(file, path)

    with monkeypatch.context() as patch:
        patch.setattr(contents, "hash_file", hash_file)
        return contents.read(root, names), sorted(opened)


@pytest.fixture(autouse=True, params=["file by file", "as a whole"])
def recognised(request, monkeypatch):
    """How what has not changed is recognised."""
    if request.param == "as a whole":
        monkeypatch.setattr(contents, "MIN_RECOGNISED", 0)
    return request.param


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "pictures"
    return root, write(root, [f"{k}/{i}.png" for k in "ab" for i in range(40)])


def test_every_file_is_read_once_and_then_known(folder, monkeypatch):
    root, names = folder
    assert read_counting(root, names, monkeypatch) == (truth(root, names), sorted(names))
    assert read_counting(root, names, monkeypatch) == (truth(root, names), [])
    assert contents.lookup(root, names).unknown == []


def replace_keeping_size_and_time(path):
    times = path.stat()
    path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace_by_another_file(path):
    times = path.stat()
    other = path.with_name("other")
    other.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


def swap_with_the_next(path):
    other = path.with_name("1.png")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    path.rename(path.with_name("x"))
    other.rename(path)
    path.with_name("x").rename(other)


def swap_folders(path):
    a, b = path.parent, path.parent.with_name("b")
    a.rename(a.with_name("x"))
    b.rename(a)
    a.with_name("x").rename(b)


def turn_a_link(path):
    replace_keeping_size_and_time(path)
    path.rename(path.with_name("changed"))
    path.symlink_to("changed")


@pytest.mark.parametrize(
    "change",
    [
        replace_keeping_size_and_time,
        replace_by_another_file,
        swap_with_the_next,
        swap_folders,
        turn_a_link,
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_a_change_that_keeps_name_size_and_time_is_seen(change, archived, folder):
    root, names = folder
    if archived:
        # A reproducible archive sets all times alike.
        for name in names:
            os.utime(root / name, (1_000_000_000, 1_000_000_000))
    before = contents.read(root, names)
    change(root / "a" / "0.png")
    assert contents.read(root, names) == truth(root, names) != before


def test_an_unpacked_reproducible_archive_is_not_hashed_again(folder, monkeypatch):
    root, names = folder
    for name in names:
        os.utime(root / name, (1_000_000_000, 1_000_000_000))
    contents.read(root, names)
    assert read_counting(root, names, monkeypatch)[1] == []


def without_change_times(monkeypatch, seconds):
    """A filesystem that keeps no change time and no inodes: squashfs, ISO 9660, FAT, sshfs."""
    original = contents.list_files
    fstat = os.fstat

    def list_files(root, names):
        found = original(root, names)
        times = [seconds(name) * 10**9 for name in names]
        times = contents.pl.Series(times)
        files = found.files.with_columns(mtime=times, ctime=times, inode=0)
        return dataclasses.replace(found, files=files)

    def fake(handle):
        status = fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return status
        name = os.path.basename(os.readlink(f"/proc/self/fd/{handle}"))
        when = seconds(name)
        fields = {"st_mtime_ns": when * 10**9, "st_ctime_ns": when * 10**9}
        values = [status.st_mode, 0, status.st_dev, 1, 0, 0, status.st_size, when, when, when]
        return os.stat_result(values, fields)

    monkeypatch.setattr(contents, "list_files", list_files)
    monkeypatch.setattr(contents.os, "fstat", fake)


def test_a_folder_whose_times_are_all_equal_is_hashed_where_nothing_else_tells(folder, monkeypatch):
    root, names = folder
    without_change_times(monkeypatch, lambda name: 1_000_000_000)
    contents.read(root, names)
    assert contents.lookup(root, names).unknown == names
    replace_keeping_size_and_time(root / names[0])
    assert contents.read(root, names) == truth(root, names)


def test_a_folder_with_times_of_its_own_is_known_even_there(folder, monkeypatch):
    root, names = folder
    ticks = {os.path.basename(name): 1_000_000_000 + i for i, name in enumerate(names)}
    without_change_times(monkeypatch, lambda name: ticks.get(os.path.basename(name), 0))
    contents.read(root, names)
    assert contents.lookup(root, names).unknown == []


def test_a_file_that_changes_within_one_tick_of_the_clock_is_never_taken_for_known(
    folder, monkeypatch
):
    root, names = folder
    # The clock stands still: every change has one and the same time.
    now = max((root / name).stat().st_ctime_ns for name in names)
    monkeypatch.setattr(contents.time, "time_ns", lambda: now + 1_000_000)
    monkeypatch.setattr(contents.time, "sleep", lambda seconds: None)
    assert contents.read(root, names) == truth(root, names)
    late = set(contents.lookup(root, names).unknown)
    young = {n for n in names if now + 10**6 - (root / n).stat().st_ctime_ns < contents.FINE_TICK}
    assert late == young != set()


def test_a_file_just_written_is_waited_for_and_then_known(tmp_path):
    (tmp_path / "a.png").write_text("a")
    contents.read(tmp_path, ["a.png"])
    assert contents.lookup(tmp_path, ["a.png"]).unknown == []


def test_what_cannot_be_read_has_no_hash_and_a_reason(tmp_path):
    write(tmp_path, ["a.png"])
    (tmp_path / "dir.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dangling.png").symlink_to("nowhere")
    names = ["a.png", "dir.png", "pipe.png", "dangling.png", "gone.png", "no/such/folder.png"]
    assert contents.read(tmp_path, names) == truth(tmp_path, ["a.png"])
    assert contents.lookup(tmp_path, names).missing == dict.fromkeys(names[3:], "no such file")


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", lambda data: None])
def test_a_damaged_index_is_put_aside_reported_and_made_again(damage, folder, monkeypatch):
    monkeypatch.setattr(contents, "MIN_RECOGNISED", 1000)
    root, names = folder
    contents.read(root, names)
    (path,) = contents.contents_root().rglob("*.arrow")
    data = bytearray(path.read_bytes())
    data[data.index(bytes.fromhex(contents.read(root, names)[names[7]]))] ^= 1
    path.write_bytes(data if damage(data) is None else damage(data))
    known = contents.lookup(root, names)
    assert known.unknown == names and str(path) in known.warnings[0]
    assert contents.read(root, names) == truth(root, names)
    assert contents.lookup(root, names).warnings == []


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"", None])
def test_a_damaged_set_costs_only_a_look_at_each_file(damage, folder, monkeypatch):
    monkeypatch.setattr(contents, "MIN_RECOGNISED", 0)
    root, names = folder
    contents.read(root, names)
    contents.lookup(root, names)
    (path,) = contents.contents_root().rglob("*.set")
    data = bytearray(path.read_bytes())
    data[data.index(bytes.fromhex(contents.read(root, names)[names[7]]))] ^= 1
    path.write_bytes(damage(data) if damage else data)
    assert read_counting(root, names, monkeypatch) == (truth(root, names), [])


def test_an_unchanged_set_is_recognised_without_a_look_at_the_index(folder, monkeypatch):
    monkeypatch.setattr(contents, "MIN_RECOGNISED", 0)
    root, names = folder
    contents.read(root, names)
    before = contents.lookup(root, names)
    monkeypatch.setattr(content_index, "read", lambda root: pytest.fail("looked at each file"))
    after = contents.lookup(root, names)
    assert after.files.equals(before.files) and after.unknown == [] and after.missing == {}


def test_no_folder_is_listed_twice_within_one_step(folder, monkeypatch):
    root, names = folder
    contents.read(root, names)
    listed = []
    original = listing._list_folder
    monkeypatch.setattr(
        listing, "_list_folder", lambda path, wanted: listed.append(path) or original(path, wanted)
    )
    with listing.once():
        found = listing.list_files(root, names)
        assert contents.lookup(root, names).files.drop("hash").equals(found.files)
    assert sorted(listed) == [str(root / "a"), str(root / "b")]
    contents.lookup(root, names)
    assert len(listed) == 4


def test_what_is_known_of_a_folder_is_listed_and_pruned_by_age(folder, tmp_path):
    root, names = folder
    contents.read(root, names)
    contents.read(tmp_path, ["pictures/a/0.png"])
    assert {entry.what for entry in content_index.list_entries()} == {
        f"contents of {place}" for place in (root, tmp_path)
    }
    old = next(path for path in contents.contents_root().glob("*") if len(list(path.glob("*"))) > 1)
    what = f"contents of {json.loads((old / 'folder.json').read_text())['folder']}"
    for path in (old, *old.glob("*")):
        os.utime(path, (1, 1))
    deleted, n_bytes = content_index.prune(older_than=3600, dry_run=True)
    assert [entry.what for entry in deleted] == [what] and n_bytes == deleted[0].n_bytes > 0
    assert old.exists()
    content_index.prune(older_than=3600)
    assert [entry.what for entry in content_index.list_entries()] != [what]
    (rest,) = contents.contents_root().glob("*")
    (rest / "x.arrow.damaged").write_bytes(b"12345")
    assert content_index.prune() == ([], 5) and not (rest / "x.arrow.damaged").exists()
    assert contents.read(root, names) == truth(root, names)


def test_an_index_that_cannot_be_written_costs_only_time(folder, monkeypatch, tmp_path):
    root, names = folder
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIOBENCH_CONTENTS", str(tmp_path / "file"))
    for _ in range(2):
        assert contents.read(root, names) == truth(root, names)


def test_many_writers_lose_nothing_and_many_files_become_few(tmp_path):
    root = tmp_path / "pictures"
    names = write(root, [f"{i:03d}.png" for i in range(120)])
    contents.read(root, names[:1])

    def work(some):
        for name in some:
            contents.read(root, [name])

    threads = [threading.Thread(target=work, args=(names[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert contents.read(root, names) == truth(root, names)
    assert contents.lookup(root, names).unknown == []
    assert len(list(contents.contents_root().rglob("*.arrow"))) <= content_index.MAX_FILES + 5


def test_one_stamp_with_two_hashes_is_not_trusted(folder):
    root, names = folder
    contents.read(root, names)
    row = contents.lookup(root, names).files.row(3, named=True)
    contents.remember(root, [contents.Record(**{**row, "hash": b"x" * 16})])
    assert contents.lookup(root, names).unknown == [names[3]]


def test_a_linked_folder_is_the_folder_that_it_points_to(folder, tmp_path):
    root, names = folder
    contents.read(root, names)
    (tmp_path / "link").symlink_to(root)
    assert contents.lookup(tmp_path / "link", names).unknown == []


@settings(max_examples=25, deadline=None)
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(
                [replace_keeping_size_and_time, replace_by_another_file, os.unlink, None]
            ),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_whatever_happens_between_looks_the_hashes_are_those_of_the_bytes(tmp_path_factory, edits):
    root = tmp_path_factory.mktemp("pictures")
    names = write(root, [f"{i}.png" for i in range(4)])
    numbers = itertools.count()
    for number, change, look in edits:
        path = root / names[number]
        if change is None or not path.exists():
            path.write_text(f"new {next(numbers):3d}")
        else:
            change(path)
        if look:
            there = [name for name in names if (root / name).exists()]
            assert contents.read(root, names) == truth(root, there)


def test_numbers_of_64_bits_have_a_place(tmp_path):
    names = write(tmp_path, ["a.png", "b.png"])
    files = listing.list_files(tmp_path, names).files
    assert files["inode"].to_list() == [(tmp_path / name).stat().st_ino for name in names]
    assert [listing.to_int64(n) for n in (2**64 - 1, -1, 5)] == [2**63 - 1, 2**63 - 1, 5]
    # A filesystem may date a file centuries from now, which nanoseconds of 63 bits cannot hold.
    try:
        os.utime(tmp_path / "a.png", (2**33, 2**33 * 1.5))
    except OSError:
        pytest.skip("this filesystem knows no such dates")
    assert contents.read(tmp_path, names) == truth(tmp_path, names)
    assert contents.lookup(tmp_path, names).unknown == []
