"""The leaderboard and the comparison over a suite, against what they are made of."""

import numpy as np
import pytest
import scipy.stats
from threadpoolctl import threadpool_limits

from biobench import stats
from biobench.errors import BadInput
from biobench.metrics import get_metric
from biobench.stats.ranking import better_over_tasks, rank_intervals, ranks
from made_predictions import make_table

METRICS = {
    "birds": get_metric("macro-f1"),
    "herds": get_metric("macro-accuracy"),
    "traits": get_metric("mean-score"),
}
ACCURACIES = {"good": 0.8, "twin": 0.8, "poor": 0.55}


def make_cells(n=400, models=ACCURACIES, tasks=METRICS):
    return {
        (model, task): make_table(
            n,
            accuracy=models[model],
            group_size=8 if task == "herds" else 0,
            seed=10 * i + j,
            truth_seed=j,
        )
        for i, model in enumerate(models)
        for j, task in enumerate(tasks)
    }


@pytest.fixture(scope="module")
def cells():
    return make_cells()


@pytest.fixture(scope="module")
def found(cells):
    return stats.suite(cells, METRICS)


def rows(table, **wanted):
    for name, value in wanted.items():
        table = table.filter(table[name] == value)
    return table.to_dicts()


def test_there_is_a_row_for_each_cell_and_a_mean_for_each_model(found, cells):
    table = found.leaderboard
    assert set(zip(table["model"], table["task"], strict=True)) == {
        *cells,
        *((model, "mean") for model in ACCURACIES),
    }
    assert table.null_count().sum_horizontal().item() == 0
    assert (table["ci_low"] <= table["score"]).all() and (table["score"] <= table["ci_high"]).all()
    assert (table["rank_low"] <= table["rank"]).all() and (
        table["rank"] <= table["rank_high"]
    ).all()
    assert found.missing == []


def test_scores_and_intervals_are_those_of_each_table_alone(found, cells):
    for (model, task), table in cells.items():
        alone = stats.interval_from_table(table, METRICS[task])
        (row,) = rows(found.leaderboard, model=model, task=task)
        assert row["score"] == pytest.approx(alone.score, abs=1e-12)
        width = alone.high - alone.low
        assert (row["ci_low"], row["ci_high"]) == pytest.approx(
            (alone.low, alone.high), abs=0.1 * width
        )
        assert (row["n"], row["n_groups"], row["resampled"]) == (
            alone.n,
            alone.n_groups,
            alone.resampled,
        )


def test_a_mean_is_the_mean_of_the_tasks_and_its_interval_is_narrower(found):
    for model in ACCURACIES:
        parts = [rows(found.leaderboard, model=model, task=task)[0] for task in METRICS]
        (mean,) = rows(found.leaderboard, model=model, task="mean")
        assert mean["score"] == pytest.approx(np.mean([part["score"] for part in parts]))
        widths = [part["ci_high"] - part["ci_low"] for part in parts]
        expected = np.sqrt(np.sum(np.square(widths))) / 3
        assert mean["ci_high"] - mean["ci_low"] == pytest.approx(expected, rel=0.1)


def test_the_best_and_its_equal_are_tied_and_the_poor_one_is_not(found):
    for task in (*METRICS, "mean"):
        for row in rows(found.leaderboard, task=task):
            assert row["tied_with_best"] == (row["model"] != "poor")
            expected = (3, 3) if row["model"] == "poor" else (1, 2)
            assert (row["rank_low"], row["rank_high"]) == expected


@pytest.mark.parametrize("task", [*METRICS, "mean"])
def test_of_two_models_the_leaderboard_s_p_is_the_comparison_s(cells, task):
    pair = {key: table for key, table in cells.items() if key[0] != "poor"}
    _, other = rows(stats.leaderboard(pair, METRICS), task=task)
    compared = stats.compare_models(pair, METRICS, "good", "twin")
    assert other["p_best"] == rows(compared, task=task)[0]["p"]


