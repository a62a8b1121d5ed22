"""Finding runs in a results folder, from the files alone.

    found = scan(results)
    found.runs          # one row a run, oldest first
    found.problems      # folders that look like runs and cannot be read, each with its reason
    current(found.runs) # the newest run of every cell

A cell is a task with its protocol and data (`protocol_digest`), and a backbone
(`backbone_digest`). There is no index: reports are small, and ten thousand are read in seconds.
"""

import concurrent.futures
import dataclasses
import json
import math
import os
import time
from pathlib import Path

import polars as pl

from biobench.contract import ModelArgs
from biobench.errors import BadInput
from biobench.predictions import to_unicode
from biobench.results.safe_files import MAX_REPORT, read_file
from biobench.results.store import PREDICTIONS, REPORT, check, get_cell_folder
from biobench.results.validation import Report
from biobench.results.verification import is_intact

__all__ = ["CELL", "Problem", "Scan", "current", "find_protocols", "find_run", "scan"]

CELL = ["task", "protocol_digest", "backbone_digest"]
"""the columns of `Scan.runs` that make a cell what it is."""

N_READERS = 8
CHUNK = 128

TOLERANCE = 1e-9
"""how far a score may lie outside its interval, for the rounding of two ways to compute it."""

SOME = (-math.inf, math.inf)

_SCHEMA = {
    "run": pl.String(),
    "task": pl.String(),
    "name": pl.String(),
    "model": pl.String(),
    "score": pl.Float64(),
    "ci_low": pl.Float64(),
    "ci_high": pl.Float64(),
    "group_ci_low": pl.Float64(),
    "group_ci_high": pl.Float64(),
    "n": pl.Int64(),
    "n_groups": pl.Int64(),
    "metric": pl.String(),
    "protocol_digest": pl.String(),
    "backbone_digest": pl.String(),
    "manifest": pl.String(),
    "protocol": pl.String(),
    "posix_time": pl.Float64(),
    "n_skipped": pl.Int64(),
    "warnings": pl.List(pl.String()),
    "has_predictions": pl.Boolean(),
    "origin": pl.String(),
    "sha256": pl.String(),
    "n_bytes": pl.Int64(),
    "is_doubtful": pl.Boolean(),
    "published": pl.String(),
}


@dataclasses.dataclass(frozen=True)
class Problem:
    """A folder that is not a readable run."""

    path: Path
    reason: str
    """one sentence that names the file."""


@dataclasses.dataclass(frozen=True)
class Scan:
    """Every run below a results folder.

    `runs` has one row a run, oldest first: run (its folder), task (as on the command line), name
    (the report's), model (ORG:CKPT), score, ci_low and ci_high (interval over examples),
    group_ci_low and group_ci_high (over groups), n, n_groups, metric, protocol_digest,
    backbone_digest, manifest (its digest), protocol (JSON text), posix_time, n_skipped, warnings,
    has_predictions, origin; of the file of predictions sha256 and n_bytes as written (null where
    not noted); is_doubtful: whether that file has another size now, or the score is not in its
    interval; and published: of a score taken over from a published leaderboard what is known of it
    (`Provenance.published`, JSON text), else null.
    """

    runs: pl.DataFrame
    problems: list[Problem]


def scan(root: Path) -> Scan:
    """Read every run's report below `root`; BadInput if there is no such folder.

    Folders being written are not seen. What cannot be read is a `Problem`, never an error.
    """
    root = Path(root)
    if not root.is_dir():
        raise BadInput(f"There is no results folder {root}; name the one given to biobench run.")
    folders, problems = _list_runs(root)
    found = _read_all(folders)
    rows = [item for item in found if isinstance(item, dict)]
    problems += [item for item in found if isinstance(item, Problem)]
    runs = pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("posix_time", "run")
    return Scan(runs, sorted(problems, key=lambda problem: str(problem.path)))


def current(runs: pl.DataFrame) -> pl.DataFrame:
    """The newest run of every cell; a run of another protocol or other weights is another cell."""
    return runs.sort("posix_time", "run").unique(CELL, keep="last", maintain_order=True)


def find_run(
    root: Path, task: str, model: ModelArgs, protocol_digest: str, backbone_digest: str
) -> Path | None:
    """The newest finished run of a cell under this model's name, or None.

    A run whose predictions are destroyed is none: the cell has to be run again.
    """
    wanted = {"protocol_digest": protocol_digest, "backbone_digest": backbone_digest}
    for folder in reversed(_list_cell(root, task, model)):
        row = _read(folder)
        if isinstance(row, dict) and wanted.items() <= row.items() and is_intact(folder):
            return folder
    return None


