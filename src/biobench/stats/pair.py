"""Two models over a suite of tasks: paired, per task and for the mean.

table = compare_models(cells, metrics, "open-clip:ViT-B-16/openai", "timm-vit:vit_base")
"""

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
    n_left_out resampled warnings; `p_holm` is over the rows shown.
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
        one = pair.comparison(confidence, n_permutations, seed)
        spreads.append(pair.spread)
        # Each task is exchanged by itself, so each has its own draws.
        exchanged = exchanged + pair.exchanges(_N_MEAN, [seed, 5, i])
        scores = (one.score_a, one.score_b, one.difference, one.low, one.high, one.p)
        counts = (one.n, one.n_groups, one.n_left_out, one.resampled)
        rows.append((task, a, b, *scores, one.detectable, *counts, list(one.warnings)))
    progress.report("statistics", len(tasks), len(tasks))
    rows.append(_mean(rows, spreads, exchanged / len(tasks), confidence, (a, b)))
    adjusted = holm([row[8] for row in rows])
    rows = [(*row[:9], float(p), *row[9:]) for row, p in zip(rows, adjusted, strict=True)]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _mean(
    rows: list[tuple],
    spreads: list[Spread],
    exchanged: Float64[np.ndarray, " b"],
    confidence: float,
    names: tuple[str, str],
) -> tuple:
    score_a, score_b = (float(np.mean([row[i] for row in rows])) for i in (3, 4))
    difference = score_a - score_b
    parts = np.array([one.variance for one in spreads]) / len(rows) ** 2
    df = parts.sum() ** 2 / np.sum(parts**2 / np.array([one.df for one in spreads]))
    spread = Spread(float(parts.sum()), float(df), 1.0, spreads[0].lower, spreads[0].upper)
    as_large = int(np.count_nonzero(np.abs(exchanged) >= abs(difference) - 1e-12))
    p = (as_large + 1) / (len(exchanged) + 1)
    if not as_large:
        variance = float(np.mean(exchanged**2)) * (1 + 2 * (2 / len(exchanged)) ** 0.5)
        p = min(p, tail_bound(abs(difference), variance))
    n, n_groups, n_left_out = (sum(row[i] for row in rows) for i in (10, 11, 12))
    kinds = {row[13] for row in rows}
    return (
        MEAN,
        *names,
        score_a,
        score_b,
        difference,
        *interval_of_difference(difference, spread, confidence),
        p,
        detectable(spread),
        n,
        n_groups,
        n_left_out,
        kinds.pop() if len(kinds) == 1 else "groups",
        [],
    )
