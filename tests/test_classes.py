"""Zero-shot runs equal a plain loop over the library's own calls, from a folder to the table."""

import dataclasses
import json
import pathlib
import re

import hypothesis
import numpy as np
import open_clip
import polars as pl
import pytest
import torch
from hypothesis import strategies as st
from PIL import Image

import reading_models
import suite_worlds
import worlds
from biobench import _classes, cli, evaluate, folder, launch, registry, results
from biobench.errors import BadInput
from biobench.features import BackboneSource, TextSource
from biobench.launch.cell import run_cell
from biobench.third_party_models import OpenClip

LABELS = ["fox", "lynx", "moth", "wolf"]
NAMES = """label,scientific,common,family,genus
fox,Vulpes vulpes,red fox,Canidae,Vulpes
lynx,Lynx lynx,Eurasian lynx,Felidae,Lynx
moth,Bombyx mori,silk moth,Bombycidae,Bombyx
wolf,Canis lupus,grey wolf,Canidae,Canis
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("zero")
    files = reading_models.save_models(root)
    reading_models.write_pictures(root / "pictures", LABELS)
    (root / "names.csv").write_text(NAMES)
    (root / "region.txt").write_text("Vulpes vulpes\ngrey wolf\nlynx\n")
    return root, files


def make_args(world, **given):
    root, _ = world
    given = {"datadir": str(root / "pictures"), "names": str(root / "names.csv"), **given}
    options = dict(probe="zero-shot", templates="simple", device="cpu", n_workers=0)
    return folder.Args(**{**options, **given})


def run(world, arch="reads-clip", **given):
    _, files = world
    args = make_args(world, **given)
    _, report = folder.benchmark(args, ("open-clip", f"local:{arch}/{files[arch]}"))
    return report, results.to_table(report.examples)


def loop_plainly(world, arch, called, templates):
    """The logits of each picture over its class's mean prompt, by OpenCLIP's own calls alone."""
    root, files = world
    model, _, transform = open_clip.create_model_and_transforms(arch, pretrained=str(files[arch]))
    model.eval()
    tokenizer = open_clip.get_tokenizer(arch)
    found = {}
    with torch.no_grad():
        weights = open_clip.build_zero_shot_classifier(model, tokenizer, called, templates)
        for path in sorted((root / "pictures").rglob("*.png")):
            pixels = transform(Image.open(path))[None]
            logits = model.logit_scale.exp() * model.encode_image(pixels, normalize=True) @ weights
            if model.logit_bias is not None:
                logits += model.logit_bias
            found[path.relative_to(root / "pictures").as_posix()] = logits[0].double().numpy()
    return found


@pytest.mark.parametrize("arch", sorted(reading_models.MODELS))
def test_a_run_equals_a_plain_loop_over_openclips_own_calls(world, arch):
    report, table = run(world, arch, prompt="scientific", metrics=["brier", "accuracy"])
    called = ["Vulpes vulpes", "Lynx lynx", "Bombyx mori", "Canis lupus"]
    own = loop_plainly(world, arch, called, open_clip.SIMPLE_IMAGENET_TEMPLATES)
    assert table.height == len(own) == 16 and table["y_pred"].n_unique() > 1
    for row in table.rows(named=True):
        logits = own[row["example"]]
        order = np.argsort(-logits)
        assert row["y_pred"] == LABELS[order[0]]
        assert row["top_labels"] == [LABELS[i] for i in order]
        np.testing.assert_allclose(row["top_scores"], logits[order], atol=1e-4)
        p = np.exp(logits - logits.max())
        if arch == "reads-sig":
            p = 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose(row["probability"], (p / p.sum()).max(), atol=1e-5)
    right = [row.split("/")[1] == LABELS[logits.argmax()] for row, logits in own.items()]
    assert report.splits["accuracy"] == pytest.approx(np.mean(right))


TAXA = {
    "family": ["Canidae", "Felidae", "Bombycidae", "Canidae"],
    "order": ["One", "Two", "Two", "Three"],
    "class": ["One", "One", "Two", "Two"],
}


def test_predictions_of_higher_ranks_are_those_of_summed_probabilities(world, tmp_path):
    called = ["red fox", "Eurasian lynx", "silk moth", "grey wolf"]
    table = pl.DataFrame({"label": LABELS, "common": called, **TAXA})
    table.write_csv(tmp_path / "names.csv")
    given = dict(
        names=str(tmp_path / "names.csv"), metrics=[f"rank-accuracy:{rank}" for rank in TAXA]
    )
    report, found = run(world, prompt="common", **given)
    own = loop_plainly(world, "reads-clip", called, open_clip.SIMPLE_IMAGENET_TEMPLATES)
    n_summed = 0
    for rank, taxa in TAXA.items():
        hits = 0
        for row in found.rows(named=True):
            p = torch.tensor(own[row["example"]]).softmax(0).numpy()
            sums = {name: p[[taxon == name for taxon in taxa]].sum() for name in set(taxa)}
            predicted = row[f"y_pred_{rank}"]
            assert predicted == max(sums, key=sums.get)
            n_summed += predicted != taxa[LABELS.index(row["y_pred"])]
            assert row[rank] == taxa[LABELS.index(row["y_true"])]
            hits += predicted == row[rank]
        assert report.splits[f"rank-accuracy:{rank}"] == hits / 16
    assert n_summed, "the sums decide somewhere, or this test could not fail"


def test_prompts_may_be_none_but_the_name(world):
    _, table = run(world, prompt="common", templates="none")
    own = loop_plainly(
        world, "reads-clip", ["red fox", "Eurasian lynx", "silk moth", "grey wolf"], ["{}"]
    )
    for row in table.rows(named=True):
        assert row["y_pred"] == LABELS[own[row["example"]].argmax()]


def test_candidates_restrict_what_is_predicted_and_lose_no_picture(world):
    root, _ = world
    report, table = run(world, candidates=str(root / "region.txt"))
    assert table.height == 16
    assert set(table["top_labels"].explode()) == {"fox", "wolf", "lynx"}
    assert table.filter(y_true="moth")["score"].sum() == 0
    assert report.provenance.counts["test classes that are no candidates"] == 1
    (said,) = [text for text in report.provenance.warnings if "no candidates" in text]
    assert said == (
        "1 classes of the test are no candidates ('moth'): their 4 examples cannot be right."
    )


def test_candidates_may_be_species_that_the_data_lack(world, tmp_path):
    text = "scientific,family\nVulpes vulpes,\nCanis lupus,\nFelis catus,Felidae\nLynx lynx,\n"
    (tmp_path / "region.csv").write_text(text)
    given = dict(prompt="scientific", templates="none", candidates=str(tmp_path / "region.csv"))
    _, table = run(world, **given)
    labels = ["fox", "wolf", "Felis catus", "lynx"]
    called = ["Vulpes vulpes", "Canis lupus", "Felis catus", "Lynx lynx"]
    own = loop_plainly(world, "reads-clip", called, ["{}"])
    for row in table.rows(named=True):
        assert row["y_pred"] == labels[own[row["example"]].argmax()]
    assert (table.filter(y_pred="Felis catus")["score"] == 0).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (dict(pool="mean"), "only the model's own vector will do; leave --pool mean out"),
        (dict(n_train=5), "trained on no picture, so n_train has nothing to choose"),
        (dict(folds_test=3), "trained on no picture, so folds_test has nothing to choose"),
        (dict(probe="ridge"), "--names is for classes that are only named, but the probe 'ridge'"),
        (dict(probe="knn", names="", prompt="common"), "--prompt is for classes that are only"),
        (dict(prompt="taxonomic", names=""), "4 of 4 classes have no taxonomic name"),
        (dict(names="nowhere.csv"), "nowhere.csv: there is no such file"),
    ],
)
def test_options_that_do_not_go_together_are_refused(world, given, said):
    args = make_args(world, **given)
    data = dict(datadir=args.datadir)
    if args.probe == "ridge" or args.probe == "knn" or args.folds_test:
        root, _ = world
        rows = [
            (f"test/{c}/{n}.png", c, s)
            for c in LABELS
            for n, s in zip(range(4), "aabb", strict=True)
        ]
        table = pl.DataFrame(rows, schema=["path", "label", "split"], orient="row")
        split = pl.col("split").replace({"a": "train", "b": "test"})
        table.with_columns(split).write_csv(root / "pictures.csv")
        data = dict(datadir=str(root / "pictures.csv"), root=str(root / "pictures"))
    args = folder.Args(**{**vars(args), **data})
    with pytest.raises(BadInput, match=said):
        evaluate.prepare(folder, args)


def test_labels_without_a_name_are_counted_and_shown(world, tmp_path):
    (tmp_path / "names.csv").write_text("label,common\nfox,fox\nlynx,\nbear,bear\n")
    said = r"no name for 3 of the 4 labels of Folder \('lynx', 'moth', 'wolf'\); add a row for each"
    with pytest.raises(BadInput, match=said):
        evaluate.prepare(folder, make_args(world, names=str(tmp_path / "names.csv")))


def test_labels_that_are_numbers_need_a_table_of_names(tmp_path):
    reading_models.write_pictures(tmp_path, ["17", "18"], 1)
    args = folder.Args(datadir=str(tmp_path), probe="zero-shot", device="cpu")
    said = r"2 labels of Folder name no class \('17', '18'\); say what they are called with --names"
    with pytest.raises(BadInput, match=said):
        evaluate.prepare(folder, args)


def test_labels_that_are_words_are_their_own_names(world):
    report, _ = run(world, names="")
    assert report.provenance.counts["n_prompts"] == 4 * 7
    assert any(
        "4 classes are called as their labels" in text for text in report.provenance.warnings
    )


def test_a_list_without_any_class_of_the_data_is_refused(world, tmp_path):
    (tmp_path / "region.txt").write_text("Ursus arctos\nLutra lutra\n")
    with pytest.raises(BadInput, match=r"region.txt lists no class of Folder \('fox', "):
        evaluate.prepare(folder, make_args(world, candidates=str(tmp_path / "region.txt")))


def test_classes_that_are_called_alike_are_said(world, tmp_path):
    text = NAMES.replace(
        "Canis lupus,grey wolf,Canidae,Canis", "Vulpes vulpes,red fox,Canidae,Vulpes"
    )
    (tmp_path / "names.csv").write_text(text)
    report, table = run(world, names=str(tmp_path / "names.csv"))
    assert report.provenance.counts["classes with the name of another"] == 2
    assert "wolf" not in set(table["y_pred"])


def test_names_that_are_cut_off_to_the_same_are_said(world, tmp_path):
    long = "x1 " * 30
    text = f"label,common\nfox,{long}fox\nlynx,lynx\nmoth,moth\nwolf,{long}wolf\n"
    (tmp_path / "names.csv").write_text(text)
    report, _ = run(world, names=str(tmp_path / "names.csv"), templates="none")
    (said,) = [text for text in report.provenance.warnings if "same vector" in text]
    assert said.startswith("2 names become the same vector as another ('x1 x1")


def test_published_tasks_bring_names_of_their_own(tmp_path, world):
    _, files = world
    model = ("open-clip", f"local:reads-clip/{files['reads-clip']}")
    options = dict(probe="zero-shot", templates="none", device="cpu", n_workers=0)
    root = suite_worlds.draw(tmp_path, "inat21")
    task = registry.load_task("inat21")
    _, report = task.benchmark(task.Args(datadir=str(root), prompt="scientific", **options), model)
    right = [e.info["genus"] == e.info["y_pred_genus"] for e in report.examples]
    assert report.splits["genus-acc"] == np.mean(right)
    task = registry.load_task("newt")
    args = task.Args(datadir=str(worlds.newt(tmp_path / "newt")), **options)
    manifest, classes = _classes.find_classes(task.load(args), task.protocol(args), args)
    words = pl.col("text_label").str.replace_all("_", " ").alias("name")
    called = manifest.table.select("subtask", "label", words).unique()
    assert (
        classes.table.select("subtask", "label", "name")
        .join(called, on=["subtask", "label", "name"], how="anti")
        .is_empty()
    )
    _, report = task.benchmark(args, model)
    assert {example.info["y_pred"] for example in report.examples} <= {"0", "1"}


def test_numbers_may_be_named_by_a_tasks_own_table(tmp_path, world):
    task = registry.load_task("iwildcam")
    root = worlds.iwildcam(tmp_path)
    args = task.Args(datadir=str(root), probe="zero-shot", templates="none", device="cpu")
    with pytest.raises(BadInput, match="labels of iWildCam name no class"):
        evaluate.prepare(task, args)
    numbers = task.load(args).table["label"].unique()
    lines = [f"{i},species {number},{number}" for i, number in enumerate(numbers)]
    (tmp_path / "categories.csv").write_text("\n".join(["category_id,name,y", *lines]))
    args = dataclasses.replace(args, names=str(tmp_path / "categories.csv"))
    described = evaluate.prepare(task, args).protocol["zero_shot"]
    assert described["n_classes"] == len(numbers)


def test_nothing_is_trained_and_no_training_picture_is_read(world, tmp_path):
    root, _ = world
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test").symlink_to(root / "pictures" / "test")
    broken = tmp_path / "data" / "train" / "fox" / "broken.png"
    broken.parent.mkdir(parents=True)
    broken.write_text("no picture")
    report, table = run(world, datadir=str(tmp_path / "data"))
    assert report.provenance.counts["n_train"] == 0 and table["train_count"].sum() == 0
    assert report.provenance.skipped == [] and report.provenance.counts["n_images"] == 16


def test_pictures_without_a_split_are_all_tested(world):
    root, _ = world
    report, table = run(world, datadir=str(root / "pictures" / "test"))
    assert table.height == 16
    assert any("every picture is tested" in text for text in report.provenance.warnings)


def test_a_test_set_alone_is_still_no_data_for_a_probe_that_is_trained(world):
    root, _ = world
    run(world)
    with pytest.raises(BadInput, match="there is no folder 'train' beside it"):
        folder.load(folder.Args(datadir=str(root / "pictures"), probe="knn"))
    with pytest.raises(BadInput, match="there is no folder 'train' beside it"):
        folder.load(folder.Args(datadir=str(root / "pictures")))


def test_what_decides_prompts_is_part_of_a_cell_by_content(world, tmp_path):
    root, _ = world

    def find_digest(**given):
        return evaluate.prepare(folder, make_args(world, **given)).protocol_digest

    (tmp_path / "same.csv").write_text(NAMES)
    (tmp_path / "other.csv").write_text(NAMES.replace("silk moth", "silkworm"))
    plain = find_digest()
    assert find_digest(names=str(tmp_path / "same.csv")) == plain
    others = [
        find_digest(names=str(tmp_path / "other.csv")),
        find_digest(prompt="common"),
        find_digest(templates="bioclip"),
        find_digest(candidates=str(root / "region.txt")),
    ]
    assert len({plain, *others}) == 5


def test_a_models_text_tower_is_part_of_its_digest(world, tmp_path):
    _, files = world
    state = torch.load(files["reads-clip"])
    state["ln_final.bias"] += 0.5
    torch.save(state, tmp_path / "other.pt")
    args = make_args(world)
    one = ("open-clip", f"local:reads-clip/{files['reads-clip']}")
    other = ("open-clip", f"local:reads-clip/{tmp_path / 'other.pt'}")
    plain = folder.Args(device="cpu")
    assert (
        evaluate.get_source(plain, one).describe()["digest"]
        == evaluate.get_source(plain, other).describe()["digest"]
    )
    reading = [evaluate.get_source(args, model).describe()["digest"] for model in (one, other)]
    assert reading[0] != reading[1]


def test_a_second_run_encodes_neither_texts_nor_pictures(world, monkeypatch):
    first, _ = run(world)

    def refuse(*args, **kwargs):
        raise AssertionError("it was known")

    monkeypatch.setattr(TextSource, "_encode_all", refuse)
    monkeypatch.setattr(BackboneSource, "_get_network", refuse)
    again, _ = run(world)
    assert again.examples == first.examples


def test_pictures_and_texts_of_other_spaces_are_refused_before_the_pictures(world, monkeypatch):
    _, files = world

    class Unprojected(OpenClip):
        def img_encode(self, batch):
            encoded = super().img_encode(batch)
            return dataclasses.replace(encoded, img_features=encoded.patch_features.mean(dim=1))

    monkeypatch.setattr(registry.BACKBONES, "registered", {"mine": Unprojected})
    monkeypatch.setattr(BackboneSource, "__call__", None)
    model = ("mine", f"local:reads-clip/{files['reads-clip']}")
    with pytest.raises(BadInput, match="makes 64 numbers of a picture but 24 of a text"):
        folder.benchmark(make_args(world), model)


@pytest.mark.parametrize("model", ["baseline:color-hist", "features:mine"])
def test_a_model_that_does_not_read_is_refused_before_anything_is_run(world, model, capsys):
    root, _ = world
    command = ["run", "--tasks", "folder", "--data", str(root / "pictures"), "--probe", "zero-shot"]
    command += ["--results", str(root / "results"), "--device", "cpu"]
    if model == "features:mine":
        (root / "mine.parquet").write_bytes(b"")
        command += ["--features", str(root / "mine.parquet"), "--name", "mine"]
    else:
        command += ["--models", model]
    assert cli.main(command) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert model in said and "text tower" in said and "open-clip:ViT-B-16/openai" in said


def test_a_cell_is_kept_and_found_again(world, tmp_path):
    root, files = world
    settings = launch.Settings(
        models=[f"open-clip:local:reads-clip/{files['reads-clip']}"],
        tasks=["folder"],
        data=str(root / "pictures"),
        results=str(tmp_path),
        device="cpu",
        args={
            "probe": "zero-shot",
            "names": str(root / "names.csv"),
            "candidates": str(root / "region.txt"),
            "templates": "simple",
        },
    )
    plan = launch.make_plan(settings)
    checked = launch.check(plan)
    (cell,) = plan.cells
    first = run_cell(plan, cell, device="cpu", n_workers=0)
    assert first.state == "done", first.cause
    again = run_cell(plan, cell, device="cpu", n_workers=0)
    assert (again.state, again.run) == ("done", first.run)
    report = results.read_report(tmp_path / first.run)
    described = report["provenance"]["protocol"]["zero_shot"]
    assert described["n_classes"] == 3 and described["templates"] == "simple"
    assert report["provenance"]["fitted"][""]["link"] == "softmax"
    assert launch.checking.find_finished(plan, checked).keys() == {cell.id}
    table = results.read_predictions(tmp_path / first.run)
    assert {"y_pred_family", "family", "probability"} <= set(table.columns)
    assert json.loads(checked[cell.id].protocol)["zero_shot"] == described


@hypothesis.given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=2, max_size=9))
def test_probabilities_sum_into_what_is_known_of_a_rank(taxa):
    hypothesis.assume(any(taxa))
    labels = [f"class {i}" for i in range(len(taxa))]
    rows = pl.DataFrame({"label": labels, "genus": taxa}, schema_overrides={"genus": pl.String})
    found, member = _classes._make_sum(rows, np.array(labels), "genus")
    p = np.random.default_rng(0).dirichlet(np.ones(len(taxa)), size=3)
    expected = [p[:, [taxon == name for taxon in taxa]].sum(axis=1) for name in found]
    assert set(found) == set(taxa) - {None}
    np.testing.assert_allclose((p @ member).T, expected)


def test_the_printed_tower_runs():
    page = pathlib.Path(__file__).parents[1] / "docs" / "zero-shot.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)
    exec(compile(block, str(page), "exec"), {"__name__": "printed"})
