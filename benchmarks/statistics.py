"""How fast the statistics are: ratios against a plain loop measured in the same run.

python benchmarks/statistics.py              # everything
python benchmarks/statistics.py --models 20 --tasks 4     # a smaller leaderboard
"""

import argparse
import resource
import time

import numpy as np
import polars as pl

from biobench import stats
from biobench.interfaces import Example
from biobench.metrics import Metric, get_metric

N_RESAMPLES = 500
N_PLAIN = 50
"""resamples that the plain loop is timed over."""


def interval_of_a_plantnet_report() -> None:
    """31,118 examples of 1,081 classes, 500 resamples, against a loop over the report's metric."""
    rng = np.random.default_rng(0)
    n, n_classes = 31_118, 1_081
    frequency = 1 / np.arange(1, n_classes + 1)
    true = rng.choice(n_classes, n, p=frequency / frequency.sum())
    guess = rng.choice(n_classes, n, p=frequency / frequency.sum())
    pred = np.where(rng.random(n) < 0.7, true, guess)
    examples = [
        Example(f"img-{i}", float(t == p), {"y_true": f"class-{t}", "y_pred": f"class-{p}"})
        for i, (t, p) in enumerate(zip(true.tolist(), pred.tolist(), strict=True))
    ]
    for name in ("macro-accuracy", "macro-f1"):
        metric = get_metric(name)
        stats.confidence_interval(examples[:1000], metric)
        fast = min(timed(lambda m=metric: stats.confidence_interval(examples, m)) for _ in range(5))
        slow = timed(lambda m=metric: plain_loop(examples, m)) * N_RESAMPLES / N_PLAIN
        print(
            f"interval of {n:,} examples, {n_classes:,} classes, {N_RESAMPLES} resamples, {name}: "
            f"{fast * 1e3:.0f} ms; plain loop {slow:.1f} s; {slow / fast:.0f} times sooner"
        )


def plain_loop(examples: list[Example], metric: Metric) -> np.ndarray:
    """What one would write first: resample the list, score it, again and again, take quantiles."""
    rng = np.random.default_rng(0)
    scores = [
        metric([examples[i] for i in rng.integers(0, len(examples), len(examples)).tolist()])
        for _ in range(N_PLAIN)
    ]
    return np.percentile(scores, [2.5, 97.5])


def make_suite(n_models: int, n_tasks: int, n: int) -> tuple[dict, dict[str, Metric]]:
    """Cells of models whose accuracies lie from 0.5 to 0.8, on the three kinds of metric."""
    rng = np.random.default_rng(1)
    names = ("mean-score", "macro-f1", "macro-accuracy")
    example = pl.Series("example", [f"img-{i}" for i in range(n)])
    nothing = pl.Series([None] * n, dtype=pl.String)
    cells, metrics = {}, {}
    for t in range(n_tasks):
        task, n_classes = f"task-{t}", (10, 100, 500)[t % 3]
        metrics[task] = get_metric(names[t % 3])
        kind = pl.Enum([f"class-{c}" for c in range(n_classes)])
        true = rng.integers(0, n_classes, n, dtype=np.uint32)
        hard = rng.normal(0, 1.5, n)
        y_true = kind.categories.gather(true).cast(kind)
        group = pl.Series([f"camera-{i // 40}" for i in range(n)]) if t == 1 else nothing
        for m in range(n_models):
            level = -1.0 + 2.5 * m / n_models
            right = hard + rng.normal(0, 1, n) < level
            guess = rng.integers(0, n_classes, n, dtype=np.uint32)
            pred = np.where(right, true, guess)
            cells[f"model-{m}", task] = pl.DataFrame(
                {
                    "example": example,
                    "subtask": nothing,
                    "group": group,
                    "y_true": y_true,
                    "y_pred": kind.categories.gather(pred).cast(kind),
                    "score": (pred == true).astype(np.float64),
                }
            )
    return cells, metrics


def whole_leaderboard(n_models: int, n_tasks: int, n: int) -> None:
    """Intervals, differences from the best, Holm and ranks of a whole suite, and its growth."""
    cells, metrics = make_suite(n_models, n_tasks, n)
    before = peak_memory()
    seconds = timed(lambda: stats.suite(cells, metrics, n_resamples=N_RESAMPLES))
    print(
        f"leaderboard of {n_models} models, {n_tasks} tasks, {n:,} examples: {seconds:.1f} s, "
        f"peak memory {peak_memory():.2f} GB ({before:.2f} GB of it with the predictions alone)"
    )
    fewer = {(m, t): v for (m, t), v in cells.items() if int(m.split("-")[1]) % 2 == 0}
    half = timed(lambda: stats.suite(fewer, metrics, n_resamples=N_RESAMPLES))
    print(f"  half the models: {half:.1f} s, {half / seconds:.2f} of it")
    kept = list(metrics)[: n_tasks // 2]
    fewer = {(m, t): v for (m, t), v in cells.items() if t in kept}
    half = timed(lambda: stats.suite(fewer, metrics, n_resamples=N_RESAMPLES))
    print(f"  {len(kept)} of {n_tasks} tasks: {half:.1f} s, {half / seconds:.2f} of it")
    half = timed(lambda: stats.suite(cells, metrics, n_resamples=N_RESAMPLES // 2))
    print(f"  half the resamples: {half:.1f} s, {half / seconds:.2f} of it")


def timed(work) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_memory() -> float:
    """Gigabytes that this process has had resident at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> int:
    """Run both benchmarks and print their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=85)
    parser.add_argument("--tasks", type=int, default=13)
    parser.add_argument("--examples", type=int, default=20_000)
    args = parser.parse_args()
    interval_of_a_plantnet_report()
    whole_leaderboard(args.models, args.tasks, args.examples)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