def find_protocols(root: Path, task: str, model: ModelArgs) -> set[str]:
    """The protocols (JSON text) under which a model has finished runs on a task, on any data."""
    rows = map(_read, _list_cell(root, task, model))
    return {str(row["protocol"]) for row in rows if isinstance(row, dict)}


def _list_cell(root: Path, task: str, model: ModelArgs) -> list[Path]:
    try:
        return _list_folders(get_cell_folder(root, task, model))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_all(folders: list[Path]) -> list[dict[str, object] | Problem]:
    # Threads wait for a network disk together. Where there is nothing to wait for, they would only
    # wait for each other, and take twice as long as one.
    first, rest = folders[:CHUNK], folders[CHUNK:]
    wall, busy = time.perf_counter(), time.thread_time()
    found = [_read(folder) for folder in first]
    is_slow = time.perf_counter() - wall > 2 * (time.thread_time() - busy)
    parts = [rest[i : i + CHUNK] for i in range(0, len(rest), CHUNK)]
    with concurrent.futures.ThreadPoolExecutor(N_READERS if is_slow else 1) as pool:
        for part in pool.map(lambda part: list(map(_read, part)), parts):
            found += part
    return found


def _list_runs(root: Path) -> tuple[list[Path], list[Problem]]:
    """Every RESULTS/<task>/<model>/<run>, and the folders on the way that cannot be listed."""
    folders, problems = [root], []
    for _ in ("task", "model", "run"):
        below = []
        for folder in folders:
            try:
                below += _list_folders(folder)
            except OSError as err:
                problems.append(Problem(folder, f"{folder} cannot be listed ({err.strerror})."))
        folders = below
    return folders, problems


def _list_folders(folder: Path) -> list[Path]:
    # A name that starts with a dot is a run that is still being written.
    with os.scandir(folder) as entries:
        names = sorted(e.name for e in entries if not e.name.startswith(".") and _is_folder(e))
    return [folder / name for name in names]


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, which must not hide its neighbours
        return False


def _read(folder: Path) -> dict[str, object] | Problem:
    path = folder / REPORT
    try:
        row = _to_row(folder, check(read_file(path, MAX_REPORT), path))
    except BadInput as err:
        return Problem(folder, str(err))
    except ValueError as err:
        return Problem(folder, f"{path} is damaged: a field is missing or odd ({err}).")
    if row["has_predictions"]:
        try:
            size = os.stat(folder / PREDICTIONS).st_size
        except OSError:
            return Problem(folder, f"{folder / PREDICTIONS} is missing.")
        if row["n_bytes"] is not None and size != row["n_bytes"]:
            row["is_doubtful"] = True
    return row


def _to_row(folder: Path, report: Report) -> dict[str, object]:
    provenance = report.provenance
    # Weights that nothing is known of are taken to be the same under one name, and only there.
    model = f"{report.model.org}:{report.model.ckpt}"
    is_bare = bool(provenance.published) and not report.has_predictions
    # What nothing can be computed from has no interval that could be vouched for; a published one
    # is shown as such.
    low, high = ((report.has_predictions or is_bare) and report.ci) or (None, None)
    group_low, group_high = (report.has_predictions and report.group_ci) or (None, None)
    metric = provenance.protocol.get("metric")
    file = report.predictions
    row = {
        "run": to_unicode(str(folder)),
        "task": report.task,
        "name": report.name,
        "model": model,
        "score": report.score,
        "ci_low": low,
        "ci_high": high,
        "group_ci_low": group_low,
        "group_ci_high": group_high,
        "n": report.n,
        "n_groups": report.n_groups,
        "metric": metric if metric is None else str(metric),
        "protocol_digest": report.protocol_digest,
        "backbone_digest": str(provenance.backbone.get("digest") or f"unknown:{model}"),
        "manifest": provenance.manifest,
        "protocol": json.dumps(provenance.protocol, sort_keys=True),
        "posix_time": report.posix_time,
        "n_skipped": len(provenance.skipped),
        "warnings": report.warnings,
        "has_predictions": report.has_predictions,
        "origin": report.origin,
        "sha256": file and file.sha256,
        "n_bytes": file and file.bytes,
        "is_doubtful": not is_bare
        and not all(
            first - TOLERANCE <= report.score <= last + TOLERANCE
            for first, last in (report.ci or SOME, report.group_ci or SOME)
        ),
        "published": json.dumps(provenance.published) if provenance.published else None,
    }
    return row
