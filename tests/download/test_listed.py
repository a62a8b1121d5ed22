"""Files that a table lists come one by one: politely, once, and those that cannot are listed."""

import csv
import hashlib

import pytest

from biobench import download
from biobench.data.sources import Listing, Source
from hostile_archives import make_zip
from hostile_server import Answer, Clock, Site

SOURCE = Source(
    "images", (), into="images", listing=Listing("metadata.csv", "public_url", "thumbnail")
)


@pytest.fixture
def site():
    with Site({f"/full/{i}": b"picture %d" % i for i in range(9)}) as site:
        yield site


@pytest.fixture
def folder(site, tmp_path):
    (tmp_path / "ecdysis").mkdir()
    write_table(
        tmp_path / "ecdysis", [(f"/thumbs/{i}.jpg", site.url(f"/full/{i}")) for i in range(9)]
    )
    return tmp_path / "ecdysis"


def write_table(folder, rows, header=("thumbnail", "public_url")):
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def bring(folder, *sources):
    clock = Clock()
    times = download.Clock(now=clock.now, date=clock.date, sleep=clock.sleep)
    plan = download.make_plan("ecdysis", sources or [SOURCE], folder)
    with download.Fetcher(clock=times) as fetcher:
        return *download.download(plan, fetcher), clock


def read_pictures(folder):
    return {path.name: path.read_bytes() for path in (folder / "images").iterdir()}


def test_each_file_comes_once_and_its_checksum_is_recorded(site, folder):
    site.script = [Answer(), Answer(cut=3), Answer(status=503)]
    outcome, clock = bring(folder)
    assert outcome.status == "done" and "9 files" in outcome.text
    assert read_pictures(folder) == {f"{i}.jpg": b"picture %d" % i for i in range(9)}
    assert clock.slept.count(0.1) == 9
    sums = (folder / ".download" / "images.sha256").read_text().splitlines()
    assert sums[4] == f"{hashlib.sha256(b'picture 4').hexdigest()}  images/4.jpg"
    n_requests = len(site.requests)
    assert bring(folder)[0].status == "there"
    (folder / "metadata.csv").write_text((folder / "metadata.csv").read_text() + "\n")
    assert bring(folder)[0].status == "done"
    assert len(site.requests) == n_requests


def test_what_cannot_be_fetched_is_counted_listed_and_tried_again(site, folder):
    gone = site.files.pop("/full/3")
    outcome, _ = bring(folder)
    assert outcome.status == "failed"
    assert "1 of 9 files could not be fetched (first: images/3.jpg: HTTP 404" in outcome.text
    missing = folder / ".download" / "images.missing.txt"
    assert missing.read_text() == "images/3.jpg\n"
    assert len(read_pictures(folder)) == 8
    site.files["/full/3"] = gone
    assert bring(folder)[0].status == "done"
    assert not missing.exists()
    assert sum(path == "/full/4" for _, path, _ in site.requests) == 1


def test_a_host_that_is_away_is_not_asked_for_everything(site, folder):
    site.files.clear()
    outcome, _ = bring(folder)
    assert "9 of 9 files could not be fetched" in outcome.text
    assert len(site.requests) == 5


def test_names_lead_nowhere_else(site, folder):
    url = site.url("/full/1")
    write_table(folder, [("../../evil.jpg", url), ("/a/..", url), ("x/.hidden", url), ("", url)])
    assert bring(folder)[0].status == "done"
    assert read_pictures(folder) == {"evil.jpg": b"picture 1"}
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize(
    ("header", "rows", "named"),
    [
        (("thumbnail", "url"), [("a", "b")], "no column public_url (found: thumbnail, url)"),
        (("thumbnail", "public_url"), [], "lists no files"),
    ],
)
def test_a_table_that_lists_nothing_is_a_failure(folder, header, rows, named):
    write_table(folder, rows, header)
    assert named in bring(folder)[0].text


def test_the_table_comes_first_under_the_name_that_it_should_have(site, folder):
    table = (folder / "metadata.csv").read_bytes()
    (folder / "metadata.csv").unlink()
    outcome, _ = bring(folder)
    assert "is not there yet" in outcome.text
    (folder / "metadata.zip").write_bytes(make_zip([("zip", table)]))
    brought = Source(
        "metadata.zip",
        (),
        archive="zip",
        renames=(("zip", "metadata.csv"),),
        gives=("metadata.csv",),
    )
    first, second, _ = bring(folder, brought, SOURCE)
    assert (first.status, second.status) == ("done", "done")
    assert len(read_pictures(folder)) == 9
