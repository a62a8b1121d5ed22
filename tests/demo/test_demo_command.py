"""`biobench demo`, as a newcomer runs it: the leaderboard tells the pretrained network from the
floors on every task, by more than the intervals.
"""

import json
import pathlib

import polars as pl
import pytest

from biobench import results
from biobench.cli import main
from biobench.commands.demonstrating import MODELS
from biobench.demo.world import FOLDERS as TASKS

PRETRAINED, *FLOORS = MODELS


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        assert main(["demo", "--out", str(out)]) == 0
    return out


@pytest.fixture
def board(demo, capsys):
    assert main(["leaderboard", "--results", str(demo / "results"), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_backbone_has_a_score_with_its_interval_on_every_task_and_on_the_mean(board):
    cells = {(row["model"], row["task"]) for row in board}
    assert cells == {(model, task) for model in MODELS for task in [*TASKS, "mean"]}
    for row in board:
        low, high = row["ci"]
        assert 0 <= low <= row["score"] <= high <= 1
        assert row["n"] > 0


@pytest.mark.parametrize("task", TASKS)
def test_the_pretrained_network_beats_every_floor_by_more_than_the_intervals(task, board):
    ci = {row["model"]: row["ci"] for row in board if row["task"] == task}
    for floor in FLOORS:
        assert ci[PRETRAINED][0] > ci[floor][1], f"{floor}: {ci}"


@pytest.mark.parametrize("task", TASKS)
def test_a_score_is_that_of_the_predictions_beside_it(task, demo, board):
    for row in board:
        if row["task"] == task:
            predictions = results.read_predictions(pathlib.Path(row["run"]))
            assert predictions.height > 0
            if task in ("newt", "kabr"):
                assert row["score"] == pytest.approx(predictions["score"].mean())
            else:
                assert predictions.filter(pl.col("score") == 1).height > 0


def test_the_page_shows_every_model(demo):
    (page,) = (demo / "site").glob("index.html")
    text = page.read_text()
    assert all(model in text for model in MODELS)
