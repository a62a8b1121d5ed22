"""What is said of a plan's runs after it: counts, small classes by name, what was left out."""

import dataclasses

from biobench import report, results
from results_world import GOOD, make_report

LEFT_OUT = [
    {"path": f"ants/{name}", "reason": "files that are not pictures"}
    for name in ("a.txt", "b.txt", "c.txt", "d.txt")
]


def write(root, task="birds", *, model=GOOD, counts=None, left_out=(), skipped=(), **properties):
    made = make_report(backbone=model, **properties)
    counts = {"n_train": 40, "n_test": len(made.examples)} | (counts or {})
    provenance = dataclasses.replace(
        made.provenance, counts=counts, left_out=list(left_out), skipped=list(skipped)
    )
    made = dataclasses.replace(made, provenance=provenance)
    return results.write_run(root, task, tuple(model.split(":", 1)), made)


def test_training_and_test_examples_and_classes_are_counted(tmp_path):
    assert report.describe_runs([write(tmp_path, n=200)]) == [
        "birds: 40 training examples, 200 test examples, 4 classes"
    ]


def test_classes_too_small_to_judge_are_named_with_their_counts_the_smallest_first(tmp_path):
    _, small = report.describe_runs([write(tmp_path, n=38)])
    assert small == (
        "  too small to judge one by one, under 10 test examples (2 of 4): "
        "cicada (9), dragonfly (9)"
    )


def test_where_there_are_groups_they_are_what_a_class_is_counted_in(tmp_path):
    first, small = report.describe_runs([write(tmp_path, n=200, n_groups=12)])
    assert "in 12 groups" in first
    assert "under 10 cameras, videos or specimens (all classes): ant (3), bee (3)" in small


def test_what_was_left_out_is_said_with_its_reason_and_first_names(tmp_path):
    counts = {"files that are not pictures": 4, "rows without a label": 2, "n_images": 9}
    skipped = [{"image": "x.jpg", "split": "test", "reason": "truncated"}]
    run = write(tmp_path, n=200, counts=counts, left_out=LEFT_OUT, skipped=skipped)
    assert report.describe_runs([run])[1:] == [
        "  left out, files that are not pictures (4): ants/a.txt, ants/b.txt, ants/c.txt "
        "and 1 more",
        "  also counted: rows without a label (2)",
        "  not readable, truncated (1): x.jpg",
    ]


def test_a_data_set_is_described_once_however_many_models_and_seeds_ran_on_it(tmp_path):
    runs = [
        write(tmp_path, model=model, n=200, training_seed=seed)
        for model in (GOOD, "timm:b")
        for seed in (1, 2)
    ]
    runs.append(write(tmp_path, "moths", n=200, manifest="other"))
    lines = report.describe_runs(runs)
    assert [line.split(":")[0] for line in lines] == ["birds", "moths"]


def test_a_run_that_is_gone_is_passed_over(tmp_path):
    run = write(tmp_path, n=200)
    assert len(report.describe_runs([tmp_path / "absent", run])) == 1