def test_of_three_models_p_lies_between_one_pair_s_and_bonferroni_s(found, cells):
    best, other = rows(found.leaderboard, task="traits")[:2]
    compared = stats.compare(
        cells[best["model"], "traits"], cells[other["model"], "traits"], METRICS["traits"]
    )
    assert compared.p <= other["p_best"] <= min(1, 3 * compared.p) + 1e-9


def test_a_missing_cell_is_said_and_its_model_has_no_mean(cells):
    some = {key: table for key, table in cells.items() if key != ("twin", "birds")}
    found = stats.suite(some, METRICS)
    assert found.missing == [("twin", "birds")]
    assert {row["model"] for row in rows(found.leaderboard, task="mean")} == {"good", "poor"}
    assert len(rows(found.leaderboard, model="twin")) == 2


def test_no_model_with_every_task_leaves_no_mean(cells):
    some = {key: cells[key] for key in (("good", "birds"), ("poor", "herds"))}
    found = stats.suite(some, METRICS)
    assert "mean" not in found.leaderboard["task"] and len(found.missing) == 2
    assert found.beats.is_empty() and found.rank_over_tasks.is_empty()


def test_leaving_a_task_out_gives_the_mean_of_the_others(found):
    for row in found.leave_one_out.iter_rows(named=True):
        rest = [
            rows(found.leaderboard, model=row["model"], task=task)[0]["score"]
            for task in METRICS
            if task != row["left_out"]
        ]
        assert row["score"] == pytest.approx(np.mean(rest))
    assert len(found.leave_one_out) == 9


def test_the_probability_to_beat_another_is_large_where_the_scores_are_far_apart(found):
    chance = {(a, b): p for a, b, p in found.beats.iter_rows()}
    assert chance["good", "poor"] > 0.999
    assert 0.05 < chance["good", "twin"] < 0.95
    assert chance["good", "twin"] + chance["twin", "good"] == pytest.approx(1)


def test_one_model_on_one_task_is_its_own_best(cells):
    one = stats.suite({("good", "birds"): cells["good", "birds"]}, METRICS)
    for row in one.leaderboard.iter_rows(named=True):
        assert (row["rank"], row["rank_low"], row["rank_high"], row["tied_with_best"]) == (
            1,
            1,
            1,
            True,
        )


def test_equal_models_are_all_first():
    cells = {(model, "birds"): make_table(60) for model in "abc"}
    table = stats.leaderboard(cells, METRICS)
    assert set(table["rank"]) == {1} and set(table["rank_high"]) == {3}
    assert table["tied_with_best"].all() and set(table["p_best"]) == {1.0}


@pytest.mark.parametrize("options", [{"confidence": 0}, {"confidence": 100}, {"n_resamples": 1}])
def test_extreme_options_give_finite_numbers(options):
    table = stats.leaderboard(make_cells(40), METRICS, **options)
    for name in ("score", "ci_low", "ci_high", "p_best"):
        assert table[name].is_finite().all()
    assert (table["rank_low"] <= table["rank"]).all() and (
        table["rank"] <= table["rank_high"]
    ).all()


def test_one_resample_shows_no_difference_that_many_do_not(cells):
    table = stats.leaderboard(cells, METRICS, n_resamples=1)
    for row in rows(table, task="traits"):
        assert row["model"] == "poor" or (row["tied_with_best"] and row["rank_high"] >= 2)


def test_models_on_different_examples_are_refused_with_the_task():
    cells = {("a", "birds"): make_table(100), ("b", "birds"): make_table(100).head(60)}
    with pytest.raises(BadInput, match=r"^birds: Only 60 of 100 examples"):
        stats.leaderboard(cells, METRICS)


def test_the_leaderboard_depends_on_the_seed_alone_whatever_the_number_of_threads(cells):
    tables = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            tables.append(stats.leaderboard(cells, METRICS, n_resamples=100))
    assert tables[0].equals(tables[1])


