"""The database behind the published leaderboard: a row for each cell, and one for each prediction.

Tables `experiments` (id, task_name, model_org, model_ckpt, n_train, exp_cfg, argv, git_commit,
posix, gpu_name, hostname) and `predictions` (img_id, score, info, experiment_id); exp_cfg, argv and
info are JSON text. Score and interval are computed here, from the predictions.
"""

import collections
import contextlib
import hashlib
import itertools
import json
import math
import sqlite3
import typing
from collections.abc import Iterator
from pathlib import Path

from biobench import metrics
from biobench.errors import BadInput
from biobench.interfaces import Example
from biobench.predictions import to_table
from biobench.results import kept_intervals
from biobench.results.importing import Imported
from biobench.results.index import Problem
from biobench.results.published.judging import WRONG_TASK, describe
from biobench.results.published.known_facts import WRONG, Task, map_model, map_task
from biobench.results.published.writing import Source, Tally, build, get_time, make_id
from biobench.results.store import get_run_folder, write_folder

__all__ = ["import_database", "is_database"]

CELLS = "experiments"
"""its table of cells."""

CELL = (
    "id",
    "task_name",
    "model_org",
    "model_ckpt",
    "n_train",
    "exp_cfg",
    "argv",
    "git_commit",
    "posix",
    "gpu_name",
    "hostname",
)
PREDICTION = ("img_id", "score", "info", "experiment_id")

_NAMES = {
    # how older rows call what a prediction says
    "true_y": "y_true",
    "pred_y": "y_pred",
    # columns of their own
    "example": "info_example",
    "score": "info_score",
}
"""what else a key of `info` is called here."""

_ODD = (KeyError, TypeError, ValueError, OverflowError, AttributeError, RecursionError)

Row = dict[str, typing.Any]
Prediction = tuple[typing.Any, typing.Any, typing.Any]
"""img_id, score, info."""


def is_database(source: Path) -> bool:
    """Whether a file is an SQLite database with the two tables."""
    try:
        with contextlib.closing(_connect(source)) as db:
            return {CELLS, "predictions"} <= _list_tables(db)
    except sqlite3.Error:
        return False


def import_database(source: Path, root: Path) -> Imported:
    """Make a run of every cell in `source`; those that are there already are not made again.

    Raises BadInput where `source` is no such database.
    """
    n_imported = n_present = 0
    problems: list[Problem] = []
    tally = Tally()
    try:
        origin = Source.read(source, "sqlite")
        with contextlib.closing(_connect(source)) as db:
            _require_columns(db, source)
            for cell, predictions in _read(db, source, problems):
                where = f"{source}: row {cell['id']} of {CELLS}"
                try:
                    _import(cell, predictions, origin, root, tally)
                    n_imported += 1
                except FileExistsError:
                    n_present += 1
                except _ODD as err:
                    reason = str(err) if isinstance(err, BadInput) else f"it is odd ({err!r})."
                    problems.append(Problem(source, f"{where}: {reason}"))
    except (sqlite3.Error, OSError) as err:
        raise BadInput(f"{source} cannot be read as a database ({err}).") from err
    return Imported(n_imported, n_present, problems, tally.notes())


def _connect(source: Path) -> sqlite3.Connection:
    # A database that nobody writes to needs no files beside it, which a read-only folder forbids.
    alone = not source.with_name(f"{source.name}-wal").exists()
    options = "mode=ro&immutable=1" if alone else "mode=ro"
    db = sqlite3.connect(f"{source.absolute().as_uri()}?{options}", uri=True)
    db.row_factory = sqlite3.Row
    db.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
    return db


def _list_tables(db: sqlite3.Connection) -> set[str]:
    # A view would be somebody else's program.
    rows = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {row["name"] for row in rows}


def _require_columns(db: sqlite3.Connection, source: Path) -> None:
    for table, columns in ((CELLS, CELL), ("predictions", PREDICTION)):
        there = {row["name"] for row in db.execute(f"PRAGMA table_info({table})")}
        lacking = [name for name in columns if name not in there]
        if lacking:
            raise BadInput(f"{source}: the table {table} lacks the columns {', '.join(lacking)}.")


def _read(
    db: sqlite3.Connection, source: Path, problems: list[Problem]
) -> Iterator[tuple[Row, list[Prediction]]]:
    """Each cell with its predictions; those of one are in memory at a time."""
    cells = {}
    for row in db.execute(f"SELECT {', '.join(CELL)} FROM {CELLS} ORDER BY id"):
        cells[row["id"]] = dict(row)
    # The table has no index by cell: it is sorted once, not searched once for each.
    rows = db.execute(
        f"SELECT {', '.join(PREDICTION)} FROM predictions ORDER BY experiment_id, img_id"
    )
    seen = set()
    for key, group in itertools.groupby(rows, key=lambda row: row[-1]):
        if key not in cells:
            n = sum(1 for _ in group)
            reason = (
                f"{source}: {n:,} predictions are of row {key!r} of {CELLS}, which is not there."
            )
            problems.append(Problem(source, reason))
            continue
        seen.add(key)
        yield cells[key], [tuple(row)[:-1] for row in group]
    for key in [key for key in cells if key not in seen]:
        reason = f"{source}: row {key!r} of {CELLS} has no predictions, and so no score."
        problems.append(Problem(source, reason))


