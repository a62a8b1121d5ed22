"""What a reader does with the site, in Debian's Chromium: nothing here is asked of a server."""

import csv
import io
import json
import urllib.parse
import xml.etree.ElementTree

import pytest

from biobench import clean, report
from biobench.report.site.kinds import KINDS
from site_worlds import HOSTILE

KIND_NAMES = {kind.name for kind in KINDS}


def list_pages(site):
    """The pages of the menu, and one of each kind that has many."""
    paths = sorted(path.relative_to(site.folder).as_posix() for path in site.folder.glob("*.html"))
    return paths + [
        sorted(path.relative_to(site.folder).as_posix() for path in folder.glob("*.html"))[0]
        for folder in sorted(site.folder.iterdir())
        if any(folder.glob("*.html"))
    ]


def read_column(page, table, key):
    """The texts of a column's shown cells, from top to bottom."""
    return page.evaluate(
        """([id, key]) => {
          const table = document.getElementById(id);
          const heads = Array.from(table.tHead.rows[0].cells);
          const index = key ? heads.findIndex((head) => head.dataset.key === key) : 0;
          return Array.from(table.tBodies[0].rows).filter((row) => !row.hidden)
            .map((row) => row.cells[index].innerText.trim());
        }""",
        [table, key],
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["big_site", "few_shot_site"])
def test_no_kind_of_page_has_a_serious_barrier_an_error_or_a_request_to_others(
    name, theme, open_tab, request
):
    site = request.getfixturevalue(name)
    tab = open_tab(site, viewport={"width": 1280, "height": 900})
    seen = set()
    for path in list_pages(site):
        page = tab.open(f"{path}?theme={theme}")
        assert tab.find_violations() == [], path
        back = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(json.loads(back.replace("rgb(", "[").replace(")", "]"))) > 380) == (
            theme == "light"
        )
        seen.add(page.evaluate("document.body.dataset.kind"))
    if name == "big_site":
        assert seen == KIND_NAMES


def test_no_page_is_wider_than_a_phone(big_site, few_shot_site, open_tab):
    for site in (big_site, few_shot_site):
        tab = open_tab(site, viewport={"width": 390, "height": 844})
        for path in list_pages(site):
            page = tab.open(path)
            widths = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            shown, room = page.evaluate(widths)
            assert shown <= room, path


def test_the_leaderboard_shows_the_numbers_of_leaderboard_json(big_site, open_tab):
    page = open_tab(big_site).open("leaderboard.html")
    rows = json.loads(report.to_text(report.leaderboard(big_site.results), "json"))
    names = read_column(page, "t0", "")
    keys = {
        head: page.evaluate(
            "(i) => document.querySelectorAll('#t0 thead th')[i].dataset.key", 2 + i
        )
        for i, head in enumerate(["mean", "birds", "flowers", "moths"])
    }
    assert len(rows) == 3 * 7 - 1 + 6
    for task, key in keys.items():
        shown = dict(zip(names, read_column(page, "t0", key), strict=True))
        for row in rows:
            if row["task"] == task:
                low, high = row["ci"]
                score, interval = shown[row["model"]].split("\n")[:2]
                assert score.split()[0] == f"{row['score']:.3f}"
                assert interval == f"{low:.3f}–{high:.3f}"


def test_a_click_sorts_and_the_address_keeps_it(big_site, open_tab):
    tab = open_tab(big_site)
    page = tab.open("leaderboard.html")
    unsorted = read_column(page, "t0", "")
    head = page.locator("#t0 thead th").nth(4)
    key = head.get_attribute("data-key")
    head.locator("button.sort").click()
    down = read_column(page, "t0", key)
    assert head.get_attribute("aria-sort") == "descending"
    assert down[-1] == "–", "what is missing comes last"
    scores = [float(text.split()[0]) for text in down[:-1]]
    assert scores == sorted(scores, reverse=True) and len(scores) == 6
    head.locator("button.sort").press("Enter")
    assert read_column(page, "t0", key) == [*down[:-1][::-1], "–"]
    link = urllib.parse.urlsplit(page.url)
    assert urllib.parse.parse_qs(link.query) == {"t0.sort": [f"{key}:up"]}
    again = tab.open(f"leaderboard.html?{link.query}")
    assert read_column(again, "t0", key) == [*down[:-1][::-1], "–"]
    again.locator("form.tools button[type=reset]").first.click()
    assert read_column(again, "t0", "") == unsorted
    assert urllib.parse.urlsplit(again.url).query == ""


