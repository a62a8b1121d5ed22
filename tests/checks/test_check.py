"""Every fault that is put into good data is found, each with its number; good data have none."""

import dataclasses
import io
import json
import shutil
import types

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import worlds
from biobench import checks, evaluate, folder, iwildcam, newt, plantnet, registry, results
from biobench.cli import main
from biobench.data import Manifest, contents
from biobench.data import checked as kept
from biobench.data.expected import Expected
from biobench.probes import UNKNOWN

CLASSES = ("ants", "bees", "wasps")
N_TRAIN, N_TEST = 6, 3
SHARED = "test examples with a picture that is in training"
NEAR = "test examples with nearly the same picture in training"
TORN = "groups in training and in test"


def make_scene(seed, size=(72, 60)):
    """A picture of large coloured shapes, like no other seed's."""
    coarse = np.random.default_rng([7, seed]).integers(0, 256, (9, 9, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def write_pictures(root):
    seed = 0
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for i in range(n):
                make_scene(seed).save(root / split / name / f"{i}.png")
                seed += 1
    return root


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("good"))


def add_near(root):
    copy = Image.open(root / "train/ants/1.png").resize((48, 40))
    copy.save(root / "test/ants/near.jpg", quality=60)


def spoil(root):
    data = (root / "train/bees/0.png").read_bytes()
    (root / "train/bees/0.png").write_bytes(data[: len(data) // 2])


def add_class(root, name, splits, n=6):
    for split in splits:
        (root / split / name).mkdir()
        for i in range(n):
            seed = 1000 + 100 * len(name) + 10 * (split == "test") + i
            make_scene(seed).save(root / split / name / f"{i}.png")


# How each is planted; the kind of finding, its number, and whether it is trouble.
FAULTS = {
    "a copy": (
        lambda root: shutil.copy(root / "train/ants/0.png", root / "test/wasps/copy.png"),
        (SHARED, 1, True),
    ),
    "a re-encoded smaller copy": (add_near, (NEAR, 1, True)),
    "a cut file": (spoil, ("pictures that cannot be decoded", 1, True)),
    "a text for a picture": (
        lambda root: (root / "test/bees/page.jpg").write_text("<html>not found"),
        ("pictures that cannot be decoded", 1, True),
    ),
    "a class written in two ways": (
        lambda root: add_class(root, "Bees ", ("train", "test")),
        ("labels that differ only in writing", 1, True),
    ),
    "a class without training": (
        lambda root: add_class(root, "flies", ("test",)),
        ("test classes that training lacks", 1, True),
    ),
    "a class without test": (
        lambda root: add_class(root, "moths", ("train",)),
        ("training classes that the test lacks", 1, False),
    ),
    "a rare class": (
        lambda root: add_class(root, "beetles", ("train", "test"), 2),
        ("rare classes", 1, False),
    ),
    "a class that reads as missing": (
        lambda root: add_class(root, "nan", ("train", "test")),
        ("classes that read as a missing value", 1, True),
    ),
    "a small picture": (
        lambda root: make_scene(77, (20, 40)).save(root / "train/ants/small.png"),
        ("small pictures", 1, False),
    ),
    "a file that is no picture": (
        lambda root: (root / "train/ants/notes.txt").write_text("seen at dawn"),
        ("left out", 1, False),
    ),
}


def check(root, task=folder, **kwargs):
    return checks.check(task, task.Args(datadir=str(root)), **kwargs)


def list_found(checked):
    return sorted((one.kind, one.n, one.is_trouble) for one in checked.findings)


def sum_up(expected):
    """One finding a kind, however many faults there are of it."""
    totals = {}
    for kind, n, is_trouble in expected:
        totals[kind, is_trouble] = totals.get((kind, is_trouble), 0) + n
    return sorted((kind, n, is_trouble) for (kind, is_trouble), n in totals.items())


def test_good_data_have_no_finding(good):
    checked = check(good)
    assert checked.findings == ()
    assert checked.splits == {"train": 18, "test": 9} and checked.n_classes == 3
    assert checked.shared_classes == CLASSES
    assert checked.n_read == checked.n_pictures == 27
    assert checked.sizes == dict.fromkeys(("smallest", "median", "largest"), (72, 60))


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(names=st.sets(st.sampled_from(sorted(FAULTS))))
def test_every_planted_fault_is_found_and_nothing_else(good, tmp_path_factory, names):
    root = shutil.copytree(good, tmp_path_factory.mktemp("data") / "pictures")
    for name in sorted(names):
        FAULTS[name][0](root)
    assert list_found(check(root)) == sum_up(FAULTS[name][1] for name in names)


def test_each_fault_is_found_by_itself(good, tmp_path):
    for number, (plant, expected) in enumerate(FAULTS.values()):
        root = shutil.copytree(good, tmp_path / str(number))
        plant(root)
        assert list_found(check(root)) == [expected]


def write_table(root, **columns):
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    parts = [path.split("/") for path in paths]
    table = {"path": paths, "label": [p[1] for p in parts], "split": [p[0] for p in parts]}
    table |= {name: [value(path) for path in paths] for name, value in columns.items()}
    pl.DataFrame(table).write_csv(root / "table.csv")
    return root / "table.csv"


def test_a_group_and_a_sequence_on_both_sides_of_a_split_are_found(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    table = write_table(
        root,
        group=lambda path: "torn" if path.endswith("ants/0.png") else path,
        sequence=lambda path: f"night {path[-5]}",
    )
    assert list_found(check(table)) == [
        (TORN, 1, True),
        ("values of 'sequence' in training and in test", 3, True),
    ]


def test_data_that_cannot_be_loaded_are_trouble(tmp_path):
    (tmp_path / "iwildcam_v2.0").mkdir()
    (finding,) = check(tmp_path, iwildcam).findings
    assert finding.kind == "data that cannot be loaded" and finding.is_trouble
    assert "metadata.csv not found" in finding.sentence


def test_an_id_in_two_splits_is_trouble(tmp_path):
    path = worlds.iwildcam(tmp_path) / "iwildcam_v2.0/metadata.csv"
    table = pl.read_csv(path, infer_schema=False)
    moved = table.filter(split="train").head(1).with_columns(split=pl.lit("test"))
    pl.concat([table, moved]).write_csv(path)
    (finding,) = check(tmp_path, iwildcam).findings
    assert finding.kind == "data that cannot be loaded" and "train-00.jpg" in finding.sentence


def test_the_classes_of_training_and_of_the_test_are_compared(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    add_class(root, "flies", ("test",))
    add_class(root, "moths", ("train",))
    checked = check(root)
    assert (checked.n_classes, checked.n_train_classes, checked.n_test_classes) == (5, 4, 4)
    assert checked.shared_classes == CLASSES


def test_a_missing_picture_is_counted_and_the_rest_is_looked_at(tmp_path):
    worlds.iwildcam(tmp_path)
    (tmp_path / "iwildcam_v2.0/train/test-03.jpg").unlink()
    (tmp_path / "iwildcam_v2.0/train/train-03.jpg").write_bytes(b"")
    found = {one.kind: one for one in check(tmp_path, iwildcam).findings}
    assert found["pictures that are missing"].n == 1
    assert "test-03.jpg" in found["pictures that are missing"].sentence
    assert found["pictures that cannot be decoded"].n == 1


def test_counts_that_are_not_the_published_ones_are_trouble_and_others_are_not(
    tmp_path, monkeypatch
):
    worlds.plantnet(tmp_path)
    kind = "counts that differ from the published ones"
    found = {one.kind: one for one in check(tmp_path, plantnet).findings}
    assert found[kind].n == 4 and found[kind].is_trouble
    assert "17 pictures in 'train' instead of 243,916" in found[kind].sentence
    # A class that only the test has is legal in published data.
    assert not found["test classes that training lacks"].is_trouble
    counts = {"train": 17, "val": 15, "test": 4}
    expected = dataclasses.replace(plantnet.EXPECTED, images=counts, classes=4)
    monkeypatch.setattr(plantnet, "EXPECTED", expected)
    assert kind not in {one.kind for one in check(tmp_path, plantnet).findings}


def test_what_is_only_there_to_be_rejected_is_not_counted_as_a_class(tmp_path):
    rows = [("train", "a"), ("train", "b"), ("test", "a"), ("test", UNKNOWN), ("odd", "plain")]
    names = [f"{i}.png" for i in range(len(rows))]
    table = pl.DataFrame(rows, schema=["split", "label"], orient="row")
    table = table.with_columns(pl.Series("image", names), pl.Series("example", names))
    for i, name in enumerate(names):
        make_scene(i).save(tmp_path / name)
    task = types.ModuleType("fungi")
    task.EXPECTED = Expected(classes=2, source="a paper")
    task.load = lambda args: Manifest.build(tmp_path, table, source="fungi")
    task.protocol = lambda args: evaluate.Protocol(
        "Fungi", "openset", "mean-score", also_score=("odd",)
    )
    task.Args = folder.Args
    found = {one.kind for one in check(tmp_path, task).findings}
    assert found == {"rare classes", "training classes that the test lacks"}
    task.EXPECTED = Expected(classes=3, source="a paper")
    (finding,) = check(tmp_path, task).troubles
    assert "2 classes instead of 3 (a paper)" in finding.sentence


def test_a_picture_of_one_question_may_serve_another_on_the_other_side(tmp_path):
    worlds.newt(tmp_path)
    labels = pl.read_csv(tmp_path / "newt2021_labels.csv", infer_schema=False)
    first = labels.filter(task="day_night", split="train").head(1)
    moved = first.with_columns(task=pl.lit("n"), split=pl.lit("test"))
    pl.concat([labels, moved]).write_csv(tmp_path / "newt2021_labels.csv")
    assert SHARED not in {one.kind for one in check(tmp_path, newt).findings}


def test_every_task_has_counts_that_check_can_hold():
    for name in registry.list_tasks():
        module = registry.load_task(name)
        if name != "folder":
            assert module.EXPECTED.source


def test_a_sample_is_drawn_from_the_seed_and_what_it_finds_is_not_kept(good, tmp_path, monkeypatch):
    root = shutil.copytree(good, tmp_path / "data")
    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path / "cache"))
    checked = check(root, fast=True, sample=5)
    assert (checked.n_pictures, checked.n_read) == (27, 5)
    other = root.rename(tmp_path / "elsewhere")
    assert check(other, fast=True, sample=5) == checked
    root = other.rename(root)
    assert not (contents.contents_root() / "checks").exists()
    # Once all contents are known, it is kept, until every picture was decoded.
    contents.hash_files(root, [p.relative_to(root).as_posix() for p in root.rglob("*.png")])
    check(root, fast=True, sample=5)
    digest = folder.load(folder.Args(datadir=str(root))).digest()
    assert kept.recall(digest).n_read == 5
    check(root)
    check(root, fast=True, sample=5)
    assert kept.recall(digest).n_read == 27


def run(root):
    args = folder.Args(datadir=str(root), device="cpu", n_workers=0, probe="simpleshot")
    return folder.benchmark(args, ("baseline", "color-hist"))


def test_what_was_found_stands_in_later_reports_until_the_data_change(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    add_near(root)
    assert run(root)[1].provenance.checked == {}
    checked = check(root)
    provenance = run(root)[1].provenance
    (finding,) = checked.findings
    assert provenance.checked == {
        "n_pictures": 28,
        "n_read": 28,
        "findings": [dataclasses.asdict(finding)],
    }
    assert provenance.warnings == [f"biobench check: {finding.sentence}"]
    make_scene(99).save(root / "test/ants/near.jpg")
    provenance = run(root)[1].provenance
    assert provenance.checked == {} and provenance.warnings == []


def test_a_trouble_that_a_run_finds_itself_is_said_once(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    FAULTS["a copy"][0](root)
    check(root)
    provenance = run(root)[1].provenance
    assert len(provenance.warnings) == 1 and provenance.counts[SHARED] == 1
    assert provenance.checked["findings"][0]["kind"] == SHARED


def test_a_damaged_record_of_a_check_is_no_record(good):
    check(good)
    digest = folder.load(folder.Args(datadir=str(good))).digest()
    (path,) = (contents.contents_root() / "checks").iterdir()
    assert path.stem == digest and kept.recall(digest) is not None
    path.write_text(path.read_text()[:-9])
    assert kept.recall(digest) is None


def test_the_command_says_what_it_found_and_exits_by_it(good, tmp_path, capsys):
    assert main(["check", "folder", "--data", str(good)]) == 0
    assert "no trouble found" in capsys.readouterr().out
    root = shutil.copytree(good, tmp_path / "data")
    spoil(root)
    assert main(["check", "folder", "--data", str(root), "--format", "json"]) == 1
    (one,) = json.load(io.StringIO(capsys.readouterr().out))
    assert one["task"] == "folder" and one["data"] == str(root)
    assert [(f["kind"], f["n"]) for f in one["findings"]] == [
        ("pictures that cannot be decoded", 1)
    ]
    assert main(["check", "folder", "--data", str(root)]) == 1
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "1 of 27 pictures that were read cannot be decoded (train/bees/0.png: damaged" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["insects", "--data", "."], "insects"),
        (["--data", "."], "Name one"),
        (["folder", "--data", "nowhere"], "There is no folder nowhere"),
    ],
)
def test_bad_usage_is_said_in_one_sentence(arguments, message, capsys):
    assert main(["check", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_table_with_columns_of_other_names_is_checked_as_a_run_reads_it(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    table = write_table(root).rename(root / "mine.csv")
    text = table.read_text().replace("path,label", "Bild,Art", 1)
    table.write_text(text)
    arguments = ["check", "folder", "--data", str(table), "--columns", "path=Bild", "label=Art"]
    assert main(arguments) == 0


def test_a_report_with_a_check_is_stored_and_read(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    add_near(root)
    check(root)
    model, report = run(root)
    path = results.write_run(tmp_path / "results", "folder", model, report)
    assert results.read_report(path)["provenance"]["checked"] == report.provenance.checked


def test_boxes_that_cannot_be_cropped_are_listed_before_a_run(good, tmp_path):
    root = shutil.copytree(good, tmp_path / "data")
    table = pl.read_csv(write_table(root))
    boxes = [[0, 0, 10, 10]] * table.height
    boxes[:3] = [0, 0, 0, 10], [72, 0, 10, 10], [71, 59, 10, 10]
    path = root / "boxes.parquet"
    table.with_columns(box=pl.Series(boxes)).write_parquet(path)
    found = check(path)
    (one,) = [f for f in found.findings if f.kind == "boxes that cannot be cropped"]
    assert one.n == 2 and not one.is_trouble
    assert f"2 of {table.height} boxes" in one.sentence and "outside of 72 x 60" in one.sentence
