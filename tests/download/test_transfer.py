"""A file arrives whole and right over a hostile network, or it is said why it does not."""

import email.utils
import hashlib
import random
import socket

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.download.problems import NotFetched, SourceFailed
from biobench.download.transfer import Clock as RealClock
from biobench.download.transfer import Fetcher, Policy, Wanted
from hostile_server import Answer, Clock, Site

CONTENT = random.Random(0).randbytes(300_000)
PATH = "/data.zip"


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def get_free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def site():
    with Site({PATH: CONTENT}) as site:
        yield site


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "data.zip.partial"


def make_fetcher(clock, client=None, tell=lambda text: None, **policy):
    times = RealClock(now=clock.now, date=clock.date, sleep=clock.sleep)
    fetchers.append(Fetcher(Policy(**policy), times, client, tell))
    return fetchers[-1]


fetchers = []


@pytest.fixture(autouse=True)
def _close_connections():
    yield
    while fetchers:
        fetchers.pop().__exit__()


SHA256 = sha256(CONTENT)


def want(*addresses, checksum=SHA256, size=None):
    return Wanted("data.zip", addresses, size, checksum)


@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, len(CONTENT) - 1), max_size=5),
    knows=st.booleans(),
    in_pieces=st.booleans(),
)
def test_wherever_it_is_cut_the_file_arrives_equal_and_no_byte_comes_twice(
    tmp_path_factory, cuts, knows, in_pieces
):
    partial = tmp_path_factory.mktemp("cut") / "partial"
    with Site({PATH: CONTENT}) as site:
        site.script = [Answer(cut=cut, piece=997 if in_pieces else None) for cut in cuts]
        wanted = want(site.url(PATH), checksum=SHA256 if knows else "")
        found, address = make_fetcher(Clock()).fetch(wanted, partial)
        assert partial.read_bytes() == CONTENT
        assert (found, address) == (SHA256, site.url(PATH))
    # Once the server is down, for it may count what it sent after that has arrived.
    assert site.sent[PATH] == len(CONTENT)


def test_it_goes_on_in_another_process_where_it_was_left(site, clock, partial):
    site.script = [Answer(cut=123_456)]
    with pytest.raises(NotFetched):
        make_fetcher(clock, tries=1).fetch(want(site.url(PATH)), partial)
    assert partial.stat().st_size == 123_456
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT
    assert site.ranges() == [None, "bytes=123456-"]
    tag = f'"{hashlib.sha256(CONTENT).hexdigest()[:12]}"'
    assert site.requests[1][2]["If-Range"] == tag


@pytest.mark.parametrize("knows", [True, False])
def test_a_server_without_ranges_sends_it_anew(site, clock, partial, knows):
    site.script = [Answer(cut=200_000, ranges=False), Answer(ranges=False)]
    checksum = SHA256 if knows else ""
    make_fetcher(clock).fetch(want(site.url(PATH), checksum=checksum), partial)
    assert partial.read_bytes() == CONTENT


@pytest.mark.parametrize("heeds", [True, False], ids=["if-range", "no if-range"])
@pytest.mark.parametrize("longer", [0, 1000])
def test_a_file_that_changed_between_tries_is_fetched_anew(site, clock, partial, heeds, longer):
    new = random.Random(1).randbytes(len(CONTENT) + longer)
    site.script = [Answer(cut=100_000)]
    site.always = Answer(content=new, heeds_if_range=heeds)
    found, _ = make_fetcher(clock).fetch(want(site.url(PATH), checksum=""), partial)
    assert partial.read_bytes() == new
    assert found == sha256(new)


def test_a_file_that_changed_without_a_sign_is_fetched_anew_by_its_checksum(site, clock, partial):
    old = random.Random(1).randbytes(len(CONTENT))
    site.script = [Answer(cut=100_000, content=old, tag="")]
    site.always = Answer(tag="")
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT
    assert site.ranges() == [None, "bytes=100000-", None]


def test_a_file_that_became_shorter_is_fetched_anew(site, clock, partial):
    site.script = [Answer(cut=250_000)]
    site.always = Answer(content=CONTENT[:200_000], heeds_if_range=False)
    make_fetcher(clock).fetch(want(site.url(PATH), checksum=""), partial)
    assert partial.read_bytes() == CONTENT[:200_000]


def test_a_part_that_was_not_asked_for_is_not_taken(site, clock, partial):
    site.script = [Answer(cut=100_000), Answer(shift=10)]
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT


def test_pieces_from_two_addresses_are_joined_where_a_checksum_tells(site, clock, partial):
    with Site({PATH: CONTENT}) as other:
        site.script = [Answer(cut=100_000), Answer(status=404)]
        make_fetcher(clock).fetch(want(site.url(PATH), other.url(PATH)), partial)
        assert partial.read_bytes() == CONTENT
        assert other.sent[PATH] == len(CONTENT) - 100_000


