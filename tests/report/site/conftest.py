import dataclasses
import shutil
import threading
from pathlib import Path

import axe_playwright_python
import pytest
from playwright import sync_api

from biobench import report
from biobench.report.site import subject
from biobench.report.site.serving import make_server
from site_worlds import HOSTILE, MODELS, write_few_shot, write_suite

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"


def describe(reports):
    """What a catalogue would know of a model; of the last nothing."""
    known = DESCRIBE(reports)
    place = MODELS.index(known.name.removeprefix("timm:"))
    if known.name.endswith(HOSTILE):
        return known
    return dataclasses.replace(
        known,
        family=["ResNet", "ViT"][place % 2],
        released=f"{2024 - place}-05-01",
        gflops=40.0 / (1 + place),
        images_per_second=10.0 * (1 + place),
        devices=("cpu",),
        seen={"birds": "test" if place == 1 else "none"},
    )


DESCRIBE = subject.describe_backbone


@dataclasses.dataclass(frozen=True)
class Site:
    """A site, and the results that it was made of."""

    results: Path
    folder: Path
    address: str
    """of its folder, ending in a slash."""


def make(folder, write):
    write(folder / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "describe_backbone", describe)
        report.write_site(folder / "results", folder / "site")
    return Site(folder / "results", folder / "site", f"{(folder / 'site').as_uri()}/")


@pytest.fixture(scope="session")
def big_site(tmp_path_factory):
    return make(tmp_path_factory.mktemp("suite"), write_suite)


@pytest.fixture(scope="session")
def few_shot_site(tmp_path_factory):
    return make(tmp_path_factory.mktemp("few"), write_few_shot)


@pytest.fixture(scope="session")
def served(big_site):
    """The same site from our own server."""
    server = make_server(big_site.folder, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/"
    yield dataclasses.replace(big_site, address=address)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium (.ci/run installs it)."""
    program = shutil.which("chromium")
    assert program, "install chromium (apt-get install chromium): the site is tested in a browser"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


class Tab:
    """A browser's page that fails on what no reader wants: errors, requests to others."""

    def __init__(self, site, context):
        self.site, self.context = site, context
        self.page = context.new_page()
        self.page.set_default_timeout(30_000)
        self.errors, self.requests = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self.errors.append(said.text))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path):
        self.page.goto(self.site.address + path)
        return self.page

    def check(self):
        """Nothing went wrong, and nothing was asked of anybody else."""
        assert self.errors == []
        strange = [url for url in self.requests if not url.startswith((self.site.address, "data:"))]
        assert strange == []

    def find_violations(self):
        """What axe-core calls serious or critical, with where it stands."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "axe.run(document, {preload: false, resultTypes: ['violations']})"
        )
        return [
            (one["id"], node["html"][:160])
            for one in found["violations"]
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"][:3]
        ]


@pytest.fixture
def open_tab(browser):
    """A tab of a site, in a window of its own."""
    contexts, tabs = [], []

    def open_tab(site, **options):
        contexts.append(browser.new_context(**options))
        tabs.append(Tab(site, contexts[-1]))
        return tabs[-1]

    yield open_tab
    for tab in tabs:
        tab.check()
    for context in contexts:
        context.close()
