"""Intervals: against scipy and statsmodels, their two paths against each other, and the edges."""

import concurrent.futures
import itertools

import numpy as np
import polars as pl
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score
from statsmodels.stats.proportion import proportion_confint

from biobench import stats
from biobench.errors import BadInput
from biobench.interfaces import Example, TaskReport
from biobench.metrics import MacroAccuracy, MacroF1, MeanScore, get_metric, list_metrics
from biobench.stats.coded import from_examples
from biobench.stats.resample import Resampler
from biobench.stats.spread import Spread, interval
from made_predictions import examples_of, make_table, table_of

METRICS = [get_metric(name) for name in list_metrics()]
each_metric = pytest.mark.parametrize("metric", METRICS, ids=list_metrics())


@each_metric
def test_the_plain_path_and_the_counts_path_agree_on_the_same_resamples(metric):
    examples = examples_of(make_table(150, n_classes=30))
    resampler = Resampler([from_examples(examples)])
    plain = resampler.replicates_of_callable(lambda some: metric(some), examples, 40, seed=3)
    assert plain == pytest.approx(resampler.replicates(metric, 40, seed=3)[0], abs=1e-12)


@each_metric
def test_a_plain_function_with_a_metrics_values_gets_that_metrics_interval(metric):
    examples = examples_of(make_table(120, n_classes=25))
    plain = stats.confidence_interval(examples, lambda some: metric(some), n_resamples=60)
    assert plain == pytest.approx(
        stats.confidence_interval(examples, metric, n_resamples=60), abs=1e-12
    )


@each_metric
def test_a_reports_interval_is_that_of_the_table(metric):
    table = make_table(300)
    report = TaskReport("made up", examples_of(table), {}, metric)
    interval = stats.interval_from_table(table, metric, by_group=False)
    assert report.get_confidence_interval() == pytest.approx((interval.low, interval.high))
    assert report.get_mean_score() == pytest.approx(interval.score)


def test_the_interval_of_a_mean_is_wilsons():
    examples = examples_of(make_table(400, accuracy=0.93))
    right = sum(example.score for example in examples)
    low, high = proportion_confint(right, 400, alpha=0.05, method="wilson")
    found = stats.confidence_interval(examples, MeanScore(), n_resamples=20_000)
    assert found == pytest.approx((low, high), abs=0.02 * (high - low))


def test_the_standard_errors_are_those_of_scipys_bootstrap():
    table = make_table(600, n_classes=4)
    true, pred = table["y_true"].to_numpy(), table["y_pred"].to_numpy()
    macro = {"average": "macro", "labels": np.unique(true), "zero_division": 0}
    resampler = Resampler([from_examples(examples_of(table))])
    for metric, function in ((MacroF1(), f1_score), (MacroAccuracy(), recall_score)):
        ours = resampler.replicates(metric, 4000, seed=0)[0].std()
        theirs = scipy.stats.bootstrap(
            (np.arange(600),),
            lambda at, function=function: function(true[at], pred[at], **macro),
            n_resamples=400,
            vectorized=False,
            method="basic",
            random_state=np.random.default_rng(0),
        ).standard_error
        assert ours == pytest.approx(theirs, rel=0.12)


@each_metric
@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 6)), min_size=1, max_size=40),
    confidence=st.sampled_from([0, 50, 95, 99.9, 100]),
    n_resamples=st.sampled_from([1, 2, 50]),
)
@settings(max_examples=60, deadline=None)
def test_an_interval_contains_the_score_and_lies_in_the_metrics_range(
    metric, pairs, confidence, n_resamples
):
    examples = examples_of(table_of(*map(list, zip(*pairs, strict=True))))
    low, high = stats.confidence_interval(
        examples, metric, confidence=confidence, n_resamples=n_resamples
    )
    assert 0 <= low <= metric(examples) <= high <= 1


@each_metric
def test_an_interval_narrows_as_the_test_set_grows(metric):
    widths = []
    for n in (100, 400, 1600):
        low, high = stats.confidence_interval(examples_of(make_table(n)), metric)
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1] > 2.25 * widths[2]


@each_metric
def test_an_interval_widens_with_confidence(metric):
    examples = examples_of(make_table(200))
    found = [stats.confidence_interval(examples, metric, confidence=c) for c in (0, 50, 95, 100)]
    assert found[0][0] == found[0][1] == metric(examples)
    assert found[3] == (0, 1)
    assert all(a[0] >= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(found))


