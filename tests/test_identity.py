"""What decides whether a cell is the same: each thing by itself changes it, nothing else does."""

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil

import numpy as np
import polars as pl
import pytest
from PIL import Image

import worlds
from biobench import evaluate, folder, report, results
from biobench.data import contents
from biobench.errors import BadInput
from results_world import tell

MODEL = ("baseline", "color-hist")
CLASSES = {"ants": (200, 40, 40), "bees": (40, 200, 40), "wasps": (40, 40, 200)}
PAGE = pathlib.Path(__file__).parents[1] / "docs" / "identity.md"


def write_world(root, classes=CLASSES, n=15):
    """Uncompressed pictures of one resolution: every file has the same size."""
    rng = np.random.default_rng(0)
    for name, colour in classes.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            noise = rng.integers(-30, 31, (16, 16, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:02d}.bmp")
    return root


def make_args(root, **kwargs):
    kwargs = {"probe": "simpleshot", "device": "cpu", "n_workers": 0, **kwargs}
    return folder.Args(datadir=str(root), **kwargs)


def identify(root, model=MODEL, **kwargs):
    return worlds.identify(folder, make_args(root, **kwargs), model)


def swap(a, b):
    a.rename(a.with_name("swap"))
    b.rename(a)
    a.with_name("swap").rename(b)


def replace_keeping_size_and_time(path):
    times = path.stat()
    pixels = np.asarray(Image.open(path))
    Image.fromarray(255 - pixels).save(path)
    assert path.stat().st_size == times.st_size
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace_a_content(root):
    replace_keeping_size_and_time(root / "ants" / "03.bmp")


def swap_two_contents_of_a_class(root):
    swap(root / "ants" / "03.bmp", root / "ants" / "04.bmp")


def swap_two_classes(root):
    swap(root / "ants", root / "bees")


def rename_a_class(root):
    (root / "ants").rename(root / "beetles")


def rename_a_picture(root):
    (root / "ants" / "03.bmp").rename(root / "ants" / "77.bmp")


def remove_a_picture(root):
    (root / "ants" / "03.bmp").unlink()


@pytest.fixture
def world(tmp_path):
    return write_world(tmp_path / "pictures")


@pytest.mark.parametrize(
    "change",
    [
        replace_a_content,
        swap_two_contents_of_a_class,
        swap_two_classes,
        rename_a_class,
        rename_a_picture,
        remove_a_picture,
    ],
)
@pytest.mark.parametrize("archived", [False, True])
def test_other_data_are_another_cell(change, archived, world):
    if archived:
        for path in world.rglob("*.bmp"):
            os.utime(path, (1_000_000_000, 1_000_000_000))
    before = identify(world)
    assert identify(world) == before
    change(world)
    after = identify(world)
    assert after.protocol_digest != before.protocol_digest
    assert after.backbone_digest == before.backbone_digest


@pytest.mark.parametrize(
    "change",
    [
        dict(seed=1),
        dict(n_train=3),
        dict(n_train=3, n_train_unit="total"),
        dict(probe="ridge"),
        dict(probe="ridge", folds="kfold"),
        dict(exif=True),
        dict(debug=True),
    ],
)
def test_another_protocol_is_another_cell(change, world):
    assert identify(world, **change).protocol_digest != identify(world).protocol_digest


def test_another_crop_is_another_cell_of_the_same_backbone(world):
    lines = [
        f"{path.relative_to(world)},{path.parent.name},1,2,{3 + i % 9},5"
        for i, path in enumerate(sorted(world.rglob("*.bmp")))
    ]
    table = world / "boxes.csv"
    table.write_text("\n".join(["path,label,bbox_x,bbox_y,bbox_w,bbox_h", *lines]))
    crops = [{}, dict(crop="box"), dict(crop="square"), dict(crop="box", crop_margin=0.1)]
    found = [identify(table, **crop) for crop in crops]
    assert len({one.protocol_digest for one in found}) == len(crops)
    assert len({one.backbone_digest for one in found}) == 1
    table.write_text(table.read_text().replace(",1,2,3,5", ",1,2,4,5", 1))
    assert identify(table).protocol_digest != found[0].protocol_digest


def copy_elsewhere(root):
    return shutil.copytree(root, root.parent / "copy")


def move(root):
    return root.rename(root.parent / "moved")


def touch(root):
    for path in root.rglob("*.bmp"):
        os.utime(path, (1, 1))
    return root


def forget(root):
    shutil.rmtree(contents.contents_root())
    return root


@pytest.mark.parametrize("change", [copy_elsewhere, move, touch, forget])
def test_the_same_data_are_the_same_cell_wherever_and_whenever_they_were_written(change, world):
    before = identify(world)
    assert identify(change(world)) == before


@pytest.mark.parametrize("change", [dict(batch_size=3), dict(n_workers=2), dict(resume=False)])
def test_what_changes_no_number_changes_no_cell(change, world):
    assert identify(world, **change) == identify(world)


def test_the_data_of_all_training_sizes_are_known_to_be_the_same(world):
    made = [
        folder.benchmark(args, MODEL)[1].provenance
        for args in (make_args(world), make_args(world, n_train=2))
    ]
    assert made[0].manifest == made[1].manifest
    assert made[0].manifest == folder.load(make_args(world)).digest()
    assert [one.manifest_of for one in made] == ["contents", "contents"]


def run(root, place):
    """The report of a run, which is kept in `place`."""
    _, made = folder.benchmark(make_args(root), MODEL)
    results.write_run(place, "folder", MODEL, made)
    return made


@pytest.mark.parametrize("change", [swap_two_classes, replace_a_content])
def test_a_score_is_of_the_pictures_that_are_there(change, world, tmp_path, monkeypatch):
    run(world, tmp_path / "results")
    change(world)
    made = run(world, tmp_path / "results")
    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path / "empty"))
    truth = run(world, tmp_path / "other")
    assert made.examples == truth.examples
    assert made.provenance.manifest == truth.provenance.manifest


