import json
import re
import sys
from pathlib import Path

import pytest

from biobench import report, results
from biobench.errors import BadInput
from biobench.report.site.addresses import to_file_name
from results_world import CLOSE, GOOD, POOR, tell
from site_reader import read_pages, read_site


@pytest.fixture
def site(suite, tmp_path):
    return report.write_site(suite, tmp_path / "site")


@pytest.mark.parametrize(
    ("module", "package"), [("jinja2", "jinja2"), ("vl_convert", "vl-convert-python")]
)
def test_without_what_the_extra_brings_a_site_is_refused_with_what_to_install(
    suite, tmp_path, monkeypatch, module, package
):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(BadInput, match=rf"needs {package}: .*pip install '\.\[report\]'\.$"):
        report.write_site(suite, tmp_path / "site")


def test_every_link_leads_to_a_file_of_the_site_and_to_a_place_that_is_there(site):
    pages = read_pages(site)
    root = site.parent.resolve()
    for path, page in pages.items():
        for link in page.links:
            target, _, place = link.partition("#")
            here = (site.parent / path).parent / target if target else site.parent / path
            there = here.resolve()
            assert there.is_relative_to(root) and there.is_file(), (path, link)
            if place:
                assert place in pages[there.relative_to(root).as_posix()].ids, (path, link)


def test_no_page_names_anything_that_is_elsewhere(site):
    for file in site.parent.rglob("*"):
        if file.suffix in (".html", ".css", ".js"):
            text = re.sub(r'"?http://www\.w3\.org/\d+/(svg|xlink)"?', "", file.read_text())
            assert not re.search(r"https?://|url\((?!#)|@import", text), file.name


def test_every_score_interval_and_note_is_on_the_pages(site, suite):
    board, text = report.leaderboard(suite), read_site(site)
    for score, low, high in board.table.select("score", "ci_low", "ci_high").rows():
        assert f"{score:.3f}" in text and f"{low:.3f}–{high:.3f}" in text
    assert all(re.sub(r"\s+", " ", note) in text for note in tell(board))


def test_the_data_beside_the_pages_are_those_of_the_leaderboard_s_json(site, suite):
    rows = json.loads((site.parent / "data" / "leaderboard.json").read_text())
    expected = json.loads(report.to_text(report.leaderboard(suite), "json"))
    for row, other in zip(rows, expected, strict=True):
        names = ("model", "task", "score", "ci", "n", "rank", "rank_ci", "tied_with_best")
        assert {name: row[name] for name in names} == {name: other[name] for name in names}
        assert row["run"] is None or (suite / row["run"]) == Path(other["run"])


def test_every_run_shown_has_its_provenance(site, suite):
    text = read_site(site)
    for run in report.leaderboard(suite).table["run"].drop_nulls():
        kept = results.read_report(Path(run))
        assert kept["run"] in text and kept["protocol_digest"] in text and kept["commit"] in text


def test_tables_and_pictures_can_be_read_out(site):
    for page in read_pages(site).values():
        headers = [attrs for tag, attrs in page.tags if tag == "th"]
        assert all(attrs.get("scope") in ("row", "col") for attrs in headers)
        pictures = [attrs for tag, attrs in page.tags if tag == "svg"]
        assert all("aria-hidden" in one or "aria-label" in one for one in pictures)
        assert ("html", {"lang": "en"}) in page.tags
        assert len(page.ids) == len(set(page.ids))


def test_the_order_and_every_mean_with_a_task_left_out_are_on_the_leaderboard(site, suite):
    board, text = report.leaderboard(suite), read_pages(site)["leaderboard.html"].text
    assert board.left_out.height == 2 * 3
    assert all(f"{score:.3f}" in text for score in board.left_out["score"])
    assert "None" not in text, "a rank over too few tasks is a dash"
    assert "Ahead of next" in text and f"{board.order['beats_next'][0]:.0%}" in text


def test_models_that_lack_a_task_are_on_the_pages(site):
    text = read_site(site)
    assert all(model in text for model in (GOOD, CLOSE, POOR))
    assert "Not run: flowers" in text


def test_the_next_site_removes_the_pages_that_it_lacks_and_nothing_of_others(suite, site):
    own = site.parent / "notes.txt"
    own.write_text("mine")
    before = {path for path in site.parent.rglob("*") if path.is_file()}
    assert report.write_site(suite, site.parent, models=["timm:*"]) == site
    after = {path for path in site.parent.rglob("*") if path.is_file()}
    assert own in after and own.read_text() == "mine"
    gone = {path.relative_to(site.parent).as_posix() for path in before - after}
    assert f"models/{to_file_name(POOR)}.html" in gone
    assert f"models/{to_file_name(GOOD)}.html" not in gone


def test_a_list_of_files_that_names_others_has_nothing_of_them_removed(suite, site, tmp_path):
    outside = tmp_path / "outside.html"
    outside.write_text("mine")
    kept = site.parent / "biobench-site.json"
    kept.write_text(json.dumps({"files": ["../outside.html", str(outside), 7]}))
    report.write_site(suite, site.parent)
    assert outside.read_text() == "mine"


def test_a_file_or_a_link_in_its_way_is_refused(suite, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        report.write_site(suite, tmp_path / "file")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "models").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadInput, match="is a link"):
        report.write_site(suite, tmp_path / "site")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_pictures_that_are_no_folder_are_refused_before_anything_is_read(suite, tmp_path):
    with pytest.raises(BadInput, match=r"--images .*absent is not a folder"):
        report.write_site(suite, tmp_path / "site", images=tmp_path / "absent")


@pytest.mark.parametrize("name", ["a" * 300, "../../x", "CON", "", "<script>", "é\u202e名", "a/b"])
def test_a_file_name_is_plain_whatever_the_name(name):
    made = to_file_name(name)
    assert re.fullmatch(r"[a-z0-9-]{8,80}", made) and made == to_file_name(name)


def test_names_that_differ_in_capitals_or_signs_alone_have_files_of_their_own():
    names = ["timm:A", "timm:a", "timm-a", "timm/a", "timm a", "TIMM:A"]
    assert len({to_file_name(name) for name in names}) == len(names)


def test_scores_are_broken_down_by_class_rarity_and_every_column(site):
    for path, page in read_pages(site).items():
        if path.startswith("tasks/"):
            for title in ("By class", "By training examples of the class", "By site"):
                assert title in page.text
            assert "dragonfly" in page.text and "acc/night" in page.text
