"""Further metrics from run to leaderboard: computed, kept, and computed again from the files."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import sklearn.metrics
from sklearn.preprocessing import label_binarize

import worlds
from biobench import _predicting, evaluate, folder, iwildcam, metrics, results
from biobench.cli import main
from biobench.errors import BadInput

MODELS = (("baseline", "color-hist"), ("baseline", "hog"))
ASKED = ["ece", "brier", "mean-average-precision", "macro-auroc", "rank-accuracy:genus"]
ASKED += ["top5-accuracy", "open-set-auroc", "taxonomic-distance:genus"]
GENUS = {"redstart": "Setophaga", "ovenbird": "Seiurus", "warbler": "Setophaga", "owl": "Strix"}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Four species by five cameras; the owl is never trained on."""
    root = tmp_path_factory.mktemp("pictures")
    rows = []
    for k, label in enumerate(GENUS):
        for i in range(18 if label != "owl" else 5):
            path = f"{label}/{i:02d}.png"
            # Every fourth picture shows the colours of the next species.
            worlds.draw(root / path, (k + (i % 4 == 0)) % 4, i + 100 * k, size=(16, 12))
            split = "test" if i % 2 == 0 or label == "owl" else "train"
            rows.append({"path": path, "label": label, "split": split, "genus": GENUS[label]})
            rows[-1]["group"] = f"camera-{i % 5}"
    worlds.write_csv(root / "birds.csv", rows)
    return root / "birds.csv"


def run(table, model=MODELS[0], **kwargs):
    own = {"datadir": str(table), "device": "cpu", "n_workers": 0, "metrics": ASKED, **kwargs}
    return folder.benchmark(folder.Args(**own), model)[1]


@pytest.fixture(scope="module")
def report(table):
    return run(table)


