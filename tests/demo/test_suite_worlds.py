"""The worlds of the wider suite: one a task, beside the core world and without touching it."""

import pathlib

import pytest

from biobench import registry
from biobench.commands.demonstrating import Demo
from biobench.demo import SuiteScale, generate_suite
from biobench.demo.suite import SUITE, layouts
from biobench.demo.world import SUITE_MARKER
from biobench.errors import BadInput

TINY = SuiteScale(classes=2, train=2, test=1)
CORE = {"newt", "kabr", "iwildcam", "plantnet", "folder"}


def read_files(root):
    return {path: path.read_bytes() for path in pathlib.Path(root).rglob("*") if path.is_file()}


def test_every_task_but_the_core_ones_has_a_world():
    assert {layout.folder for layout in SUITE} == set(registry.list_tasks()) - CORE
    assert Demo().tasks == "core"


@pytest.mark.parametrize("layout", layouts(SuiteScale(), 0), ids=lambda one: one.folder)
def test_pictures_have_paths_of_their_own_and_are_counted(layout):
    paths = [shot.path for shot in layout.shots()]
    assert len(set(paths)) == len(paths) == layout.counts()["images"]
    assert not {name for name, _ in layout.tables()} & set(paths)


def test_one_seed_gives_the_same_bytes_and_a_finished_world_stays(tmp_path):
    first = generate_suite(tmp_path / "a", scale=TINY, seed=5, n_jobs=1, names=["plankton"])
    again = generate_suite(tmp_path / "b", scale=TINY, seed=5, n_jobs=1, names=["plankton"])
    files = read_files(tmp_path / "a" / "plankton")
    others = read_files(tmp_path / "b" / "plankton")
    assert list(files.values()) == list(others.values()) and again.digest == first.digest
    assert first.drawn and len(files) == first.counts["plankton"]["images"] + 1
    kept = generate_suite(tmp_path / "a", scale=TINY, seed=5, n_jobs=1, names=["plankton"])
    assert not kept.drawn and read_files(tmp_path / "a" / "plankton") == files
    assert (tmp_path / "a" / SUITE_MARKER).is_file()


def test_real_data_is_refused_and_left_alone(tmp_path):
    real = tmp_path / "inat21" / "val" / "a" / "1.jpg"
    real.parent.mkdir(parents=True)
    real.write_bytes(b"mine")
    with pytest.raises(BadInput, match=r"inat21.*choose another --out"):
        generate_suite(tmp_path, scale=TINY, n_jobs=1, names=["inat21"])
    assert real.read_bytes() == b"mine"
