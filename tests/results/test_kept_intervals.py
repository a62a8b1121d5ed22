import dataclasses

from biobench import results
from biobench.metrics import MeanScore
from results_world import make_report

MODEL = ("timm", "a")


def keep(tmp_path, report):
    return results.read_report(results.write_run(tmp_path, "insects", MODEL, report))


def test_examples_without_groups_have_one_interval(tmp_path):
    kept = keep(tmp_path, make_report())
    assert kept["ci"] is not None and kept["group_ci"] is None and kept["n_groups"] is None


def test_groups_that_are_all_wrong_or_all_right_widen_the_interval(tmp_path):
    report = make_report(n=80, n_groups=8)
    examples = [
        dataclasses.replace(example, score=float(int(example.info["group"][-1]) < 4))
        for example in report.examples
    ]
    kept = keep(tmp_path, dataclasses.replace(report, examples=examples))
    assert kept["n_groups"] == 8
    assert kept["group_ci"][0] < kept["ci"][0] < 0.5 < kept["ci"][1] < kept["group_ci"][1]


def test_groups_of_one_example_each_are_no_groups(tmp_path):
    kept = keep(tmp_path, make_report(n=12, n_groups=12))
    assert kept["group_ci"] is None and kept["n_groups"] is None


def test_a_callable_and_the_metric_it_copies_have_the_same_interval(tmp_path):
    report = make_report()
    copy = dataclasses.replace(report, calc_mean_score=lambda examples: MeanScore()(examples))
    assert keep(tmp_path, copy)["ci"] == keep(tmp_path, report)["ci"]


def test_a_callable_over_groups_is_warned_about(tmp_path):
    report = dataclasses.replace(make_report(n_groups=5), calc_mean_score=lambda examples: 0.5)
    kept = keep(tmp_path, report)
    assert kept["group_ci"] is None
    assert any("independent" in warning for warning in kept["warnings"])


def test_the_report_s_own_warnings_are_kept(tmp_path):
    report = make_report()
    provenance = dataclasses.replace(report.provenance, warnings=["Fewer folds than asked for."])
    kept = keep(tmp_path, dataclasses.replace(report, provenance=provenance))
    assert kept["warnings"][0] == "Fewer folds than asked for."
