"""Plans on this machine, with workers that die, are killed and are stopped."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import polars.testing
import psutil

import worlds
from biobench import launch, results
from biobench.launch.cell import run_cell
from biobench.launch.showing import summarise


def make(world, place, models, tasks=("folder",), **fields):
    settings = launch.Settings(
        models=list(models),
        tasks=list(tasks),
        data=str(world),
        device="cpu",
        results=str(place / "results"),
        imports=["fakes"],
        args={"probe": "simpleshot", "n_workers": 0},
    )
    return launch.make_plan(settings, **fields)


def start(world, place, *args):
    """`biobench run` as a process of its own."""
    command = [sys.executable, "-m", "biobench.cli", "run", "--imports", "fakes"]
    command += ["--data", str(world), "--results", str(place / "results"), "--device", "cpu"]
    command += ["--probe", "simpleshot", *args]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=place
    )


def wait_for(condition, seconds=90):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.1)
    return found


def has_ended(process):
    """Whether a process is gone, or only waits for somebody to ask for its exit code."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_embedding(place):
    """The state of a cell that works on its pictures in a process that is alive."""
    for state in read_states(place):
        is_busy = (state["state"], state["stage"]) == ("running", "embed")
        is_there = is_busy and psutil.pid_exists(state["pid"])
        if is_there and not has_ended(psutil.Process(state["pid"])):
            return state
    return None


def read_states(place):
    paths = (place / "results").glob(".launch/*/state/*.json")
    return [json.loads(path.read_text()) for path in paths]


def get_runs(folder):
    runs = results.scan(folder)
    assert runs.problems == []
    return runs.runs


def get_predictions(folder):
    """Every run's predictions, by task and model."""
    rows = get_runs(folder).select("task", "model", "run").iter_rows()
    return {(t, m): results.read_predictions(pathlib.Path(run)) for t, m, run in rows}


def test_a_worker_that_dies_costs_its_cell_a_retry_and_a_failing_cell_nobody_else(world, place):
    plan = make(world, place, ["fake:1/rename-once", "fake:2/raise", "fake:3/segfault", "fake:4"])
    launch.check(plan)
    states = launch.run(plan, jobs=2)
    once, broke, crash, fine = states
    assert (once.state, once.attempt) == ("done", 2)
    assert (fine.state, fine.attempt) == ("done", 1)
    assert (broke.state, broke.cause) == ("failed", "RuntimeError: the fake network broke")
    assert (crash.state, crash.attempt) == ("failed", 2) and "SIGSEGV" in crash.cause
    assert "the fake network broke" in (plan.results / broke.log).read_text()
    assert "Segmentation fault" in (plan.results / crash.log).read_text()
    # What was killed before its renaming is still there, under a name that no reader looks at.
    (half,) = (plan.results / "folder").glob("*/.*/report.json")
    assert half.parent.parent == (plan.results / once.run).parent
    assert get_runs(plan.results).height == 2
    assert launch.read_states(plan.folder) == states
    summary = summarise(plan, states)
    assert summary.startswith("2 of 4 cells done")
    assert summary.endswith(f"log: {plan.results / crash.log}")


def test_two_jobs_give_the_same_predictions_as_one(world, place, monkeypatch):
    plan = make(world, place, ["fake:1", "fake:2"], ["newt", "kabr"])
    first = launch.run(plan, jobs=1)
    before = get_predictions(plan.results)
    plan.results.rename(place / "first")
    monkeypatch.setenv("BIOBENCH_CACHE", str(place / "another-cache"))
    second = launch.run(plan, jobs=2)
    after = get_predictions(plan.results)
    assert [state.score for state in first] == [state.score for state in second]
    assert before.keys() == after.keys() and len(before) == 4
    for key in before:
        polars.testing.assert_frame_equal(before[key], after[key])


def test_a_finished_cell_is_left_alone_until_asked_or_its_data_changed(world, place):
    def run(**fields):
        plan = make(world, place, ["fake:1"], **fields)
        return run_cell(plan, plan.cells[0], device="cpu"), get_runs(plan.results)

    first, runs = run()
    again, runs = run()
    assert runs.height == 1 and again.run == first.run
    forced, runs = run(force=True)
    assert runs.height == 2 and forced.run != first.run and forced.score == first.score
    extra = next((world / "folder").rglob("*.jpg")).with_name("extra.jpg")
    worlds.draw(extra, 0, 999)
    try:
        _, runs = run()
    finally:
        extra.unlink()
    assert runs["protocol_digest"].n_unique() == 2


def test_stopped_or_killed_a_plan_goes_on_and_nothing_half_written_is_read(world, place):
    args = ["--tasks", "newt", "folder", "--models", "fake:7/hold", "--n-workers", "2"]
    # Ctrl-C
    process = start(world, place, *args)
    wait_for(lambda: is_embedding(place))
    tree = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "goes on from here" in output and "Traceback" not in output
    assert tree and wait_for(lambda: all(map(has_ended, tree)), 30)
    assert {state["state"] for state in read_states(place)} <= {"waiting", "done"}
    assert get_runs(place / "results").height < 2
    # kill -9 of the launcher: the worker and what it forked end, nobody is left to compete
    process = start(world, place, *args)
    wait_for(lambda: is_embedding(place))
    tree = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert tree and wait_for(lambda: all(map(has_ended, tree)), 30)
    assert get_runs(place / "results").height < 2
    # kill -9 of the worker: its cell is tried again
    process = start(world, place, *args)
    state = wait_for(lambda: is_embedding(place))
    (place / "release-7").touch()
    os.kill(state["pid"], signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert "2 of 2 cells done" in output and "(again)" in output
    assert get_runs(place / "results").height == 2
