import concurrent.futures
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from biobench import results
from biobench.errors import BadInput
from biobench.results import store
from results_world import START, make_report

MODEL = ("timm", "resnet50.a1_in1k")


def write(root, *, task="insects", model=MODEL, age=0.0, **properties):
    report = make_report(n=8, posix_time=START - age, **properties)
    return results.write_run(root, task, model, report)


def test_scan_lists_every_run_oldest_first(tmp_path):
    new, old = write(tmp_path), write(tmp_path, age=60)
    other = write(tmp_path, task="birds", model=("open-clip", "ViT-B-16/openai"), age=30)
    found = results.scan(tmp_path)
    assert found.problems == []
    assert found.runs["run"].to_list() == [str(old), str(other), str(new)]
    assert found.runs["model"].to_list()[1] == "open-clip:ViT-B-16/openai"


@pytest.mark.parametrize("wait", [0.0, 0.002], ids=["a fast disk", "a disk that keeps one waiting"])
def test_scan_reads_the_same_alone_and_in_threads(tmp_path, monkeypatch, wait):
    module = sys.modules["biobench.results.index"]
    runs = [str(write(tmp_path, age=age)) for age in range(7, 0, -1)]
    (Path(runs[3]) / "report.json").write_text("{")
    readers, read = set(), module._read

    def read_slowly(folder):
        readers.add(threading.get_ident())
        time.sleep(wait)
        return read(folder)

    monkeypatch.setattr(module, "_read", read_slowly)
    monkeypatch.setattr(module, "CHUNK", 1)
    found = results.scan(tmp_path)
    assert found.runs["run"].to_list() == [run for run in runs if run != runs[3]]
    assert [problem.path for problem in found.problems] == [Path(runs[3])]
    assert not wait or len(readers) > 2


def test_an_empty_folder_has_no_runs_and_a_missing_one_is_an_error(tmp_path):
    assert results.scan(tmp_path).runs.height == 0
    with pytest.raises(BadInput, match="no results folder"):
        results.scan(tmp_path / "absent")


def test_current_is_the_newest_run_of_each_cell(tmp_path):
    write(tmp_path, age=60)
    new = write(tmp_path)
    ten = write(tmp_path, age=30, n_train=10)
    other_weights = write(tmp_path, age=20, backbone="backbone-b")
    other_data = write(tmp_path, age=10, manifest="data-2")
    rows = results.current(results.scan(tmp_path).runs)
    assert set(rows["run"]) == {str(new), str(ten), str(other_weights), str(other_data)}


def test_find_run_finds_the_newest_run_of_the_cell_asked_for(tmp_path):
    write(tmp_path, age=60)
    new = write(tmp_path)
    write(tmp_path, n_train=10)
    digest = make_report().provenance.protocol_digest()
    assert results.find_run(tmp_path, "insects", MODEL, digest, "backbone-a") == new
    assert results.find_run(tmp_path, "insects", MODEL, digest, "backbone-b") is None
    assert results.find_run(tmp_path, "insects", MODEL, "other", "backbone-a") is None
    assert results.find_run(tmp_path, "birds", MODEL, digest, "backbone-a") is None
    assert results.find_run(tmp_path / "absent", "insects", MODEL, digest, "backbone-a") is None


