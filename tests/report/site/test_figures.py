"""What figures and words of a page are computed from, against brute force."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from biobench import results
from biobench.report.site.backbones import describe_backbone
from biobench.report.site.breakdowns import break_down_for_page
from biobench.report.site.calibration_figures import find_reliability, find_risk
from biobench.report.site.charts import draw, name_axis, points
from biobench.report.site.comparisons import choose_pairs
from biobench.report.site.few_shot_curves import draw_curve, find_plateau
from biobench.report.site.fronts import find_front
from biobench.report.site.shares import wilson
from biobench.report.site.strengths import Field
from biobench.report.site.subject import gather
from biobench.report.views import CellView
from results_world import CLOSE, GOOD, POOR, make_report

places = st.integers(0, 5).map(float)


@given(st.lists(st.tuples(places, places), min_size=1, max_size=12))
def test_a_point_is_on_the_front_where_no_other_beats_it(points):
    front = find_front(points)
    beaten = [
        any(
            cost <= points[i][0] and score >= points[i][1] and (cost, score) != points[i]
            for cost, score in points
        )
        for i in range(len(points))
    ]
    assert {points[i] for i in front} == {
        p for p, is_beaten in zip(points, beaten, strict=True) if not is_beaten
    }
    assert [points[i][0] for i in front] == sorted({points[i][0] for i in front})


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_the_interval_of_a_share_is_scipy_s(case):
    n, k = case
    expected = scipy_stats.binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_reliability_and_risk_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    probability = rng.random(500)
    right = rng.random(500) < probability**2
    rows = find_reliability(probability, right)
    assert sum(row["n"] for row in rows) == 500 and len(rows) == 10
    for b, row in enumerate(rows):
        here = [r for p, r in zip(probability, right, strict=True) if b / 10 <= p < (b + 1) / 10]
        assert row["n"] == len(here) and row["y"] == pytest.approx(np.mean(here))
    for row in find_risk(probability, right):
        kept = np.argsort(-probability)[: round(row["x"] * 500)]
        assert row["y"] == pytest.approx(1 - right[kept].mean())
    assert find_risk(probability, right)[-1]["x"] == 1.0


def make_cells(*scores):
    return [CellView("m", "t", s, s - 0.05, s + 0.05, 100) for s in scores]


@pytest.mark.parametrize(
    ("scores", "sign", "first"),
    [
        ((0.4, 0.6, 0.79, 0.8), 1, 2),
        ((0.4, 0.6, 0.7, 0.8), 1, None),
        ((0.8, 0.8, 0.8), 1, 0),
        ((0.8, 0.6, 0.8), 1, None),
        ((0.5, 0.22, 0.2), -1, 1),
    ],
)
def test_a_curve_levels_off_where_all_that_follows_is_within_the_last_interval(scores, sign, first):
    assert find_plateau(make_cells(*scores), sign) == first


def test_a_few_shot_curve_is_of_one_protocol_and_says_where_it_levels_off(keep):
    for n_train, accuracy in ((1, 0.3), (5, 0.9), (50, 0.9)):
        keep("birds", GOOD, n=400, n_train=n_train, accuracy=accuracy, seed=n_train)
    keep("birds", GOOD, n=400, n_train=5, probe="knn", accuracy=0.9, seed=1)
    subject = gather(keep.root)
    (task,) = [t for t, c in subject.columns.items() if c.n_train == 50]
    curve = draw_curve(subject, task)
    assert len(curve.sentences) == 1 and f"{GOOD} levels off at 5" in curve.sentences[0]
    (other,) = [t for t, c in subject.columns.items() if c.probe == "knn"]
    assert draw_curve(subject, other) is None


def test_a_class_of_too_few_examples_is_folded_away_and_not_scored(keep):
    examples = make_report(n=60).examples
    rare = [
        dataclasses.replace(one, id=f"rare-{i}", info=one.info | {"y_true": "rare"})
        for i, one in enumerate(examples[:3])
    ]
    for model, accuracy in ((GOOD, 0.9), (POOR, 0.4)):
        made = make_report(n=60, accuracy=accuracy, backbone=model)
        made = dataclasses.replace(made, examples=[*made.examples, *rare])
        results.write_run(keep.root, "birds", tuple(model.split(":")), made)
    parts = {one.by: one for one in break_down_for_page(gather(keep.root), "birds")}
    assert [(row.value, row.n) for row in parts["class"].folded] == [("rare", 3)]
    shown = [row.value for row in parts["class"].rows]
    assert sorted(shown) == ["ant", "bee", "cicada", "dragonfly"]


def test_strong_and_weak_classes_are_those_of_a_plain_count(keep):
    for i, model in enumerate((GOOD, CLOSE, POOR)):
        made = make_report(n=200, accuracy=0.6, seed=i, backbone=model)
        if model == GOOD:
            examples = [
                dataclasses.replace(one, info=one.info | {"y_pred": "ant"}) for one in made.examples
            ]
            made = dataclasses.replace(made, examples=examples)
        results.write_run(keep.root, "birds", tuple(model.split(":")), made)
    field = Field.of(gather(keep.root), "birds")
    strong, weak = field.find_extremes(GOOD)
    assert [one.label for one in strong] == ["ant"] and strong[0].share == 1.0
    assert {one.label for one in weak} == {"bee", "cicada", "dragonfly"}
    assert all(one.share == 0.0 and one.n == 50 for one in weak)


def test_a_label_cannot_leave_its_figure():
    values = [
        {"x": 1.0, "y": 0.5, "ci_low": 0.4, "ci_high": 0.6, "tip": '</svg><script>"\u202e\x1b'}
    ]
    axis = name_axis('<b onload="x">')
    made = draw(points(axis, axis, values), id="x", label='"><script>', caption="")
    assert "<script" not in made.svg and "<b " not in made.svg and "\u202e" not in made.svg
    assert 'role="img"' in made.svg and "data-tip=" in made.svg and "#0a0b" not in made.svg


def test_speed_is_of_the_pictures_that_were_computed_and_else_unknown():
    def tell(counts, stages):
        return {
            "model": {"org": "timm", "ckpt": "a"},
            "posix_time": 1.0,
            "gpu_name": "cpu",
            "provenance": {"backbone": {}, "counts": counts, "stages": stages},
        }

    known = tell({"n_images": 100, "n_embedded": 50}, {"embed/forward": 2.0})
    cached = tell({"n_images": 100, "n_embedded": 0}, {"embed/forward": 0.0})
    assert describe_backbone([known, cached]).images_per_second == 25.0
    assert describe_backbone([cached]).images_per_second is None
    assert (
        describe_backbone([tell({"n_images": 9}, {"embed/forward": 1.0})]).images_per_second is None
    )


def test_of_many_models_the_best_are_compared_with_each_and_the_first_with_more(keep):
    for i in range(15):
        keep("birds", f"timm:{i}", n=40, accuracy=0.9 - i / 30, seed=i)
    subject = gather(keep.root)
    pairs, models = choose_pairs(subject), subject.board.models
    assert len(pairs) == len(set(pairs)) == 10 + 7
    assert all(models.index(a) < models.index(b) for a, b in pairs)
