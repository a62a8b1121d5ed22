"""Plans on a real Slurm cluster of two nodes on this host (tests/slurm_cluster.sh).

Everything is submitted first and waited for afterwards, so that the cluster is never idle.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import polars.testing
import psutil
import pytest

import worlds
from biobench import demo, launch, results
from biobench.demo.iwildcam import CamScale
from biobench.demo.kabr import KabrScale
from biobench.demo.newt import NewtScale
from biobench.demo.plantnet import PlantScale
from biobench.launch import slurm
from biobench.launch.cell import run_cell
from biobench.launch.slurm import submission
from biobench.launch.states import status

HERE = pathlib.Path(__file__).parents[1]
SCRIPT = HERE.parent / "slurm_cluster.sh"
TASKS = ["newt", "kabr", "iwildcam", "plantnet"]
MODELS = ["baseline:color-hist", "fake:7"]
SLURM = {"memory": 1.5, "time": 30}

pytestmark = pytest.mark.slurm


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment of a running cluster; the daemons end with the module."""
    is_root = os.geteuid() == 0
    if os.environ.get("CI") != "true" and not (is_root and shutil.which("slurmctld")):
        pytest.skip("needs Slurm and root: apt-get install slurm-wlm munge")
    base = tmp_path_factory.mktemp("slurm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(base / "slurm.conf"))
        patch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
        patch.setenv("FAKES_FOLDER", str(base))
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.syspath_prepend(str(HERE))
        subprocess.run([SCRIPT, "start", base], check=True, timeout=300)
        yield base
        subprocess.run(["scancel", "--user", "root"], check=True)
        wait_for(lambda: not submission._list_live_jobs(), 30)
        subprocess.run([SCRIPT, "stop", base], check=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A demo world of a few hundred pictures, and a folder of one's own beside it."""
    root = tmp_path_factory.mktemp("world")
    scale = demo.Scale(
        NewtScale(tasks=4, train=6, test=6),
        KabrScale(train=4, val=4, frames=16, clips_a_video=1.5),
        CamScale(3, 20, 4, 12, 4, 4, 4, 2, 2),
        PlantScale(species=3, train=18, val=9, test=3),
    )
    demo.generate(root, size=scale, n_jobs=1)
    worlds.folder(root / "folder")
    return root


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    """One feature cache for the whole cluster, another for what is run here to compare."""
    return tmp_path_factory.mktemp("cluster-cache"), tmp_path_factory.mktemp("own-cache")


@pytest.fixture(autouse=True)
def _use_cluster_cache(_own_cache, caches, monkeypatch):
    monkeypatch.setenv("BIOBENCH_CACHE", str(caches[0]))


def make(world, folder, models, tasks=("folder",), **options):
    settings = launch.Settings(
        models=list(models),
        tasks=list(tasks),
        data=str(world),
        device="cpu",
        results=str(folder),
        imports=["fakes"],
        args={"probe": "simpleshot", "n_workers": 0},
        slurm=launch.SlurmSettings(**{**SLURM, **options}),
    )
    return launch.make_plan(settings), settings.slurm


def submit(planned):
    plan, settings = planned
    return slurm.submit(plan, launch.check(plan, device=False), settings)


@pytest.fixture(scope="module")
def plans(cluster, world, caches, tmp_path_factory):
    """Every test's plan, submitted."""
    root = tmp_path_factory.mktemp("results")
    found = {
        "late": make(world, root / "late", ["fake:1/deaf"], time=1, options={"signal": "USR2@1"}),
        "last": make(world, root / "last", ["fake:9/hold"], time=1, restarts=1),
        "lost": make(world, root / "lost", ["fake:2/hold"], ["newt"]),
        "hungry": make(world, root / "hungry", ["fake:3/hungry"], memory=1.2),
        "stopped": make(world, root / "stopped", ["fake:4", "fake:5/hold"]),
        "whole": make(world, root / "whole", MODELS, TASKS, images_per_job=100),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIOBENCH_CACHE", str(caches[0]))
        whole, settings = found["whole"]
        shown = slurm.preview(whole, launch.check(whole, device=False), settings)
        (root / "shown.json").write_text(json.dumps([script.text for script in shown]))
        submissions = {name: submit(planned) for name, planned in found.items()}
    assert {name: s.submitted for name, s in submissions.items()} == {
        "late": 1, "last": 1, "lost": 1, "hungry": 1, "stopped": 2, "whole": 8
    }  # fmt: skip
    return {name: plan for name, (plan, _) in found.items()}


def get_states(plan):
    return [state for _, state in status.read_status(plan.folder)]


def wait_for(condition, seconds=240):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.3)
    return found


def wait_until_ended(plan):
    ended = {"done", "failed", "cancelled"}
    return wait_for(lambda: {s.state for s in get_states(plan)} <= ended and get_states(plan))


def get_predictions(plan):
    scan = results.scan(plan.results)
    assert scan.problems == []
    rows = scan.runs.select("task", "model", "run").iter_rows()
    return {(t, m): results.read_predictions(pathlib.Path(run)) for t, m, run in rows}


def assert_equal_to_an_undisturbed_run(plan, caches, monkeypatch, folder):
    """The same cells run here, from another cache."""
    import dataclasses

    monkeypatch.setenv("BIOBENCH_CACHE", str(caches[1]))
    own = dataclasses.replace(plan, results=folder)
    for cell in own.cells:
        assert run_cell(own, cell, device="cpu").state == "done"
    ours, theirs = get_predictions(own), get_predictions(plan)
    assert ours.keys() == theirs.keys() and len(ours) == len(plan.cells)
    for key in ours:
        polars.testing.assert_frame_equal(ours[key], theirs[key])


def test_a_job_goes_on_on_the_other_node_when_its_own_is_lost(
    plans, cluster, caches, monkeypatch, tmp_path
):
    plan = plans["lost"]
    (state,) = wait_for(lambda: [s for s in get_states(plan) if s.stage == "embed"])
    node = subprocess.run(
        ["squeue", "-h", "-o", "%N", "-j", state.job], capture_output=True, text=True, check=True
    ).stdout.strip()
    kill_node(cluster, node, state.job)
    (cluster / "release-2").touch()
    (state,) = wait_until_ended(plan)
    assert (state.state, state.attempt) == ("done", 2)
    other = {"n1": "n2", "n2": "n1"}[node]
    log = (cluster / "log" / f"{other}.log").read_text()
    assert f"Launching batch job {state.job.partition('_')[0]}" in log
    subprocess.run([SCRIPT, "node", cluster, node], check=True)
    assert_equal_to_an_undisturbed_run(plan, caches, monkeypatch, tmp_path)


def kill_node(cluster, node, job):
    """What the loss of a machine does: its daemon is gone, and everything of the job."""
    os.kill(int((cluster / f"{node}.pid").read_text()), signal.SIGKILL)
    for step in psutil.process_iter(["name", "cmdline"]):
        if step.info["name"] == "slurmstepd" and f"[{job}." in " ".join(step.info["cmdline"]):
            for process in [step, *step.children(recursive=True)]:
                process.kill()


def test_a_plan_of_two_models_and_four_tasks_completes_in_several_jobs_a_cell(
    plans, caches, monkeypatch, tmp_path
):
    plan = plans["whole"]
    states = wait_until_ended(plan)
    assert [state.state for state in states] == ["done"] * 8
    parts = sorted(path.stem for path in (plan.folder / "state").glob("*.part*.json"))
    assert len(parts) == 4 and all(name.startswith("kabr") for name in parts)
    for name in parts:
        part = json.loads((plan.folder / "state" / f"{name}.json").read_text())
        assert part["state"] == "done"
    assert_equal_to_an_undisturbed_run(plan, caches, monkeypatch, tmp_path)


def test_the_scripts_shown_before_are_those_that_slurm_was_given(plans):
    plan = plans["whole"]
    shown = json.loads((plan.results.parent / "shown.json").read_text())
    given = [path.read_text() for path in (plan.folder / "slurm").glob("*_submission.sh")]
    mask = re.compile(r"(?<=afterany:)\S+")
    assert sorted(mask.sub("", text) for text in shown) == sorted(
        mask.sub("", text) for text in given
    )


def test_after_scancel_the_same_plan_submits_only_the_rest(plans, cluster, world):
    plan = plans["stopped"]
    planned = make(world, plan.results, ["fake:4", "fake:5/hold"])

    def is_ready():
        fast, slow = get_states(plan)
        return fast.state == "done" and slow.stage == "embed" and slow

    job = wait_for(is_ready).job
    again = submit(planned)
    assert (again.submitted, again.queued, again.finished) == (0, 1, 1)
    subprocess.run(["scancel", job], check=True)
    wait_for(lambda: get_states(plan)[1].state == "cancelled")
    again = submit(planned)
    assert (again.submitted, again.queued, again.finished) == (1, 0, 1)
    assert slurm.cancel(plan) == again.jobs
    fast, slow = get_states(plan)
    assert (fast.state, slow.state) == ("done", "cancelled")
    (cluster / "release-5").touch()
    assert submit(planned).submitted == 1
    assert [state.state for state in wait_until_ended(plan)] == ["done", "done"]
    assert results.scan(plan.results).runs.height == 2


def test_a_job_over_its_memory_limit_is_reported_with_its_cause(plans):
    (state,) = wait_until_ended(plans["hungry"])
    assert state.state == "failed" and "memory" in state.cause
    assert "memory limit" in (plans["hungry"].results / state.log).read_text()


def test_a_job_over_its_time_limit_is_reported_with_its_cause(plans):
    (last,) = wait_until_ended(plans["last"])
    assert last.state == "failed" and "ran into its time limit" in last.cause
    assert last.attempt == 2, "it was to go on in one further job"
    (late,) = wait_until_ended(plans["late"])
    assert late.state == "failed" and "ran into its time limit" in late.cause
    assert "DUE TO TIME LIMIT" in (plans["late"].results / late.log).read_text()
