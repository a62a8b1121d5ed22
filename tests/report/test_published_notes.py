import json

import numpy as np
import pytest

from biobench import report, results
from biobench.errors import BadInput
from biobench.report.views import ODD, PUBLISHED, WRONG, Verdict, view_cells, view_pairs
from published_files import make_cell, make_predictions, make_result, write_database, write_json
from results_world import tell

A, B = "ViT-B-32/openai", "resnet50.a1_in1k"
A_HERE, B_HERE = f"open-clip:{A}", f"timm:{B}"
OWN = "timm:mine"
KABR = "kabr"
"""where all that is shown is of one preset, only its heading says which."""


@pytest.fixture
def publish(keep):
    """Import a results.json of the rows given."""

    def publish(*rows):
        return results.import_any(write_json(keep.root.parent / "r.json", rows), keep.root)

    return publish


@pytest.fixture
def keep_ours(keep):
    """A run of ours under the preset 2026, by the metric of the published task."""

    def keep_ours(model=OWN, task="kabr", **more):
        return keep(
            task, model, **{"metric": "macro-f1", "preset": "2026", "probe": "adamw-head"} | more
        )

    return keep_ours


def cells_of(board):
    return view_cells(board.table, board.signs)


def test_a_published_score_is_shown_with_its_interval_and_a_mark_and_nothing_else(keep, publish):
    publish(make_result("kabr", A, 0.5, 0.4, 0.6), make_result("kabr", B, 0.9, 0.8, 0.95))
    board = report.leaderboard(keep.root)
    cell = cells_of(board)[B_HERE, KABR]
    assert (cell.score, cell.ci, cell.mark) == (0.9, [0.8, 0.95], PUBLISHED)
    assert (cell.n, cell.rank, cell.rank_ci, cell.tied_with_best) == (None, None, None, None)
    assert not cell.is_best and board.head(KABR) == "kabr [2026]"
    row = next(one for one in json.loads(report.to_text(board, "json")) if one["model"] == B_HERE)
    assert (row["ci"], row["rank"], row["published"]) == ([0.8, 0.95], None, True)
    assert "2 scores of 2 models were taken over" in " ".join(tell(board))
    assert "~ published" in board.alarms[0]
    for kind in ("markdown", "latex", "csv"):
        assert "0.9" in report.to_text(board, kind)
    assert r"0.900 (\~)" in report.to_text(board, "markdown")


def test_scores_at_odds_with_their_interval_or_known_to_be_wrong_are_marked_and_counted(
    keep, publish
):
    publish(
        make_result("kabr", A, 0.5, 0.6, 0.7),
        make_result("kabr", B, 0.5, None, None),
        make_result("fishnet", A, 0.5, 0.6, 0.7),
        make_result("newt", A),
    )
    board = report.leaderboard(keep.root)
    cells = cells_of(board)
    marks = [cells[A_HERE, KABR].mark, cells[B_HERE, KABR].mark]
    assert [*marks, cells[A_HERE, "fishnet"].mark] == [ODD, ODD, WRONG]
    assert cells[A_HERE, "newt"].mark is PUBLISHED
    said = " ".join(tell(board))
    assert "! 3 published scores lie outside their own interval" in said
    assert "fishnet [2026] 1, kabr [2026] 2" in said
    assert "Published scores on fishnet are known to be wrong: its probe" in said
    assert "4 ~ published, without predictions (3 ! contradict" in board.alarms[0]
    assert "1 x known to be wrong" in board.alarms[0]


def test_published_scores_stand_beside_ours_of_the_preset_and_ours_alone_are_ranked(
    keep, publish, keep_ours
):
    keep_ours(seed=1, accuracy=0.6)
    keep_ours("timm:other", seed=2, accuracy=0.9, backbone="other")
    publish(make_result("kabr", A, 0.99, 0.98, 1.0), make_result("kabr", B, 0.1, 0.05, 0.2))
    board = report.leaderboard(keep.root)
    assert board.tasks == [KABR]
    cells = cells_of(board)
    assert {cells[m, KABR].rank for m in (A_HERE, B_HERE)} == {None}
    assert cells["timm:other", KABR].rank == 1 and cells["timm:other", KABR].is_best
    assert cells[OWN, KABR].rank == 2
    said = " ".join(tell(board))
    assert "above the best that was tested here" in said and "kabr [2026] 1." in said
    assert "Not all models have the same seeds" not in said
    # Ranks are those that there are without the published scores.
    alone = report.leaderboard(keep.root, models=["timm:mine", "timm:other"])
    for model in (OWN, "timm:other"):
        assert cells[model, KABR] == cells_of(alone)[model, KABR]


