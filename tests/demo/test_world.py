"""The world as a whole: the same seed gives the same bytes, everything named exists and decodes."""

import hashlib
import pathlib

import pytest
from PIL import Image

from biobench import progress
from biobench.demo import Scale, generate, layouts, scale_of
from biobench.demo.iwildcam import CamScale
from biobench.demo.kabr import KabrScale
from biobench.demo.newt import NewtScale
from biobench.demo.plantnet import PlantScale
from biobench.demo.world import FOLDERS, MARKER
from biobench.errors import BadInput

TINY = Scale(
    NewtScale(tasks=3, train=2, test=2),
    KabrScale(train=2, val=2, frames=2, clips_a_video=1.5),
    CamScale(3, 5, 2, 4, 1, 1, 2, 1, 2),
    PlantScale(species=3, train=9, val=4, test=1),
)

MINI = Scale(
    NewtScale(tasks=1, train=1, test=1),
    KabrScale(train=1, val=1, frames=1, clips_a_video=1.0),
    CamScale(1, 1, 1, 1, 1, 1, 1, 1, 1),
    PlantScale(species=1, train=3, val=1, test=1),
)


def read_all(root: pathlib.Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("tiny"), size=TINY, seed=3, n_jobs=1)


def test_the_same_seed_gives_the_same_bytes_however_many_processes_draw(tiny, tmp_path):
    again = generate(tmp_path, size=TINY, seed=3, n_jobs=2)
    assert again.digest == tiny.digest
    assert read_all(tmp_path) == read_all(tiny.out)


def test_another_seed_gives_other_pictures_of_the_same_number(tiny, tmp_path):
    other = generate(tmp_path, size=TINY, seed=4, n_jobs=1)
    assert other.digest != tiny.digest
    assert other.counts["plantnet"] == tiny.counts["plantnet"]
    ours, theirs = read_all(tiny.out), read_all(tmp_path)
    pictures = {digest for path, digest in ours.items() if path.endswith(".jpg")}
    assert pictures.isdisjoint(theirs.values())


def test_the_counts_are_those_of_the_files(tiny):
    for folder in FOLDERS:
        files = list((tiny.out / folder).rglob("*.jpg"))
        assert len(files) == tiny.counts[folder]["images"]


def test_every_picture_decodes_to_colour(tiny):
    for path in tiny.out.rglob("*.jpg"):
        with Image.open(path) as image:
            image.load()
            assert image.mode == "RGB"
            assert min(image.size) >= 128


def test_a_finished_world_is_not_drawn_again(tiny):
    before = {path: path.stat().st_mtime_ns for path in tiny.out.rglob("*")}
    again = generate(tiny.out, size=TINY, seed=3, n_jobs=1)
    assert not again.drawn
    assert again.counts == tiny.counts
    assert {path: path.stat().st_mtime_ns for path in tiny.out.rglob("*")} == before


def test_another_world_replaces_the_one_that_was_drawn_before(tmp_path):
    first = generate(tmp_path, size=MINI, seed=1, n_jobs=1)
    old = set(read_all(tmp_path / "newt"))
    second = generate(tmp_path, size=MINI, seed=2, n_jobs=1)
    assert second.drawn and second.digest != first.digest
    assert set(read_all(tmp_path / "newt")) & old == {"newt2021_labels.csv"}


def test_an_unfinished_world_is_drawn_again(tmp_path):
    generate(tmp_path, size=MINI, seed=1, n_jobs=1)
    whole = read_all(tmp_path)
    marker = tmp_path / MARKER
    marker.write_text(marker.read_text().replace('"finished": true', '"finished": false'))
    next((tmp_path / "newt").rglob("*.jpg")).write_bytes(b"torn")
    assert generate(tmp_path, size=MINI, seed=1, n_jobs=1).drawn
    assert read_all(tmp_path) == whole


def test_a_folder_with_real_data_is_refused_and_left_alone(tmp_path):
    real = tmp_path / "newt" / "newt2021_labels.csv"
    real.parent.mkdir()
    real.write_text("id\n")
    with pytest.raises(BadInput, match=r"newt.*choose another --out"):
        generate(tmp_path, size=TINY, seed=0, n_jobs=1)
    assert real.read_text() == "id\n"


def test_a_marker_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / MARKER).write_text("[]")
    with pytest.raises(BadInput, match=MARKER):
        generate(tmp_path, size=TINY, seed=0, n_jobs=1)


def test_drawing_reports_how_far_it_is(tmp_path):
    heard = []
    with progress.listen(lambda *news: heard.append(news)):
        world = generate(tmp_path, size=MINI, seed=0, n_jobs=1)
    total = sum(counts["images"] for counts in world.counts.values())
    assert heard[0] == ("draw", 0, total)
    assert heard[-1] == ("draw", total, total)
    done = [news[1] for news in heard]
    assert done == sorted(done)


def test_the_full_world_has_the_published_counts():
    newt, kabr, cams, plants = (layout.counts() for layout in layouts(scale_of("full"), 0))
    assert newt["tasks"] == 164
    assert 35_000 < newt["images"] < 37_000
    assert kabr["images"] > 1_000_000
    assert cams["images"] == 203_029
    splits = ("train", "val", "test", "id_val", "id_test")
    assert [cams[name] for name in splits] == [129_809, 14_961, 42_791, 7_314, 8_154]
    assert cams["classes"] >= 182
    assert plants["images"] == 306_146
    assert [plants[name] for name in ("train", "val", "test")] == [243_916, 31_118, 31_112]
    assert plants["classes"] == 1081


@pytest.mark.parametrize("number", range(4))
def test_any_unit_of_the_full_world_can_be_drawn(number):
    layout = layouts(scale_of("full"), 0)[number]
    unit = next(iter(layout.units()))
    path, picture = next(unit.draw())
    assert path.endswith(".jpg")
    assert picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9")


def test_the_small_world_is_a_few_thousand_pictures():
    total = sum(layout.counts()["images"] for layout in layouts(scale_of("small"), 0))
    assert 2_000 < total < 5_000
