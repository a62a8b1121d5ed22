"""The pages of pictures in Debian's Chromium: what is shown of whom is the right picture."""

import types
import urllib.parse

import numpy as np
import pytest
from PIL import Image

from biobench import report, results
from biobench.interfaces import Example
from results_world import make_report
from site_worlds import HOSTILE

TRUTH = ["ant", "bee", "cicada"]
RED, GREEN, BLUE, GREY = (210, 20, 20), (20, 160, 20), (20, 20, 210), (128, 128, 128)
"""only A is right, only B is right, both are wrong, both are right."""
MODELS = ["one", HOSTILE]


def plan():
    """(truth, answer of A, answer of B, colour) of each example."""
    rows = []
    for i in range(60):
        truth, other = TRUTH[i % 3], TRUTH[(i + 1) % 3]
        rows.append((truth, truth, truth, GREY))
        if i < 4:
            rows.append((truth, truth, other, RED))
        if i < 2:
            rows.append((truth, other, truth, GREEN))
        if i < 3:
            rows.append((truth, other, other, BLUE))
    return rows


def write_results(root, data):
    folder = data / "birds"
    (folder / "x").mkdir(parents=True)
    for m, model in enumerate(MODELS):
        made = make_report(n=len(plan()), backbone=f"digest-{m}")
        examples = []
        for i, (truth, a, b, colour) in enumerate(plan()):
            answer = (a, b)[m]
            name = f"x/{i}.png" if i % 50 else f"x/{HOSTILE}{i}.png"
            Image.new("RGB", (64, 48), colour).save(folder / name)
            info = {
                "y_true": truth,
                "y_pred": answer,
                "top_labels": [answer],
                "top_scores": [0.5 + i / 1000],
                "group": f"camera-{i % 5}",
                "image": name,
            }
            examples.append(Example(f"e{i}", float(truth == answer), info))
        made.examples[:] = examples
        results.write_run(root, "birds", ("timm", model), made)


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictured")
    write_results(folder / "results", folder / "data")
    (folder / "data" / "birds" / "x" / "7.png").unlink()
    report.write_site(folder / "results", folder / "site", images=folder / "data")
    return types.SimpleNamespace(
        results=folder / "results",
        folder=folder / "site",
        address=f"{(folder / 'site').as_uri()}/",
    )


READ_COLOURS = """
  async () => {
    const shown = Array.from(document.querySelectorAll(".shot img"))
      .filter((image) => image.offsetParent !== null);
    const found = [];
    for (const image of shown) {
      image.loading = "eager";
      await image.decode();
      found.push([image.closest(".shot").querySelector(".id").innerText, image.src]);
    }
    return found;
  }
"""


def read_colours(site, page):
    """The mean colour of each picture that a reader sees, with its example."""
    found = []
    for text, url in page.evaluate(READ_COLOURS):
        name = urllib.parse.urlsplit(url).path.rsplit("/", 1)[1]
        with Image.open(site.folder / "thumbs" / name) as image:
            found.append((text.split(" ")[0], np.asarray(image.convert("RGB")).mean((0, 1))))
    return found


def test_a_comparison_leads_to_the_pictures_of_what_was_planted(pictured, open_tab):
    tab = open_tab(pictured)
    page = tab.open("compare.html")
    page.locator("#pairs tbody a").first.click()
    page.get_by_text("Where they disagree, picture by picture").click()
    page.wait_for_url("**/disagree/*.html*")
    counts = page.locator("#counts tbody tr td").all_inner_texts()
    assert [text.split()[0] for text in counts] == ["4", "2", "3", "60"]
    expected = {"only A is right": (RED, 4), "only B is right": (GREEN, 2)}
    for kind, (colour, n) in {**expected, "both are wrong": (BLUE, 3)}.items():
        page.locator("form [name=kind]").select_option(kind)
        seen = read_colours(pictured, page)
        missing = page.locator(".no-shot:visible").count()
        assert len(seen) + missing == n and missing <= 1
        for example, mean in seen:
            assert mean == pytest.approx(colour, abs=8), (kind, example)
            assert plan()[int(example[1:])][3] == colour
    query = urllib.parse.urlsplit(page.url).query
    assert urllib.parse.parse_qs(query) == {"g.kind": ["both are wrong"]}
    again = tab.open(f"{page.url.removeprefix(pictured.address)}&g.truth=bee")
    assert again.locator(".shot:visible").count() == 1
    assert again.locator(".shot:visible .truth").inner_text().startswith("bee")
    again.locator("form button[type=reset]").click()
    assert again.locator(".shot:visible").count() == 9


