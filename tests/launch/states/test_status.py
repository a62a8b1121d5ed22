"""What `status` says of a plan, from files alone."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench import launch, results
from biobench.errors import BadInput
from biobench.launch.states import job_ends, status
from biobench.launch.states import state as states
from biobench.launch.states.json_files import read_json, write_json
from results_world import make_report

# What Slurm 22.05 wrote into the logs of real jobs.
TIME_LIMIT = """\
slurmstepd-n1: error: *** JOB 2 ON n1 CANCELLED AT 2026-11-24T07:00:34 DUE TO TIME LIMIT ***
slurmstepd-n1: error: *** STEP 2.0 ON n1 CANCELLED AT 2026-11-24T07:00:34 DUE TO TIME LIMIT ***
srun: Job step aborted: Waiting up to 5 seconds for job step to finish.
srun: error: n1: task 0: Terminated
"""
MEMORY_LIMIT = """\
slurmstepd-n1: error: StepId=1.0 exceeded memory limit (644837376 > 209715200), being killed
srun: Job step aborted: Waiting up to 5 seconds for job step to finish.
slurmstepd-n1: error: Exceeded job memory limit
slurmstepd-n1: error: *** STEP 1.0 ON n1 CANCELLED AT 2026-11-24T06:59:08 ***
srun: error: n1: task 0: Killed
"""
OOM_KILL = """\
slurmstepd: error: Detected 1 oom_kill event in StepId=7.0. Some of the step tasks have been OOM \
Killed.
srun: error: node12: task 0: Out Of Memory
"""
SCANCEL = """\
slurmstepd-n2: error: *** STEP 3.0 ON n2 CANCELLED AT 2026-11-24T07:36:06 ***
"""
PREEMPTED = """\
slurmstepd: error: *** JOB 9 ON n2 CANCELLED AT 2026-11-24T07:36:06 DUE TO PREEMPTION ***
"""


@pytest.fixture
def plan(tmp_path):
    plan = launch.make_plan(
        launch.Settings(
            models=["timm:a", "timm:b"],
            tasks=["newt"],
            data="/data",
            results=str(tmp_path / "results"),
        )
    )
    plan.save()
    return plan


def write_state(plan, **fields):
    return states.StateFile(plan.folder, plan.cells[0].id, **fields).update()


def get_first(plan):
    return status.read_status(plan.folder)[0][1]


def write_log(plan, job, text):
    path = job_ends.get_job_log(plan.folder, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_cell_nobody_began_with_is_waiting(plan):
    assert [state.state for _, state in status.read_status(plan.folder)] == ["waiting"] * 2


@pytest.mark.parametrize(
    ("log", "name", "words"),
    [
        (TIME_LIMIT, "failed", "ran into its time limit"),
        (MEMORY_LIMIT, "failed", "exceeded memory limit (644837376 > 209715200)"),
        (OOM_KILL, "failed", "oom_kill event"),
        (SCANCEL, "cancelled", "Cancelled at 2026-11-24T07:36:06"),
        (PREEMPTED, "queued", ""),
        ("", "running", ""),
    ],
)
def test_a_killed_job_is_explained_by_what_slurm_wrote(plan, log, name, words):
    write_state(plan, state="running", job="7_1", started=time.time())
    write_log(plan, "7_1", log)
    state = get_first(plan)
    assert state.state == name and words in state.cause
    if name in ("failed", "cancelled"):
        assert (plan.results / state.log).read_text() == log


def test_what_slurm_wrote_about_an_earlier_attempt_is_past(plan):
    write_log(plan, "7_1", TIME_LIMIT + "later words")
    write_state(plan, state="running", job="7_1", started=time.time(), offset=len(TIME_LIMIT))
    assert get_first(plan).state == "running"


def test_a_job_that_ended_without_a_word_is_failed_with_its_exit_code_and_last_line(plan):
    write_state(plan, state="queued", job="8")
    write_log(plan, "8", "bash: python: command not found\n")
    job_ends.get_marker(plan.folder, "8").parent.mkdir(exist_ok=True)
    job_ends.get_marker(plan.folder, "8").write_text("127\n")
    state = get_first(plan)
    assert state.state == "failed"
    assert state.cause == "The job ended with exit code 127: bash: python: command not found"


def test_an_exit_code_left_by_an_earlier_attempt_is_past(plan):
    marker = job_ends.get_marker(plan.folder, "8")
    marker.parent.mkdir()
    marker.write_text("1\n")
    os.utime(marker, (time.time() - 60, time.time() - 60))
    write_state(plan, state="running", job="8", started=time.time())
    assert get_first(plan).state == "running"


def test_a_cell_that_waits_for_its_parts_shows_their_progress(plan):
    id = plan.cells[0].id
    write_state(plan, state="queued", job="5")
    parts = [{"id": f"{id}.part{i}of2", "cells": [id]} for i in (1, 2)]
    write_json(plan.folder / "jobs" / "4_0.json", {"jobs": ["4_0", "4_1"], "parts": parts})
    fields = dict(state="running", stage="embed", total=100, updated=time.time())
    states.StateFile(plan.folder, parts[0]["id"], done=30, **fields).update()
    states.StateFile(plan.folder, parts[1]["id"], done=40, **fields).update()
    state = get_first(plan)
    assert (state.state, state.stage, state.done, state.total) == ("running", "embed", 70, 200)


def test_a_running_cell_whose_process_is_gone_is_called_silent(plan):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    import socket

    state = write_state(plan, state="running", host=socket.gethostname(), pid=process.pid)
    assert state.is_silent(time.time())
    assert "run the plan again" in status.describe(state)
    alive = dataclasses.replace(state, pid=os.getpid())
    assert not alive.is_silent(time.time())
    elsewhere = dataclasses.replace(alive, host="another-host")
    assert not elsewhere.is_silent(time.time())
    assert elsewhere.is_silent(time.time() + states.SILENT_AFTER + 1)


def test_a_job_that_is_being_killed_does_not_speak_over_its_successor(plan):
    old = states.StateFile(plan.folder, plan.cells[0].id, state="running", job="9_1")
    old.update()
    write_state(plan, state="queued", job="10")
    old.update(state="waiting")
    assert (get_first(plan).state, get_first(plan).job) == ("queued", "10")
    write_state(plan, state="running", job="10")
    assert get_first(plan).state == "running"


def test_a_damaged_state_file_counts_as_none(plan):
    write_state(plan, state="done", score=0.5)
    next((plan.folder / "state").iterdir()).write_text('{"state": "do')
    assert get_first(plan).state == "waiting"


def test_files_are_replaced_whole_while_others_read(tmp_path):
    path = tmp_path / "state.json"
    value = {"words": ["x" * 1000] * 50}
    write_json(path, value)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            write_json(path, value)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(read_json(path) == value for _ in range(300))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


def test_a_writer_killed_before_renaming_leaves_the_old_file(tmp_path):
    path = tmp_path / "state.json"
    write_json(path, {"old": 1})
    code = f"""
