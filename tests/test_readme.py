"""Every command and every example of the README is run, or its part that needs no network."""

import os
import pathlib
import re
import runpy
import shlex
import subprocess
import sys

import pytest

import worlds
from biobench import folder, launch, registry
from biobench.cli import main
from biobench.commands import COMMANDS

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()

# What installs: the machine that runs the tests has done it already.
INSTALLS = ("make ", "pip install ", "apt-get install ")


def get_blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def get_commands():
    """What is typed, but for the session with one's own pictures, which has a test of its own."""
    blocks = [block for block in get_blocks("sh") if "--data my-pictures" not in block]
    lines = [line for block in blocks for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty directory with the things that the README's commands speak of."""
    monkeypatch.chdir(tmp_path)
    worlds.folder(tmp_path / "my-pictures")
    for name in ("newt", "plantnet"):
        worlds.WRITERS[name](tmp_path / "ROOT" / name)
    (tmp_path / "examples").mkdir()
    for path in (ROOT / "examples").iterdir():
        if path.is_file():
            (tmp_path / "examples" / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_the_commands_of_the_readme_run_in_order(here, capsys):
    for words in get_commands():
        line = " ".join(words)
        if line.startswith(INSTALLS):
            continue
        if words[0] == "python":
            if not pathlib.Path("/usr/share/tuxpaint/stamps").is_dir():
                break
            subprocess.run([sys.executable, *words[1:]], check=True, cwd=here)
            continue
        assert words[0] == "biobench", f"no test knows how to run: {line}"
        # Published weights need a network and a GPU is not everywhere: the plan is checked.
        if "open-clip:" in line:
            words = [w.replace("cuda", "cpu") for w in words] + ["--dry-run"]
        assert main(words[1:]) == 0, line
        out = capsys.readouterr().out
        if words[1] == "leaderboard":
            assert "95%" in out and "baseline:color-hog" in out
        if "--dry-run" in words:
            assert "newt" in out and "plantnet" in out and "images" in out


def test_the_session_with_ones_own_pictures_is_typed_as_written(tmp_path):
    """In a shell, in a directory with nothing but the pictures, by a user without settings."""
    (home := tmp_path / "home").mkdir()
    (here := tmp_path / "here").mkdir()
    (program := tmp_path / "bin" / "biobench").parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m biobench "$@"\n')
    program.chmod(0o755)
    worlds.folder(here / "my-pictures")
    section = README.partition("## Your own pictures")[2].partition("\n### ")[0]
    (session,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    environment = {
        "HOME": str(home),
        "PATH": f"{program.parent}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(ROOT / "src"),
    }
    done = subprocess.run(
        ["bash", "-ec", session], cwd=here, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    board = done.stdout[done.stdout.index("model ") :]
    assert "timm:tf_efficientnet_lite0" in board and "baseline:color-hog" in board
    assert sorted(path.name for path in here.iterdir()) == ["my-pictures", "results"]


def test_biobench_is_never_installed_by_name():
    """A public index may hold another package of the name."""
    texts = [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]
    texts += [path.read_text() for path in (ROOT / "src").rglob("*.py")]
    for text in texts:
        for command in re.findall(r"pip install ([^`\n]*)", text):
            assert not re.match(r"(-\S+ +)*['\"]?biobench", command), command


def test_every_command_that_is_mentioned_exists():
    mentioned = re.findall(r"`?biobench ([a-z]+)", README)
    assert set(mentioned) <= {*COMMANDS, "embeds", "help"}
    for flag in re.findall(r"`(--[a-z-]+)", README):
        assert any(flag in help_of(command) for command in ("run", "demo")), flag


def help_of(command):
    done = subprocess.run(
        [sys.executable, "-m", "biobench.cli", command, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    return done.stdout


def test_the_configuration_is_one_that_runs(here):
    for block in get_blocks("toml"):
        path = here / "suite.toml"
        path.write_text(block)
        worlds.folder(here / "moths")
        (here / "photographs.csv").write_text("path,label\n")
        settings = launch.load(path)
        plan = launch.make_plan(settings)
        assert {cell.task for cell in plan.cells} == {"moths", "photographs"}
        assert len(plan.cells) == 6


def test_the_backbone_is_one_that_a_task_runs_with(here, monkeypatch):
    monkeypatch.setattr(registry.BACKBONES, "registered", {})
    (code,) = get_blocks("python")
    (here / "my_file.py").write_text(code)
    runpy.run_path(str(here / "my_file.py"))
    args = folder.Args(datadir=str(here / "my-pictures"), device="cpu", n_workers=0)
    _, report = folder.benchmark(args, ("my-lab", "any"))
    assert report.provenance.backbone["dim"] == 3
    arguments = ["run", "--tasks", "folder", "--data", "my-pictures", "--models", "my-lab:any"]
    command = [sys.executable, "-m", "biobench.cli", *arguments, "--imports", "my_file.py"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    command = [sys.executable, "-m", "biobench.cli", "doctor", "my-lab:any"]
    done = subprocess.run([*command, "--imports", "my_file.py"], cwd=here, capture_output=True)
    assert done.returncode == 0, done.stdout


def test_the_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