def test_the_original_protocol_shares_neither_column_nor_row_with_published_scores(
    keep, publish, keep_ours
):
    keep("kabr", A_HERE, metric="mean-score", probe="simpleshot")
    publish(make_result("kabr", A), make_result("kabr", B))
    board = report.leaderboard(keep.root)
    cells = cells_of(board)
    assert sorted(cells) == [
        (A_HERE, "kabr"),
        (f"{A_HERE} @published", "kabr [2026]"),
        (B_HERE, "kabr [2026]"),
    ]
    assert not board.has_mean
    # With a run under the preset there is still one column for it, and no row has both.
    keep_ours(A_HERE)
    cells = cells_of(report.leaderboard(keep.root))
    assert set(cells) == {
        (A_HERE, "kabr"),
        (A_HERE, "kabr [2026]"),
        (f"{A_HERE} @published", "kabr [2026]"),
        (B_HERE, "kabr [2026]"),
    }
    kept = report.leaderboard(keep.root, where={"preset": "none"})
    assert set(cells_of(kept)) == {(A_HERE, "kabr")}
    kept = report.leaderboard(keep.root, where={"preset": "2026"})
    assert kept.tasks == [KABR]


def test_few_shot_runs_and_other_metrics_are_not_joined_by_published_scores(
    keep, publish, keep_ours
):
    keep_ours(n_train=10)
    publish(make_result("kabr", A))
    board = report.leaderboard(keep.root)
    assert set(cells_of(board)) == {(OWN, KABR), (A_HERE, "kabr [published]")}
    assert any("n_train=10" in board.head(task) for task in board.tasks)
    keep_ours("timm:other", metric="mean-score", backbone="other")
    assert len(report.leaderboard(keep.root).tasks) == 3


def test_the_mean_of_published_scores_is_plain_marked_and_not_ranked(keep, publish):
    publish(
        make_result("kabr", A, 0.5, 0.6, 0.7),
        make_result("newt", A, 0.8, 0.7, 0.9),
        make_result("kabr", B, 0.1, 0.0, 0.2),
    )
    board = report.leaderboard(keep.root)
    cell = cells_of(board)[A_HERE, "mean"]
    assert cell.score == pytest.approx(0.65) and cell.ci is None and cell.rank is None
    assert cell.mark is PUBLISHED and (B_HERE, "mean") not in cells_of(board)
    assert board.order.height == 0 and board.left_out.height == 0
    assert any("plain means over the tasks" in text for text in tell(board))


def test_no_mean_is_made_of_scores_that_are_known_to_be_wrong(keep, publish):
    publish(*(make_result(task, A) for task in ("kabr", "newt", "plankton")))
    board = report.leaderboard(keep.root)
    assert not board.has_mean
    assert any("give --tasks kabr newt" in text for text in tell(board))
    assert report.leaderboard(keep.root, tasks=["kabr", "newt"]).has_mean


def test_means_of_ours_stay_and_keep_their_ranks_beside_published_ones(keep, publish, keep_ours):
    for task, metric in (("kabr", "macro-f1"), ("newt", "mean-score")):
        keep_ours(task=task, metric=metric, seed=1)
        keep_ours("timm:other", task=task, metric=metric, seed=2, backbone="other", accuracy=0.9)
    alone = cells_of(report.leaderboard(keep.root))
    publish(make_result("kabr", A, 0.3, 0.2, 0.4), make_result("newt", A, 0.5, 0.4, 0.6))
    board = report.leaderboard(keep.root)
    cells = cells_of(board)
    for model in (OWN, "timm:other"):
        assert cells[model, "mean"] == alone[model, "mean"]
    assert cells[A_HERE, "mean"].score == pytest.approx(0.4)
    assert set(board.order["model"]) == {OWN, "timm:other"}


def test_published_predictions_are_tested_among_each_other_and_stand_for_their_bare_scores(
    keep, publish
):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    cells, rows = [], []
    for key, (ckpt, accuracy) in enumerate([(A, 0.9), (B, 0.4)], start=1):
        guess = np.where(rng.random(200) < accuracy, truth, (truth + 1) % 4)
        cells.append(make_cell(key, ckpt=ckpt, org="theirs"))
        rows += make_predictions(list(zip(truth.tolist(), guess.tolist(), strict=True)), key)
    path = write_database(keep.root.parent / "board.sqlite", cells, rows)
    assert results.import_any(path, keep.root).n_imported == 2
    publish(make_result("kabr", A), make_result("kabr", "c.d"))
    board = report.leaderboard(keep.root)
    shown = cells_of(board)
    assert board.tasks == [KABR] and shown[A_HERE, KABR].rank == 1
    assert shown[B_HERE, KABR].rank == 2 and not shown[A_HERE, KABR].published
    assert shown["timm:c.d", KABR].mark is PUBLISHED
    (pair,) = view_pairs(report.compare(keep.root, A_HERE, B_HERE).table)
    assert pair.verdict is Verdict.A


def test_published_predictions_have_a_column_of_their_own_beside_ours(keep, keep_ours):
    keep_ours()
    path = keep.root.parent / "board.sqlite"
    rows = make_predictions([(0, 0), (1, 1), (0, 1)])
    results.import_any(write_database(path, [make_cell()], rows), keep.root)
    board = report.leaderboard(keep.root)
    assert set(cells_of(board)) == {(OWN, KABR), (A_HERE, "kabr [published]")}
    assert board.head("kabr [published]") == "kabr [2026, published, seed=17]"


