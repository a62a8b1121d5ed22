"""Predictions of several training draws: one score, and what is said of differences."""

import numpy as np
import polars as pl
import pytest

from biobench import stats
from biobench.errors import BadInput
from biobench.metrics import get_metric
from made_predictions import make_table, table_of

ACCURACY = get_metric("mean-score")
N = 400


def make_draws(accuracies, *, seed=0, n=N):
    """Predictions of one model whose training draws are so good."""
    return {
        str(i): make_table(n, accuracy=accuracy, seed=100 * seed + i)
        for i, accuracy in enumerate(accuracies)
    }


def test_seeds_are_joined_and_split_again():
    tables = make_draws([0.6, 0.7])
    parts = stats.split_seeds(stats.join_seeds(tables))
    assert list(parts) == ["0", "1"]
    assert all(parts[seed].equals(table) for seed, table in tables.items())
    assert stats.join_seeds({"7": tables["0"]}) is tables["0"]


@pytest.mark.parametrize("metric", ["mean-score", "macro-f1", "macro-accuracy"])
def test_the_score_is_the_mean_and_the_examples_are_counted_once(metric):
    tables = make_draws([0.5, 0.6, 0.7])
    metric = get_metric(metric)
    pooled = stats.interval_from_table(stats.join_seeds(tables), metric)
    each = [stats.interval_from_table(table, metric).score for table in tables.values()]
    assert pooled.score == pytest.approx(np.mean(each))
    assert (pooled.n, pooled.n_groups) == (N, N)
    assert "3 training draws" in pooled.method


def test_draws_that_differ_widen_the_interval_and_draws_that_agree_do_not():
    def width(table):
        one = stats.interval_from_table(table, ACCURACY)
        return one.high - one.low

    alone = make_table(N, accuracy=0.6)
    same = stats.join_seeds({"1": alone, "2": alone, "3": alone})
    assert width(same) == pytest.approx(width(alone), rel=0.1)
    unlike = stats.join_seeds(make_draws([0.45, 0.6, 0.75]))
    assert width(unlike) > 3 * width(alone)


def test_rows_in_another_order_are_the_same_test_set():
    tables = make_draws([0.5, 0.6])
    turned = {"0": tables["0"], "1": tables["1"].reverse()}
    expected = stats.interval_from_table(stats.join_seeds(tables), ACCURACY)
    assert stats.interval_from_table(stats.join_seeds(turned), ACCURACY) == expected


def test_seeds_of_unlike_test_sets_are_refused():
    tables = make_draws([0.5, 0.6])
    other = tables["1"].with_columns(example=pl.lit("other ") + pl.col("example"))
    with pytest.raises(BadInput, match="the seed 0"):
        stats.interval_from_table(stats.join_seeds({"0": tables["0"], "1": other}), ACCURACY)


def test_models_that_only_their_draws_tell_apart_are_not_called_different():
    # Exchanging examples alone would show the five draws' means, 0.70 and 0.65, to differ.
    lucky = make_draws([0.8, 0.6, 0.75, 0.65, 0.7], seed=1)
    other = make_draws([0.6, 0.7, 0.65, 0.65, 0.65], seed=2)
    metrics = {"birds": ACCURACY}
    first = {("a", "birds"): lucky["0"], ("b", "birds"): other["0"]}
    assert stats.compare_models(first, metrics, "a", "b")["p"][0] < 1e-5
    every = {("a", "birds"): stats.join_seeds(lucky), ("b", "birds"): stats.join_seeds(other)}
    (row, _) = stats.compare_models(every, metrics, "a", "b").to_dicts()
    assert row["p"] > 0.1 and row["ci_low"] < 0 < row["ci_high"] and row["n"] == N
    board = stats.suite(every, metrics).leaderboard.filter(task="birds")
    assert board["tied_with_best"].all() and board["rank_high"].to_list() == [2, 2]


def test_pairing_by_seed_finds_what_the_draws_hide():
    swings = np.array([0.45, 0.75, 0.5, 0.7, 0.6])
    cells = {
        ("a", "birds"): stats.join_seeds(make_draws(swings + 0.12, seed=1, n=1000)),
        ("b", "birds"): stats.join_seeds(make_draws(swings, seed=2, n=1000)),
    }
    metrics = {"birds": ACCURACY}
    row = stats.compare_models(cells, metrics, "a", "b").to_dicts()[0]
    assert row["p"] < 0.01 and row["ci_low"] > 0
    rows = stats.suite(cells, metrics).leaderboard.filter(task="birds").to_dicts()
    assert [row["tied_with_best"] for row in rows] == [True, False]
    assert rows[0]["ci_low"] < rows[1]["ci_high"]


