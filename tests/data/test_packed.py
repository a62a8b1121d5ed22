"""Pictures inside a Parquet file are listed and known like files, until the file is another."""

import hashlib
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from biobench.data import contents, listing, packed

NAMES = [f"data/train-0.parquet/{row}" for row in range(5)]


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """No file is waited for: those here are written long enough ago."""
    monkeypatch.setattr(contents, "FINE_TICK", 0)
    monkeypatch.setattr(contents, "COARSE_TICK", 0)


def write(root, pictures):
    path = root / "data" / "train-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    images = pa.array([{"bytes": one, "path": "x.jpg"} for one in pictures])
    table = pa.table({"image": images, "label": list(range(len(pictures)))})
    pq.write_table(table, path, row_group_size=2)
    return path


def make_pictures(text):
    return [f"{text} {row}".encode() for row in range(5)]


def digest(pictures):
    return [hashlib.sha256(one).hexdigest()[:32] for one in pictures]


def test_every_row_has_the_hash_of_its_own_bytes_and_is_read_once(tmp_path, monkeypatch):
    pictures = make_pictures("first")
    write(tmp_path, pictures)
    assert list(contents.read(tmp_path, NAMES).values()) == digest(pictures)
    monkeypatch.setattr(packed, "read_packed", pytest.fail)
    assert list(contents.read(tmp_path, NAMES).values()) == digest(pictures)


def test_a_file_that_was_exchanged_is_read_anew(tmp_path):
    path = write(tmp_path, make_pictures("first"))
    before = listing.list_files(tmp_path, NAMES)
    contents.read(tmp_path, NAMES)
    pictures = make_pictures("other")
    write(tmp_path, pictures)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    assert list(contents.read(tmp_path, NAMES).values()) == digest(pictures)
    assert listing.look_at(tmp_path, before.folders).digest != before.digest


def test_rows_that_are_not_there_and_files_without_pictures_have_none(tmp_path):
    write(tmp_path, make_pictures("first"))
    pq.write_table(pa.table({"label": [1]}), tmp_path / "labels.parquet")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    names = ["data/train-0.parquet/5", "labels.parquet/0", "torn.parquet/0", NAMES[0]]
    found = listing.list_files(tmp_path, names)
    assert found.missing == dict.fromkeys(names[:3], "no such file")
    assert found.files["size"].to_list()[3] == (tmp_path / "data/train-0.parquet").stat().st_size
