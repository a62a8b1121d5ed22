"""The scores of all classes: a file beside the predictions, kept where a metric needs them.

    read_scores(run)    # example subtask class_labels class_scores

`scores.parquet` has one row a prediction, in the same order: `class_scores` is a list of half
precision numbers, null where the picture could not be read, and `class_labels` the names of the
classes in the order of the scores, as JSON.
"""

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from biobench.contract import Example
from biobench.errors import BadInput
from biobench.metrics import CLASS_LABELS, CLASS_SCORES
from biobench.predictions import write_classes
from biobench.results import safe_files, validation

__all__ = [
    "SCORES",
    "add_scores",
    "check_written",
    "join_scores",
    "parse_scores",
    "read_scores",
    "take_scores",
]

SCORES = "scores.parquet"

REPORT = "report.json"
KEYS = ["example", "subtask"]


def take_scores(examples: Sequence[Example]) -> pl.DataFrame | None:
    """The scores of all classes of the examples; None where they have none."""
    if not any(CLASS_SCORES in example.info for example in examples):
        return None
    labels, scores = [], []
    for example in examples:
        classes, row = example.info.get(CLASS_LABELS), example.info.get(CLASS_SCORES)
        is_scored = classes is not None and row is not None
        labels.append(classes if is_scored else None)
        scores.append(np.asarray(row, np.float16) if is_scored else None)
    subtasks = [example.info.get("subtask") for example in examples]
    return pl.DataFrame(
        {
            "example": pl.Series([example.id for example in examples], dtype=pl.String),
            "subtask": pl.Series(subtasks, dtype=pl.String),
            CLASS_LABELS: pl.Series(write_classes(labels), dtype=pl.String),
            CLASS_SCORES: _to_lists(scores),
        }
    )


def _to_lists(rows: Sequence[np.ndarray | None]) -> pl.Series:
    # Through one flat array: rows may differ in length, and Python's numbers are slow.
    kept = [row for row in rows if row is not None]
    flat = pl.DataFrame(
        {
            "row": np.repeat(np.arange(len(kept)), [len(row) for row in kept]),
            "value": pl.Series(np.concatenate(kept) if kept else [], dtype=pl.Float16),
        }
    )
    lists = flat.group_by("row", maintain_order=True).agg("value")["value"]
    where = np.cumsum([row is not None for row in rows]) - 1
    index = [int(at) if row is not None else None for at, row in zip(where, rows, strict=True)]
    return lists.gather(pl.Series(index, dtype=pl.UInt32))


def read_scores(run: Path) -> pl.DataFrame:
    """The scores of all classes of a run: columns example, subtask, class_labels, class_scores.

    Raises BadInput where the run keeps none, or the file is damaged or another than was written.
    """
    path = Path(run) / SCORES
    if not path.exists():
        raise BadInput(
            f"{run} keeps no scores of all classes; run it again with --metrics and the metric."
        )
    data = safe_files.read_file(path, safe_files.MAX_SCORES)
    check_written(data, _get_written(Path(run)), path)
    return parse_scores(data, path)


def check_written(data: bytes, written: str | None, path: Path) -> None:
    """Raise BadInput where a file's bytes are not those with the SHA-256 `written`, if noted."""
    if written is not None and hashlib.sha256(data).hexdigest() != written:
        raise BadInput(
            f"{path} is not the file that was written with the report; restore it, or run the cell "
            "again with --metrics and the metric."
        )


def _get_written(run: Path) -> str | None:
    """The digest of the scores that a run's report notes; older runs note none."""
    text = safe_files.read_file(run / REPORT, safe_files.MAX_REPORT)
    try:
        noted = validation.decode(text).scores
    except ValueError as err:
        raise BadInput(f"{run / REPORT} is damaged ({err}).") from err
    return noted and noted.sha256


def parse_scores(data: bytes, source: Path) -> pl.DataFrame:
    """The table in the bytes of a `scores.parquet`; raises BadInput where it is none."""
    try:
        table = pl.read_parquet(io.BytesIO(data))
        lacking = [
            name for name in (*KEYS, CLASS_LABELS, CLASS_SCORES) if name not in table.columns
        ]
        if lacking:
            raise BadInput(f"{source} is damaged: it lacks the column {lacking[0]}.")
        return table.with_columns(pl.col(CLASS_SCORES).cast(pl.List(pl.Float32)))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as err:
        reason = (str(err) or type(err).__name__).splitlines()[0]
        raise BadInput(f"{source} is damaged ({reason}).") from err


def add_scores(run: Path, predictions: pl.DataFrame) -> pl.DataFrame:
    """A run's predictions with the scores of all classes; raises BadInput where it keeps none."""
    return join_scores(run, predictions, read_scores(run))


def join_scores(run: Path, predictions: pl.DataFrame, scores: pl.DataFrame | None) -> pl.DataFrame:
    """Predictions with their scores of all classes, if any; BadInput where the rows differ."""
    if scores is None:
        return predictions
    if not scores.select(KEYS).equals(predictions.select(KEYS)):
        raise BadInput(f"{Path(run) / SCORES} is damaged: its rows are not the predictions'.")
    return predictions.with_columns(scores[CLASS_LABELS], scores[CLASS_SCORES])
