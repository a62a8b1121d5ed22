"""Run folders: written whole or not at all, never changed afterwards.

    run = write_run(results, "newt", ("timm", "resnet50.a1_in1k"), report)
    read_report(run)["score"], read_predictions(run)

A run is `RESULTS/<task>/<model>/<run id>/` with `report.json`, `predictions.parquet` and, where one
was given, `log.txt`. It is written under a hidden name beside its place, flushed to the disk and
renamed, so that folders can be copied, merged and read while others write, without a lock. The
fields of `report.json` are those of `schema/report-1.json`.
"""

import dataclasses
import datetime
import errno
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import polars as pl

from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport
from biobench.results import intervals
from biobench.results.predictions import to_table
from biobench.results.scores import PREDICTIONS, SCORES, take_scores

__all__ = [
    "FORMAT",
    "LOG",
    "PREDICTIONS",
    "REPORT",
    "build_report",
    "describe",
    "get_cell_folder",
    "get_run_folder",
    "get_schema",
    "make_run_id",
    "parse_report",
    "place",
    "read_predictions",
    "read_report",
    "to_slug",
    "write_folder",
    "write_run",
]

FORMAT = 1
"""version of the run folder's layout that this code writes; it reads every version up to it."""

REPORT = "report.json"
LOG = "log.txt"

MAX_SLUG = 180
RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{4,64}")


def write_run(
    root: Path,
    task: str,
    model: ModelArgs,
    report: TaskReport,
    *,
    config: dict[str, object] | None = None,
    log: str | Path | None = None,
) -> Path:
    """Keep one finished cell, and return its new folder.

    task: the task's name as it stands on the command line.
    config: what `reproduce` needs to run the cell again, in plain JSON types (see
        `biobench.results.reproduce_command`).
    log: the text of the run's log, or a file to copy it from.
    """
    predictions = to_table(report.examples)
    scores = take_scores(report.examples)
    text = log.read_text(errors="replace") if isinstance(log, Path) else log
    dct = build_report(task, model, report, predictions, config=config, has_log=text is not None)
    return write_folder(root, dct, predictions, text, scores)


def build_report(
    task: str,
    model: ModelArgs,
    report: TaskReport,
    predictions: pl.DataFrame,
    *,
    config: dict[str, object] | None = None,
    has_log: bool = False,
) -> dict[str, object]:
    """The contents of `report.json`, intervals computed."""
    found = intervals.compute(report, predictions)
    return {
        **describe(task, model, report, origin="run"),
        "score": report.get_mean_score(),
        "ci": found.example,
        "group_ci": found.group,
        "n": predictions.height,
        "n_groups": found.n_groups,
        "has_predictions": True,
        "has_log": has_log,
        "config": config,
        "warnings": [*report.provenance.warnings, *found.warnings],
    }


def describe(task: str, model: ModelArgs, report: TaskReport, origin: str) -> dict[str, object]:
    """The fields of `report.json` that are not computed from the examples."""
    fields = dataclasses.replace(report, examples=[]).to_dict()
    del fields["examples"]
    return {
        "format": FORMAT,
        "run": make_run_id(report.posix_time),
        "task": task,
        "model": {"org": model[0], "ckpt": model[1]},
        "protocol_digest": report.provenance.protocol_digest(),
        "confidence": intervals.CONFIDENCE,
        "origin": origin,
        **fields,
    }


def write_folder(
    root: Path,
    report: dict[str, object],
    predictions: pl.DataFrame | None,
    log: str | None = None,
    scores: pl.DataFrame | None = None,
) -> Path:
    """Put a run's files in their place in one step; FileExistsError if the run is there already."""

    def fill(folder: Path) -> None:
        (folder / REPORT).write_text(_dump(report), encoding="utf-8")
        if predictions is not None:
            predictions.write_parquet(folder / PREDICTIONS, compression="zstd")
        if scores is not None:
            scores.write_parquet(folder / SCORES, compression="zstd")
        if log is not None:
            (folder / LOG).write_text(log, encoding="utf-8")

    return place(get_run_folder(root, report), fill)