def test_each_picture_has_the_truth_and_both_answers_with_scores(pictured, open_tab):
    page = open_tab(pictured).open("pictures.html")
    page.locator("#pairs + .scroll a").first.click()
    page.wait_for_url("**/disagree/*.html*")
    for shot in page.locator(".shot").all():
        text = shot.inner_text()
        i = int(shot.locator(".id").inner_text().split(" ")[0][1:])
        truth, a, b, _ = plan()[i]
        assert text.splitlines()[0] == truth or truth in text.splitlines()[:3]
        said = shot.locator("li").all_inner_texts()
        for line, answer, who in zip(said, (a, b), "AB", strict=True):
            sign = "✓" if answer == truth else "✗"
            assert line.split() == [sign, answer, f"{0.5 + i / 1000:.2f}", who]


def test_mistakes_of_all_come_first_and_those_of_one_model_are_a_choice(pictured, open_tab):
    page = open_tab(pictured).open("pictures.html")
    page.locator("#tasks + .scroll a").first.click()
    page.wait_for_url("**/mistakes/*.html*")
    shots = page.locator(".shot")
    assert shots.count() == 9
    words = shots.locator(".truth .dim").all_inner_texts()
    assert words == ["wrong for 2 of 2"] * 3 + ["wrong for 1 of 2"] * 6
    page.locator("form [name=model]").select_option("timm:one")
    assert page.locator(".shot:visible").count() == 5
    page.locator("form [name=q]").fill("bee")
    assert 0 < page.locator(".shot:visible").count() < 5
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["g.model"] == ["timm:one"]


def test_a_matrix_of_a_thousand_classes_zooms_and_its_part_is_in_the_address(tmp_path, open_tab):
    made = make_report(n=1_000)
    names = [f"class {i:04}" for i in range(1_000)]
    made.examples[:] = [
        Example(f"e{i}", 0.0, {"y_true": name, "y_pred": names[i ^ 1]})
        for i, name in enumerate(names)
    ]
    results.write_run(tmp_path / "results", "birds", ("timm", "one"), made)
    report.write_site(tmp_path / "results", tmp_path / "site")
    site = types.SimpleNamespace(address=f"{(tmp_path / 'site').as_uri()}/")
    tab = open_tab(site, viewport={"width": 1000, "height": 1200})
    page = tab.open("pictures.html")
    page.get_by_text("confusions on").first.click()
    page.wait_for_url("**/confusions/*.html*")
    canvas, output = page.locator("#zoom canvas"), page.locator("#zoom output")
    box = canvas.bounding_box()
    near_corner = {"x": box["width"] * 0.03, "y": box["height"] * 0.03}
    canvas.hover(position=near_corner)
    block = output.inner_text()
    assert " to class " in block and " taken for " in block and block.endswith(": 16 wrong")
    canvas.click(position=near_corner)
    for _ in range(3):
        canvas.press("+")
    at = urllib.parse.parse_qs(urllib.parse.urlsplit(page.url).query)["at"][0]
    row, column, size = map(int, at.split(":"))
    assert row == column and size < 30
    again = tab.open(page.url.removeprefix(site.address))
    assert again.url == page.url
    # Twins stand beside each other: just off the diagonal is a confusion of single classes.
    edge = int(again.locator("#zoom canvas").get_attribute("data-edge"))
    step = (720 - edge) / size
    seen = set()
    for down, across in ((0, 1), (1, 2)):
        x, y = (edge + (i + 0.5) * step for i in (across, down))
        again.locator("#zoom canvas").hover(position={"x": x, "y": y})
        seen.add(again.locator("#zoom output").inner_text().rsplit(": ")[1])
    assert "1 wrong" in seen
    again.get_by_role("button", name="All").click()
    assert "at=" not in again.url


def test_a_missing_picture_is_said_and_a_hostile_name_stays_text(pictured, open_tab):
    tab = open_tab(pictured)
    for path in sorted(pictured.folder.glob("*/*.html")):
        page = tab.open(path.relative_to(pictured.folder).as_posix())
        assert page.locator("img").count() == page.locator(".shot img").count()
        assert page.title() != "1"
    assert {path.parent.name for path in pictured.folder.rglob("*.webp")} == {"thumbs"}


def test_without_pictures_names_and_answers_are_there_and_how_to_get_the_pictures(
    pictured, tmp_path
):
    report.write_site(pictured.results, tmp_path / "site")
    (page,) = (tmp_path / "site" / "mistakes").glob("*.html")
    text = page.read_text(encoding="utf-8")
    assert "--images ROOT" in text and text.count('class="shot"') == 9
    assert not (tmp_path / "site" / "thumbs").exists()
