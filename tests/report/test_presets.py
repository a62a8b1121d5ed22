"""Results of two protocol presets never stand in one row, rank, comparison or mean."""

import json
import re

import polars as pl
import pytest

from biobench import report, results
from biobench.report.selection import select
from results_world import CLOSE, GOOD, POOR
from shown import show

PRESET = {"preset": "2026", "probe": "adamw-head"}


@pytest.fixture
def both(keep):
    """Two tasks under two presets; under that of 2026 the order of the models is turned round."""
    for task in ("birds", "flowers"):
        for i, (model, accuracy) in enumerate(((GOOD, 0.9), (POOR, 0.5))):
            options = dict(n=400, manifest=task, seed=len(task) + i)
            keep(task, model, accuracy=accuracy, **options)
            keep(task, model, accuracy=1.3 - accuracy, **options, **PRESET)
    return keep.root


def keep_one(root, preset):
    return report.leaderboard(root, where={"preset": preset})


def test_each_preset_has_its_columns_and_its_mean_as_if_the_other_were_not_there(both):
    board = report.leaderboard(both)
    assert board.tasks == ["birds", "birds [2026]", "flowers", "flowers [2026]"]
    for preset, mean in (("none", "mean"), ("2026", "mean [2026]")):
        alone = keep_one(both, preset).table
        assert (alone["task"] == "mean").sum() == 2
        names = {"mean": mean} | {t: t + mean[4:] for t in ("birds", "flowers")}
        renamed = alone.with_columns(pl.col("task").replace(names))
        tasks = renamed["task"].unique().to_list()
        assert board.table.filter(pl.col("task").is_in(tasks)).equals(renamed)
    means = board.table.filter(pl.col("task").str.starts_with("mean"))
    first = {task: m for task, m, rank in means.select("task", "model", "rank").rows() if rank == 1}
    assert first == {"mean": GOOD, "mean [2026]": POOR}


def test_a_score_s_mean_is_over_the_tasks_of_its_own_preset(both):
    table = report.leaderboard(both).table.filter(model=GOOD)
    score = dict(table.select("task", "score").rows())
    assert score["mean"] == pytest.approx((score["birds"] + score["flowers"]) / 2)
    of_2026 = (score["birds [2026]"] + score["flowers [2026]"]) / 2
    assert score["mean [2026]"] == pytest.approx(of_2026)
    assert abs(score["mean"] - score["mean [2026]"]) > 0.2


def test_no_row_of_a_printed_table_holds_scores_of_two_presets(both):
    board = report.leaderboard(both)
    text = show(report.render(board, 160), 160)
    first, second = text.index("mean"), text.rindex("[2026]")
    assert text.count("Rank by the mean") == 2 and "[2026]" not in text[: text.index(POOR)]
    assert text.count("[2026]") == 3 and first < text.index("[2026]") < second
    markdown = report.to_text(board, "markdown").splitlines()
    heads = [line for line in markdown if line.startswith("| Model")]
    assert [line.count("2026") for line in heads] == [0, 3]
    latex = report.to_text(board, "latex")
    assert latex.count(r"\begin{tabular}") == 2
    rows = json.loads(report.to_text(board, "json"))
    assert {row["task"] for row in rows} == {
        *("birds", "birds [2026]", "flowers", "flowers [2026]", "mean", "mean [2026]")
    }
    assert len({(row["model"], row["task"]) for row in rows}) == len(rows) == 12


def test_the_preset_is_named_where_nothing_else_is_there(keep):
    keep("birds", GOOD, **PRESET)
    keep("birds", POOR, **PRESET)
    board = report.leaderboard(keep.root)
    assert [board.head(task) for task in board.tasks] == ["birds [2026]"]
    assert board.tasks == ["birds"]
    keep("flowers", GOOD, **PRESET)
    keep("flowers", POOR, **PRESET)
    assert "mean" in show(report.render(report.leaderboard(keep.root), 120), 120)
    assert report.leaderboard(keep.root).head("mean") == "mean [2026]"


def test_training_sizes_are_told_apart_within_a_preset_and_cost_the_other_no_mean(both, keep):
    for model in (GOOD, POOR):
        keep("birds", model, manifest="birds", **PRESET | {"n_train": 5})
    board = report.leaderboard(both)
    assert [task for task in board.tasks if task.startswith("birds")] == [
        *("birds", "birds [2026, n_train=5]", "birds [2026, n_train=all]")
    ]
    assert set(board.table["task"]) - set(board.tasks) == {"mean"}


def test_another_probe_under_the_preset_is_another_column(both, keep):
    keep("birds", GOOD, manifest="birds", **PRESET | {"probe": "knn"})
    columns = select(both).runs["column"].unique().sort().to_list()
    assert [name for name in columns if name.startswith("birds")] == [
        *("birds", "birds [2026, probe=adamw-head]", "birds [2026, probe=knn]")
    ]


def test_a_comparison_is_within_each_preset(both):
    found = report.compare(both, GOOD, POOR)
    rows = {row["task"]: row for row in found.table.to_dicts()}
    assert rows.keys() == {
        *("birds", "flowers", "mean", "birds [2026]", "flowers [2026]", "mean [2026]")
    }
    for preset, mean in (("none", "mean"), ("2026", "mean [2026]")):
        alone = report.compare(both, GOOD, POOR, where={"preset": preset})
        for row in alone.table.to_dicts():
            task = row["task"] + mean[4:]
            assert rows[task] | {"task": ""} == row | {"task": ""}
        heading = {task: alone.head(task) for task in alone.table["task"]}
        assert heading["mean"] == mean
    assert rows["mean"]["difference"] > 0 > rows["mean [2026]"]["difference"]


def test_two_models_that_share_no_preset_are_not_compared(keep):
    keep("birds", GOOD)
    keep("birds", CLOSE, **PRESET)
    with pytest.raises(ValueError, match="share no task"):
        report.compare(keep.root, GOOD, CLOSE)


def test_an_export_names_the_preset(both, tmp_path):
    results.export(both, tmp_path / "runs.json")
    rows = json.loads((tmp_path / "runs.json").read_text())
    assert sorted(str(row["preset"]) for row in rows) == ["2026"] * 4 + ["None"] * 4


@pytest.mark.parametrize("odd", [7, {"a": 1}, None, ["2026"]])
def test_a_preset_that_is_no_text_is_shown_all_the_same(keep, odd):
    keep("birds", GOOD, preset=odd)
    keep("birds", POOR)
    assert len(report.leaderboard(keep.root).models) == 2


def test_the_site_has_a_table_and_an_order_for_each_preset(both, tmp_path):
    site = report.write_site(both, tmp_path / "site")
    page = (site.parent / "leaderboard.html").read_text()
    heads = [part.partition("</thead>")[0] for part in page.split('<table class="board"')[1:]]
    names = [re.findall(r"(birds|flowers|mean)(?: \[(\w+)\])?</", head) for head in heads]
    assert [{preset for _, preset in found} for found in names] == [{""}, {"2026"}]
    assert [{task for task, _ in found} for found in names] == [{"birds", "flowers", "mean"}] * 2
    assert re.findall(r"How sure the order is([^<]*)<", page) == ["", " [2026]"]
