"""One file a family of commands: frozen dataclasses of arguments, whose `main` prints and returns
an exit code. Rooms are imported inside, so that a command loads only what it needs.

    load_command("run")     # the dataclass `running.Run`
"""

import importlib

__all__ = ["COMMANDS", "load_command"]

COMMANDS = {
    "demo": (
        "demonstrating:Demo",
        "generate a small world, benchmark four backbones on it, show the result",
    ),
    "download": (
        "downloading:Download",
        "fetch, verify and unpack the published data of tasks",
    ),
    "check": (
        "inspecting:Check",
        "is the data of tasks whole, readable and free of leaks?",
    ),
    "init": ("initialising:Init", "look at your own pictures and write a config file to run"),
    "run": ("running:Run", "benchmark models on tasks: flags, or a TOML file with a grid"),
    "status": ("running:Status", "the cells of a plan: waiting, running, done, failed"),
    "cancel": ("running:Cancel", "cancel a plan's jobs on Slurm"),
    "reproduce": ("running:Reproduce", "the command that makes a run again; --check runs it"),
    "embed": ("embedding:Embed", "the features of a folder of pictures, as one Parquet file"),
    "cache": ("embedding:Cache", "the feature cache: ls, verify, prune"),
    "doctor": ("models:Doctor", "is this backbone what a benchmark needs?"),
    "tasks": ("tasks:Tasks", "the tasks there are"),
    "models": ("models:Models", "the models there are"),
    "leaderboard": ("reading:Leaderboard", "every model's score on every task, with intervals"),
    "compare": ("reading:Compare", "two models, paired, per task and over the suite"),
    "report": ("reading:Report", "the results as a static page"),
    "export": ("reading:Export", "the results as .sqlite, .csv, .parquet or .json"),
    "import": ("reading:Import", "results made elsewhere, or an older reports.sqlite"),
    "completion": ("completion:Completion", "the script by which a shell completes all of this"),
}


def load_command(name: str) -> type:
    """The dataclass of a command."""
    path, _, cls = COMMANDS[name][0].partition(":")
    return getattr(importlib.import_module(f"biobench.commands.{path}"), cls)
