"""What is handed to sbatch, on a cluster of three shell scripts: no Slurm is needed to read it."""

import dataclasses
import os
import pathlib
import pickle
import re
import shutil
import sys

import pytest
import torch

from biobench import features, interfaces, launch, report, results
from biobench.cli import main
from biobench.errors import BadInput
from biobench.features import backbone_source as backbones
from biobench.launch import slurm
from biobench.launch.cell import run_cell

ROOT = pathlib.Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "launch.md").read_text()

COMMANDS = {
    "sbatch": 'n=$(ls "{here}"/script-* 2>/dev/null | wc -l); cp "$1" "{here}/script-$n"\n'
    'echo "Submitted batch job $((n + 1))"',
    "squeue": "true",
    "srun": "true",
}

GRES = {"gpus": 0, "options": {"gres": "gpu:a100:1"}, "probe": {"options": {}}}
"""another way to ask for a GPU, and not for one."""


@pytest.fixture
def cluster(place, monkeypatch):
    """A folder whose sbatch keeps what it is given."""
    folder = place / "cluster"
    folder.mkdir()
    for name, line in COMMANDS.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{line.format(here=folder)}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    return folder


@pytest.fixture
def nowhere(monkeypatch):
    """A machine on which there is no Slurm."""
    find = shutil.which
    hidden = {*COMMANDS, "scancel"}
    monkeypatch.setattr(shutil, "which", lambda name, *a: None if name in hidden else find(name))


def make(world, place, **options):
    slurm_options = {"gpus": 1, "images_per_job": 20, "probe": {"gpus": 0, "partition": "cpu"}}
    settings = launch.Settings(
        models=["fake:7"],
        tasks=["folder"],
        data=str(world),
        device=options.pop("device", "auto"),
        results=str(place / "results"),
        imports=["fakes"],
        args={"probe": "simpleshot", "n_workers": 0},
        slurm=launch.SlurmSettings(**{**slurm_options, **options}),
    )
    plan = launch.make_plan(settings)
    return plan, launch.check(plan, device=False), settings.slurm


def mask(text):
    return re.sub(r"(?<=afterany:)\S+", "IDS", text)


def test_the_scripts_that_are_shown_are_those_that_sbatch_gets(world, place, cluster):
    planned = make(world, place)
    shown = slurm.preview(*planned)
    assert not (place / "results").exists() and not list(cluster.glob("script-*"))
    slurm.submit(*planned)
    given = [path.read_text() for path in sorted(cluster.glob("script-*"))]
    assert [mask(script.text) for script in shown] == [mask(text) for text in given]
    embed, probe = given
    assert "--gpus-per-node=1" in embed and "--array=0-" in embed
    assert "gpus" not in probe and "--partition=cpu" in probe and "afterany:1\n" in probe


def test_scripts_are_shown_where_there_is_no_slurm(world, place, nowhere):
    assert len(slurm.preview(*make(world, place))) == 2


