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
import io
import json
import math
import os
import re
import secrets
import shutil
import typing
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import polars as pl

from biobench import atomic
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport
from biobench.metrics import CLASS_LABELS, CLASS_SCORES
from biobench.predictions import KNOWN_COLUMNS, to_table, to_unicode
from biobench.results import kept_intervals, safe_files, seal, validation
from biobench.results.scores import SCORES, take_scores

__all__ = [
    "FORMAT",
    "LOG",
    "PREDICTIONS",
    "REPORT",
    "build_report",
    "check",
    "describe",
    "get_cell_folder",
    "get_run_folder",
    "get_schema",
    "make_run_id",
    "parse_predictions",
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
PREDICTIONS = "predictions.parquet"
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
        `biobench.launch.reproduce`).
    log: the text of the run's log, or a file to copy it from.
    Raises BadInput where the report holds what no reader could take, OSError where the disk is
    full or cannot be written.
    """
    predictions = to_table(report.examples)
    scores = take_scores(report.examples)
    text = log.read_text(errors="replace") if isinstance(log, Path) else log
    # What a metric may read, though it is kept in a file of its own.
    further = [] if scores is None else [scores[CLASS_LABELS], scores[CLASS_SCORES]]
    table = predictions.with_columns(further)
    dct = build_report(task, model, report, table, config=config, has_log=text is not None)
    # Only what holds code to run again has to be told from somebody else's.
    return write_folder(root, dct, predictions, text, scores, sealed=config is not None)


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
    found = kept_intervals.compute(report, predictions)
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
        "confidence": kept_intervals.CONFIDENCE,
        "origin": origin,
        **fields,
    }


def write_folder(
    root: Path,
    report: dict[str, object],
    predictions: pl.DataFrame | bytes | None,
    log: str | None = None,
    scores: pl.DataFrame | bytes | None = None,
    *,
    sealed: bool = False,
) -> Path:
    """Put a run's files in their place in one step; FileExistsError if the run is there already.

    predictions, scores (of all classes): tables, or the bytes of their files. sealed: note that the
    run was made here (see `biobench.results.seal`). Raises BadInput where no reader could take the
    report.
    """
    data, class_scores = (
        _to_parquet(table) if isinstance(table, pl.DataFrame) else table
        for table in (predictions, scores)
    )
    report = _clean(report)
    for name, content in (("predictions", data), ("scores", class_scores)):
        report.pop(name, None)
        if content is not None:
            report[name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    if sealed and (mark := seal.sign(Path(root), report)):
        report = report | {"seal": mark}
    text = json.dumps(report, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    check(text.encode(), "The report of this cell")
    target = get_run_folder(root, report)

    def fill(folder: Path) -> None:
        (folder / REPORT).write_text(text, encoding="utf-8")
        if data is not None:
            (folder / PREDICTIONS).write_bytes(data)
        if class_scores is not None:
            (folder / SCORES).write_bytes(class_scores)
        if log is not None:
            (folder / LOG).write_text(log, encoding="utf-8", errors="backslashreplace")

    return place(target, fill)


def _to_parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


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
            atomic.sync(path)
        # Renaming onto a folder with files in it fails, so that a run is never overwritten.
        os.rename(partial, target)
    except BaseException as err:
        shutil.rmtree(partial, ignore_errors=True)
        if isinstance(err, OSError) and err.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FileExistsError(target) from err
        raise
    atomic.sync(target.parent)
    return target


def read_report(run: Path) -> dict[str, typing.Any]:
    """A run's `report.json`; BadInput says what is wrong with it."""
    return parse_report(safe_files.read_file(run / REPORT, safe_files.MAX_REPORT), run / REPORT)


def parse_report(text: bytes, source: Path) -> dict[str, typing.Any]:
    """The dict in a `report.json`, of any version that was ever written; BadInput if it is none."""
    check(text, source)
    try:
        return validation.decode_plain(text)
    except ValueError as err:
        raise BadInput(f"{source} is damaged: it is not JSON ({err}).") from err


def check(text: bytes, source: Path | str) -> validation.Report:
    """The fields of a `report.json`, checked; BadInput names the first that is wrong."""
    try:
        return validation.decode(text)
    except ValueError as err:
        # Saying which of the possible reasons it is takes longer than the check, and is rare.
        raise BadInput(_explain(text, source, err)) from err


def _explain(text: bytes, source: Path | str, err: ValueError) -> str:
    try:
        version = validation.get_version(text)
    except ValueError as reason:
        return f"{source} is damaged: it is not JSON ({reason})."
    if type(version) is not int or version < 1:
        return f"{source} is not a biobench report: it has no format version."
    if version > FORMAT:
        return (
            f"{source} has format version {version}, but this biobench reads up to {FORMAT}; "
            "update biobench."
        )
    return f"{source} is damaged: a field is missing or odd ({err})."


def read_predictions(run: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """A run's predictions, all columns or some; BadInput says what is wrong with the file."""
    path = run / PREDICTIONS
    return parse_predictions(safe_files.read_file(path, safe_files.MAX_PREDICTIONS), path, columns)


def parse_predictions(data: bytes, source: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """The table in the bytes of a `predictions.parquet`, its known columns of their known types.

    Raises BadInput where it is none, has no row, or lacks an example's id or score.
    """
    try:
        table = pl.read_parquet(io.BytesIO(data), columns=columns)
        table = table.cast({n: t for n, t in KNOWN_COLUMNS.items() if n in table.columns})
    except (OSError, ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as err:
        reason = (str(err) or type(err).__name__).splitlines()[0]
        raise BadInput(f"{source} is damaged ({reason}).") from err
    if not table.height:
        raise BadInput(f"{source} is damaged (it has no row).")
    for name in ("example", "score"):
        if name in table.columns and table[name].null_count():
            raise BadInput(f"{source} is damaged (a row has no {name}).")
    if "score" in table.columns and not table["score"].is_finite().all():
        raise BadInput(f"{source} is damaged (a score is not finite).")
    return table


def get_cell_folder(root: Path, task: str, model: ModelArgs) -> Path:
    """Where the runs of one model on one task are."""
    return Path(root) / to_slug(task) / to_slug(":".join(model))


def get_run_folder(root: Path, report: dict[str, typing.Any]) -> Path:
    """Where the run of a `report.json` belongs; ValueError where its id or task is none."""
    run, task, model = str(report["run"]), str(report["task"]), report["model"]
    if not RUN_ID.fullmatch(run):
        raise ValueError(f"{run!r} is not the id of a run")
    if not task:
        raise BadInput("A run without the name of a task has no place; name the task.")
    return get_cell_folder(root, task, (model["org"], model["ckpt"])) / run


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


def _clean(value: object) -> typing.Any:
    """What JSON has no words for: a number that is none becomes null, half a character its code."""
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return to_unicode(value) if isinstance(value, str) else value