def test_without_a_checksum_no_pieces_of_two_addresses_are_joined(site, clock, partial):
    content = random.Random(1).randbytes(len(CONTENT))
    with Site({PATH: content}) as other:
        site.script = [Answer(cut=100_000), Answer(status=404)]
        wanted = want(site.url(PATH), other.url(PATH), checksum="")
        make_fetcher(clock).fetch(wanted, partial)
        assert partial.read_bytes() == content


def test_a_length_that_is_not_kept_is_no_whole_file(site, clock, partial):
    site.always = Answer(length=len(CONTENT) + 5, ranges=False)
    with pytest.raises(NotFetched, match=r"connection broke|ended after"):
        make_fetcher(clock).fetch(want(site.url(PATH), checksum=""), partial)
    assert len(site.requests) == Policy().tries


def test_a_length_that_is_not_said_is_found_at_the_end(site, clock, partial):
    site.always = Answer(says_length=False)
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT


def test_a_cut_is_seen_by_the_published_size_where_no_length_is_said(site, clock, partial):
    site.script = [Answer(says_length=False, cut=70_000)]
    wanted = want(site.url(PATH), checksum="", size=len(CONTENT))
    make_fetcher(clock).fetch(wanted, partial)
    assert partial.read_bytes() == CONTENT


def test_another_size_than_the_published_one_is_refused_before_a_byte_is_kept(site, clock, partial):
    with pytest.raises(NotFetched, match="gives 300,000 bytes and not the published 7"):
        make_fetcher(clock).fetch(want(site.url(PATH), size=7), partial)
    assert not partial.exists()


def test_redirects_are_followed(site, clock, partial):
    site.script = [Answer(status=302, headers=(("Location", PATH),), content=b"")]
    make_fetcher(clock).fetch(want(site.url("/moved")), partial)
    assert partial.read_bytes() == CONTENT


def test_redirects_without_end_are_given_up_at_once(site, clock, partial):
    site.always = Answer(status=302, headers=(("Location", PATH),), content=b"")
    with pytest.raises(NotFetched, match="redirect"):
        make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert clock.slept == []


@pytest.mark.parametrize("checksum", [SHA256, ""])
def test_from_https_to_http_only_a_checksum_leads(clock, partial, checksum):
    def answer(request):
        if request.url.scheme == "https":
            return httpx2.Response(302, headers={"Location": "http://other.example/x"})
        return httpx2.Response(200, stream=httpx2.ByteStream(CONTENT))

    transport = httpx2.MockTransport(answer)
    client = httpx2.Client(transport=transport, follow_redirects=True)
    fetcher, wanted = make_fetcher(clock, client), want("https://a.example/x", checksum=checksum)
    if checksum:
        fetcher.fetch(wanted, partial)
        assert partial.read_bytes() == CONTENT
    else:
        with pytest.raises(NotFetched, match="from https to http"):
            fetcher.fetch(wanted, partial)
        assert not partial.exists()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_when_it_says(site, clock, partial, status):
    date = email.utils.formatdate(clock.time + 7 + 40, usegmt=True)
    site.script = [
        Answer(status=status, headers=(("Retry-After", "7"),)),
        Answer(status=status, headers=(("Retry-After", date),)),
    ]
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert clock.slept == [7, pytest.approx(40, abs=1)]
    assert partial.read_bytes() == CONTENT


def test_a_wait_without_measure_is_capped(site, clock, partial):
    site.script = [Answer(status=429, headers=(("Retry-After", "86400"),))]
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert clock.slept == [300]


def test_where_there_is_another_address_nobody_waits_for_long(site, clock, partial):
    with Site({PATH: CONTENT}) as other:
        site.always = Answer(status=429, headers=(("Retry-After", "86400"),))
        make_fetcher(clock).fetch(want(site.url(PATH), other.url(PATH)), partial)
    assert clock.slept == []
    assert partial.read_bytes() == CONTENT


def test_waits_grow_and_end(site, clock, partial):
    site.always, said = Answer(status=503), []
    with pytest.raises(NotFetched, match="503"):
        make_fetcher(clock, tell=said.append).fetch(want(site.url(PATH)), partial)
    assert len(site.requests) == 6
    assert len(said) == 5 and "503" in said[0] and "next try is in 1 s" in said[0]
    for slept, doubled in zip(clock.slept, [1, 2, 4, 8, 16], strict=True):
        assert 0.75 * doubled <= slept <= 1.25 * doubled


def test_what_is_not_there_is_not_asked_for_again(site, clock, partial):
    with pytest.raises(NotFetched, match="404"):
        make_fetcher(clock).fetch(want(site.url("/other")), partial)
    assert len(site.requests) == 1


def test_a_login_page_is_no_file(site, clock, partial):
    site.always = Answer(content=b"<html>", headers=(("Content-Type", "text/html; charset=x"),))
    with pytest.raises(NotFetched, match="web page"):
        make_fetcher(clock).fetch(want(site.url(PATH), checksum=""), partial)
    assert not partial.exists()


