import html.parser
import re
from pathlib import Path

import pytest

from biobench import report, results
from biobench.errors import BadInput
from results_world import CLOSE, GOOD, POOR, tell

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Reader(html.parser.HTMLParser):
    """Tags, texts and ids of a page; refuses tags that are not closed."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text, self.ids, self.links = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a":
            self.links.append(attrs["href"])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(path):
    reader = Reader()
    reader.feed(path.read_text())
    assert reader.open == []
    return reader


@pytest.fixture
def page(suite, tmp_path):
    return report.write_page(suite, tmp_path / "site")


def test_the_page_is_one_file_without_scripts_or_anything_from_elsewhere(page):
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    reader = read(page)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reader.tags}
    assert not any("src" in attrs or "onclick" in attrs for _, attrs in reader.tags)
    assert "url(" not in page.read_text() and "@import" not in page.read_text()
    assert all(link.startswith("#") and link[1:] in reader.ids for link in reader.links)


def test_every_score_interval_and_note_is_on_the_page(page, suite):
    board = report.leaderboard(suite)
    text = re.sub(r"\s+", " ", " ".join(read(page).text))
    for score, low, high in board.table.select("score", "ci_low", "ci_high").rows():
        assert f"{score:.3f}" in text and f"{low:.3f}–{high:.3f}" in text
    assert all(re.sub(r"\s+", " ", note) in text for note in tell(board))


def test_every_run_shown_has_its_provenance(page, suite):
    text = page.read_text()
    for run in report.leaderboard(suite).table["run"].drop_nulls():
        kept = results.read_report(Path(run))
        assert kept["run"] in text and kept["protocol_digest"] in text
        assert kept["commit"] in text


def test_tables_and_pictures_can_be_read_out(page):
    reader = read(page)
    headers = [attrs for tag, attrs in reader.tags if tag == "th"]
    assert headers and all(attrs.get("scope") in ("row", "col") for attrs in headers)
    pictures = [attrs for tag, attrs in reader.tags if tag == "svg"]
    assert len(pictures) == 3 and all(attrs["role"] == "img" for attrs in pictures)
    assert all(attrs.get("aria-label") for attrs in pictures)
    assert ("html", {"lang": "en"}) in reader.tags
    assert "prefers-color-scheme: dark" in page.read_text()


def test_scores_are_broken_down_by_class_and_rarity(page):
    text = " ".join(read(page).text)
    for title in ("By class", "By training examples of the class", "By site"):
        assert text.count(title) == 3
    assert "dragonfly" in text and "Sub-scores" in text and "acc/night" in text


def test_the_order_and_every_mean_with_a_task_left_out_are_on_the_page(page, suite):
    board, text = report.leaderboard(suite), " ".join(read(page).text)
    assert board.left_out.height == 2 * 3
    assert all(f"{score:.3f}" in text for score in board.left_out["score"])
    assert "None" not in text, "a rank over too few tasks is a dash"
    assert "Ahead of next" in text and f"{board.order['beats_next'][0]:.0%}" in text


def test_names_cannot_break_the_page(keep, tmp_path):
    keep("birds", "timm:<script>alert(1)</script>")
    page = report.write_page(keep.root, tmp_path / "site")
    assert "script" not in {tag for tag, _ in read(page).tags}


def test_an_earlier_page_is_replaced_and_a_file_in_its_way_is_refused(suite, page, tmp_path):
    page.write_text("old")
    assert report.write_page(suite, page.parent) == page
    assert page.read_text() != "old"
    with pytest.raises(BadInput, match="is a file"):
        report.write_page(suite, page)


def test_models_that_lack_a_task_are_on_the_page(page):
    text = " ".join(read(page).text)
    for model in (GOOD, CLOSE, POOR):
        assert model in text