def test_few_equal_models_are_found_worse_than_the_best():
    rng, n_wrong, n_trials = np.random.default_rng(0), 0, 40
    for _ in range(n_trials):
        seed = int(rng.integers(1 << 30))
        cells = {
            (str(m), "traits"): make_table(150, seed=seed + m, truth_seed=seed) for m in range(5)
        }
        n_wrong += not stats.leaderboard(cells, METRICS, n_resamples=20)["tied_with_best"].all()
    assert scipy.stats.binomtest(n_wrong, n_trials, 0.055, alternative="greater").pvalue > 1e-3


def test_ranks_count_the_better_ones():
    assert ranks(np.array([0.3, 0.9, 0.3, 0.1])).tolist() == [2, 1, 2, 4]


def test_a_rank_counts_those_shown_better_and_those_shown_worse():
    better = np.zeros((4, 4), bool)
    better[0, 2:] = better[1, 3] = True
    low, high = rank_intervals(better)
    assert low.tolist() == [1, 1, 2, 3] and high.tolist() == [2, 3, 4, 4]


def test_of_under_six_tasks_no_rank_over_others_is_given():
    assert better_over_tasks(np.tile([0.9, 0.1], (5, 1)), 0.05) is None
    cells = make_cells(60)
    found = stats.suite(cells, METRICS).rank_over_tasks
    assert found["rank_low"].null_count() == found["rank_high"].null_count() == 3
    assert found["rank"].null_count() == 0


def test_ranks_over_tasks_are_scipys_t_with_bonferronis_correction():
    rng = np.random.default_rng(0)
    by_task = np.array([0.5, 0.52, 0.6, 0.9]) + rng.normal(0, 0.05, (8, 4))
    for level in (0.05, 0.3):
        better = better_over_tasks(by_task, level)
        for i in range(4):
            for j in range(4):
                theirs = scipy.stats.ttest_rel(by_task[:, i], by_task[:, j])
                shown = i != j and theirs.statistic > 0 and 6 * theirs.pvalue < level
                assert better[i, j] == shown


def test_models_that_differ_by_the_same_on_every_task_are_ranked_and_copies_are_not():
    by_task = np.linspace(0.3, 0.7, 7)[:, None] + np.array([0.0, 0.1, 0.1])
    better = better_over_tasks(by_task, 0.05)
    assert better.tolist() == [[False] * 3, [True, False, False], [True, False, False]]


def test_comparing_over_the_suite_has_a_row_a_task_and_the_mean(cells):
    table = stats.compare_models(cells, METRICS, "good", "poor")
    assert table["task"].to_list() == [*METRICS, "mean"]
    assert table["p_holm"].to_list() == pytest.approx(stats.holm(table["p"].to_list()).tolist())
    assert (table["p"] < 0.001).all() and (table["ci_low"] > 0).all()
    for row in rows(table)[:-1]:
        alone = stats.compare(
            *(cells[m, row["task"]] for m in ("good", "poor")), METRICS[row["task"]]
        )
        assert row["difference"] == alone.difference and row["p"] == alone.p
    mean = rows(table, task="mean")[0]
    assert mean["difference"] == pytest.approx(table["difference"].head(3).mean())
    assert mean["n"] == table["n"].head(3).sum()
    assert mean["detectable"] < table["detectable"].head(3).min()


def test_comparing_equals_over_the_suite_finds_nothing(cells):
    table = stats.compare_models(cells, METRICS, "good", "twin")
    assert (table["p_holm"] > 0.05).all() and (table["ci_low"] < 0).all()
    same = stats.compare_models(
        {**cells, ("copy", "birds"): cells["good", "birds"]}, METRICS, "good", "copy"
    )
    assert same["difference"].to_list() == [0, 0] and same["p"].to_list() == [1, 1]


def test_models_without_a_task_in_common_are_refused(cells):
    some = {key: cells[key] for key in (("good", "birds"), ("poor", "herds"))}
    with pytest.raises(BadInput, match="No task has results of both good and poor"):
        stats.compare_models(some, METRICS, "good", "poor")