def place(target: Path, fill: Callable[[Path], None]) -> Path:
    """Make the folder `target` with the files that `fill` writes: whole, or not at all.

    Raises FileExistsError if there is such a folder; it is never changed.
    """
    if target.exists():
        raise FileExistsError(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.parent / f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}"
    partial.mkdir()
    try:
        fill(partial)
        for path in [*partial.iterdir(), partial]:
            _sync(path)
        # Renaming onto a folder with files in it fails, so that a run is never overwritten.
        os.rename(partial, target)
    except BaseException as err:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(err, OSError) and err.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(target) from err
        raise
    _sync(target.parent)
    return target


def read_report(run: Path) -> dict[str, object]:
    """A run's `report.json`; BadInput says what is wrong with it."""
    try:
        text = (run / REPORT).read_bytes()
    except OSError as err:
        raise BadInput(f"{run / REPORT} cannot be read ({err.strerror}).") from err
    return parse_report(text, run / REPORT)


def parse_report(text: bytes, source: Path) -> dict[str, object]:
    """The dict in a `report.json`, of any version that was ever written; BadInput if it is none."""
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise BadInput(f"{source} is damaged: it is not JSON ({err}).") from err
    version = report.get("format") if isinstance(report, dict) else None
    if type(version) is not int or version < 1:
        raise BadInput(f"{source} is not a biobench report: it has no format version.")
    if version > FORMAT:
        raise BadInput(
            f"{source} has format version {version}, but this biobench reads up to {FORMAT}; "
            "update biobench."
        )
    return report


def read_predictions(run: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """A run's predictions, all columns or some; BadInput says what is wrong with the file."""
    path = run / PREDICTIONS
    try:
        # Memory-mapping would keep the file open while a results folder is being replaced.
        return pl.read_parquet(path, columns=columns, memory_map=False)
    except FileNotFoundError as err:
        raise BadInput(f"{path} is missing.") from err
    except (OSError, pl.exceptions.PolarsError) as err:
        reason = (str(err) or type(err).__name__).splitlines()[0]
        raise BadInput(f"{path} is damaged ({reason}).") from err


def get_cell_folder(root: Path, task: str, model: ModelArgs) -> Path:
    """Where the runs of one model on one task are."""
    return Path(root) / to_slug(task) / to_slug(":".join(model))


def get_run_folder(root: Path, report: dict[str, object]) -> Path:
    """Where the run of a `report.json` belongs; ValueError where its id is not one."""
    run, model = str(report["run"]), report["model"]
    if not RUN_ID.fullmatch(run):
        raise ValueError(f"{run!r} is not the id of a run")
    return get_cell_folder(root, str(report["task"]), (model["org"], model["ckpt"])) / run


def to_slug(name: str) -> str:
    """A folder's name for `name`: percent-encoded, so that `urllib.parse.unquote` gives it back.

    A very long name is cut and ends in a digest; what a run is, its report says.
    """
    slug = urllib.parse.quote(name, safe=" +,=@")
    if slug.startswith("."):
        slug = "%2E" + slug[1:]
    if len(slug) <= MAX_SLUG:
        return slug
    return f"{slug[:MAX_SLUG]}~{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def make_run_id(posix_time: float, unique: str | None = None) -> str:
    """A name that sorts by time and that no other process or host makes."""
    moment = datetime.datetime.fromtimestamp(posix_time, datetime.UTC)
    return f"{moment:%Y%m%dT%H%M%S.%fZ}-{unique or secrets.token_hex(6)}"


def get_schema(version: int = FORMAT) -> dict[str, object]:
    """The published JSON schema of `report.json`."""
    path = Path(__file__).parent / "schema" / f"report-{version}.json"
    return json.loads(path.read_text())


def _dump(report: dict[str, object]) -> str:
    return json.dumps(_to_finite(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _to_finite(value: object) -> object:
    """JSON has no NaN: a number that is none becomes null."""
    if isinstance(value, dict):
        return {key: _to_finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