def test_leaderboard_and_comparison_give_one_p_to_two_models_with_seeds():
    cells = {
        ("a", "birds"): stats.join_seeds(make_draws([0.7, 0.6, 0.65], seed=1)),
        ("b", "birds"): stats.join_seeds(make_draws([0.5, 0.55, 0.45], seed=2)),
    }
    metrics = {"birds": ACCURACY}
    rows = stats.compare_models(cells, metrics, "a", "b").to_dicts()
    board = stats.suite(cells, metrics).leaderboard
    for row in rows:
        (p,) = board.filter(task=row["task"], model="b")["p_best"]
        assert p == pytest.approx(row["p"])


def test_seeds_that_change_nothing_change_no_number():
    alone = {
        (m, "birds"): make_table(N, accuracy=a, seed=i)
        for i, (m, a) in enumerate([("a", 0.8), ("b", 0.7), ("c", 0.75)])
    }
    same = {cell: stats.join_seeds({"1": t, "2": t}) for cell, t in alone.items()}
    metrics = {"birds": get_metric("macro-f1")}
    assert stats.suite(same, metrics).leaderboard.equals(stats.suite(alone, metrics).leaderboard)
    assert stats.compare_models(same, metrics, "a", "b").equals(
        stats.compare_models(alone, metrics, "a", "b")
    )


def test_models_are_compared_on_the_seeds_that_both_have():
    a = make_draws([0.6, 0.6, 0.9], seed=1)
    b = {seed: table for seed, table in make_draws([0.6, 0.6, 0.6], seed=2).items() if seed != "2"}
    cells = {("a", "birds"): stats.join_seeds(a), ("b", "birds"): stats.join_seeds(b)}
    row = stats.compare_models(cells, {"birds": ACCURACY}, "a", "b").to_dicts()[0]
    assert row["score_a"] == pytest.approx(np.mean([a[s]["score"].mean() for s in ("0", "1")]))
    board = stats.suite(cells, {"birds": ACCURACY}).leaderboard.filter(task="birds", model="a")
    assert board["score"][0] == pytest.approx(np.mean([t["score"].mean() for t in a.values()]))


def test_a_mean_over_tasks_allows_for_the_draws_of_each():
    swings = [0.4, 0.8, 0.5, 0.7]
    cells, metrics = {}, {"birds": ACCURACY, "herds": ACCURACY}
    for task, seed in (("birds", 0), ("herds", 10)):
        cells["a", task] = stats.join_seeds(make_draws(swings, seed=seed + 1))
        cells["b", task] = stats.join_seeds(make_draws(swings[::-1], seed=seed + 2))
    cells["a", "traits"], cells["b", "traits"] = make_table(N, seed=5), make_table(N, seed=6)
    metrics["traits"] = ACCURACY
    board = stats.suite(cells, metrics).leaderboard
    means = board.filter(task="mean").to_dicts()
    assert all(row["tied_with_best"] for row in means)
    widths = [row["ci_high"] - row["ci_low"] for row in means]
    assert min(widths) > 0.1
    row = stats.compare_models(cells, metrics, "a", "b").filter(task="mean").to_dicts()[0]
    assert row["ci_low"] < 0 < row["ci_high"]


@pytest.mark.parametrize("by", ["class", "site"])
def test_a_part_s_score_is_the_mean_over_the_draws(by):
    tables = {
        seed: table.with_columns(site=pl.Series([f"site-{i % 3}" for i in range(N)]))
        for seed, table in make_draws([0.5, 0.7]).items()
    }
    metric = get_metric("macro-accuracy")
    pooled = stats.breakdown(stats.join_seeds(tables), metric, by)
    each = [stats.breakdown(table, metric, by) for table in tables.values()]
    assert pooled["score"].to_list() == pytest.approx(
        np.mean([one["score"] for one in each], axis=0)
    )
    assert pooled["n"].sum() == N and pooled["n"].to_list() == each[0]["n"].to_list()


def test_rarity_is_that_of_the_draws_on_average():
    truth = np.arange(N) % 4
    tables = {
        seed: table_of(truth, truth).with_columns(train_count=pl.lit(count))
        for seed, count in (("1", 5), ("2", 25))
    }
    assert stats.breakdown(stats.join_seeds(tables), ACCURACY, "rarity")["value"].to_list() == [
        "10\u201399"
    ]


def test_scores_without_predictions_have_an_interval_that_is_rather_wide():
    low, high = stats.pool_intervals(
        np.array([0.5, 0.6, 0.7]), [(0.4, 0.6), (0.5, 0.7), (0.6, 0.8)]
    )
    one = stats.pool_intervals(np.array([0.6]), [(0.5, 0.7)])
    assert one == pytest.approx((0.5, 0.7))
    assert 0 <= low < 0.4 and 0.8 < high <= 1