def test_a_dry_run_prints_the_scripts_and_submits_nothing(world, place, cluster, capsys):
    config = place / "suite.toml"
    config.write_text(
        f'models = ["baseline:color-hist"]\ntasks = ["folder"]\ndata = "{world}"\n'
        '[slurm]\npartition = "long"\nimages_per_job = 20\n'
    )
    assert main(["run", str(config), "--slurm", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert out.count("#!/bin/bash") == 2 and out.count("#SBATCH --partition=long") == 2
    assert f"afterany:{slurm.DEPENDENCY}" in out and "Nothing was submitted" in out
    assert not list(cluster.glob("script-*")) and not (place / "results").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_login_node_needs_no_gpu(world, place, cluster, capsys):
    arguments = ["run", "--tasks", "folder", "--data", str(world), "--device", "cuda"]
    arguments += ["--models", "baseline:color-hist", "--results", str(place / "results")]
    assert main(arguments) == 2
    assert "no usable CUDA" in capsys.readouterr().err
    assert main([*arguments, "--slurm"]) == 0
    # Without gpus in [slurm] the jobs may find none: that is said before they wait in the queue.
    assert "asks for no GPU" in capsys.readouterr().out
    assert len(list(cluster.glob("script-*"))) == 1


def test_a_device_that_nothing_has_is_refused_on_a_login_node_too(world, place):
    with pytest.raises(BadInput, match="'gpu'; give auto, cpu, cuda or cuda:N"):
        make(world, place, device="gpu")


def read_jobs(plan):
    """The jobs that were submitted, parts first."""
    pickles = sorted((plan.folder / "slurm").glob("*_submitted.pkl"))
    return [pickle.loads(path.read_bytes()).function for path in pickles]


def test_a_job_that_asked_for_a_gpu_takes_no_other_device(world, place, cluster):
    planned = make(world, place, probe={}, images_per_job=1000)
    slurm.submit(*planned)
    assert [job.device for job in read_jobs(planned[0])] == ["cuda"]


@pytest.mark.parametrize("options", [{}, GRES])
def test_probes_on_cpu_nodes_use_the_features_that_gpus_made(
    options, world, place, cluster, monkeypatch
):
    plan, checked, settings = make(world, place, **options)
    slurm.submit(plan, checked, settings)
    *parts, job = read_jobs(plan)
    assert parts and {part.device for part in parts} == {"cuda"}
    assert (job.device, job.precision) == ("cpu", "fp16")
    (cell,) = plan.cells
    # What the GPUs would do, where there are none.
    with monkeypatch.context() as patch:
        patch.setattr(backbones, "require_precision", lambda precision, device: None)
        other = dataclasses.replace(plan, results=place / "other")
        assert run_cell(other, cell, device="cpu", precision="fp16").state == "done"
    state = run_cell(plan, cell, device=job.device, precision=job.precision)
    assert state.state == "done", state.cause
    assert (
        results.read_report(plan.results / state.run)["provenance"]["backbone"]["precision"]
        == "fp16"
    )
    # What no GPU has embedded is not embedded on a CPU, which would make other numbers of it.
    monkeypatch.setenv("BIOBENCH_CACHE", str(place / "empty"))
    state = run_cell(
        dataclasses.replace(plan, results=place / "third"), cell, device="cpu", precision="fp16"
    )
    assert state.state == "failed" and "no GPU has embedded" in state.cause


def test_cells_of_another_precision_need_other_features(world, place):
    plan, _, _ = make(world, place)
    (cell,) = plan.cells
    other = dataclasses.replace(cell, args={**cell.args, "precision": "fp32"})
    assert other.feature_key != cell.feature_key
    assert features.check_device_name("cuda:3") is None


def test_the_worked_example_is_what_is_printed(place, nowhere):
    (config,) = re.findall(r"```toml\n(# Two models.*?)```", DOCS, re.DOTALL)
    assert config == (ROOT / "examples" / "cluster.toml").read_text()
    (place / "examples").mkdir()
    (place / "examples" / "cluster.toml").write_text(config)
    lines = ["path,label"]
    for number in range(143):
        (place / f"{number}.jpg").write_bytes(b"%d" % number)
        lines.append(f"{number}.jpg,{'ab'[number % 2]}")
    (place / "photographs.csv").write_text("\n".join(lines))
    settings = launch.load(place / "examples" / "cluster.toml")
    plan = launch.make_plan(settings)
    scripts = slurm.preview(plan, launch.check(plan, device=False), settings.slurm)
    shown = re.findall(r"--- batch script (\d) of (\d): (.*?)\n(.*?)\n\n(?=---)", DOCS, re.DOTALL)
    ((number, of, title, text),) = shown
    assert (int(number), int(of), title) == (1, len(scripts), scripts[0].title)
    id = re.search(r"--comment=(\w+)", text)[1]
    text = text.replace("/home/anna/benchmark/.venv/bin/python", sys.executable)
    text = text.replace("/home/anna/benchmark", str(place)).replace(id, plan.id)
    assert text == scripts[0].text
    assert f"batch script 2 of {of}: {scripts[1].title}" in DOCS
    assert f"afterany:{slurm.DEPENDENCY}" in DOCS


def test_one_model_in_two_precisions_stands_in_two_rows(world, place, monkeypatch):
    plan, _, _ = make(world, place)
    (cell,) = plan.cells
    monkeypatch.setattr(backbones, "require_precision", lambda precision, device: None)
    for precision in ("fp32", "fp16"):
        assert run_cell(plan, cell, device="cpu", precision=precision).state == "done"
    rows = report.leaderboard(plan.results).table["model"].to_list()
    assert len(rows) == 2 and all(row.startswith("fake:7 @") for row in rows)
    with pytest.raises(BadInput, match=r"several weights or precisions; name one of fake:7 @"):
        report.compare(plan.results, "fake:7", "fake:7")


def test_another_kind_of_gpu_is_the_same_cell(world, place, monkeypatch):
    plan, _, _ = make(world, place)
    (cell,) = plan.cells
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    runs = []
    for name in ("NVIDIA A100", "NVIDIA H100"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_, name=name: name)
        interfaces._get_gpu_name.cache_clear()
        state = run_cell(plan, cell, device="cpu")
        assert state.state == "done", state.cause
        runs.append(state.run)
    interfaces._get_gpu_name.cache_clear()
    assert runs[0] == runs[1]
    assert results.read_report(plan.results / runs[0])["gpu_name"] == "NVIDIA A100"
