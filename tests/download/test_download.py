"""A task's sources come into its folder: verified, once, whatever was there before."""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import types

import httpx2
import pytest

import worlds
from biobench import download, iwildcam, kabr, newt, plantnet, registry
from biobench.cli import main
from biobench.data.sources import Source
from biobench.demo import iwildcam as trap_world
from biobench.demo import kabr as kabr_world
from biobench.demo import newt as newt_world
from biobench.demo import plantnet as plant_world
from biobench.download.checksums import read_list
from biobench.download.display import Lines
from biobench.download.planning import list_files
from biobench.errors import BadInput
from hostile_archives import HOSTILE, make_tar, make_zip
from hostile_server import Answer, Clock, Site

FILES = [(f"pictures/{i}.jpg", random.Random(i).randbytes(3000)) for i in range(20)]
TAR = make_tar(FILES)
TABLE = b"path,label\n1.jpg,ant\n"


def hash_of(content, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def read_tree(folder):
    """Every file below a folder that is not the downloader's own, as name -> bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".download" not in path.parts
    }


@pytest.fixture
def site():
    with Site({"/data.tar.gz": TAR, "/table.csv": TABLE}) as site:
        yield site


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "moths"


def tar_source(site, **changes):
    source = Source(
        "data.tar.gz", (site.url("/data.tar.gz"),), checksum=hash_of(TAR), archive="tar"
    )
    return dataclasses.replace(source, **{"gives": ("pictures",), **changes})


def table_source(site, **changes):
    return dataclasses.replace(Source("table.csv", (site.url("/table.csv"),)), **changes)


def bring(folder, *sources, mirrors=None, clock=None, **options):
    clock = clock or Clock()
    times = download.Clock(now=clock.now, date=clock.date, sleep=clock.sleep)
    plan = download.make_plan("moths", sources, folder, mirrors)
    with download.Fetcher(clock=times) as fetcher:
        return download.download(plan, fetcher, **options)


def statuses(outcomes):
    return [outcome.status for outcome in outcomes]


def test_files_are_fetched_verified_and_unpacked(site, folder):
    outcomes = bring(folder, tar_source(site), table_source(site))
    assert statuses(outcomes) == ["done", "done"]
    assert read_tree(folder) == {"data.tar.gz": TAR, "table.csv": TABLE, **dict(FILES)}
    assert "20 files unpacked" in outcomes[0].text and "as published" in outcomes[0].text
    assert hash_of(TABLE) in outcomes[1].text


def test_what_is_verified_is_not_fetched_again(site, folder):
    bring(folder, tar_source(site), table_source(site))
    n_requests = len(site.requests)
    assert statuses(bring(folder, tar_source(site), table_source(site))) == ["there", "there"]
    assert len(site.requests) == n_requests


@pytest.mark.parametrize("first", [True, False])
def test_archives_are_removed_where_that_is_asked_for_and_not_fetched_again(site, folder, first):
    if not first:
        bring(folder, tar_source(site))
    bring(folder, tar_source(site), remove_archives=True)
    assert read_tree(folder) == dict(FILES)
    assert statuses(bring(folder, tar_source(site))) == ["there"]
    assert len(site.requests) == 1


def test_pictures_that_were_removed_come_back_from_the_archive_that_is_there(site, folder):
    bring(folder, tar_source(site))
    for name, _ in FILES:
        (folder / name).unlink()
    (folder / "pictures").rmdir()
    assert statuses(bring(folder, tar_source(site))) == ["done"]
    assert dict(FILES).items() <= read_tree(folder).items()
    assert len(site.requests) == 1


def test_pictures_that_were_removed_are_missed_though_no_name_was_promised(site, folder):
    source = tar_source(site, gives=())
    bring(folder, source, remove_archives=True)
    assert statuses(bring(folder, source)) == ["there"]
    for name, _ in FILES:
        (folder / name).unlink()
    assert statuses(bring(folder, source)) == ["done"]
    assert read_tree(folder).items() >= dict(FILES).items()


def test_a_new_edition_of_the_checksum_is_fetched(site, folder):
    bring(folder, tar_source(site), remove_archives=True)
    new = make_tar([("pictures/new.jpg", b"new")])
    site.files["/data.tar.gz"] = new
    source = tar_source(site, checksum=hash_of(new))
    assert statuses(bring(folder, source)) == ["done"]
    assert (folder / "pictures/new.jpg").read_bytes() == b"new"


def test_nothing_that_fails_its_checksum_is_unpacked(site, folder):
    (outcome,) = bring(folder, tar_source(site, checksum="sha256:" + "0" * 64))
    assert outcome.status == "failed" and "its checksum is" in outcome.text
    assert read_tree(folder) == {}


@pytest.mark.parametrize("name", ["tar dots", "tar link out", "zip dots", "tar bomb", "zip bomb"])
def test_a_hostile_archive_fails_alone_and_writes_nothing_outside(site, folder, name):
    kind, content = HOSTILE[name]
    site.files["/evil"] = content
    source = Source("evil", (site.url("/evil"),), checksum=hash_of(content), archive=kind)
    outcomes = bring(folder, source, table_source(site))
    assert statuses(outcomes) == ["failed", "done"]
    assert read_tree(folder.parent) == {"moths/evil": content, "moths/table.csv": TABLE}


def test_an_unpublished_checksum_is_recorded_and_held_later(site, folder):
    source = tar_source(site, checksum="")
    (outcome,) = bring(folder, source, remove_archives=True)
    assert f"{hash_of(TAR)} is recorded" in outcome.text
    record = json.loads((folder / ".download" / "data.tar.gz.json").read_text())
    assert record["checksum"] == hash_of(TAR) and record["origin"] == "recorded"
    for path in (folder / "pictures").iterdir():
        path.unlink()
    (folder / "pictures").rmdir()
    site.files["/data.tar.gz"] = make_tar([("pictures/other.jpg", b"other")])
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed" and "recorded on the first download" in outcome.text
    assert read_tree(folder) == {}


def test_a_cut_that_nobody_could_see_is_not_held_against_the_whole_file(site, folder):
    site.script = [Answer(says_length=False, cut=30_000)]
    source = tar_source(site, checksum="")
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed" and "damaged" in outcome.text and "anew" in outcome.text
    assert not (folder / "data.tar.gz").exists()
    assert statuses(bring(folder, source)) == ["done"]
    assert dict(FILES).items() <= read_tree(folder).items()


def test_a_damaged_archive_that_a_person_brought_stays(site, folder):
    folder.mkdir()
    (folder / "data.tar.gz").write_bytes(TAR[:30_000])
    (outcome,) = bring(folder, tar_source(site, checksum=""))
    assert outcome.status == "failed" and f"remove {folder / 'data.tar.gz'}" in outcome.text
    assert (folder / "data.tar.gz").read_bytes() == TAR[:30_000]


@pytest.mark.parametrize("urls", [True, False])
def test_a_file_that_a_person_brings_is_verified_the_same_way(site, folder, urls):
    source = tar_source(site) if urls else tar_source(site, urls=(), by_hand="Ask the authors.")
    folder.mkdir()
    (folder / "data.tar.gz").write_bytes(TAR[:-1] + b"x")
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed" and "damaged or another version" in outcome.text
    assert read_tree(folder) == {"data.tar.gz": TAR[:-1] + b"x"}
    (folder / "data.tar.gz").write_bytes(TAR)
    assert statuses(bring(folder, source)) == ["done"]
    assert dict(FILES).items() <= read_tree(folder).items()
    assert site.requests == []


def test_a_linked_archive_is_used_and_only_the_link_is_removed(site, folder, tmp_path):
    folder.mkdir()
    (tmp_path / "shared.tar.gz").write_bytes(TAR)
    (folder / "data.tar.gz").symlink_to(tmp_path / "shared.tar.gz")
    bring(folder, tar_source(site), remove_archives=True)
    assert read_tree(folder) == dict(FILES)
    assert (tmp_path / "shared.tar.gz").read_bytes() == TAR and site.requests == []


def test_a_walled_source_says_what_to_do_by_hand_and_where_to_put_it(site, folder):
    wall = Source("all.zip", (), archive="zip", by_hand="Log in at example.org and accept.")
    outcomes = bring(folder, wall, table_source(site))
    assert statuses(outcomes) == ["failed", "done"]
    assert "Log in at example.org and accept;" in outcomes[0].text
    assert str(folder / "all.zip") in outcomes[0].text


def test_a_dead_source_says_what_was_tried_and_how_else(site, folder):
    source = tar_source(site, urls=(site.url("/gone"), site.url("/away")), by_hand="Ask around.")
    (outcome,) = bring(folder, source)
    for part in ("/gone: HTTP 404", "/away: HTTP 404", "Ask around;", str(folder / "data.tar.gz")):
        assert part in outcome.text


def test_data_that_stood_there_before_are_neither_fetched_nor_called_verified(site, folder):
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "1.jpg").write_bytes(b"mine")
    (outcome,) = bring(folder, tar_source(site))
    assert outcome.status == "elsewhere" and "not verified" in outcome.text
    assert read_tree(folder) == {"pictures/1.jpg": b"mine"} and site.requests == []


def test_a_folder_that_only_a_person_can_bring_is_known_by_what_it_gives(site, folder):
    wall = Source("imagenet", (), gives=("train", "val"), by_hand="Accept the terms.")
    assert "Accept the terms" in bring(folder, wall)[0].text
    (folder / "train").mkdir()
    assert statuses(bring(folder, wall)) == ["failed"]
    (folder / "val").mkdir()
    assert statuses(bring(folder, wall)) == ["elsewhere"]


def test_a_folder_in_a_files_place_fails_alone(site, folder):
    (folder / "data.tar.gz").mkdir(parents=True)
    outcomes = bring(folder, tar_source(site), table_source(site))
    assert statuses(outcomes) == ["failed", "done"] and "is no file" in outcomes[0].text


def test_a_disk_that_is_full_fails_one_source_and_keeps_what_came(site, folder, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        (outcome,) = bring(folder, tar_source(site))
    assert outcome.status == "failed" and "No space left on device" in outcome.text
    assert statuses(bring(folder, tar_source(site))) == ["done"]
    assert site.sent["/data.tar.gz"] == len(TAR)


def test_an_archive_without_what_it_should_give_is_a_failure(site, folder):
    (outcome,) = bring(folder, tar_source(site, gives=("pictures", "labels.csv")))
    assert outcome.status == "failed" and "did not give labels.csv" in outcome.text


def test_a_table_goes_to_its_folder_and_one_that_was_changed_is_noticed(site, folder):
    source = table_source(site, into="annotation", checksum=hash_of(TABLE))
    bring(folder, source)
    assert read_tree(folder) == {"annotation/table.csv": TABLE}
    (folder / "annotation/table.csv").write_bytes(b"changed")
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed" and "another version" in outcome.text


def split(content, n, name="data.zip"):
    step = -(-len(content) // n)
    return {f"{name}_a{'abcdef'[i]}": content[i * step : (i + 1) * step] for i in range(n)}


ZIP = make_zip(FILES)
LISTS = {
    "md5sum of pieces": lambda parts: "".join(
        f"{hashlib.md5(c).hexdigest()}  {n}\n" for n, c in parts.items()
    ),
    "md5sum of the whole": lambda parts: f"{hashlib.md5(ZIP).hexdigest()} *data.zip\n",
    "BSD's md5 of the whole": lambda parts: f"MD5 (data.zip) = {hashlib.md5(ZIP).hexdigest()}\n",
    "a digest alone": lambda parts: hashlib.md5(ZIP).hexdigest(),
}


def split_source(site, listed):
    parts = split(ZIP, 4)
    site.files |= {f"/{name}": content for name, content in parts.items()}
    site.files["/data_md5.txt"] = LISTS[listed](parts).encode()
    return Source(
        "data.zip",
        (),
        archive="zip",
        into="image",
        parts=tuple(Source(name, (site.url(f"/{name}"),)) for name in parts),
        checksums=Source("data_md5.txt", (site.url("/data_md5.txt"),)),
    )


@pytest.mark.parametrize("listed", LISTS)
def test_a_split_archive_is_verified_by_the_published_list_and_joined(site, folder, listed):
    source = split_source(site, listed)
    site.script = [Answer(), Answer(cut=5000), Answer(cut=0)]
    (outcome,) = bring(folder, source, remove_archives=True)
    assert outcome.status == "done" and "md5 as published" in outcome.text.replace("sha256", "md5")
    found = read_tree(folder / "image")
    assert found == dict(FILES)
    assert set(read_tree(folder)) - {f"image/{n}" for n in found} == {"data_md5.txt"}
    assert sum(site.sent[f"/{part.name}"] for part in source.parts) == len(ZIP)
    assert statuses(bring(folder, source)) == ["there"]


@pytest.mark.parametrize("listed", LISTS)
def test_a_wrong_piece_is_never_unpacked_and_the_next_run_mends_it(site, folder, listed):
    source = split_source(site, listed)
    wrong = f"/{source.parts[2].name}"
    right, site.files[wrong] = site.files[wrong], site.files[wrong][::-1]
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed" and "checksum" in outcome.text
    assert not (folder / "image").exists()
    site.files[wrong] = right
    assert statuses(bring(folder, source)) == ["done"]
    assert read_tree(folder / "image") == dict(FILES)
    if listed == "md5sum of pieces":
        assert site.sent[f"/{source.parts[0].name}"] == len(site.files[f"/{source.parts[0].name}"])


def test_pieces_that_a_person_brings_are_not_removed_when_they_are_wrong(site, folder):
    source = split_source(site, "md5sum of the whole")
    folder.mkdir()
    for part in source.parts:
        (folder / part.name).write_bytes(b"wrong")
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed"
    assert all((folder / part.name).read_bytes() == b"wrong" for part in source.parts)


def test_a_joined_archive_that_a_person_brings_replaces_the_pieces(site, folder):
    folder.mkdir()
    (folder / "data.zip").write_bytes(ZIP)
    source = split_source(site, "BSD's md5 of the whole")
    assert statuses(bring(folder, source)) == ["done"]
    assert [path for _, path, _ in site.requests] == ["/data_md5.txt"]
    assert read_tree(folder / "image") == dict(FILES)


def test_a_list_that_names_nothing_of_it_verifies_nothing(site, folder):
    source = split_source(site, "md5sum of pieces")
    site.files["/data_md5.txt"] = b"0" * 32 + b"  other.zip\n"
    (outcome,) = bring(folder, source)
    assert outcome.status == "failed" and "lists neither" in outcome.text
    assert not (folder / "image").exists()


def test_a_line_of_a_list_that_is_no_checksum_is_named(tmp_path):
    path = tmp_path / "md5.txt"
    path.write_text("0" * 32 + "  a.zip\n<html>\n")
    with pytest.raises(BadInput, match="line 2"):
        read_list(path)


CHILD = """
import sys
from pathlib import Path
from biobench import download
from biobench.data.sources import Source
address, checksum, folder = sys.argv[1:]
source = Source("data.tar.gz", (address,), checksum=checksum, archive="tar", gives=("pictures",))
plan = download.make_plan("moths", [source], Path(folder))
with download.Fetcher() as fetcher:
    print(*[o.status for o in download.download(plan, fetcher)])
"""


def start_child(site, folder):
    command = [sys.executable, "-c", CHILD, site.url("/data.tar.gz"), hash_of(TAR), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_killed_while_it_fetches_it_goes_on_with_the_next_byte(site, folder):
    site.script = [Answer(stall=20_000)]
    partial = folder / ".download" / "data.tar.gz.partial"
    child = start_child(site, folder)
    wait_for(lambda: partial.exists() and partial.stat().st_size == 20_000)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -9
    child.stdout.close()
    assert statuses(bring(folder, tar_source(site))) == ["done"]
    assert site.ranges() == [None, "bytes=20000-"]
    assert site.sent["/data.tar.gz"] == len(TAR)
    assert read_tree(folder) == {"data.tar.gz": TAR, **dict(FILES)}


def test_two_at_the_same_time_fetch_once_and_both_are_content(site, folder):
    site.always = Answer(piece=1000)
    children = [start_child(site, folder) for _ in range(2)]
    said = sorted(child.communicate()[0].strip() for child in children)
    assert said == ["done", "there"]
    assert site.sent["/data.tar.gz"] == len(TAR)
    assert read_tree(folder) == {"data.tar.gz": TAR, **dict(FILES)}


def test_mirrors_are_tried_in_turn_before_the_published_addresses(site, folder):
    with Site({"/all/moths/data.tar.gz": TAR}) as other:
        mirrors = download.Mirrors((("moths", site.url("/no")), ("*", other.url("/all/"))))
        assert statuses(bring(folder, tar_source(site), mirrors=mirrors)) == ["done"]
        assert [path for _, path, _ in site.requests] == ["/no/data.tar.gz"]
        assert [path for _, path, _ in other.requests] == ["/all/moths/data.tar.gz"]


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "config" / "biobench" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def test_mirrors_come_from_the_users_config_file_after_those_given(config):
    config.write_text(
        '[mirrors]\n"*" = ["https://a.example/x"]\nnewt = "https://b.example"\n'
        '"newt/labels é.csv" = ["https://c.example/get?id=7"]\n'
    )
    mirrors = download.read_mirrors(["newt=http://d.example", "https://e.example/?a=b"])
    assert mirrors.find("newt", "labels é.csv", ["https://p.example/l"]) == (
        "http://d.example/labels%20%C3%A9.csv",
        "https://e.example/?a=b/newt/labels%20%C3%A9.csv",
        "https://a.example/x/newt/labels%20%C3%A9.csv",
        "https://b.example/labels%20%C3%A9.csv",
        "https://c.example/get?id=7",
        "https://p.example/l",
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[mirrors]\nnewt = 7\n", "mirrors.newt"),
        ('[mirrors]\nnewt = "ftp://x"\n', "ftp://x"),
        ("[mirors]\n", "mirors"),
        ("mirrors = 1\n", "table"),
        ("[mirrors\n", "TOML"),
    ],
)
def test_a_config_file_with_a_mistake_is_refused_by_name(config, text, named):
    config.write_text(text)
    with pytest.raises(BadInput, match=named) as caught:
        download.read_mirrors()
    assert str(config) in str(caught.value)


@pytest.mark.parametrize("address", ["/mnt/data", "file:///mnt/data", "newt=x", "https://"])
def test_a_mirror_that_is_no_address_is_refused(config, address):
    with pytest.raises(BadInput, match="--mirror"):
        download.read_mirrors([address])


@pytest.mark.parametrize(
    "source",
    [
        Source("../x", ("https://a.example",)),
        Source("/x", ()),
        Source("x", (), into="../y"),
        Source("x", (), gives=("/etc",)),
        Source("x", (), checksum="sha256:123"),
        Source("x", (), checksum="crc:12345678"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(folder, source):
    with pytest.raises(BadInput, match="x"):
        download.make_plan("moths", [source], folder)


@pytest.mark.parametrize("task", [newt, kabr, iwildcam, plantnet])
def test_the_published_sources_are_sound(task, folder):
    plan = download.make_plan("moths", task.SOURCES, folder)
    assert {item.state for item in plan.items} == {"missing"}
    for source in task.SOURCES:
        assert source.licence and source.citation
        for file in list_files(source):
            assert all(url.startswith("https://") for url in file.urls)
    assert not folder.exists()


def test_more_than_the_disk_has_is_refused_before_anything(folder):
    source = Source("x.zip", ("https://a.example/x",), size=1 << 60, archive="zip")
    with pytest.raises(BadInput, match="free, but about 2305843"):
        download.require_room([download.make_plan("moths", [source], folder)])
    assert not folder.exists()


def test_sizes_are_asked_of_the_first_server_that_tells_and_of_a_dead_one_once(site):
    asked = []

    def answer(request):
        asked.append((request.method, str(request.url)))
        if request.url.host == "dead.example":
            raise httpx2.ConnectError("refused")
        return httpx2.Response(404 if "gone" in request.url.path else 200, content=b"12345")

    ask = download.Asker(httpx2.Client(transport=httpx2.MockTransport(answer)))
    dead, gone, good = "http://dead.example/", "http://a.example/gone", "http://a.example/x"
    assert ask((dead, gone, good)) == 5
    assert ask((dead,)) is None
    assert asked == [("HEAD", dead), ("HEAD", gone), ("HEAD", good)]


def test_lines_of_progress_are_few_and_tell_rate_and_time_left(capsys):
    clock = Clock()
    lines = Lines(lambda: clock.time)
    for done in range(0, 101):
        lines("fetch a.zip", done * 1_000_000, 100_000_000)
        clock.time += 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "fetch a.zip: 0 bytes of 100.0 MB"
    assert said[1] == "fetch a.zip: 25.0 MB of 100.0 MB, 1.0 MB a second, about 75 s left".replace(
        "75 s", "1 min"
    )
    assert 3 < len(said) < 8


# The command line.


@pytest.fixture
def moths(site, monkeypatch, config):
    """The task `moths` with two published files."""
    module = types.ModuleType("moths")
    module.SOURCES = (
        tar_source(site, size=len(TAR), licence="CC0-1.0", citation="Ant et al."),
        table_source(site),
    )
    monkeypatch.setitem(registry.TASKS.registered, "moths", module)
    return module


def run(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["download", *map(str, arguments)])
    return code, out.getvalue(), err.getvalue()


def test_the_command_brings_a_task_and_says_what_it_did(moths, tmp_path):
    code, out, _ = run("moths", "--data", tmp_path / "data")
    assert code == 0 and f"moths: complete in {tmp_path / 'data' / 'moths'}" in out
    assert dict(FILES).items() <= read_tree(tmp_path / "data" / "moths").items()


def test_a_dry_run_tells_sizes_licences_and_addresses_and_fetches_nothing(moths, site, tmp_path):
    code, out, _ = run("moths", "--data", tmp_path / "data", "--dry-run")
    assert code == 0
    for part in (
        ", 60.6 kB, ",
        "about 21 bytes",
        "CC0-1.0",
        "Ant et al.",
        site.url("/data.tar.gz"),
        "licence: unknown",
    ):
        assert part in out
    assert not (tmp_path / "data").exists()
    assert not site.sent


def test_a_file_that_cannot_be_brought_is_exit_code_1_and_said_last(moths, site, tmp_path):
    del site.files["/table.csv"]
    code, out, err = run("moths", "--data", tmp_path)
    assert code == 1
    assert "data.tar.gz" in out and "complete" not in out
    assert err.splitlines()[-1].startswith("biobench: moths: table.csv: no address gave it")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["folder"], "no published data"),
        (["mots"], "Did you mean 'moths'"),
        (["moths", "--mirror", "x"], "--mirror x"),
        (["moths", "--mirror", "moths/other.csv=https://a.example/x"], "data.tar.gz"),
    ],
)
def test_bad_usage_is_exit_code_2_in_one_sentence(moths, tmp_path, arguments, named):
    code, out, err = run(*arguments, "--data", tmp_path)
    assert (code, out) == (2, "")
    assert named in err and len(err.splitlines()) == 1


def test_a_mirror_of_no_task_is_said(moths, tmp_path):
    _, _, err = run("moths", "--data", tmp_path, "--mirror", "mths=https://a.example")
    assert "the mirrors of 'mths' are not used" in err


def test_ctrl_c_says_how_to_go_on(moths, tmp_path, monkeypatch):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "download", stop)
    code, _, err = run("moths", "--data", tmp_path)
    assert code == 130 and "the same command goes on" in err


@pytest.mark.parametrize("name", ["newt", "kabr", "iwildcam", "plantnet"])
def test_a_task_without_its_data_says_the_command_that_fetches_them(tmp_path, name):
    task = registry.load_task(name)
    with pytest.raises(BadInput, match=f"biobench download {name} --data {tmp_path} fetches it"):
        task.load(task.Args(datadir=str(tmp_path / name)))


def test_a_task_that_is_half_unpacked_is_not_run(tmp_path):
    worlds.plantnet(tmp_path / "plantnet")
    (tmp_path / "plantnet" / ".download").mkdir()
    (tmp_path / "plantnet" / ".download" / "plantnet_300K.zip.unpacking").write_text("{}")
    with pytest.raises(BadInput, match=r"plantnet_300K\.zip was being unpacked; biobench download"):
        plantnet.load(plantnet.Args(datadir=str(tmp_path / "plantnet")))


# The published layouts, end to end.


LAYOUTS = {
    "newt": newt_world.Newt(newt_world.NewtScale(2, 4, 2), 0),
    "kabr": kabr_world.Kabr(kabr_world.KabrScale(2, 1, 16, 1.0), 0),
    "iwildcam": trap_world.IWildCam(trap_world.CamScale(3, 6, 2, 4, 1, 1, 2, 1, 2), 0),
    "plantnet": plant_world.PlantNet(plant_world.PlantScale(3, 9, 4, 1), 0),
}


def draw_world(name, folder):
    """A small part of the demo's world, in the published layout."""
    files = {path: picture for unit in LAYOUTS[name].units() for path, picture in unit.draw()}
    for path, lines in LAYOUTS[name].tables():
        files[path] = "".join(f"{line}\n" for line in lines).encode()
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def list_tree(folder, *tops):
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in found]
    return [(name, content) for name, content in names if not tops or name.split("/")[0] in tops]


