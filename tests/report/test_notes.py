import dataclasses

from biobench import report, results
from results_world import make_report, tell


def warn(keep, model, *warnings):
    made = make_report(backbone=model)
    provenance = dataclasses.replace(made.provenance, warnings=list(warnings))
    made = dataclasses.replace(made, provenance=provenance)
    results.write_run(keep.root, "birds", tuple(model.split(":")), made)


def test_one_warning_of_several_runs_is_said_once(keep):
    for name in "abc":
        warn(keep, f"timm:{name}", "Fewer folds than asked for.")
    (note,) = [n for n in tell(report.leaderboard(keep.root)) if n.startswith("Warning")]
    assert note == "Warning (birds): Fewer folds than asked for."
    keep("birds", "timm:d", backbone="timm:d")
    (note,) = [n for n in tell(report.leaderboard(keep.root)) if n.startswith("Warning")]
    assert note == (
        "Warning (birds of timm:a, birds of timm:b and 1 more): Fewer folds than asked for."
    )


def test_many_warnings_are_cut_and_counted(keep):
    warn(keep, "timm:a", *(f"Warning number {i}." for i in range(9)))
    notes = [n for n in tell(report.leaderboard(keep.root)) if n.startswith("Warning")]
    assert len(notes) == 7 and notes[-1].startswith("Warnings: 3 more")
