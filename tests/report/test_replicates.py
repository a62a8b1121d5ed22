"""Runs that differ in their seed alone: one row, one column, one score."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from biobench import report, results, stats
from biobench.metrics import get_metric
from biobench.report.selection import select
from biobench.results.store import write_folder
from results_world import GOOD, POOR, tell
from site_reader import read_site

SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture
def draw(keep):
    """Write a few-shot run of every seed; each draw of training examples is as good as it is."""

    def draw(task, model, seeds=SEEDS, *, n_train=10, age=100, **properties):
        runs = []
        for seed in seeds:
            rng = np.random.default_rng([seed, len(model)])
            properties = {"n": 200, "manifest": task} | properties
            runs.append(
                keep(
                    task,
                    model,
                    age=age - seed,
                    training_seed=seed,
                    seed=seed,
                    n_train=n_train,
                    accuracy=(0.8 if model == GOOD else 0.4) + rng.uniform(-0.1, 0.1),
                    **properties,
                )
            )
        return runs

    draw.root = keep.root
    return draw


def score(run):
    return results.read_predictions(run)["score"].mean()


def test_seeds_share_a_column_and_other_protocols_do_not(keep):
    for n_train in (-1, 10):
        for seed in (1, 2):
            keep("birds", GOOD, n_train=n_train, training_seed=seed)
    runs = select(keep.root).runs
    assert sorted(runs["column"]) == 2 * ["birds [n_train=10]"] + 2 * ["birds [n_train=all]"]
    assert sorted(runs["seed"]) == ["1", "1", "2", "2"]
    assert runs.filter("few_shot")["column"].unique().to_list() == ["birds [n_train=10]"]


def test_a_seed_can_still_be_asked_for(draw):
    draw("birds", GOOD)
    chosen = select(draw.root, where={"seed": "3"})
    assert chosen.runs["seed"].to_list() == ["3"] and chosen.split == []


def test_other_weights_of_another_seed_are_no_replicate(keep):
    keep("birds", GOOD, training_seed=1, backbone="1" * 16)
    keep("birds", GOOD, training_seed=2, backbone="2" * 16)
    rows = report.leaderboard(keep.root).table
    assert sorted(rows["model"]) == ["timm:good @11111111", "timm:good @22222222"]


def test_other_data_of_another_seed_are_no_replicate(keep):
    for seed in (1, 2):
        keep("birds", GOOD, training_seed=seed, manifest=str(seed) * 64)
    assert sorted(report.leaderboard(keep.root).tasks) == [
        "birds [data=11111111]",
        "birds [data=22222222]",
    ]


def test_five_seeds_are_one_row_a_model_with_the_mean_of_their_scores(draw):
    runs = draw("birds", GOOD)
    draw("birds", POOR)
    board = report.leaderboard(draw.root)
    assert board.tasks == ["birds"] and board.table.height == 2
    row = next(row for row in board.table.iter_rows(named=True) if row["model"] == GOOD)
    assert row["score"] == pytest.approx(np.mean([score(run) for run in runs]))
    assert row["ci_low"] < row["score"] < row["ci_high"] and row["n"] == 200
    assert row["run"] == str(runs[-1]) and row["runs"] == [str(run) for run in runs[::-1]]
    assert row["seeds"] == ["5", "4", "3", "2", "1"] and row["rank"] == 1
    assert any(
        "birds [n_train=10, 5 seeds] (5 seeds) are means over training seeds" in note
        for note in tell(board)
    )
    assert not any("For this training draw" in note for note in tell(board))


def test_the_interval_is_that_of_the_joined_predictions(draw):
    runs = draw("birds", GOOD, metric="macro-f1", n_groups=50)
    (row,) = report.leaderboard(draw.root).table.iter_rows(named=True)
    table = stats.join_seeds(
        {str(seed): results.read_predictions(run) for seed, run in zip(SEEDS, runs, strict=True)}
    )
    expected = stats.interval_from_table(table, get_metric("macro-f1"))
    assert (row["ci_low"], row["ci_high"]) == (expected.low, expected.high)
    assert row["n_groups"] == 50


def test_several_seeds_do_not_take_the_mean_away(draw):
    for task in ("birds", "herds"):
        for model in (GOOD, POOR):
            draw(task, model)
    board = report.leaderboard(draw.root)
    assert board.has_mean
    mean = board.table.filter(task="mean", model=GOOD).row(0, named=True)
    own = board.table.filter(model=GOOD).filter(board.table.filter(model=GOOD)["task"] != "mean")
    assert mean["score"] == pytest.approx(own["score"].mean())
    assert mean["run"] is None


def test_the_rows_of_json_are_one_a_model_and_task(draw):
    runs = draw("birds", GOOD)
    draw("birds", POOR)
    rows = json.loads(report.to_text(report.leaderboard(draw.root), "json"))
    assert [(row["task"], row["n"]) for row in rows] == [("birds", 200)] * 2
    (row,) = (row for row in rows if row["model"] == GOOD)
    assert row["run"] == str(runs[-1]) and len(row["runs"]) == len(row["seeds"]) == 5
    csv = report.to_text(report.leaderboard(draw.root), "csv")
    assert "5 4 3 2 1" in csv


def test_several_training_sizes_are_named_and_each_is_pooled(draw):
    for n_train in (5, 50):
        draw("birds", GOOD, n_train=n_train)
    rows = report.leaderboard(draw.root).table
    assert set(rows["task"]) == {"birds [n_train=5]", "birds [n_train=50]"}
    assert rows["seeds"].list.len().to_list() == [5, 5]


def test_one_seed_of_few_shots_is_said_to_hold_for_this_training_draw(draw, keep):
    draw("birds", GOOD, seeds=[1])
    keep("herds", GOOD)
    (note,) = (n for n in tell(report.leaderboard(draw.root)) if "training draw" in n)
    assert (
        note.startswith("For this training draw only: birds [n_train=10, seed=1] (1 model).")
        and "--seeds" in note
    )
    assert "herds" not in note


def test_models_with_other_seeds_are_named_and_compared_on_the_common_ones(draw):
    good = draw("birds", GOOD)
    draw("birds", POOR, seeds=[2, 3])
    board = report.leaderboard(draw.root)
    (note,) = (n for n in tell(board) if n.startswith("Not all models have the same seeds"))
    assert "timm:good seeds 1, 2, 3, 4, 5" in note and "baseline:poor seeds 2, 3" in note
    comparison = report.compare(draw.root, GOOD, POOR)
    (row,) = comparison.table.iter_rows(named=True)
    assert row["score_a"] == pytest.approx(np.mean([score(run) for run in good[1:3]]))
    assert note in tell(comparison)


def test_models_are_paired_by_seed_in_a_comparison(draw):
    draw("birds", GOOD)
    draw("birds", POOR)
    comparison = report.compare(draw.root, GOOD, POOR)
    (row,) = comparison.table.iter_rows(named=True)
    assert row["n"] == 200 and row["p"] < 0.01 and row["task"] == "birds"
    assert any("models are paired by seed" in note for note in tell(comparison))


def test_a_damaged_seed_is_named_and_the_others_are_pooled(draw):
    runs = draw("birds", GOOD)
    draw("birds", POOR)
    (runs[2] / "predictions.parquet").write_bytes(b"PAR1 and then nothing")
    board = report.leaderboard(draw.root)
    row = board.table.filter(model=GOOD).row(0, named=True)
    assert row["seeds"] == ["5", "4", "2", "1"] and row["rank"] == 1
    assert row["score"] == pytest.approx(np.mean([score(run) for run in runs[:2] + runs[3:]]))
    assert [problem.path for problem in board.problems] == [runs[2]]


def test_a_seed_whose_damage_shows_late_is_named_and_the_others_are_pooled(draw):
    draw("birds", GOOD, seeds=[1, 2], age=500)
    runs = draw("birds", POOR, seeds=[1, 2])
    path = runs[0] / "predictions.parquet"
    data = bytearray(path.read_bytes())
    data[4 : len(data) // 3] = bytes(len(data) // 3 - 4)
    path.write_bytes(data)
    board = report.leaderboard(draw.root)
    row = board.table.filter(model=POOR).row(0, named=True)
    assert row["runs"] == [str(runs[1])] and row["score"] == pytest.approx(score(runs[1]))
    assert [problem.path for problem in board.problems] == [runs[0]]


def test_seeds_of_an_unknown_metric_are_pooled_by_their_intervals(draw):
    for run in draw("birds", GOOD, seeds=[1, 2, 3]):
        kept = results.read_report(run)
        kept["provenance"]["protocol"]["metric"] = "somebody's"
        (run / "report.json").write_text(json.dumps(kept))
    (row,) = report.leaderboard(draw.root).table.iter_rows(named=True)
    assert row["ci_low"] < row["score"] < row["ci_high"] and row["rank"] is None


def test_seeds_without_predictions_have_a_mean_and_no_interval(draw):
    scores = []
    for run in draw("birds", GOOD, seeds=[1, 2, 3]):
        kept = results.read_report(run)
        scores.append(kept["score"])
        shutil.rmtree(run)
        write_folder(draw.root, kept | {"has_predictions": False}, None)
    (row,) = report.leaderboard(draw.root).table.iter_rows(named=True)
    assert row["score"] == pytest.approx(np.mean(scores)) and row["ci_low"] is None


def test_breakdowns_are_of_all_seeds_and_count_examples_once(draw):
    runs = draw("birds", GOOD)
    board = report.leaderboard(draw.root)
    (part,) = report.break_down(board, "site")
    assert part.table["n"].to_list() == [100, 100]
    expected = np.mean([score(run) for run in runs])
    assert part.table["score"].mean() == pytest.approx(expected)


def test_the_page_lists_every_run_and_one_column_of_sub_scores(draw, tmp_path):
    runs = draw("birds", GOOD)
    text = read_site(report.write_site(draw.root, tmp_path / "site"))
    assert "the only model" in text and "5 runs" in text and "acc/day" in text
    assert all(results.read_report(Path(run))["task"] in text for run in runs)
