"""Records the commit inside a built wheel, so that an installed biobench can still name it."""

import pathlib
import subprocess
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RecordCommit(BuildHookInterface):
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict) -> None:
        if version == "editable":
            return
        git = ["git", "-C", self.root, "rev-parse", "HEAD"]
        try:
            commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return
        record = pathlib.Path(tempfile.mkdtemp()) / "_commit.txt"
        record.write_text(commit + "\n")
        build_data["force_include"][str(record)] = "biobench/_commit.txt"
