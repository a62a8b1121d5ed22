"""What a metric reads of a run: its predictions, and the scores of all classes where it needs them.

read_for_metric(run, metric)  # the predictions with every column that the metric reads
"""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from biobench.errors import BadInput
from biobench.metrics import CLASS_LABELS, CLASS_SCORES, Metric, get_columns
from biobench.results.scores import SCORES, add_scores
from biobench.results.store import PREDICTIONS, read_predictions

__all__ = ["check_for_metric", "read_for_metric"]

_BASE = ("example", "subtask", "group", "y_true", "y_pred", "score")


def check_for_metric(run: Path, metric: Metric) -> None:
    """See from the files' heads that a run can be scored by a metric; raises BadInput if not."""
    path = Path(run) / PREDICTIONS
    wanted = get_columns(metric)
    if not path.is_file():
        raise BadInput(f"{path} is missing or no regular file.")
    try:
        # A path would be taken for a pattern, where a folder's name has brackets.
        with open(path, "rb") as file:
            there = set(pl.read_parquet_schema(file))
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as err:
        reason = (str(err) or type(err).__name__).splitlines()[0]
        raise BadInput(f"{path} is damaged ({reason}).") from err
    lacking = [name for name in wanted if name not in (*there, CLASS_LABELS, CLASS_SCORES)]
    if lacking:
        raise BadInput(
            f"{run} has no '{lacking[0]}' in its predictions, which the metric '{metric.name}' "
            f"needs; run it again with --metrics {metric.name}."
        )
    if CLASS_SCORES in wanted and not (Path(run) / SCORES).is_file():
        raise BadInput(
            f"{run} keeps no scores of all classes, which the metric '{metric.name}' needs; run it "
            f"again with --metrics {metric.name}."
        )


def read_for_metric(run: Path, metric: Metric, columns: Sequence[str] = _BASE) -> pl.DataFrame:
    """A run's predictions with the columns that a metric reads, from its files alone.

    columns: which to read besides. Raises BadInput, naming the metric, where the run lacks one.
    """
    check_for_metric(run, metric)
    wanted = get_columns(metric)
    own = [name for name in wanted if name not in (CLASS_LABELS, CLASS_SCORES)]
    predictions = read_predictions(run, [*dict.fromkeys([*columns, *own])])
    return add_scores(run, predictions) if CLASS_SCORES in wanted else predictions
