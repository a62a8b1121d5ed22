"""Do the tests err as seldom as they say, and find what is there? (docs/statistics.md)

    python benchmarks/significance.py                  # 1,000 trials a regime
    python benchmarks/significance.py --markdown       # as Markdown tables

Two models answer the same examples; an example's (and its group's) difficulty is common to both, so
that their errors are correlated. Under no difference a test may call 5% of the trials significant;
with a difference it should call many.
"""

import argparse
import concurrent.futures
import dataclasses
import itertools
import sys
import time

import numpy as np
from scipy import special
from statsmodels.stats.contingency_tables import mcnemar

from biobench.metrics import Counts, MacroAccuracy, MacroF1, MeanScore, Metric
from biobench.stats.coded import Coded
from biobench.stats.contributions import contributions_of
from biobench.stats.simultaneous import adjusted_p, holm

METRICS: tuple[Metric, ...] = (MeanScore(), MacroAccuracy(), MacroF1())
N_PERMUTATIONS = 1000


@dataclasses.dataclass(frozen=True)
class Regime:
    """Two models on one test set."""

    n: int
    classes: int = 10
    zipf: float = 1.0
    accuracy: float = 0.7
    shared: float = 1.5
    """spread of the difficulty that the models share, on the probit scale."""
    groups: int = 0
    """groups of equal difficulty; their sizes are geometric."""
    profile: float = 0.0
    """how differently the models do on each class, where they are equally good on average."""
    ahead: float = 0.0
    """by how much the first model's accuracy is higher."""


NULL = (
    Regime(200),
    Regime(2000),
    Regime(2000, classes=200),
    Regime(300, accuracy=0.95),
    Regime(1000, shared=0.0),
    Regime(1000, profile=1.0, zipf=0.0),
    Regime(600, groups=30),
    Regime(2000, groups=100),
    Regime(2000, groups=100, classes=200),
)
POWER = (
    Regime(300, ahead=0.08),
    Regime(2000, ahead=0.03),
    Regime(300, accuracy=0.93, ahead=0.05),
    Regime(1000, ahead=0.05, shared=0.0),
)


def draw(regime: Regime, n_models: int, rng: np.random.Generator) -> list[Coded]:
    """The models' predictions of one test set; all but the first are equally good."""
    if regime.groups:
        size = rng.geometric(regime.groups / regime.n, regime.groups)
        unit = np.repeat(np.arange(regime.groups), size)
        difficulty = rng.normal(0, regime.shared, regime.groups)[unit]
    else:
        unit = np.arange(regime.n)
        difficulty = rng.normal(0, regime.shared, regime.n)
    n = len(unit)
    frequency = np.arange(1, regime.classes + 1) ** -regime.zipf
    frequency = frequency / frequency.sum()
    true = rng.choice(regime.classes, n, p=frequency)
    present, code = np.unique(true, return_inverse=True)
    lookup = np.full(regime.classes, -1)
    lookup[present] = np.arange(len(present))
    models = []
    for m in range(n_models):
        # Every second class is as much easier for one model as the next is harder.
        own = regime.profile * (-1) ** (true + m)
        accuracy = regime.accuracy + (regime.ahead if m == 0 else 0)
        level = special.ndtri(accuracy) * np.sqrt(1 + regime.shared**2 + regime.profile**2)
        right = difficulty + rng.normal(0, 1, n) + own < level
        guess = rng.choice(regime.classes, n, p=frequency)
        guess = np.where(guess == true, (guess + 1) % regime.classes, guess)
        pred = np.where(right, true, guess)
        score = (pred == true).astype(np.float64)
        units = regime.groups or n
        models.append(Coded(score, code, lookup[pred], len(present), unit, units, units != n))
    return models


def p_values(regime: Regime, n_trials: int) -> np.ndarray:
    """[trials, metrics]: our p-value of the first model against the second."""
    rng = np.random.default_rng(3)
    found = np.empty((n_trials, len(METRICS)))
    for trial in range(n_trials):
        models = draw(regime, 2, rng)
        for i, metric in enumerate(METRICS):
            found[trial, i] = p_of_pair(models, metric, trial)
    return found


def p_of_pair(models: list[Coded], metric: Metric, seed: int) -> float:
    """The p-value that `compare` shows of two models."""
    found = contributions_of(models, metric, seed)
    return float(adjusted_p(found, n_flips=N_PERMUTATIONS, seed=seed)[0])


def power(regime: Regime, n_trials: int) -> list[float]:
    """Share of trials found: McNemar's exact test, ours of the mean; unpaired and ours, of each."""
    ours = p_values(regime, n_trials) < 0.05
    rng = np.random.default_rng(3)
    theirs, unpaired = np.empty(n_trials), np.empty((n_trials, len(METRICS)))
    for trial in range(n_trials):
        a, b = draw(regime, 2, rng)
        wins, losses = np.sum(a.score > b.score), np.sum(a.score < b.score)
        theirs[trial] = mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
        unpaired[trial] = unpaired_p(a, b, trial)
    shares = zip(np.mean(unpaired < 0.05, axis=0), ours.mean(axis=0), strict=True)
    return [float(np.mean(theirs < 0.05)), *map(float, itertools.chain(*shares))]


