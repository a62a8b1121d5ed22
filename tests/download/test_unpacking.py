"""Archives are unpacked whole, from where a killed run was, and never beyond their folder."""

import io
import json
import os
import pathlib
import random
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hostile_archives
from biobench.data.sources import Source
from biobench.download.archives import Limits
from biobench.download.checksums import Joined
from biobench.download.problems import ArchiveRefused, SourceFailed
from biobench.download.sizes import ROOM
from biobench.download.task_folder import place_member
from biobench.download.unpacking import Archive, unpack
from hostile_archives import HOSTILE, make_tar, make_zip, tar_member, zip_member

FILES = [(f"pictures/{i % 3}/{i}.jpg", random.Random(i).randbytes(500 + i)) for i in range(30)]
FILES += [("labels.csv", b"path,label\n" * 400), ("empty.txt", b"")]


def make_archive(folder, kind, content, n_pieces=1):
    step = -(-len(content) // n_pieces)
    paths = [folder / f"piece{i}" for i in range(n_pieces)]
    for i, path in enumerate(paths):
        path.write_bytes(content[i * step : (i + 1) * step])
    return Archive("data", kind, tuple(paths), "sha256:x")


def read_tree(folder):
    """Every file below a folder, as name -> bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("n_pieces", [1, 5])
@pytest.mark.parametrize("kind", ["tar w:", "tar w:gz", "tar w:bz2", "tar w:xz", "zip"])
def test_every_member_is_there_byte_for_byte(tmp_path, kind, n_pieces):
    kind, _, mode = kind.partition(" ")
    content = make_tar(FILES, mode) if kind == "tar" else make_zip(FILES)
    archive = make_archive(tmp_path, kind, content, n_pieces)
    done = unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == dict(FILES)
    assert (done.files, done.bytes) == (len(FILES), sum(len(content) for _, content in FILES))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_and_writes_nothing_outside(tmp_path, name):
    kind, content = HOSTILE[name]
    inside = tmp_path / "a" / "b" / "c" / "out"
    archive = make_archive(tmp_path, kind, content)
    before = set(tmp_path.rglob("*")) | {inside, *inside.parents}
    limits = Limits(free=1 << 20)
    with pytest.raises(ArchiveRefused):
        unpack(archive, inside, tmp_path / "journal", limits=limits)
    written = set(tmp_path.rglob("*")) - before - {tmp_path / "journal"}
    assert all(path.is_relative_to(inside) for path in written)
    assert not os.path.exists("/tmp/biobench-evil")
    for path in written:
        assert not path.is_symlink() and (path.is_file() or path.is_dir())
        assert "evil" not in path.name and path.name != ".biobench-partial"
    assert sum(len(content) for content in read_tree(inside).values()) <= limits.get_most(
        archive.size
    )


def test_a_hostile_zip_writes_nothing_at_all(tmp_path):
    content = make_zip([("good.txt", b"good"), (zip_member("evil", stat.S_IFLNK), "../../x")])
    with pytest.raises(ArchiveRefused, match="'evil' leads out of the folder"):
        unpack(make_archive(tmp_path, "zip", content), tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == {}


def test_too_many_members_are_a_bomb(tmp_path):
    archive = make_archive(tmp_path, "tar", make_tar([(str(i), b"") for i in range(11)]))
    with pytest.raises(ArchiveRefused, match="more than 10 members"):
        unpack(archive, tmp_path / "out", tmp_path / "journal", limits=Limits(members=10))


def test_links_inside_become_copies_and_count_as_bytes(tmp_path):
    entries = [
        ("a/1.jpg", b"x" * 1000),
        tar_member("a/hard.jpg", tarfile.LNKTYPE, "a/1.jpg"),
        tar_member("b/soft.jpg", tarfile.SYMTYPE, "../a/1.jpg"),
    ]
    archive = make_archive(tmp_path, "tar", make_tar(entries))
    done = unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == dict.fromkeys(
        ("a/1.jpg", "a/hard.jpg", "b/soft.jpg"), b"x" * 1000
    )
    assert (done.files, done.bytes) == (3, 3000)
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
    limits = Limits(total=2500)
    with pytest.raises(ArchiveRefused, match="bomb"):
        unpack(archive, tmp_path / "out2", tmp_path / "journal", limits=limits)


def test_a_link_that_the_user_has_put_at_a_members_place_is_replaced_not_followed(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "out" / "labels.csv").symlink_to(tmp_path / "precious")
    archive = make_archive(tmp_path, "zip", make_zip([("labels.csv", b"new")]))
    unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "out" / "labels.csv").read_bytes() == b"new"


def test_a_damaged_member_is_not_put_in_place(tmp_path):
    content = make_zip([("a.txt", b"abc" * 1000)], zipfile.ZIP_STORED).replace(
        b"abcabc", b"abXabc", 1
    )
    with pytest.raises(ArchiveRefused, match="damaged"):
        unpack(make_archive(tmp_path, "zip", content), tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == {}


def test_a_disk_without_room_is_said_before_anything_is_unpacked(tmp_path, monkeypatch):
    import shutil

    archive = make_archive(tmp_path, "zip", make_zip(FILES))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(SourceFailed, match=r"1\.0 kB free"):
        unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == {}


CHILD = """
import os, signal, sys
from pathlib import Path
from biobench.download import unpacking as room
from biobench.download.sizes import ROOM
from biobench.download.unpacking import Archive, unpack

folder, kind, when, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
room.EVERY = 4
seen = 0
replace = os.replace

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def after(name):
    global seen
    seen += 1
    if when == "after" and seen == count:
        die()

def dying_replace(source, target):
    if when == "before" and "partial" in str(source) and seen == count:
        die()
    replace(source, target)

room.os.replace = dying_replace
unpack(Archive("data", kind, (folder / "piece0",), "sha256:x"), folder / "out",
       folder / "journal", after_member=after)
"""


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(("when", "count"), [("after", 11), ("before", 17)])
def test_killed_while_it_unpacks_it_goes_on_and_no_member_is_half(tmp_path, kind, when, count):
    content = make_tar(FILES) if kind == "tar" else make_zip(FILES)
    archive = make_archive(tmp_path, kind, content)
    command = [sys.executable, "-c", CHILD, str(tmp_path), kind, when, str(count)]
    assert subprocess.run(command, check=False).returncode == -9
    left = read_tree(tmp_path / "out")
    partial = [name for name in left if name.endswith(".biobench-partial")]
    assert len(partial) == (when == "before")
    whole = {name: content for name, content in left.items() if name not in partial}
    assert whole.items() <= dict(FILES).items() and len(whole) == count
    times = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in whole}
    unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == dict(FILES)
    kept = [n for n, t in times.items() if (tmp_path / "out" / n).stat().st_mtime_ns == t]
    assert len(kept) >= count - 4


def test_no_archive_changes_what_is_known_of_other_files(tmp_path):
    archive = make_archive(tmp_path, "zip", make_zip([("a/.download/x.json", b"{}")]))
    with pytest.raises(ArchiveRefused, match="what is known"):
        unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert read_tree(tmp_path / "out") == {}


def test_what_is_unpacked_already_needs_no_room_again(tmp_path, monkeypatch):
    import shutil

    archive = make_archive(tmp_path, "zip", make_zip(FILES))
    unpack(archive, tmp_path / "out", tmp_path / "journal")
    total = sum(len(content) for _, content in FILES)
    journal = {"checksum": archive.checksum, "members": len(FILES), "bytes": total}
    (tmp_path / "journal").write_text(json.dumps(journal))
    free = ROOM + 100
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, free))
    unpack(archive, tmp_path / "out", tmp_path / "journal")


def test_a_journal_of_another_archive_is_not_followed(tmp_path):
    archive = make_archive(tmp_path, "tar", make_tar([("a", b"old"), ("b", b"old")]))
    (tmp_path / "journal").write_text('{"checksum": "sha256:other", "members": 2}')
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_bytes(b"new")
    unpack(archive, tmp_path / "out", tmp_path / "journal")
    assert (tmp_path / "out" / "a").read_bytes() == b"old"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_joined_pieces_read_like_the_whole(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("pieces")
    pieces = data.draw(st.lists(st.binary(max_size=30), min_size=1, max_size=5))
    paths = [folder / str(i) for i in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_bytes(piece)
    whole = io.BytesIO(b"".join(pieces))
    with io.BufferedReader(Joined(paths), 8) as joined:
        for _ in range(6):
            at = data.draw(st.integers(0, 160))
            count = data.draw(st.integers(-1, 40))
            assert joined.seek(at) == whole.seek(at)
            assert joined.read(count) == whole.read(count)
            assert joined.tell() == whole.tell()
        assert joined.seek(0, io.SEEK_END) == len(whole.getvalue())


@pytest.mark.parametrize(
    ("source", "name", "place"),
    [
        (dict(gives=("images",)), "images/train/1.jpg", "images/train/1.jpg"),
        (dict(gives=("images",)), "plantnet_300K/images/train/1.jpg", "images/train/1.jpg"),
        (dict(gives=("images",)), "images", "images"),
        (dict(gives=("images",)), "README.md", "README.md"),
        (dict(gives=("cam/train",), into="cam"), "train/1.jpg", "cam/train/1.jpg"),
        (dict(gives=("cam/train",), into="cam"), "cam/train/1.jpg", "cam/train/1.jpg"),
        (dict(into="dataset/image"), "G0001/1.jpg", "dataset/image/G0001/1.jpg"),
        (dict(gives=("metadata.csv",), renames=(("zip", "metadata.csv"),)), "zip", "metadata.csv"),
    ],
)
def test_a_member_goes_where_the_layout_wants_it(source, name, place):
    source = Source("data.zip", (), archive="zip", **source)
    assert place_member(source, name) == place


def test_the_hostile_archives_are_what_they_say():
    bomb = HOSTILE["zip overlapping"][1]
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        assert len(archive.infolist()) == 2
        assert archive.read("a") == b"0" * 100_000
    assert pathlib.PurePosixPath(hostile_archives._UP).parts[0] == ".."
