"""Two models over a suite of tasks: paired, per task and for the mean.

table = compare_models(cells, metrics, "open-clip:ViT-B-16/openai", "timm-vit:vit_base")
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import polars as pl

from biobench import progress
from biobench.errors import BadInput
from biobench.metrics import Metric
from biobench.stats.comparing import PairOnTask, detectable, interval_of_difference
from biobench.stats.contributions import Contributions, mean_of
from biobench.stats.draws import average
from biobench.stats.intervals import check_options
from biobench.stats.simultaneous import adjusted_p, holm
from biobench.stats.spread import Spread
from biobench.stats.suites import MEAN

__all__ = ["SCHEMA", "compare_models"]

_SCORES = ("score_a", "score_b")

SCHEMA = {
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
"""the columns of a comparison's table."""


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
    rows, pairs = [], []
    for i, task in enumerate(tasks):
        progress.report("statistics", i, len(tasks))
        pair = PairOnTask.of(
            {f"{a} on {task}": cells[a, task], f"{b} on {task}": cells[b, task]},
            metrics[task],
            by_group=by_group,
            n_resamples=n_resamples,
            seed=seed,
        )
        found = pair.comparison(confidence, n_permutations, seed)
        ends = {"ci_low": found.low, "ci_high": found.high}
        one = dataclasses.asdict(found) | ends | {"warnings": list(found.warnings)}
        rows.append({"task": task, "a": a, "b": b} | {k: one[k] for k in one if k in SCHEMA})
        pairs.append(pair)
    progress.report("statistics", len(tasks), len(tasks))
    mean = mean_of([pair.contributions for pair in pairs], seed)
    p_mean = float(adjusted_p(mean, n_flips=n_permutations, seed=seed)[0])
    if any(pair.has_draws for pair in pairs):
        crossed = average([pair.pair.crossed for pair in pairs])
        p_mean = max(p_mean, crossed.p(float(np.mean([row["difference"] for row in rows]))))
    spreads = [pair.pair.crossed.spread(confidence) for pair in pairs]
    rows.append(_mean(rows, spreads, mean, p_mean, confidence))
    p = [row["p"] for row in rows]
    # Of a single task the mean is the same question once more, not a second one.
    adjusted = holm(p) if len(tasks) > 1 else p
    for row, one_p in zip(rows, adjusted, strict=True):
        row["p_holm"] = float(one_p)
    return pl.DataFrame(rows, schema=SCHEMA)


def _mean(
    rows: list[dict],
    spreads: list[Spread],
    contributions: Contributions,
    p: float,
    confidence: float,
) -> dict:
    score_a, score_b = (float(np.mean([row[name] for row in rows])) for name in _SCORES)
    difference = score_a - score_b
    parts = np.array([one.variance for one in spreads]) / len(rows) ** 2
    df = parts.sum() ** 2 / np.sum(parts**2 / np.array([one.df for one in spreads]))
    spread = Spread(float(parts.sum()), float(df), 1.0, spreads[0].lower, spreads[0].upper)
    low, high = interval_of_difference(difference, spread, confidence)
    warnings = dict.fromkeys(text for row in rows for text in row["warnings"])
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
        "detectable": detectable(spread, contributions.n_units),
        **{name: sum(row[name] for row in rows) for name in ("n", "n_groups", "n_left_out")},
        "resampled": kinds.pop() if len(kinds) == 1 else "groups",
        "warnings": list(warnings),
    }