def unpaired_p(a: Coded, b: Coded, seed: int) -> list[float]:
    """Of each metric, the permutation test that deals all answers out to two models anew.

    It is exact, as ours is, but does not know which two answers are to one example.
    """
    kinds = [model.true * (model.n_classes + 1) + model.pred + 1 for model in (a, b)]
    present, code = np.unique(np.concatenate(kinds), return_inverse=True)
    counts = np.stack([np.bincount(half, minlength=len(present)) for half in np.split(code, 2)])
    pool = counts.sum(axis=0)
    rng = np.random.default_rng(seed)
    dealt = rng.multivariate_hypergeometric(pool, a.n, N_PERMUTATIONS)
    first = np.vstack([counts[:1], dealt]).T
    true, pred = present // (a.n_classes + 1), present % (a.n_classes + 1) - 1
    every = np.arange(a.n_classes)[:, None]
    # Rows of each class among the kinds of answer: of the truth, the predictions and the hits.
    labels = {"n_true": every == true, "n_pred": every == pred}
    labels["n_hit"] = labels["n_true"] & labels["n_pred"]
    differences = np.zeros((len(METRICS), first.shape[1]))
    for drawn, sign in ((first, 1), (pool[:, None] - first, -1)):
        fields = {name: rows.astype(np.float64) @ drawn for name, rows in labels.items()}
        every_n, hits = drawn.sum(axis=0).astype(np.float64), fields["n_hit"].sum(axis=0)
        answers = Counts(every_n, hits, **fields)
        differences += sign * np.stack([metric.from_counts(answers) for metric in METRICS])
    as_large = np.abs(differences[:, 1:]) >= np.abs(differences[:, :1]) - 1e-12
    return ((as_large.sum(axis=1) + 1) / (N_PERMUTATIONS + 1)).tolist()


def family_error(n_models: int, n_trials: int) -> float:
    """How often any of equal models is called worse than any other."""
    rng = np.random.default_rng(4)
    regime, metric, errors = Regime(500), MacroF1(), 0
    for trial in range(n_trials):
        models = draw(regime, n_models, rng)
        found = contributions_of(models, metric, trial)
        errors += bool(np.any(adjusted_p(found, n_flips=N_PERMUTATIONS, seed=trial) < 0.05))
    return errors / n_trials


def family_error_of_tasks(n_tasks: int, n_trials: int) -> float:
    """How often two equal models are called different on any of several tasks."""
    rng = np.random.default_rng(5)
    errors = 0
    for trial in range(n_trials):
        p = [p_of_pair(draw(Regime(300), 2, rng), MacroF1(), trial) for _ in range(n_tasks)]
        errors += bool(np.any(holm(p) < 0.05))
    return errors / n_trials


def main() -> int:
    """Run every regime and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    args = parser.parse_args()
    start = time.perf_counter()

    def say(*cells: object) -> None:
        line = " | ".join(str(cell) for cell in cells)
        print(f"| {line} |" if args.markdown else line, flush=True)

    names = [metric.name for metric in METRICS]
    error = np.sqrt(0.05 * 0.95 / args.trials)
    print(f"{args.trials} trials a regime; standard error of a share of 5%: {error:.1%}\n")
    say("no difference", *(f"p < 0.05, {name}" for name in names))
    say(*["---"] * (1 + len(names)))
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        trials = itertools.repeat(args.trials)
        for regime, p in zip(NULL, pool.map(p_values, NULL, trials), strict=True):
            say(describe(regime), *(f"{share:.1%}" for share in np.mean(p < 0.05, axis=0)))
        models = pool.submit(family_error, 6, args.trials)
        tasks = pool.submit(family_error_of_tasks, 6, args.trials)
        print(f"\nany of 6 equal models called worse than another: {models.result():.1%}")
        print(f"\ntwo equal models called different on any of 6 tasks: {tasks.result():.1%}")
        print()
        pairs = itertools.product(names, ("unpaired", "ours"))
        say("a difference", "McNemar", *(f"{kind}, {name}" for name, kind in pairs))
        say(*["---"] * (2 + 2 * len(names)))
        for regime, shares in zip(POWER, pool.map(power, POWER, trials), strict=True):
            say(describe(regime), *(f"{share:.1%}" for share in shares))
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


def describe(regime: Regime) -> str:
    """What sets a regime apart, in words."""
    words = [f"n {regime.n:,}", f"{regime.classes} classes", f"accuracy {regime.accuracy}"]
    if regime.groups:
        words.append(f"{regime.groups} groups")
    if not regime.shared:
        words.append("errors uncorrelated")
    if regime.profile:
        words.append("unlike on each class")
    if regime.ahead:
        words.append(f"ahead by {regime.ahead}")
    return ", ".join(words)


if __name__ == "__main__":
    raise SystemExit(main())