def test_two_data_sets_under_one_name_are_two_columns_and_never_one_number(tmp_path):
    one = write_world(tmp_path / "one")
    other = write_world(tmp_path / "other", dict(zip(CLASSES, [(99, 99, 99)] * 3, strict=True)))
    place = tmp_path / "results"
    made = [run(root, place) for root in (one, other)]
    scores = [each.get_mean_score() for each in made]
    assert scores[0] > scores[1]
    chosen = report.selection.select(place)
    assert chosen.runs["column"].n_unique() == 2 and chosen.n_older == 0
    assert sorted(chosen.runs["score"]) == sorted(scores)
    board = report.leaderboard(place)
    assert sorted(board.table["task"]) == sorted(
        f"folder [data={each.provenance.manifest[:8]}]" for each in made
    )
    assert any("several protocols or versions of the data: folder" in note for note in tell(board))


def test_results_of_earlier_versions_are_shown_beside_new_ones(world, tmp_path):
    made = run(world, tmp_path / "results")
    provenance = dataclasses.replace(made.provenance, manifest="0" * 64, manifest_of="")
    old = dataclasses.replace(made, provenance=provenance, posix_time=made.posix_time - 1)
    path = results.write_run(tmp_path / "results", "folder", MODEL, old)
    text = (path / "report.json").read_text().replace('"manifest_of": "",', "")
    text = re.sub(r',\s*"manifest_of": ""', "", text)
    assert "manifest_of" not in text
    (path / "report.json").write_text(text)
    board = report.leaderboard(tmp_path / "results")
    assert board.problems == [] and board.table["task"].n_unique() == 2
    args = make_args(world)
    digests = worlds.identify(folder, args, MODEL)
    found = results.find_run(tmp_path / "results", "folder", MODEL, *digests)
    assert found is not None and found != path


