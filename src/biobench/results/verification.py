"""Does a run's report say what its predictions give?

    found = verify(run, report)      # Verified; None where nothing can be computed
    found.score, found.mismatch      # "" where the report agrees

A report and its predictions are two files. Readers show what the predictions give, and name a run
whose report says something else.
"""

import dataclasses
import hashlib
import math
import typing
from pathlib import Path

from biobench import metrics
from biobench.errors import BadInput
from biobench.results import kept_intervals, safe_files
from biobench.results.scores import add_scores
from biobench.results.store import PREDICTIONS, check, parse_predictions

__all__ = ["TOLERANCE", "Verified", "describe_mismatch", "is_changed", "is_intact", "verify"]

TOLERANCE = 1e-9
"""how far a stored number may be from the one that the predictions give."""


@dataclasses.dataclass(frozen=True)
class Verified:
    """What a run's predictions give."""

    score: float
    ci: tuple[float, float]
    group_ci: tuple[float, float] | None
    n: int
    n_groups: int | None
    mismatch: str
    """one sentence on what the report says instead; "" where it agrees."""


def verify(run: Path, row: dict[str, object]) -> Verified | None:
    """What the predictions of a run give, held against what its report says.

    row: the run's row of `Scan.runs`. None where the metric is not known or there are no
    predictions. Raises BadInput where they are damaged.
    """
    if not row["has_predictions"] or not metrics.is_known(row["metric"]):
        return None
    path = run / PREDICTIONS
    data = safe_files.read_file(path, safe_files.MAX_PREDICTIONS)
    table = parse_predictions(data, path)
    metric = metrics.get_metric(str(row["metric"]))
    if metrics.CLASS_SCORES in metrics.get_columns(metric):
        table = add_scores(run, table)
    try:
        found = kept_intervals.compute_from_table(table, metric)
    except BadInput as err:
        raise BadInput(f"{path}: {err}") from err
    changed = _differs(data, row)
    mismatch = describe_mismatch(row, found.score, table.height, changed=changed)
    return Verified(found.score, found.example, found.group, table.height, found.n_groups, mismatch)


def describe_mismatch(row: dict[str, typing.Any], score: float, n: int, *, changed: bool) -> str:
    """One sentence on how a run's files contradict each other; "" where they do not."""
    said = []
    if not math.isclose(score, row["score"], abs_tol=TOLERANCE):
        said.append(
            f"its predictions give the score {score:.6f}, but its report says {row['score']:.6f}"
        )
    if row["n"] != n:
        said.append(f"it has {n:,} predictions, but its report says {row['n']}")
    if changed:
        said.append("its predictions.parquet is not the file that was written")
    if not said:
        return ""
    return f"{row['run']}: {'; '.join(said)}: shown is what the predictions give."


def is_changed(run: Path, row: dict[str, object]) -> bool:
    """Whether a run's predictions are another file than the one that was written.

    row: as `verify`'s. Raises BadInput where the file cannot be read.
    """
    return _differs(safe_files.read_file(run / PREDICTIONS, safe_files.MAX_PREDICTIONS), row)


def _differs(data: bytes, row: dict[str, object]) -> bool:
    return row["sha256"] is not None and hashlib.sha256(data).hexdigest() != row["sha256"]


def is_intact(run: Path) -> bool:
    """Whether a run can be read whole: its report, and as many predictions as that says."""
    try:
        report = check(safe_files.read_file(run / "report.json", safe_files.MAX_REPORT), run)
        if not report.has_predictions:
            return True
        data = safe_files.read_file(run / PREDICTIONS, safe_files.MAX_PREDICTIONS)
        return parse_predictions(data, run / PREDICTIONS, ["example", "score"]).height == report.n
    except BadInput:
        return False