@pytest.fixture(scope="module")
def root(table, report, tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    results.write_run(root, "birds", MODELS[0], report)
    results.write_run(root, "birds", MODELS[1], run(table, MODELS[1]))
    return root


def test_what_was_asked_for_is_reported_beside_the_score(report):
    assert set(ASKED) < set(report.splits)
    for name in ASKED:
        assert report.splits[name] == metrics.get_metric(name)(report.examples)
    right = [e.info["y_true"] in e.info["top_labels"] for e in report.examples]
    assert report.splits["top5-accuracy"] == np.mean(right)
    same = [GENUS[e.info["y_true"]] == GENUS[e.info["y_pred"]] for e in report.examples]
    assert report.splits["rank-accuracy:genus"] == np.mean(same)


def test_every_metric_is_computed_again_from_the_files_alone(root, report):
    run = results.find_run(root, "birds", MODELS[0], *identity(report))
    for name in ASKED:
        metric = metrics.get_metric(name)
        read = results.read_for_metric(run, metric)
        found = metric(results.to_examples(read))
        assert found == pytest.approx(report.splits[name], abs=1e-12), name


def identity(report):
    return report.provenance.protocol_digest(), report.provenance.backbone["digest"]


def test_scores_of_all_classes_are_kept_in_half_precision_beside_the_predictions(root, report):
    run = results.find_run(root, "birds", MODELS[0], *identity(report))
    assert pl.read_parquet_schema(run / "scores.parquet")["class_scores"] == pl.List(pl.Float16)
    scores, predictions = results.read_scores(run), results.read_predictions(run)
    assert scores["example"].to_list() == predictions["example"].to_list()
    assert not {"class_scores", "class_labels"} & set(predictions.columns)
    classes = json.loads(scores["class_labels"][0])
    assert classes == ["ovenbird", "redstart", "warbler"]
    matrix = np.array(scores["class_scores"].to_list())
    best = np.array(predictions["top_scores"].to_list())
    assert np.allclose(-np.sort(-matrix, axis=1), best, rtol=1e-3)
    truth = np.array(predictions["y_true"].to_list())
    known = label_binarize(truth, classes=[*classes, "owl"])[:, :3]
    parts = [sklearn.metrics.average_precision_score(known[:, c], matrix[:, c]) for c in range(3)]
    # No score of the owl's is above another's: its precision is its share.
    expected = np.mean([*parts, np.mean(truth == "owl")])
    assert report.splits["mean-average-precision"] == pytest.approx(expected, abs=1e-9)


def test_scores_that_were_changed_are_neither_read_nor_imported(root, report, tmp_path):
    run = results.find_run(root, "birds", MODELS[0], *identity(report))
    copy = tmp_path / "theirs" / run.relative_to(root)
    shutil.copytree(run, copy)
    assert results.import_folder(tmp_path / "theirs", tmp_path / "imported").n_imported == 1
    assert results.read_scores(copy).height
    scores = pl.read_parquet(copy / "scores.parquet")
    scores.with_columns(pl.col("class_scores").reverse()).write_parquet(copy / "scores.parquet")
    with pytest.raises(BadInput, match=r"scores\.parquet is not the file that was written"):
        results.read_scores(copy)
    with pytest.raises(BadInput, match="is not the file that was written"):
        results.read_for_metric(copy, metrics.get_metric("mean-average-precision"))
    assert results.read_for_metric(copy, metrics.get_metric("top5-accuracy")).height
    (problem,) = results.import_folder(tmp_path / "theirs", tmp_path / "again").problems
    assert "scores.parquet is not the file that was written" in problem.reason


def test_a_run_that_is_asked_for_nothing_keeps_nothing_more_and_is_the_cell_that_it_was(table):
    plain = run(table, metrics=[])
    assert "metrics" not in plain.provenance.protocol
    assert not {"probability", "brier", "class_scores"} & set(plain.examples[0].info)
    asked = run(table)
    assert asked.get_mean_score() == plain.get_mean_score()
    assert asked.provenance.protocol_digest() != plain.provenance.protocol_digest()


def say(capsys, *words):
    code = main([str(word) for word in words])
    return code, *capsys.readouterr()


@pytest.mark.parametrize("name", [*ASKED, "average-precision:warbler"])
def test_the_leaderboard_scores_stored_predictions_anew(root, report, capsys, name):
    words = ["--results", root, "--metric", name, "--format", "json"]
    code, out, err = say(capsys, "leaderboard", *words)
    assert code == 0 and err == ""
    rows = {row["model"]: row for row in json.loads(out)}
    own = rows["baseline:color-hist"]
    assert own["score"] == pytest.approx(metrics.get_metric(name)(report.examples), abs=1e-9)
    assert own["ci"][0] <= own["score"] <= own["ci"][1]
    best = min if metrics.is_better_low(metrics.get_metric(name)) else max
    first = best(rows.values(), key=lambda row: row["score"])
    assert first["rank"] == 1 and first["tied_with_best"]


def test_compare_scores_stored_predictions_anew_by_a_table_of_costs(root, report, capsys, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text("truth,prediction,cost\nowl,*,5\n*,*,1\n")
    names = [":".join(model) for model in MODELS]
    words = ["--results", root, "--metric", f"expected-cost:{costs}", "--format", "json"]
    code, out, _ = say(capsys, "compare", *names, *words)
    (row,) = json.loads(out)
    wrong = [e for e in report.examples if e.info["y_true"] != e.info["y_pred"]]
    cost = sum(5 if e.info["y_true"] == "owl" else 1 for e in wrong) / len(report.examples)
    assert code == 0 and row["score_a"] == pytest.approx(cost)
    assert row["ci"][0] <= row["difference"] <= row["ci"][1]


def test_the_table_says_which_metric_it_shows_and_breaks_it_down(root, capsys):
    _, out, _ = say(capsys, "leaderboard", "--results", root, "--metric", "brier")
    assert "Score: brier, low is good; below it 95% interval." in out
    words = ["--metric", "mean-average-precision", "--by", "class", "--format", "json"]
    code, out, _ = say(capsys, "leaderboard", "--results", root, *words)
    assert code == 0 and {row["value"] for row in json.loads(out)} == set(GENUS)


def test_a_run_that_keeps_too_little_is_named_and_left_out(root, table, capsys, tmp_path):
    results.write_run(tmp_path, "birds", MODELS[0], run(table, metrics=[]))
    words = ["--results", tmp_path, "--metric", "macro-auroc"]
    code, _, err = say(capsys, "leaderboard", *words)
    assert code == 2 and "keeps no scores of all classes" in err and "--metrics macro-auroc" in err
    results.write_run(tmp_path, "birds", MODELS[1], run(table, MODELS[1]))
    code, out, err = say(capsys, "leaderboard", *words, "--format", "json")
    assert code == 0 and [row["model"] for row in json.loads(out)] == ["baseline:hog"]
    assert "color-hist" in err and "keeps no scores" in err
    # Without the metric the two runs stand in one column, for they differ in what they keep only.
    code, out, _ = say(capsys, "leaderboard", "--results", tmp_path, "--format", "json")
    assert {row["task"] for row in json.loads(out)} == {"birds"}


def test_more_scores_than_a_run_keeps_are_said(table, monkeypatch):
    monkeypatch.setattr(_predicting, "MAX_SCORES", 10)
    report = run(table, metrics=["macro-auroc", "brier"])
    assert "brier" in report.splits and "macro-auroc" not in report.splits
    assert any("more than the 10 that are kept" in text for text in report.provenance.warnings)
    assert any("macro-auroc" in text for text in report.provenance.warnings)


def test_a_metric_that_cannot_be_is_refused_before_any_picture_is_read(table):
    args = folder.Args(datadir=str(table), device="cpu", metrics=["brier", "brihgtness"])
    with pytest.raises(BadInput, match="Unknown metric 'brihgtness'"):
        evaluate.prepare(folder, args)
    args = folder.Args(datadir=str(table), device="cpu", metrics=["rank-accuracy:family"])
    with pytest.raises(BadInput, match="no column 'family'"):
        evaluate.prepare(folder, args)


def test_folds_by_group_keep_cameras_whole_and_are_part_of_the_protocol(table, tmp_path):
    report = run(table, folds="group", probe="ridge", metrics=[])
    described = report.provenance.protocol["probe_params"]
    assert described["cv"]["kind"] == "group" and described["scoring"] == "accuracy"
    worlds.folder(tmp_path / "insects")
    args = folder.Args(datadir=str(tmp_path / "insects"), device="cpu", folds="group")
    with pytest.raises(BadInput, match="needs groups"):
        evaluate.prepare(folder, args)


def test_a_penalty_at_the_end_of_its_grid_is_a_warning_of_the_report(tmp_path):
    root = worlds.iwildcam(tmp_path / "wild")
    args = iwildcam.Args(datadir=str(root), device="cpu", n_workers=0)
    _, report = iwildcam.benchmark(args, MODELS[0])
    at_end = report.provenance.fitted[""]["alpha"] in (2.0**-20, 2.0**10)
    said = any("alpha is the" in text for text in report.provenance.warnings)
    assert said == at_end


def test_choices_at_the_end_of_their_range_are_counted_and_named_over_subtasks():
    from biobench.probes import ProbeOutput, Problem

    x, y = np.zeros((2, 1)), np.array(["a", "b"])
    problems = [Problem(x, y, x, f"task-{i}") for i in range(12)]
    edges = [{"C": "highest"}] * 10 + [{}, {"C": "lowest"}]
    outputs = [ProbeOutput(y, None, None, {"C": 9.0}, one) for one in edges]
    high, low = _predicting._warn_of_edges(problems, outputs)
    assert "In 10 of 12 subtasks the probe's C is the highest of its range" in high
    assert "task-0, task-1" in high and "and 2 more" in high
    assert "In 1 of 12" in low and "(task-11)" in low
    (alone,) = _predicting._warn_of_edges(problems[:1], outputs[:1])
    assert alone == "The probe's C is the highest of its range, 9: a better one may lie beyond."