def test_search_filters_and_columns_show_what_is_asked_for_and_are_links(big_site, open_tab):
    tab = open_tab(big_site)
    page = tab.open("leaderboard.html")
    form = page.locator("form.tools").first
    form.locator("[name=family]").select_option("ViT")
    assert read_column(page, "t0", "") == ["timm:b", "timm:d", "timm:f"]
    assert form.locator("output").inner_text() == "3 of 7 rows"
    form.locator("[name=seen]").select_option("some task")
    assert read_column(page, "t0", "") == ["timm:b"]
    form.locator("summary").click()
    form.locator(".columns input").first.uncheck()
    query = urllib.parse.urlsplit(page.url).query
    again = tab.open(f"leaderboard.html?{query}&t0.q=TIMM")
    assert read_column(again, "t0", "") == ["timm:b"]
    assert not again.locator("#t0 thead th").nth(1).is_visible()
    assert again.locator("[name=q]").first.input_value() == "TIMM"


def test_a_theme_goes_along_from_page_to_page(big_site, open_tab):
    page = open_tab(big_site, color_scheme="light").open("index.html")
    page.locator("#theme").click()
    page.locator("#theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.locator("nav a", has_text="Models").click()
    page.wait_for_url("**/models.html?theme=dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_comparison_is_opened_and_has_the_numbers_of_compare(big_site, open_tab):
    page = open_tab(big_site).open("compare.html?a=timm:c&b=timm:a")
    page.locator("#pick output a").click()
    page.wait_for_url("**/compare/*.html*")
    found = report.compare(big_site.results, "timm:a", "timm:c")
    rows = json.loads(report.comparison_to_text(found, "json"))
    text = page.locator("#differences").inner_text()
    for row in rows:
        low, high = row["ci"]
        assert f"{row['difference']:+.3f}" in text and f"{low:+.3f} to {high:+.3f}" in text


def test_two_tasks_are_drawn_against_each_other(big_site, open_tab):
    page = open_tab(big_site).open("predict.html")
    page.locator("#choose [name=y]").select_option("moths")
    assert page.locator("#chosen-pair circle").count() == 7
    page.locator("#choose [name=x]").select_option("flowers")
    assert page.locator("#chosen-pair circle").count() == 6
    assert "y=moths" in page.url and "x=flowers" in page.url


def test_a_figure_is_saved_as_svg_and_png(big_site, open_tab):
    page = open_tab(big_site, accept_downloads=True).open("cost.html")
    figure = page.locator("figure.chart").first
    with page.expect_download() as waiting:
        figure.get_by_text("SVG", exact=True).click()
    drawn = waiting.value.path().read_text(encoding="utf-8")
    root = xml.etree.ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and "var(" not in root.attrib["style"]
    assert waiting.value.suggested_filename == "cost-parameters.svg"
    with page.expect_download() as waiting:
        figure.get_by_text("PNG", exact=True).click()
    data = waiting.value.path().read_bytes()
    assert data.startswith(b"\x89PNG") and int.from_bytes(data[16:20]) > 2000


def test_the_csv_that_is_downloaded_has_the_leaderboard_s_numbers(served, open_tab):
    page = open_tab(served, accept_downloads=True).open("leaderboard.html")
    with page.expect_download() as waiting:
        page.get_by_text("all scores as CSV").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text(encoding="utf-8"))))
    board = report.leaderboard(served.results).table
    assert len(rows) == board.height
    for row, kept in zip(rows, board.iter_rows(named=True), strict=True):
        assert row["model"] == clean.csv(kept["model"]) and row["task"] == kept["task"]
        for name in ("score", "ci_low", "ci_high"):
            assert float(row[name]) == pytest.approx(kept[name], abs=5e-7)


def test_without_scripts_everything_but_the_tools_is_there(big_site, open_tab):
    page = open_tab(big_site, java_script_enabled=False).open("leaderboard.html")
    assert page.locator("#t0 tbody tr").count() == 7
    assert page.locator("form.tools").count() == 1 and not page.locator("form.tools").is_visible()
    page.locator("#t0 tbody a").first.click()
    page.wait_for_url("**/models/*.html")


def test_a_name_that_is_markup_is_shown_and_not_obeyed(big_site, open_tab):
    tab = open_tab(big_site)
    for path in ("index.html", "leaderboard.html", "models.html", "predict.html", "compare.html"):
        page = tab.open(path)
        assert page.locator("img").count() == 0 and page.title() != "1"
    page = tab.open("leaderboard.html")
    assert f"timm:{HOSTILE}" in read_column(page, "t0", "")
    page.get_by_text(HOSTILE).first.click()
    page.wait_for_url("**/models/*.html")
    assert page.locator("h1").inner_text() == f"timm:{HOSTILE}"
