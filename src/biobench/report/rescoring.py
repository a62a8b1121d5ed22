"""Stored predictions scored anew, by another metric than their task's own.

selection = rescore(select(results), "top5-accuracy")
"""

import concurrent.futures
import dataclasses
from pathlib import Path

import polars as pl

from biobench import metrics, results, stats
from biobench.errors import BadInput
from biobench.report.placing import is_bare
from biobench.report.selection import Selection

__all__ = ["describe_rescoring", "rescore"]

N_READERS = 8


def rescore(selection: Selection, name: str) -> Selection:
    """The same runs with the scores and intervals of the metric `name`.

    Published scores without predictions are left out. Runs that do not keep what the metric needs
    are among the problems, each with its reason; raises BadInput where none does, or there is no
    such metric.
    """
    metric = metrics.get_metric(name)
    kept = selection.runs.filter(~is_bare)
    if not kept.height:
        raise BadInput(
            f"No run can be scored by '{name}': all are published scores without predictions."
        )
    selection = dataclasses.replace(selection, runs=kept)
    with concurrent.futures.ThreadPoolExecutor(N_READERS) as pool:
        found = list(pool.map(lambda run: _score(Path(run), metric), selection.runs["run"]))
    good = [isinstance(one, dict) for one in found]
    problems = [one for one in found if isinstance(one, results.Problem)]
    if not any(good):
        raise BadInput(f"No run can be scored by '{name}': {problems[0].reason}")
    runs = selection.runs.filter(pl.Series(good))
    values = [one for one in found if isinstance(one, dict)]
    columns = {key: runs.schema[key] for key in values[0]}
    runs = runs.with_columns(
        pl.Series(key, [one[key] for one in values], dtype=dtype) for key, dtype in columns.items()
    )
    return dataclasses.replace(selection, runs=runs, problems=[*selection.problems, *problems])


def describe_rescoring(name: str) -> str:
    """Which metric the scores are by, in a sentence."""
    low = " (lower is better)" if metrics.is_better_low(metrics.get_metric(name)) else ""
    return f"All scores are by {name}{low}, computed anew from the stored predictions."


def _score(run: Path, metric: metrics.Metric) -> dict[str, object] | results.Problem:
    try:
        table = results.read_for_metric(run, metric)
        single = stats.interval_from_table(table, metric, by_group=False)
        grouped = stats.interval_from_table(table, metric, by_group=True)
    except BadInput as err:
        return results.Problem(run, str(err))
    has_groups = grouped.resampled == "groups"
    shown = grouped if has_groups else single
    return {
        "score": single.score,
        "ci_low": single.low,
        "ci_high": single.high,
        "group_ci_low": grouped.low if has_groups else None,
        "group_ci_high": grouped.high if has_groups else None,
        "n": single.n,
        "n_groups": grouped.n_groups if has_groups else None,
        "metric": metric.name,
        "warnings": list(shown.warnings),
    }
