"""Makes a run again by the command in its report, and says what came out different.

difference = check(run)      # "" where every prediction is equal
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from biobench import results
from biobench.errors import BadInput, CellFailed

__all__ = ["check", "compare", "require_trust"]

STDERR = 2
"""file descriptor: what the command prints is not our answer."""


def require_trust(run: Path) -> None:
    """Raise BadInput, naming it, where a run that was not made here brings code to execute."""
    report = results.read_report(run)
    code = results.list_code(report)
    if code and not results.is_ours(run, report):
        raise BadInput(
            f"{run} was not made in this results folder, or was changed since, and its command "
            f"executes code from: {', '.join(code)}; look at it, and add --trust to run it."
        )


def check(run: Path, *, anew: bool = False) -> str:
    """Run a run's command into a folder of its own; returns one sentence on the first difference.

    Every picture is hashed again, whatever is known of it. anew: also embed each again, into a
    cache that is deleted afterwards, instead of taking features from the one that is there.
    Raises BadInput where the report holds no command, CellFailed where the command fails.
    """
    report = results.read_report(run)
    words = results.reproduce_command(report)
    words[words.index("biobench") : words.index("biobench") + 1] = [
        *(sys.executable, "-m", "biobench.cli")
    ]
    with tempfile.TemporaryDirectory(prefix="biobench-reproduce-") as folder:
        config = results.reproduce_config(report)
        if config is not None:
            Path(folder, "reproduce.toml").write_text(config, encoding="utf-8")
        # Not BIOBENCH_CACHE: downloaded weights are there, too.
        caches = {"BIOBENCH_CONTENTS": str(Path(folder, "contents"))}
        if anew:
            caches["BIOBENCH_FEATURES"] = str(Path(folder, "features"))
        environment = {**os.environ, **caches}
        done = subprocess.run(words, cwd=folder, env=environment, stdout=STDERR, check=False)
        if done.returncode == 130:
            raise KeyboardInterrupt
        runs = results.scan(Path(folder, "results")).runs if done.returncode == 0 else None
        if runs is None or len(runs) != 1:
            raise CellFailed(f"The command failed with exit code {done.returncode}; see above.")
        return compare(run, Path(runs["run"][0]))


def compare(run: Path, again: Path) -> str:
    """One sentence on how two runs differ in what they are made from or found; "" if in nothing."""
    old, new = results.read_report(run), results.read_report(again)
    # What earlier versions digested (sizes, not contents) cannot be compared; predictions can.
    comparable = old["provenance"].get("manifest_of") == new["provenance"].get("manifest_of")
    if comparable and old["provenance"]["manifest"] != new["provenance"]["manifest"]:
        return "Not reproduced: the data are not the same any more (other pictures or labels)."
    if old["provenance"]["protocol"] != new["provenance"]["protocol"]:
        return "Not reproduced: the protocol is another one in this version of biobench."
    digests = [dct["provenance"]["backbone"].get("digest") for dct in (old, new)]
    if comparable and digests[0] != digests[1]:
        return f"Not reproduced: the backbone is another one (digest {digests[1]}, {digests[0]})."
    if old["score"] != new["score"]:
        return f"Not reproduced: the score was {old['score']!r} and is {new['score']!r}."
    before, after = results.read_predictions(run), results.read_predictions(again)
    if before.equals(after):
        return ""
    n = _count_differing(before, after)
    return (
        f"Not reproduced: {n:,} of {before.height:,} predictions differ, though the score agrees."
    )


def _count_differing(before: pl.DataFrame, after: pl.DataFrame) -> int:
    if before.columns != after.columns or before.height != after.height:
        return max(before.height, after.height)
    rows = zip(before.iter_rows(), after.iter_rows(), strict=True)
    return sum(a != b for a, b in rows)