def test_two_published_models_are_compared_without_a_test(keep, publish):
    publish(
        make_result("kabr", A, 0.5, 0.6, 0.7),
        make_result("kabr", B, 0.9, 0.8, 0.95),
        make_result("newt", A),
    )
    found = report.compare(keep.root, A_HERE, B_HERE)
    (pair,) = view_pairs(found.table)
    assert (pair.score_a, pair.score_b) == (0.5, 0.9)
    assert pair.difference == pytest.approx(-0.4)
    assert (pair.p, pair.p_holm, pair.ci, pair.n) == (None,) * 4
    assert pair.verdict is Verdict.NOT_TESTED
    said = " ".join(tell(found))
    assert "Not tested: kabr [2026]" in said and "Only one of the two has newt [2026]" in said
    assert "outside its own published interval" in said and "permutation" not in said
    (row,) = json.loads(report.comparison_to_text(found, "json"))
    assert (row["p"], row["ci"], row["n"], row["p_holm"]) == (None,) * 4
    for kind in ("markdown", "latex", "csv"):
        assert "-0.400" in report.comparison_to_text(found, kind).replace("−", "-")


def test_ours_is_compared_with_a_published_one_without_a_test_and_with_ours_with_one(
    keep, publish, keep_ours
):
    keep_ours(seed=1)
    keep_ours(task="newt", metric="mean-score", seed=1)
    keep_ours(A_HERE, task="newt", metric="mean-score", seed=2, accuracy=0.95, n=200)
    publish(make_result("kabr", B), make_result("newt", B))
    found = report.compare(keep.root, OWN, B_HERE)
    assert [pair.verdict for pair in view_pairs(found.table)] == [Verdict.NOT_TESTED] * 2
    assert "not tested" in found.alarms[0]


def test_published_scores_are_neither_scored_anew_nor_broken_down(keep, publish, keep_ours):
    publish(make_result("kabr", A))
    with pytest.raises(BadInput, match="all are published scores"):
        report.leaderboard(keep.root, metric="accuracy")
    with pytest.raises(BadInput, match="No run here has predictions"):
        report.break_down(report.leaderboard(keep.root), "rarity")
    keep_ours()
    board = report.leaderboard(keep.root, metric="accuracy")
    assert board.problems == [] and board.models == [OWN]
    (part,) = report.break_down(report.leaderboard(keep.root), "class")
    assert part.models == [OWN]


def read_site(keep, **choice):
    site = keep.root.parent / "site"
    report.write_site(keep.root, site, **choice)
    return {path.relative_to(site).as_posix(): path.read_text() for path in site.rglob("*.html")}


def test_the_site_shows_marks_and_what_the_file_says_of_a_model_and_obeys_no_name(keep, publish):
    name = "<script>alert(1)</script>\x1b[31m"
    publish(make_result("kabr", name, 0.5, 0.6, 0.7), make_result(name, A))
    pages = read_site(keep)
    for page in pages.values():
        assert "alert(1)</script>" not in page and "\x1b" not in page
    assert f'<abbr title="{ODD.words}">!</abbr>' in pages["leaderboard.html"]
    (model,) = (page for title, page in pages.items() if title.startswith("models/open-clip"))
    assert "Published, source" in model and "2021-01-05" in model and "224 px" in model


def test_the_site_calls_none_the_best_of_what_was_not_tested(keep, publish, keep_ours):
    publish(make_result("kabr", A, 0.99, 0.98, 1.0), make_result("fishnet", B))
    index = read_site(keep)["index.html"]
    assert "Nothing here can be tested" in index and "highest score on kabr [2026]" in index
    keep_ours()
    index = read_site(keep, tasks=["kabr"])["index.html"]
    assert f"Only {OWN} has predictions" in index
    keep_ours("timm:other", accuracy=0.95, seed=2, backbone="other")
    index = read_site(keep, tasks=["kabr"])["index.html"]
    assert "of the models tested here" in index
    assert "1 score taken over from a published leaderboard" in index


def test_a_mean_is_compared_only_where_all_tasks_of_its_preset_are_tested(keep, keep_ours, publish):
    for task in ("kabr", "newt"):
        for model in (OWN, "timm:other"):
            keep(task, model, seed=len(model))
            if (task, model) != ("newt", "timm:other"):
                metric = {"kabr": "macro-f1", "newt": "mean-score"}[task]
                keep_ours(model, task=task, metric=metric, seed=len(model))
    found = report.compare(keep.root, OWN, "timm:other")
    assert {"mean", "kabr [2026]"} <= set(found.table["task"])
    # Other models' published scores change nothing.
    publish(make_result("kabr", B), make_result("newt", B))
    again = report.compare(keep.root, OWN, "timm:other")
    assert again.table.equals(found.table)
    untested = report.compare(keep.root, OWN, B_HERE).table
    assert sorted(untested["task"]) == ["kabr [2026]", "newt [2026]"]
