"""What the tests of plans share: small data, and an environment in which the fakes are found."""

import os
import pathlib

import pytest

import worlds

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("world")
    worlds.newt(root / "newt", n_train=12, n_test=8)
    worlds.kabr(root / "kabr")
    worlds.folder(root / "folder")
    return root


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The working folder, from which the fakes are importable, for what happens once too."""
    monkeypatch.setenv("FAKES_FOLDER", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    return tmp_path
