"""The tutorial runs from top to bottom, and what it shows is true."""

import pathlib
import runpy
import tempfile

import polars as pl
import pytest

from biobench import registry

TUTORIAL = pathlib.Path(__file__).parents[1] / "notebooks" / "tutorial.py"


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Every name that the tutorial defines, after it ran."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tutorial")))
        patch.setenv("BIOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        _, names = runpy.run_path(str(TUTORIAL))["app"].run()
    yield names
    registry.BACKBONES.registered.pop("tutorial", None)


def test_the_doctor_finds_nothing_wrong_with_the_tutorials_backbone(shown):
    assert "fail" not in shown["checks"]["status"]


def test_every_score_stands_in_its_interval_and_is_the_mean_over_the_examples(shown):
    for row, report in zip(
        shown["scores"].rows(named=True), shown["reports"].values(), strict=True
    ):
        assert row["ci_low"] <= row["score"] <= row["ci_high"]
        assert row["score"] == pytest.approx(
            sum(example.score for example in report.examples) / row["n"]
        )
        assert row["n"] == 4 * 20


def test_the_splits_are_the_means_over_each_clusters_tasks(shown):
    tasks = shown["both"].group_by("cluster", "subtask").agg(pl.col("score").mean())
    expected = dict(tasks.group_by("cluster").agg(pl.col("score").mean()).iter_rows())
    found = dict(shown["splits"].select("split", "colour grid").iter_rows())
    assert found.pop("task-mean") == pytest.approx(tasks["score"].mean())
    assert found == pytest.approx(expected)


def test_the_pictures_called_wrong_are_those_predicted_otherwise(shown):
    wrong = shown["wrong"]
    assert wrong.height == (shown["both"]["y_true"] != shown["both"]["y_pred"]).sum()
    assert (wrong["y_true"] != wrong["y_pred"]).all()


def test_the_pictures_on_which_the_models_differ_make_up_the_difference_of_their_scores(shown):
    better, worse = shown["differing"].values()
    grid, trained = shown["scores"].sort("model", descending=True).rows(named=True)
    assert grid["model"] == "tutorial:4"
    assert (better - worse) / grid["n"] == pytest.approx(trained["score"] - grid["score"])