import os, pathlib
from biobench.launch.states import json_files
os.replace = lambda *paths: os.kill(os.getpid(), 9)
json_files.write_json(pathlib.Path({str(path)!r}), {{"new": 2}})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert read_json(path) == {"old": 1}


@settings(deadline=None)
@given(
    st.builds(
        states.CellState,
        st.just("cell"),
        st.sampled_from(["waiting", "queued", "running", "done", "failed", "cancelled"]),
        stage=st.sampled_from(["", "embed"]),
        done=st.integers(0, 10),
        total=st.integers(0, 10),
        score=st.none() | st.floats(0, 1),
        cause=st.sampled_from(["", "it broke"]),
        job=st.sampled_from(["", "3_1"]),
    )
)
def test_every_state_is_described_in_one_line_that_begins_with_its_name(state):
    text = status.describe(state)
    assert text.startswith(state.state) and "\n" not in text
    assert status.count([state]) == {state.state: 1}


def test_status_imports_neither_torch_nor_polars_nor_submitit(plan):
    code = f"""
import sys
from biobench import cli
assert cli.main(["status", "--results", {str(plan.results)!r}]) == 0
loaded = {{"torch", "polars", "numpy", "submitit"}} & sys.modules.keys()
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 cells: 2 waiting"


def test_the_newest_plan_is_shown_or_the_one_that_is_named(plan, capsys):
    from biobench import cli

    other = dataclasses.replace(plan, cells=plan.cells[:1])
    other.save()
    os.utime(plan.folder / "plan.json", (1, 1))
    where = ["status", "--results", str(plan.results)]
    assert cli.main(where) == 0
    assert "1 cell:" in capsys.readouterr().out
    assert cli.main([*where, "--plan", plan.id[:6]]) == 0
    assert "2 cells" in capsys.readouterr().out
    assert cli.main([*where, "--plan", "nope"]) == 2
    assert plan.id in capsys.readouterr().err
    assert cli.main(["status", "--results", str(pathlib.Path(plan.results, "none"))]) == 2


@pytest.mark.parametrize(
    "value", [None, True, -1, 10**400, 2**63, "x", [], ["x", None], {}, {"a": []}, [0.5]]
)
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(launch.CellState)])
def test_a_state_file_of_odd_types_stops_no_reader(plan, name, value):
    cell = plan.cells[0]
    states.StateFile(plan.folder, cell.id, state="running", score=0.5, job="7").update()
    path = plan.folder / "state" / f"{cell.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    for _, state in status.read_status(plan.folder):
        assert status.describe(state)


@pytest.mark.parametrize("value", [None, True, "x", [], [[]], {}, {"a": 1}, [{"id": 1}]])
@pytest.mark.parametrize("name", ["cells", "imports", "device", "format", "argv"])
def test_a_plan_of_odd_types_is_bad_input_or_read(plan, name, value):
    path = plan.folder / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    try:
        status.read_status(plan.folder)
    except BadInput as err:
        assert "plan.json" in str(err)


@pytest.fixture
def finished(plan):
    """A finished cell of the plan and its run's folder."""
    report = make_report(n=10)
    run = results.write_run(plan.results, "newt", ("timm", "a"), report)
    shown = results.read_report(run)
    fields = {"score": shown["score"], "ci": shown["ci"], "run": str(run.relative_to(plan.results))}
    write_state(plan, state="done", **fields)
    return run


def test_a_finished_cell_shows_its_score_while_its_run_is_as_it_was_written(plan, finished):
    (_, state), *_ = status.read_status(plan.folder)
    assert status.describe(state).startswith(f"done {state.score:.3f} [")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: shutil.rmtree(run), "not there any more"),
        (lambda run: (run / "report.json").write_text("{"), "not there any more, or damaged"),
        (lambda run: (run / "predictions.parquet").write_bytes(b"x"), "predictions were changed"),
        (lambda run: (run / "predictions.parquet").unlink(), "predictions were changed"),
        (lambda run: set_score(run, 7.5), "its report says another score"),
    ],
)
def test_a_finished_cell_whose_run_was_changed_has_no_score(plan, finished, change, words):
    change(finished)
    (_, state), *_ = status.read_status(plan.folder)
    assert state.score is None and state.ci is None
    assert words in status.describe(state)


def set_score(run, score):
    report = json.loads((run / "report.json").read_text())
    (run / "report.json").write_text(json.dumps(report | {"score": score}))