def test_a_trickle_is_left_for_the_next_address(clock, partial):
    given = []

    class Trickle(httpx2.SyncByteStream):
        def __iter__(self):
            for byte in CONTENT:
                given.append(byte)
                clock.time += 1.0
                yield bytes([byte])

    def answer(request):
        slow = request.url.host == "slow.example"
        return httpx2.Response(200, stream=Trickle() if slow else httpx2.ByteStream(CONTENT))

    fetcher = make_fetcher(clock, httpx2.Client(transport=httpx2.MockTransport(answer)))
    fetcher.fetch(want("http://slow.example/", "http://fast.example/"), partial)
    assert partial.read_bytes() == CONTENT
    assert len(given) == 6 * 60


def test_silence_is_not_waited_out(site, clock, partial):
    site.script = [Answer(stall=100_000)]
    make_fetcher(clock, silence=0.05).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT
    assert site.ranges() == [None, "bytes=100000-"]


def test_a_wrong_checksum_leads_to_the_next_address(site, clock, partial):
    with Site({PATH: CONTENT[::-1]}) as liar:
        make_fetcher(clock).fetch(want(liar.url(PATH), site.url(PATH)), partial)
        assert len(liar.requests) == 1
    assert partial.read_bytes() == CONTENT


def test_where_all_addresses_give_another_file_nothing_stays(site, clock, partial):
    found = hashlib.md5(CONTENT).hexdigest()
    with pytest.raises(NotFetched, match=f"checksum is md5:{found} and not md5:000") as caught:
        make_fetcher(clock).fetch(want(site.url(PATH), checksum="md5:" + "0" * 32), partial)
    assert list(caught.value.causes) == [site.url(PATH)]
    assert list(partial.parent.iterdir()) == []


def test_a_dead_first_mirror_costs_no_wait(site, clock, partial):
    dead = f"http://127.0.0.1:{get_free_port()}{PATH}"
    make_fetcher(clock).fetch(want(dead, site.url(PATH)), partial)
    assert clock.slept == []
    assert partial.read_bytes() == CONTENT


def test_a_host_that_is_away_is_waited_for_once_not_for_every_file(clock, tmp_path):
    asked = []

    def answer(request):
        asked.append(request.url.path)
        raise httpx2.ConnectError("refused")

    transport = httpx2.MockTransport(answer)
    fetcher = make_fetcher(clock, httpx2.Client(transport=transport))
    for name in "12":
        with pytest.raises(NotFetched):
            fetcher.fetch(want(f"http://a.example/{name}"), tmp_path / name)
    assert asked == ["/1"] * 6 + ["/2"] and len(clock.slept) == 5


def test_every_address_that_failed_is_named_with_its_cause(site, clock, partial):
    dead = f"http://127.0.0.1:{get_free_port()}{PATH}"
    with pytest.raises(NotFetched) as caught:
        make_fetcher(clock).fetch(want(dead, site.url("/gone"), "http://127.0.0.1:x/"), partial)
    causes = list(caught.value.causes.values())
    assert "cannot be reached" in causes[0] and "404" in causes[1] and "address" in causes[2]


def test_foreign_bytes_at_the_beginning_cost_one_more_whole_fetch(site, clock, partial):
    partial.write_bytes(b"x" * 1000)
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT
    assert site.ranges() == ["bytes=1000-", None]


@pytest.mark.parametrize("more", [0, 17])
def test_more_bytes_than_the_file_has_are_no_file(site, clock, partial, more):
    partial.write_bytes(CONTENT + b"x" * more)
    make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT
    assert site.sent[PATH] == (len(CONTENT) if more else 0)


def test_a_disk_without_room_is_said_before_a_byte_is_kept(site, clock, partial, monkeypatch):
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(SourceFailed, match=r"1\.0 kB free"):
        make_fetcher(clock).fetch(want(site.url(PATH)), partial)
    assert site.requests and not partial.exists()


def test_a_proxy_of_the_environment_is_used(site, clock, partial, monkeypatch):
    site.files["http://data.example/data.zip"] = CONTENT
    monkeypatch.setenv("HTTP_PROXY", site.url(""))
    make_fetcher(clock).fetch(want("http://data.example/data.zip"), partial)
    assert partial.read_bytes() == CONTENT


def test_certificates_are_checked_against_the_store_that_is_named(
    clock, partial, monkeypatch, request
):
    certificate = request.path.with_name("loopback.pem")
    with Site({PATH: CONTENT}, certificate) as secure:
        with pytest.raises(NotFetched, match="certificate is not trusted"):
            make_fetcher(clock).fetch(want(secure.url(PATH)), partial)
        assert clock.slept == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        make_fetcher(clock).fetch(want(secure.url(PATH)), partial)
    assert partial.read_bytes() == CONTENT