def _import(cell: Row, rows: list[Prediction], source: Source, root: Path, tally: Tally) -> None:
    task, ckpt = map_task(_get_text(cell, "task_name")), _get_text(cell, "model_ckpt")
    doubts = describe(WRONG_TASK, task.name) if task.name in WRONG else {}
    original = str(cell["model_org"] or "")
    org = map_model(ckpt, original)[0]
    posix_time = get_time(cell["posix"])
    content = {name: value for name, value in cell.items() if name != "id"}
    run = make_id(posix_time, [content, _hash(rows)])
    place = {"run": run, "task": task.name, "model": {"org": org, "ckpt": ckpt}}
    if get_run_folder(root, place).exists():
        tally.add(task, original, ckpt, doubts)
        raise FileExistsError
    examples, repeated = _make_examples(rows, task)
    metric, warnings = _choose_metric(examples, task)
    if repeated:
        warnings.append(f"{repeated:,} predictions have the id of another one; they are numbered.")
    report, made = build(
        source,
        task,
        (org, ckpt),
        published={
            "model": {"ckpt": ckpt, "org": original},
            "task": cell["task_name"],
            "row": str(cell["id"]),
            "exp_cfg": str(cell["exp_cfg"]),
            "doubts": doubts,
            "recomputable": True,
        },
        run=run,
        posix_time=posix_time,
        metric=metric,
        examples=examples,
        protocol=_get_protocol(cell),
        argv=_get_argv(cell["argv"]),
        commit=str(cell["git_commit"]),
        gpu_name=str(cell["gpu_name"] or "unknown"),
        hostname=str(cell["hostname"]),
    )
    table = to_table(examples)
    found = kept_intervals.compute(made, table)
    report |= {
        "score": made.get_mean_score(),
        "ci": found.example,
        "group_ci": found.group,
        "n": table.height,
        "n_groups": found.n_groups,
        "has_predictions": True,
        "warnings": [*doubts.values(), *warnings, *found.warnings],
    }
    write_folder(root, report, table)
    tally.add(task, original, ckpt, doubts)


def _get_text(cell: Row, name: str) -> str:
    value = cell[name]
    if not isinstance(value, str) or not value.strip():
        raise BadInput(f"its {name} is {value!r}, not a name.")
    return value


def _get_protocol(cell: Row) -> dict[str, object]:
    """What of a cell decides its numbers, as far as that is known to be such."""
    n_train = cell["n_train"]
    if not isinstance(n_train, int):
        raise BadInput(f"its n_train is {n_train!r}, not a number of examples.")
    # Whatever is not positive meant all of them.
    found: dict[str, object] = {"n_train": n_train if n_train > 0 else -1}
    try:
        seed = json.loads(cell["exp_cfg"])["seed"]
    except _ODD:
        return found
    return found | ({"seed": seed} if type(seed) is int and abs(seed) < 2**63 else {})


def _get_argv(text: object) -> list[str]:
    try:
        words = json.loads(str(text))
    except (ValueError, RecursionError):
        return [str(text)]
    return [str(word) for word in words] if isinstance(words, list) else [str(words)]


def _hash(rows: list[Prediction]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        # Of texts, numbers and bytes, each of which says what it is.
        digest.update(repr(row).encode())
    return digest.hexdigest()


def _make_examples(rows: list[Prediction], task: Task) -> tuple[list[Example], int]:
    """The predictions as examples, no two of one id, and how many had another's."""
    examples, repeated = [], 0
    counts: collections.Counter[tuple[str, object]] = collections.Counter()
    is_newt = task.name == "newt"
    for name, score, text in rows:
        if isinstance(score, bool) or not isinstance(score, int | float) or math.isnan(score):
            raise BadInput(f"the score of the prediction {name!r} is {score!r}.")
        given = json.loads(text)
        if not isinstance(given, dict):
            raise BadInput(f"the info of the prediction {name!r} is no object.")
        info: dict[str, object] = {}
        for key, value in given.items():
            info[str(_NAMES.get(key, key))] = value
        if is_newt and "subtask" not in info and "task" in info:
            info["subtask"] = info.pop("task")
        key = str(name), str(info.get("subtask"))
        counts[key] += 1
        n = counts[key]
        repeated += n > 1
        examples.append(Example(key[0] if n == 1 else f"{key[0]} ({n})", float(score), info))
    return examples, repeated


def _choose_metric(examples: list[Example], task: Task) -> tuple[str, list[str]]:
    """The task's metric where the predictions have what it reads; else their mean, with a warning.

    The warning says what is missing: a mean of scores is another number, in another column.
    """
    if task.metric is None:
        return "mean-score", ["The task is not known here: its score is the mean of its examples'."]
    needed = {"macro-f1": ("y_true", "y_pred"), "accuracy": ("y_true", "y_pred")}
    columns = needed.get(task.metric, metrics.get_columns(metrics.get_metric(task.metric)))
    lacking = [
        name for name in columns if any(example.info.get(name) is None for example in examples)
    ]
    if not lacking:
        return task.metric, []
    return "mean-score", [
        f"Its predictions lack {', '.join(lacking)}, which {task.metric} reads: the score is the "
        "mean of its examples' scores, not that of the task."
    ]
