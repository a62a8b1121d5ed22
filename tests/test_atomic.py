"""A file is there whole or not at all, and there is one way to write so."""

import ast
import os
import pathlib

import pytest

import biobench
from biobench import atomic

SOURCE = pathlib.Path(biobench.__file__).parent


def list_names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("data", ["größer", b"\x00\xff", memoryview(b"view")])
def test_what_was_written_replaces_what_was_there(tmp_path, data, durable):
    path = tmp_path / "a"
    path.write_text("old")
    atomic.write(path, data, durable=durable)
    assert path.read_bytes() == (data.encode() if isinstance(data, str) else bytes(data))
    assert list_names(tmp_path) == ["a"]


def test_a_sealed_file_is_read_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a"
    atomic.write_sealed(path, b"some data")
    whole = path.read_bytes()
    assert bytes(atomic.read_sealed(path) or b"") == b"some data"
    for damaged in (whole[:-1], b"", whole[1:], b"S" + whole[1:], whole + b"x"):
        path.write_bytes(damaged)
        assert atomic.read_sealed(path) is None


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(error), atomic.replacing(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list_names(tmp_path) == ["a"]


def test_a_failure_to_rename_leaves_no_other_file(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(OSError):
        atomic.write(tmp_path / "a", "text")
    assert list_names(tmp_path) == ["a"]


def test_a_reader_sees_the_old_file_until_the_block_ends(tmp_path):
    path = tmp_path / "a"
    path.write_text("old")
    with atomic.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old" and partial.name.startswith(atomic.PREFIX)
    assert path.read_text() == "new"


def test_a_durable_file_is_on_the_disk_before_its_name_is(tmp_path, monkeypatch):
    done = []
    sync, replace = os.fsync, os.replace

    def tell_sync(handle):
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file")
        sync(handle)

    def tell_replace(*paths):
        done.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", tell_sync)
    monkeypatch.setattr(os, "replace", tell_replace)
    atomic.write(tmp_path / "a", "text", durable=True)
    assert done == ["file", "rename", "folder"]


def is_call(node, names):
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith(names)


def test_nothing_else_writes_a_file_beside_another_and_renames_it():
    found = []
    for path in SOURCE.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                inside = list(ast.walk(function))
                writes = any(is_call(node, (".write_text", ".write_bytes")) for node in inside)
                if writes and any(is_call(node, ("os.replace", ".rename")) for node in inside):
                    found.append(f"{path.relative_to(SOURCE)}: {function.name}")
    assert found == []
