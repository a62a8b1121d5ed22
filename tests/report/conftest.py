import pytest

from biobench import results
from results_world import CLOSE, GOOD, POOR, START, make_report

ACCURACY = {GOOD: 0.9, CLOSE: 0.88, POOR: 0.4}


@pytest.fixture
def keep(tmp_path):
    """Write a run into the results folder `keep.root`."""

    def keep(task, model, *, age=0.0, **properties):
        properties = {"accuracy": ACCURACY.get(model, 0.5), "backbone": model} | properties
        report = make_report(posix_time=START - age, **properties)
        return results.write_run(keep.root, task, tuple(model.split(":", 1)), report)

    keep.root = tmp_path / "results"
    keep.root.mkdir()
    return keep


@pytest.fixture
def suite(keep):
    """Three models on three tasks, one of which has groups; `baseline:poor` lacks `flowers`."""
    for task, metric, n_groups in (
        ("birds", "mean-score", None),
        ("flowers", "macro-f1", None),
        ("mammals", "macro-accuracy", 40),
    ):
        for model in (GOOD, CLOSE, POOR):
            if (task, model) != ("flowers", POOR):
                seed = len(task + model)
                keep(task, model, n=200, metric=metric, n_groups=n_groups, manifest=task, seed=seed)
    return keep.root
