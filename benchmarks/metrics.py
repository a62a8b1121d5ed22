"""How often the intervals of the further metrics cover, and how often equal models differ.

    python benchmarks/metrics.py [--trials 1000] [--only NAME ...]

A trial draws a test set and what two equally good models say of it: scores of five classes, one of
which was never trained on, with effects of the camera on the truth's score where there are cameras.
An interval covers where it holds the mean score over all trials, the expectation over test sets of
the same size. Equal models differ by mistake where p < 0.05. Standard errors in brackets.
"""

import argparse
import json

import numpy as np
import polars as pl

from biobench import stats
from biobench.metrics import ExpectedCost, Metric, get_metric

CLASSES = [f"class-{i}" for i in range(5)]
SHARES = np.array([0.4, 0.25, 0.15, 0.1, 0.1])
REGIMES = {"300 examples": (300, 0), "1,000 examples": (1000, 0), "40 cameras of 10": (400, 40)}
METRICS = {
    name: get_metric(name)
    for name in (
        "top-accuracy:2",
        "brier",
        "ece",
        "mean-average-precision",
        "macro-auroc",
        "open-set-auroc",
        "open-set-tnr95",
    )
}
METRICS["expected-cost"] = ExpectedCost((("class-0", "*", 5.0), ("*", "*", 1.0)))


def draw_truth(rng: np.random.Generator, n: int, n_groups: int):
    truth = rng.choice(5, n, p=SHARES)
    groups = np.arange(n) % n_groups if n_groups else None
    return truth, groups


def predict(rng: np.random.Generator, truth: np.ndarray, groups: np.ndarray | None) -> pl.DataFrame:
    """What a model says; its scores of the class that was not trained on are lowest."""
    n = len(truth)
    lead = np.full(n, 1.6)
    if groups is not None:
        lead = lead + rng.normal(size=groups.max() + 1)[groups]
    known = truth != 4
    scores = rng.normal(size=(n, 4))
    scores[known, truth[known]] += lead[known]
    p = np.exp(1.5 * scores)
    p /= p.sum(axis=1, keepdims=True)
    order = np.argsort(-scores, axis=1)
    pred = order[:, 0]
    target = np.zeros((n, 4))
    target[known, truth[known]] = 1
    names = np.array(CLASSES)
    return pl.DataFrame(
        {
            "example": [str(i) for i in range(n)],
            "group": [None] * n if groups is None else [f"camera-{g}" for g in groups],
            "y_true": names[truth],
            "y_pred": names[pred],
            "score": (pred == truth).astype(float),
            "top_labels": names[order].tolist(),
            "top_scores": np.take_along_axis(scores, order, axis=1).tolist(),
            "train_count": np.where(known, 10, 0),
            "probability": p[np.arange(n), pred],
            "brier": ((p - target) ** 2).sum(axis=1) + ~known,
            "class_labels": [json.dumps(CLASSES[:4])] * n,
            "class_scores": pl.Series(scores.tolist(), dtype=pl.List(pl.Float32)),
        },
        schema_overrides={"group": pl.String},
    )


class Tally:
    """Of one metric: each trial's score and interval, and how often equal models differ."""

    def __init__(self):
        self.scores, self.lows, self.highs, self.differs = [], [], [], 0

    def add(self, a: pl.DataFrame, b: pl.DataFrame, metric: Metric, seed: int) -> None:
        interval = stats.interval_from_table(a, metric, seed=seed)
        self.scores.append(interval.score)
        self.lows.append(interval.low)
        self.highs.append(interval.high)
        compared = stats.compare(a, b, metric, seed=seed, n_permutations=2000, n_resamples=2)
        self.differs += compared.p < 0.05

    def tell(self, name: str) -> str:
        trials, expected = len(self.scores), np.mean(self.scores)
        lows, highs = np.array(self.lows), np.array(self.highs)
        covered = np.mean((lows <= expected) & (expected <= highs))
        width = np.mean(highs - lows) / (2 * 1.96 * np.std(self.scores, ddof=1))
        error = np.sqrt(covered * (1 - covered) / trials)
        mistaken = self.differs / trials
        return (
            f"| {name} | {covered:.1%} ({error:.1%}) | {width:.2f} | {mistaken:.1%} "
            f"({np.sqrt(mistaken * (1 - mistaken) / trials):.1%}) |"
        )


def measure(names: list[str], n: int, n_groups: int, trials: int) -> list[str]:
    """A row a metric; all metrics are measured on the same test sets."""
    tallies = {name: Tally() for name in names}
    for trial in range(trials):
        rng = np.random.default_rng([trial, n, n_groups])
        truth, groups = draw_truth(rng, n, n_groups)
        a, b = predict(rng, truth, groups), predict(rng, truth, groups)
        for name, tally in tallies.items():
            tally.add(a, b, METRICS[name], trial)
    return [tally.tell(name) for name, tally in tallies.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--only", nargs="*", default=list(METRICS))
    args = parser.parse_args()
    for title, (n, n_groups) in REGIMES.items():
        print(f"\n{title}, {args.trials} trials\n")
        print(
            "| metric | covered | width by the true one | equal models differ |\n|---|---|---|---|"
        )
        print("\n".join(measure(args.only, n, n_groups, args.trials)), flush=True)


if __name__ == "__main__":
    main()
