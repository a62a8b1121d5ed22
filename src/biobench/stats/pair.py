"""Two models over a suite of tasks: paired, per task and for the mean.

table = compare_models(cells, metrics, "open-clip:ViT-B-16/openai", "timm-vit:vit_base")
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl
from jaxtyping import Float64

from biobench import progress
from biobench.errors import BadInput
from biobench.metrics import Metric
from biobench.stats.compare import PairOnTask, detectable, interval_of_difference
from biobench.stats.exchange import holm, tail_bound
from biobench.stats.intervals import check_options
from biobench.stats.spread import Spread
from biobench.stats.suite import MEAN

__all__ = ["compare_models"]

_N_MEAN = 2000
"""exchanges of all tasks at once, for the p-value of the mean."""

_SCORES = ("score_a", "score_b")

_SCHEMA = {
    "task": pl.String,
    "a": pl.String,
    "b": pl.String,
    "score_a": pl.Float64,
    "score_b": pl.Float64,
    "difference": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
    "detectable": pl.Float64,
    "n": pl.Int64,
    "n_groups": pl.Int64,
    "n_left_out": pl.Int64,
    "resampled": pl.String,
    "warnings": pl.List(pl.String),
}


def compare_models(
    cells: Mapping[tuple[str, str], pl.DataFrame],
    metrics: Mapping[str, Metric],
    a: str,
    b: str,
    *,
    by_group: bool = True,
    confidence: float = 95,
    n_resamples: int = 500,
    n_permutations: int = 10_000,
    seed: int = 42,
) -> pl.DataFrame:
    """A row for each task that both models have, and one of task "mean" over those tasks.

    cells: predictions by (model, task). metrics: the metric of each task.
    Columns: task a b score_a score_b difference ci_low ci_high p p_holm detectable n n_groups
    n_left_out resampled warnings; `p_holm` is over the rows, the mean of a single task not
    counted.
    Raises BadInput where no task has both, or where they share too few examples on one.
    """
    check_options(confidence, n_resamples)
    tasks = list(dict.fromkeys(t for m, t in cells if m == a and (b, t) in cells))
    if not tasks:
        raise BadInput(f"No task has results of both {a} and {b}; run both on one task first.")
    rows, spreads, exchanged = [], [], np.zeros(_N_MEAN)
    for i, task in enumerate(tasks):
        progress.report("statistics", i, len(tasks))
        pair = PairOnTask.of(
            {f"{a} on {task}": cells[a, task], f"{b} on {task}": cells[b, task]},
            metrics[task],
            by_group=by_group,
            n_resamples=n_resamples,
            seed=seed,
        )
        one = dataclasses.asdict(pair.comparison(confidence, n_permutations, seed))
        one |= {"ci_low": one["low"], "ci_high": one["high"], "warnings": list(one["warnings"])}
        rows.append({"task": task, "a": a, "b": b} | {k: one[k] for k in one if k in _SCHEMA})
        spreads.append(pair.spread)
        # Each task is exchanged by itself, so each has its own draws.
        exchanged = exchanged + pair.exchanges(_N_MEAN, [seed, 5, i])
    progress.report("statistics", len(tasks), len(tasks))
    rows.append(_mean(rows, spreads, exchanged / len(tasks), confidence))
    p = [row["p"] for row in rows]
    # Of a single task the mean is the same question once more, not a second one.
    adjusted = holm(p) if len(tasks) > 1 else p
    for row, one_p in zip(rows, adjusted, strict=True):
        row["p_holm"] = float(one_p)
    return pl.DataFrame(rows, schema=_SCHEMA)


def _mean(
    rows: list[dict],
    spreads: list[Spread],
    exchanged: Float64[np.ndarray, " b"],
    confidence: float,
) -> dict:
    score_a, score_b = (float(np.mean([row[name] for row in rows])) for name in _SCORES)
    difference = score_a - score_b
    parts = np.array([one.variance for one in spreads]) / len(rows) ** 2
    df = parts.sum() ** 2 / np.sum(parts**2 / np.array([one.df for one in spreads]))
    spread = Spread(float(parts.sum()), float(df), 1.0, spreads[0].lower, spreads[0].upper)
    low, high = interval_of_difference(difference, spread, confidence)
    as_large = int(np.count_nonzero(np.abs(exchanged) >= abs(difference) - 1e-12))
    p = (as_large + 1) / (len(exchanged) + 1)
    if not as_large:
        variance = float(np.mean(exchanged**2)) * (1 + 2 * (2 / len(exchanged)) ** 0.5)
        p = min(p, tail_bound(abs(difference), variance))
    kinds = {row["resampled"] for row in rows}
    return {
        "task": MEAN,
        "a": rows[0]["a"],
        "b": rows[0]["b"],
        "score_a": score_a,
        "score_b": score_b,
        "difference": difference,
        "ci_low": low,
        "ci_high": high,
        "p": p,
        "detectable": detectable(spread),
        **{name: sum(row[name] for row in rows) for name in ("n", "n_groups", "n_left_out")},
        "resampled": kinds.pop() if len(kinds) == 1 else "groups",
        "warnings": [],
    }