def pack(name, world):
    """The world's files as they are published: address below the mirror -> bytes."""
    if name == "newt":
        images, labels = (
            list_tree(world, "newt2021_images"),
            list_tree(world, "newt2021_labels.csv"),
        )
        return {
            "newt2021_images.tar.gz": make_tar(images),
            "newt2021_labels.csv.tar.gz": make_tar(labels),
        }
    if name == "iwildcam":
        return {"iwildcam_v2.0.tar.gz": make_tar(list_tree(world / "iwildcam_v2.0"))}
    if name == "plantnet":
        files = [(f"plantnet_300K/{path}", content) for path, content in list_tree(world)]
        return {"plantnet_300K.zip": make_zip(files)}
    served = dict(list_tree(world, "annotation"))
    frames = list_tree(world / "dataset" / "image")
    for i, (animal, n) in enumerate(
        [("giraffes", 4), ("zebras_grevys", 13), ("zebras_plains", 12)]
    ):
        content = make_zip(frames[i::3])
        step = -(-len(content) // n)
        for k in range(n):
            served[f"{animal}_part_a{chr(97 + k)}"] = content[k * step : (k + 1) * step]
        digest = hashlib.md5(content).hexdigest()
        served[f"{animal}_md5.txt"] = f"{digest}  {animal}.zip\n".encode()
    return served


@pytest.mark.parametrize("name", ["newt", "kabr", "iwildcam", "plantnet"])
def test_a_world_in_the_published_archives_is_downloaded_and_loaded(
    tmp_path, monkeypatch, config, name
):
    task, world = registry.load_task(name), draw_world(name, tmp_path / "world")
    served = pack(name, world)
    # This world is small: the room that the published one needs is not looked for.
    small = [dataclasses.replace(s, size=None, about=None) for s in task.SOURCES]
    sources = [
        dataclasses.replace(s, checksum=hash_of(served[s.name])) if s.checksum else s for s in small
    ]
    monkeypatch.setattr(task, "SOURCES", tuple(sources))
    times = download.Clock(sleep=lambda seconds: None)
    monkeypatch.setattr(download, "Fetcher", functools.partial(download.Fetcher, clock=times))
    with Site({f"/copy/{name}/{path}": content for path, content in served.items()}) as site:
        site.script = [Answer(cut=100), Answer(status=503, headers=(("Retry-After", "0"),))]
        code, _, err = run(
            name, "--data", tmp_path / "data", "--mirror", site.url("/copy"), "--remove-archives"
        )
        assert (code, sum(site.sent.values())) == (0, sum(map(len, served.values()))), err
    loaded = task.load(task.Args(datadir=str(tmp_path / "data" / name)))
    expected = task.load(task.Args(datadir=str(world)))
    assert loaded.table.equals(expected.table)
    assert loaded.digest() == expected.digest()
    assert run(name, "--data", tmp_path / "data")[0] == 0