def test_find_run_passes_over_a_damaged_newer_run(tmp_path):
    good, bad = write(tmp_path, age=60), write(tmp_path)
    (bad / "report.json").write_text("{")
    digest = make_report().provenance.protocol_digest()
    assert results.find_run(tmp_path, "insects", MODEL, digest, "backbone-a") == good


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda run: (run / "report.json").write_text('{"format": 1, '), "damaged"),
        (lambda run: (run / "report.json").write_text('{"format": 1}'), "field is missing"),
        (lambda run: (run / "report.json").write_text('{"format": 7}'), "format version 7"),
        (lambda run: (run / "report.json").write_bytes(b"\xff\xfe\x00"), "damaged"),
        (lambda run: (run / "report.json").unlink(), "report.json is missing"),
        (lambda run: (run / "predictions.parquet").unlink(), "predictions.parquet is missing"),
    ],
    ids=["cut", "fields", "version", "binary", "no-report", "no-predictions"],
)
def test_a_run_that_cannot_be_read_is_named_and_the_others_are_kept(tmp_path, damage, words):
    good, bad = write(tmp_path), write(tmp_path)
    damage(bad)
    found = results.scan(tmp_path)
    assert found.runs["run"].to_list() == [str(good)]
    (problem,) = found.problems
    assert problem.path == bad and words in problem.reason and str(bad) in problem.reason


def test_a_field_of_the_wrong_type_is_a_problem(tmp_path):
    run = write(tmp_path)
    text = (run / "report.json").read_text()
    (run / "report.json").write_text(text.replace('"n": 8', '"n": "eight"'))
    assert "`$.n`" in results.scan(tmp_path).problems[0].reason


def test_folders_being_written_and_stray_files_are_not_runs(tmp_path):
    run = write(tmp_path)
    shutil.copytree(run, run.parent / ".half.123.abc")
    (run.parent / "notes.txt").write_text("mine")
    (tmp_path / "README").write_text("mine")
    found = results.scan(tmp_path)
    assert (found.runs.height, found.problems) == (1, [])


def test_a_results_folder_can_be_copied_and_merged_with_another_s(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    write(ours)
    write(theirs)
    write(theirs, task="birds")
    shutil.copytree(theirs, ours, dirs_exist_ok=True)
    found = results.scan(ours)
    assert (found.runs.height, found.problems) == (3, [])
    assert results.current(found.runs).height == 2


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    write(tmp_path)
    closed = write(tmp_path, task="birds").parent
    scandir = os.scandir

    def refuse(path):
        if path == closed:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = results.scan(tmp_path)
    assert found.runs["task"].to_list() == ["insects"]
    assert [problem.path for problem in found.problems] == [closed]


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[2])
from biobench import results
from results_world import make_report
os.rename = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
results.write_run(sys.argv[1], "insects", ("timm", "a"), make_report(n=8))
"""


def test_a_writer_killed_before_its_rename_leaves_no_run_and_hinders_nobody(tmp_path):
    tests = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path, tests])
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("report.json"))
    found = results.scan(tmp_path)
    assert (found.runs.height, found.problems) == (0, [])
    run = write(tmp_path, model=("timm", "a"))
    assert results.scan(tmp_path).runs["run"].to_list() == [str(run)]


def test_a_read_only_results_folder_is_read(tmp_path):
    run = write(tmp_path)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert results.scan(tmp_path).runs["run"].to_list() == [str(run)]
        assert results.read_predictions(run).height == 8
    finally:
        for path in folders:
            path.chmod(stat.S_IRWXU)


def _write_many(root, worker, made, predictions, n):
    for i in range(n):
        cell = {"task": f"task-{i % 5}", "run": store.make_run_id(START + i), "hostname": worker}
        store.write_folder(root, made | cell, predictions)
    return os.getpid()


def test_eight_processes_write_a_thousand_runs_while_another_reads(tmp_path):
    report = make_report(n=4)
    predictions = results.to_table(report.examples)
    made = store.build_report("insects", MODEL, report, predictions)
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(8, mp_context=context) as pool:
        work = (made, predictions, 125)
        jobs = [pool.submit(_write_many, tmp_path, str(worker), *work) for worker in range(8)]
        counts = []
        while not all(job.done() for job in jobs):
            found = results.scan(tmp_path)
            assert found.problems == []
            counts.append(found.runs.height)
            time.sleep(0.1)
        assert len({job.result() for job in jobs}) == 8
    assert counts == sorted(counts)
    assert results.scan(tmp_path).runs.height == 1000