def test_models_that_saw_different_data_are_not_compared(tmp_path):
    place = tmp_path / "results"
    for model, root in ((MODEL, "one"), (("baseline", "hog"), "other")):
        colours = CLASSES if root == "one" else dict.fromkeys(CLASSES, (99, 99, 99))
        args = make_args(write_world(tmp_path / root, colours))
        results.write_run(place, "folder", model, folder.benchmark(args, model)[1])
    with pytest.raises(BadInput, match=r"share no task .* same data"):
        report.compare(place, "baseline:color-hist", "baseline:hog")


def test_a_run_reads_each_picture_once(world, monkeypatch):
    opened = []
    original = os.open

    def open_counting(path, *args, **kwargs):
        opened.append(path) if str(path).endswith(".bmp") else None
        return original(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", open_counting)
    monkeypatch.setattr(contents, "hash_file", None)
    args = make_args(world)
    first = folder.benchmark(args, MODEL)[1]
    assert len(opened) == 45
    # And then never again, for whatever a cell is asked.
    assert folder.benchmark(args, MODEL)[1].examples == first.examples
    prepared = evaluate.prepare(folder, args)
    assert prepared.is_known
    assert prepared.protocol_digest == first.provenance.protocol_digest()
    assert len(opened) == 45


def test_vectors_from_a_file_are_scored_on_pictures_known_by_content(world, tmp_path):
    names = [str(path.relative_to(world)) for path in sorted(world.rglob("*.bmp"))]
    vectors = np.random.default_rng(0).standard_normal((len(names), 4)).astype(np.float32)
    table = pl.DataFrame({"path": names, "feature": list(vectors)})
    table.write_parquet(tmp_path / "v.parquet")
    args = make_args(world, features=str(tmp_path / "v.parquet"))
    model = ("features", "mine")
    before = folder.benchmark(args, model)[1].provenance
    assert before.protocol_digest() == evaluate.prepare(folder, args).protocol_digest
    replace_a_content(world)
    after = folder.benchmark(args, model)[1].provenance
    assert after.manifest != before.manifest
    assert after.backbone["digest"] == before.backbone["digest"]


@pytest.mark.parametrize("seed", [-1, 2**32, -(2**70), 10**400])
def test_a_seed_out_of_range_is_refused_before_anything_is_read(seed, world, monkeypatch):
    monkeypatch.setattr(evaluate, "get_source", None)
    args = dataclasses.replace(make_args(world), seed=seed)
    for start in (lambda: evaluate.prepare(folder, args), lambda: folder.benchmark(args, MODEL)):
        with pytest.raises(BadInput, match="give a number from 0 to 4294967295"):
            start()


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
@pytest.mark.parametrize("probe", ["ridge", "svm", "linear"])
def test_the_lowest_and_the_highest_seed_are_those_that_every_probe_takes(seed, probe, world):
    args = make_args(world, seed=seed, n_train=6, probe=probe)
    assert folder.benchmark(args, MODEL)[1].get_mean_score() > 0.5


def test_every_row_of_the_page_names_a_test_that_there_is():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    pattern = r"`(tests/\S+\.py)::(\w+)(?:\[([^]]+)\])?`"
    named = [found for row in rows for found in re.findall(pattern, row)]
    assert len(named) > 20
    for file, test, parameter in named:
        source = (PAGE.parents[1] / file).read_text()
        assert f"def {test}(" in source, test
        assert not parameter or parameter in source, parameter


def test_the_digest_of_a_manifest_is_over_the_files_bytes(world):
    manifest = folder.load(make_args(world))
    hashes = [hashlib.sha256((world / i).read_bytes()).digest()[:16] for i in manifest.images()]
    assert manifest.digest() == manifest.digest(pl.Series(hashes, dtype=pl.Binary))
    hashes[4] = bytes(16)
    assert manifest.digest() != manifest.digest(pl.Series(hashes, dtype=pl.Binary))