@each_metric
def test_renaming_the_classes_changes_no_interval(metric):
    table = make_table(150, n_classes=12)
    other = table.with_columns(
        pl.col("y_true", "y_pred").str.replace("class-", "species ").str.reverse()
    )
    assert stats.interval_from_table(table, metric) == stats.interval_from_table(other, metric)


@each_metric
def test_groups_of_one_are_no_groups(metric):
    table = make_table(200, n_classes=40)
    alone = table.with_columns(group=pl.col("example"))
    ours, theirs = (stats.interval_from_table(t, metric) for t in (alone, table))
    assert (ours.score, ours.low, ours.high) == (theirs.score, theirs.low, theirs.high)
    assert (ours.resampled, theirs.resampled) == ("groups", "examples")


@each_metric
def test_twenty_copies_of_each_example_in_one_group_add_no_certainty(metric):
    table = make_table(120, n_classes=3)
    copies = pl.concat([table] * 20).with_columns(
        group=pl.col("example"), example=pl.int_range(pl.len()).cast(pl.String)
    )
    one, many, fooled = (
        stats.interval_from_table(table, metric, n_resamples=2000),
        stats.interval_from_table(copies, metric, n_resamples=2000),
        stats.interval_from_table(copies, metric, by_group=False, n_resamples=2000),
    )
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.1)
    assert fooled.high - fooled.low < 0.3 * (one.high - one.low)
    assert (many.n, many.n_groups, many.resampled) == (2400, 120, "groups")


def test_an_image_that_stands_in_several_subtasks_is_resampled_once():
    table = make_table(150, n_classes=2)
    twice = pl.concat([table.with_columns(subtask=pl.lit(name)) for name in ("colour", "age")])
    once, both = (
        stats.interval_from_table(t, MeanScore(), n_resamples=2000) for t in (table, twice)
    )
    assert both.n_groups == 150 and both.n == 300 and both.resampled == "examples"
    assert both.high - both.low == pytest.approx(once.high - once.low, rel=0.1)


EDGES = {
    "one example, right": ([0], [0]),
    "one example, wrong": ([0], [1]),
    "one example, no prediction": ([0], [-1]),
    "all right": (list(range(5)) * 4, list(range(5)) * 4),
    "all wrong": ([0, 1] * 10, [1, 0] * 10),
    "one class": ([0] * 20, [0, 1] * 10),
    "every example a class of its own": (list(range(20)), [0] * 20),
}


@each_metric
@pytest.mark.parametrize("group", [None, "one", "two"])
@pytest.mark.parametrize("edge", EDGES)
def test_every_edge_case_has_a_finite_answer(metric, edge, group):
    truth, pred = EDGES[edge]
    groups = {None: None, "one": [0] * len(truth), "two": [i % 2 for i in range(len(truth))]}[group]
    for n_resamples in (1, 100):
        found = stats.interval_from_table(
            table_of(truth, pred, groups), metric, n_resamples=n_resamples
        )
        assert 0 <= found.low <= found.score <= found.high <= 1
        assert found.high - found.low > 0.01, "so few examples leave room"


def test_all_right_is_not_certain_and_the_method_says_so():
    interval = stats.interval_from_table(table_of([0, 1] * 50, [0, 1] * 50), MacroAccuracy())
    assert interval.high == 1 and 0.95 < interval.low < 0.97
    assert "every answer right, 100 independent examples" in interval.method


def test_few_groups_widen_the_interval_and_are_said():
    few = stats.interval_from_table(make_table(400, group_size=40), MeanScore())
    many = stats.interval_from_table(make_table(400, group_size=4), MeanScore())
    assert few.warnings[0].startswith("Few groups: 10 cameras, videos or specimens")
    assert not many.warnings


def test_classes_with_one_test_example_are_said():
    table = table_of(list(range(50)) + [0] * 50, [0] * 100)
    assert "single test example" in " ".join(stats.interval_from_table(table, MacroF1()).warnings)


