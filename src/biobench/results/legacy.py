"""Taking in the older layout: one `reports.sqlite` with a table `reports`.

    done = import_sqlite(Path("reports.sqlite"), results)

Its columns are model_org, model_ckpt, task_name, posix, mean_score, confidence_lower,
confidence_upper, args and report, the last two JSON text. The intervals in it are not taken over:
many do not contain their own score. Where a report holds its examples, score and interval are
computed from them; where not, the run is kept as not verifiable, without an interval.
"""

import contextlib
import hashlib
import json
import math
import sqlite3
import typing
from pathlib import Path

from biobench import metrics
from biobench.errors import BadInput
from biobench.interfaces import Example, Provenance, TaskReport
from biobench.predictions import to_examples, to_table
from biobench.results import kept_intervals
from biobench.results.importing import Imported
from biobench.results.index import Problem
from biobench.results.store import describe, make_run_id, write_folder

__all__ = ["ORIGIN", "import_sqlite"]

ORIGIN = "reports.sqlite"

COLUMNS = ("model_org", "model_ckpt", "task_name", "posix", "mean_score", "args", "report")

_TASKS = {
    "newt": ("newt", "mean-score"),
    "kabr": ("kabr", "mean-score"),
    "iwildcam": ("iwildcam", "macro-f1"),
    "pl@ntnet": ("plantnet", "macro-accuracy"),
    "plantnet": ("plantnet", "macro-accuracy"),
}
"""name in the old table, lower case -> today's task and its metric."""

_MACHINE_ARGS = ("batch_size", "n_workers", "datadir", "device", "parallel", "log_every")
"""arguments that say where and how fast a run went, not what it computed."""


_ODD = (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError)
"""what a row that is not as the older layout has it may raise (BadInput is a ValueError)."""


def import_sqlite(source: Path, root: Path) -> Imported:
    """Make a run of every row of `source`; rows that are there already are not made again.

    Raises BadInput where `source` is no such database.
    """
    n_imported = n_present = 0
    problems = []
    for number, row in _read(source):
        try:
            _import_row(row, root)
            n_imported += 1
        except FileExistsError:
            n_present += 1
        except _ODD as err:
            reason = str(err) if isinstance(err, BadInput) else f"cannot be understood ({err!r})"
            problems.append(Problem(source, f"{source}: row {number} of reports: {reason}"))
    return Imported(n_imported, n_present, problems)


def _read(source: Path) -> list[tuple[int, dict[str, object]]]:
    if not source.is_file():
        raise BadInput(f"There is no file {source}; name the database to import.")
    try:
        with contextlib.closing(
            sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)
        ) as db:
            db.row_factory = sqlite3.Row
            # A view would be somebody else's program.
            kinds = db.execute("SELECT type FROM sqlite_master WHERE name = 'reports'").fetchall()
            if [kind["type"] for kind in kinds] != ["table"]:
                raise sqlite3.DatabaseError("reports is not a table in it")
            rows = [dict(row) for row in db.execute("SELECT * FROM reports ORDER BY rowid")]
    except sqlite3.Error as err:
        raise BadInput(f"{source} is not a database with a table reports ({err}).") from err
    missing = [name for name in COLUMNS if rows and name not in rows[0]]
    if missing:
        raise BadInput(f"{source}: the table reports lacks the columns {', '.join(missing)}.")
    return list(enumerate(rows, start=1))


def _import_row(row: dict[str, typing.Any], root: Path) -> None:
    args, old = json.loads(row["args"]), json.loads(row["report"])
    title = str(row["task_name"])
    predictions = to_table(
        [
            Example(str(ex["id"]), float(ex["score"]), dict(ex.get("info") or {}))
            for ex in old.get("examples") or []
        ]
    )
    examples = to_examples(predictions)
    task, default = _TASKS.get(title.lower(), (title.lower(), "mean-score"))
    stored = float(row["mean_score"])
    if not title.strip():
        raise BadInput("task_name is empty; name the task.")
    if not 0 <= stored <= 1:
        raise BadInput(f"mean_score is {stored}, not a number from 0 to 1.")
    metric, warnings = _choose_metric(examples, default, stored)
    model = (str(row["model_org"]), str(row["model_ckpt"]))
    protocol = {name: value for name, value in args.items() if name not in _MACHINE_ARGS}
    report = TaskReport(
        name=title,
        examples=examples,
        splits={str(name): float(score) for name, score in (old.get("splits") or {}).items()},
        calc_mean_score=metrics.get_metric(metric),
        argv=[str(word) for word in old.get("argv") or []],
        commit=str(old.get("commit") or "unknown"),
        posix_time=float(row["posix"]),
        gpu_name=str(old.get("gpu_name") or "unknown"),
        hostname=str(old.get("hostname") or "unknown"),
        provenance=Provenance(
            protocol={"metric": metric, "imported": ORIGIN, **protocol},
            backbone={"org": model[0], "ckpt": model[1]},
            warnings=warnings,
        ),
    )
    # The same row makes the same id, so that importing twice adds nothing.
    unique = hashlib.sha256(json.dumps(row, sort_keys=True, default=str).encode()).hexdigest()[:12]
    dct = describe(task, model, report, ORIGIN) | {
        "run": make_run_id(report.posix_time, unique),
        "has_log": False,
        "config": None,
    }
    if not examples:
        unknown = {"ci": None, "group_ci": None, "n": None, "n_groups": None}
        dct |= unknown | {"score": stored, "has_predictions": False, "warnings": warnings}
        write_folder(root, dct, None)
        return
    found = kept_intervals.compute(report, predictions)
    dct |= {
        "score": report.get_mean_score(),
        "ci": found.example,
        "group_ci": found.group,
        "n": predictions.height,
        "n_groups": found.n_groups,
        "has_predictions": True,
        "warnings": [*warnings, *found.warnings],
    }
    write_folder(root, dct, predictions)


def _choose_metric(examples: list[Example], default: str, stored: float) -> tuple[str, list[str]]:
    """The metric that gives the stored score again; else the task's own, with a warning."""
    if not examples:
        return default, ["Imported without examples: neither score nor interval can be verified."]
    has_labels = all(ex.info["y_true"] is not None for ex in examples)
    usable = ["mean-score"]
    if has_labels:
        # What a metric reads beside labels and scores an old database does not have.
        known = [
            n for n in metrics.list_metrics() if not metrics.get_columns(metrics.get_metric(n))
        ]
        usable = [default, *known]
    scores = {name: metrics.get_metric(name)(examples) for name in dict.fromkeys(usable)}
    for name, score in scores.items():
        if math.isclose(score, stored, abs_tol=1e-6):
            return name, []
    name = usable[0]
    return name, [
        f"Imported: its examples give {name} {scores[name]:.4f}, not the {stored:.4f} that was "
        "recorded; the score shown is computed from the examples."
    ]
