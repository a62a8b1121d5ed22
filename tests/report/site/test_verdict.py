"""The one sentence on the first page follows from the numbers by rule."""

import dataclasses
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from biobench import report
from biobench.report.site.subject import gather
from biobench.report.site.verdict import judge, say_score
from biobench.report.views import CellView
from results_world import CLOSE, GOOD, POOR


def drop_predictions(root):
    """The runs as a leaderboard without predictions would have them."""
    for path in root.rglob("report.json"):
        text = path.read_text()
        assert '"has_predictions": true' in text or '"has_predictions":true' in text
        path.write_text(re.sub(r'"has_predictions":( ?)true', r'"has_predictions":\1false', text))
        (path.parent / "predictions.parquet").unlink()


def test_a_model_that_no_other_may_equal_is_the_best_and_said_to_be_ahead_of_the_next(keep):
    keep("birds", GOOD, n=400)
    keep("birds", POOR, n=400)
    verdict = judge(gather(keep.root))
    (good,) = report.leaderboard(keep.root).table.filter(model=GOOD).iter_rows(named=True)
    score = f"{good['score']:.0%}, {100 * good['ci_low']:.0f} to {100 * good['ci_high']:.0f}"
    assert verdict.kind == "best" and not verdict.details
    assert verdict.headline.startswith(
        f"{GOOD} is the best on birds: {score}; clearly ahead of {POOR}"
    )
    assert verdict.command.startswith(f"biobench compare {GOOD} {POOR} --results")


def test_of_models_that_cannot_be_told_apart_none_is_called_the_best(keep):
    for i, model in enumerate((GOOD, CLOSE, POOR)):
        keep("birds", model, n=40, accuracy=0.7, seed=i)
    verdict = judge(gather(keep.root))
    assert verdict.kind == "all-tied" and "is the best" not in verdict.headline
    assert verdict.headline.startswith("No model is shown to be better than another on birds")
    assert "each of the 3 models may be the best" in verdict.headline
    assert "too small" in verdict.next_step


def test_the_highest_of_several_that_may_be_the_best_is_only_said_to_be_the_highest(suite):
    shutil.rmtree(suite / "flowers")
    verdict = judge(gather(suite))
    assert verdict.kind == "leading" and "is the best" not in verdict.headline
    assert "may be as good" in verdict.headline and f"clearly ahead of {POOR}" in verdict.headline
    assert "over 2 tasks" in verdict.headline


def test_a_single_model_is_compared_with_nothing(keep):
    keep("birds", GOOD)
    keep("moths", GOOD, manifest="data-2")
    verdict = judge(gather(keep.root))
    assert verdict.kind == "one-model" and "nothing to compare" in verdict.headline
    assert "best" not in verdict.headline and "biobench run --models" in verdict.command


def test_scores_without_predictions_are_not_tested(keep):
    keep("birds", GOOD)
    keep("birds", POOR)
    drop_predictions(keep.root)
    verdict = judge(gather(keep.root))
    assert verdict.kind == "unverified" and "may be luck" in verdict.headline
    assert "best" not in verdict.headline and "ahead" not in verdict.headline


def test_a_model_without_predictions_beside_others_is_named_among_the_limits(keep):
    keep("birds", GOOD, n=400)
    keep("birds", POOR, n=400)
    run = keep("birds", CLOSE, n=400)
    drop_predictions(Path(run).parent)
    verdict = judge(gather(keep.root))
    assert verdict.kind == "best" and CLOSE not in verdict.headline
    assert any(CLOSE in detail and "verified" in detail for detail in verdict.details)


def test_models_that_share_no_full_set_of_tasks_have_no_order(keep):
    keep("birds", GOOD, n=400)
    keep("birds", POOR, n=400)
    keep("moths", POOR, n=400, manifest="data-2")
    keep("moths", CLOSE, n=400, manifest="data-2")
    keep("flies", CLOSE, n=400, manifest="data-3")
    verdict = judge(gather(keep.root))
    assert verdict.kind == "no-order" and "no model has every task" in verdict.headline
    assert any("lack some task" in detail for detail in verdict.details)


def test_where_one_model_alone_has_every_task_it_is_held_against_nobody(keep):
    keep("birds", GOOD)
    keep("moths", GOOD, manifest="data-2")
    keep("birds", POOR)
    verdict = judge(gather(keep.root))
    assert verdict.kind == "only-one-complete" and "1 model cannot be held" in verdict.headline


def test_several_protocols_have_no_mean_and_no_best(keep):
    for n_train in (5, 50):
        for model in (GOOD, POOR):
            keep("birds", model, n=400, n_train=n_train, seed=n_train)
    verdict = judge(gather(keep.root))
    assert verdict.kind == "no-order" and "there is no mean over them" in verdict.headline
    assert f"{GOOD} is among the best on 2 of 2" in verdict.headline


@pytest.mark.parametrize(
    ("is_share", "words"), [(True, "79%, 59 to 91"), (False, "0.790 (0.590 to 0.912)")]
)
def test_a_score_is_said_with_its_interval(is_share, words):
    cell = CellView("a", "t", 0.79, 0.59, 0.912, 20)
    assert say_score(cell, is_share=is_share) == words
    alone = dataclasses.replace(cell, ci_low=None)
    assert say_score(alone, is_share=is_share) == words.partition(" (")[0].partition(",")[0]


def test_an_unreadable_run_is_counted(keep):
    keep("birds", GOOD)
    run = keep("birds", POOR)
    (Path(run) / "report.json").write_text("{")
    details = judge(gather(keep.root)).details
    assert any("1 run could not be read" in detail for detail in details)


def test_the_mean_is_said_as_a_score_and_a_share_in_per_cent(suite):
    assert pl.DataFrame(report.leaderboard(suite).order).height
    assert "%" not in judge(gather(suite)).headline
    assert "%" in judge(gather(suite, tasks=["birds"])).headline