def test_classes_in_one_group_are_said_however_many_pictures_they_have():
    truth = np.repeat(np.arange(100), 5)
    alone = stats.interval_from_table(table_of(truth, truth, truth), MacroF1())
    pred = np.where(np.arange(500) % 7, truth, 0)
    spread = stats.interval_from_table(table_of(truth, pred, np.arange(500) % 100), MacroF1())
    assert "Classes in one group only" in " ".join(alone.warnings)
    assert "(100 of 100)" in " ".join(alone.warnings)
    assert not spread.warnings


@each_metric
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_a_warning_depends_on_what_was_measured_and_not_on_how_it_came_out(metric, data):
    n = data.draw(st.integers(1, 60))
    labels = st.lists(st.integers(0, 5), min_size=n, max_size=n)
    truth, group = data.draw(labels), data.draw(st.none() | labels)
    found = [
        stats.interval_from_table(table_of(truth, pred, group), metric, n_resamples=2).warnings
        for pred in (data.draw(labels), data.draw(labels), truth)
    ]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("n", [60, 200, 2000])
def test_no_accuracy_is_so_extreme_that_a_proportions_interval_fails(n):
    right = np.arange(n + 1)
    bounds = np.array([interval(x / n, Spread(x * (n - x) / n**3, np.inf, n), 95) for x in right])
    for wrong in np.geomspace(0.01, n / 2, 200):
        p = 1 - wrong / n
        inside = (bounds[:, 0] <= p) & (p <= bounds[:, 1])
        assert scipy.stats.binom.pmf(right, n, p) @ inside > 0.925


def test_scores_that_are_not_right_or_wrong_have_their_own_range():
    examples = [Example(str(i), score, {}) for i, score in enumerate([-3.0, 0.5, 7.0] * 20)]
    low, high = stats.confidence_interval(examples, MeanScore())
    assert -3 < low < 1.5 < high < 7
    error = np.std([-3.0, 0.5, 7.0], ddof=0) / 60**0.5
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)
    equal = [Example(str(i), 0.3, {}) for i in range(50)]
    low, high = stats.confidence_interval(equal, MeanScore())
    assert low <= MeanScore()(equal) <= high


def test_a_function_without_known_range_has_a_symmetric_interval():
    examples = examples_of(make_table(200))
    low, high = stats.confidence_interval(
        examples, lambda some: 100 * MeanScore()(some), n_resamples=200
    )
    score = 100 * MeanScore()(examples)
    assert high - score == pytest.approx(score - low) and 8 < high - low < 18


def test_a_function_that_gives_nan_is_refused():
    with pytest.raises(BadInput, match="not finite"):
        stats.confidence_interval(examples_of(make_table(20)), lambda some: float("nan"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 101}, "confidence is 101"),
        ({"confidence": -1}, "confidence is -1"),
        ({"n_resamples": 0}, "n_resamples is 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(BadInput, match=message):
        stats.confidence_interval(examples_of(make_table(20)), MeanScore(), **options)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (make_table(20).head(0), "empty"),
        (make_table(20).drop("score"), "no column 'score'"),
        (make_table(20).drop("y_pred"), "needs y_true and y_pred"),
        (make_table(20).with_columns(score=pl.lit(None, pl.Float64)), "Row 0 .* finite score"),
        (
            make_table(20).with_columns(
                y_true=pl.when(pl.col("example") == "img-3").then(None).otherwise("y_true")
            ),
            "without y_true",
        ),
        (make_table(20).with_columns(y_true=pl.lit(None, pl.String)), "needs y_true and y_pred"),
    ],
)
def test_a_table_that_cannot_be_scored_is_refused_in_a_sentence(table, message):
    with pytest.raises(BadInput, match=message):
        stats.interval_from_table(table, MacroF1())


def test_intervals_depend_on_the_seed_alone_whatever_the_number_of_threads():
    table = make_table(3000, n_classes=50, group_size=7)

    def work(seed):
        return stats.interval_from_table(table, MeanScore(), seed=seed)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(work, [1, 2, 1, 2]))
    assert together == [work(1), work(2)] * 2 and together[0] != together[1]


def test_a_task_without_truths_is_scored_by_its_scores():
    table = make_table(80).with_columns(y_true=pl.lit(None, pl.String))
    found = stats.interval_from_table(table, MeanScore())
    assert found == stats.interval_from_table(table.drop("y_true"), MeanScore())
    assert found.score == table["score"].mean()
