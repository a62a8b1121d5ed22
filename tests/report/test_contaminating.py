"""Marks of contamination: what pretraining has seen stands beside the score, in every output."""

import json
import re
import sqlite3

import pytest

from biobench import report, results
from biobench.report import views
from biobench.report.views import view_cells
from site_reader import read_site

BIOCLIP, RESNET, OWN = "open-clip:hf-hub:imageomics/bioclip", "timm:resnet50.a1_in1k", "my-lab:net"


@pytest.fixture
def root(keep):
    for task in ("inat21", "imagenet1k", "kabr"):
        for model, accuracy in ((BIOCLIP, 0.9), (RESNET, 0.6), (OWN, 0.5)):
            keep(task, model, n=200, accuracy=accuracy, manifest=task, seed=len(model))
    return keep.root


def test_what_the_list_says_is_marked_and_nothing_else(root):
    board = report.leaderboard(root)
    cells = view_cells(board.table, board.signs)
    seen = {key: cell.seen for key, cell in cells.items() if key[1] != "mean"}
    assert seen == {
        (BIOCLIP, "inat21"): "train",
        (BIOCLIP, "imagenet1k"): "unknown",
        (BIOCLIP, "kabr"): "unknown",
        (RESNET, "inat21"): "unknown",
        (RESNET, "imagenet1k"): "train",
        (RESNET, "kabr"): "none",
        **{(OWN, task): None for task in ("inat21", "imagenet1k", "kabr")},
    }
    marked = {key for key, cell in cells.items() if views.SEEN in cell.marks}
    assert marked == {
        (BIOCLIP, "inat21"),
        (RESNET, "imagenet1k"),
        (BIOCLIP, "mean"),
        (RESNET, "mean"),
    }


def test_the_mark_stands_beside_the_best_and_does_not_hide_it(root):
    board = report.leaderboard(root)
    cell = view_cells(board.table, board.signs)[BIOCLIP, "inat21"]
    assert cell.marks == [views.BEST, views.SEEN]
    assert (cell.sign, cell.beside) == ("*", "†")
    score = f"{cell.score:.3f}"
    assert f"**{score}**†" in report.to_text(board, "markdown")
    assert rf"\textbf{{{score}}}$^{{\dagger}}$" in report.to_text(board, "latex")


@pytest.mark.parametrize("kind", ["markdown", "latex"])
def test_what_the_sign_means_stands_below(root, kind):
    board = report.leaderboard(root)
    assert "seen in pretraining" in report.to_text(board, kind)
    explained = report.to_text(board, kind, explain=True)
    assert re.search(r"imagenet1k of timm:resnet50\S* \(train\)", explained.replace("\\", ""))


def test_the_page_marks_and_names_it(root, tmp_path):
    report.write_site(root, tmp_path / "site")
    page = (tmp_path / "site" / "leaderboard.html").read_text()
    assert '<abbr title="seen in pretraining">†</abbr>' in page
    text = read_site(tmp_path / "site")
    assert "inat21 of open-clip:hf-hub:imageomics/bioclip (train)" in text
    assert "family BioCLIP licence mit" in text and "Seen in pretraining" in text


def test_json_and_exports_have_it_as_a_field(root, tmp_path):
    rows = json.loads(report.to_text(report.leaderboard(root), "json"))
    assert {(r["model"], r["task"]): r["seen"] for r in rows}[RESNET, "kabr"] == "none"
    results.export(root, tmp_path / "out.sqlite")
    with sqlite3.connect(tmp_path / "out.sqlite") as db:
        found = dict(db.execute("SELECT task, seen FROM runs WHERE model = ?", (BIOCLIP,)))
        assert found["inat21"] == "train" and found["kabr"] == "unknown"
        assert db.execute("SELECT count(seen) FROM runs WHERE model = ?", (OWN,)).fetchone() == (0,)


def test_a_comparison_says_what_either_has_seen(root):
    notes = report.compare(root, BIOCLIP, RESNET).notes
    text = " ".join(note.text for note in notes)
    assert "inat21 of open-clip:hf-hub:imageomics/bioclip (train)" in text
    assert "imagenet1k of timm:resnet50.a1_in1k (train)" in text


def test_under_another_name_a_model_keeps_its_marks(root):
    board = report.leaderboard(root, aliases=[f"{BIOCLIP}=BioCLIP"])
    assert view_cells(board.table, board.signs)["BioCLIP", "inat21"].seen == "train"


def test_a_board_of_models_that_are_not_listed_has_no_sign_and_no_word_of_it(suite):
    board = report.leaderboard(suite)
    for kind in ("markdown", "latex"):
        text = report.to_text(board, kind, explain=True)
        assert "†" not in text and "dagger" not in text and "pretraining" not in text
