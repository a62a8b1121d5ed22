"""Do ties, ranks and p-values claim no more than the data say? (docs/statistics.md)

    python benchmarks/ranks.py                  # 1,000 trials a regime
    python benchmarks/ranks.py --markdown       # as Markdown tables

Each table shows the way that was before ("before", written out below) beside the shipped one:

- the least p of models that plainly differ, on few groups;
- equal models: tables in which any model is called worse than another, and tables whose ties and
  ranks contradict each other, from 2 to 50 groups;
- a model that is worse or equal in truth under skewed effects of cameras: declared better;
- ranks over other tasks, of equal models, of tasks of one family, with one shining model.
"""

import argparse
import concurrent.futures
import itertools
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy import special

from biobench.metrics import MacroAccuracy, MacroF1, MeanScore, Metric
from biobench.stats.coded import Coded
from biobench.stats.contributions import Contributions, contributions_of, mean_of, pairs_of
from biobench.stats.ranking import better_over_tasks
from biobench.stats.simultaneous import adjusted_p, holm

METRICS: tuple[Metric, ...] = (MeanScore(), MacroAccuracy(), MacroF1())
N_FLIPS = 2000
N_CLASSES = 5


def draw(
    n_models: int, n_groups: int, size: int, rng: np.random.Generator, ahead: float = 0.0
) -> list[Coded]:
    """Models on groups of geometric sizes; groups are hard for all, and suit some models better.

    ahead: by how many probits the first model is better than the others.
    """
    sizes = rng.geometric(1 / size, n_groups) if size > 1 else np.ones(n_groups, np.int64)
    unit = np.repeat(np.arange(n_groups), sizes)
    true = rng.integers(0, N_CLASSES, len(unit))
    present, code = np.unique(true, return_inverse=True)
    lookup = np.full(N_CLASSES, -1)
    lookup[present] = np.arange(len(present))
    hard = rng.normal(0, 1, n_groups)[unit]
    models = []
    for m in range(n_models):
        level = 0.8 + (ahead if m == 0 else 0) + rng.normal(0, 0.5, n_groups)[unit] * (size > 1)
        right = hard + rng.normal(0, 1, len(unit)) < level
        wrong = (true + rng.integers(1, N_CLASSES, len(unit))) % N_CLASSES
        pred = np.where(right, true, wrong)
        score = right.astype(np.float64)
        models.append(
            Coded(score, code, lookup[pred], len(present), unit, n_groups, n_groups < len(unit))
        )
    return models


def matrix_sum(found: Contributions) -> np.ndarray:
    """[m, m]: the difference of each pair of models."""
    first, second = pairs_of(found.n_models)
    whole = np.zeros((found.n_models, found.n_models))
    whole[first, second] = found.values.sum(axis=0)
    return whole - whole.T


def before_p(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Before, of each pair: exchanges of raw sums, and a normal tail where no draw came near."""
    drawn = np.abs((1.0 - 2 * rng.integers(0, 2, (N_FLIPS, len(values)), np.uint8)) @ values)
    observed = np.abs(values.sum(axis=0)) - 1e-12
    as_large = np.count_nonzero(drawn >= observed, axis=0)
    p = (as_large + 1) / (N_FLIPS + 1)
    error = np.sqrt(np.mean(drawn**2, axis=0))
    tail = 6.36 * special.ndtr(-observed / np.where(error > 0, error, 1))
    return np.where(as_large > 0, p, np.minimum(p, tail))


def before_shortcut(models: list[Coded]) -> float:
    """Before: the leaderboard's p, with the variance of as many independent examples."""
    d = models[0].score - models[1].score
    variance = np.var(d) / len(d) + np.mean(d) ** 2 / len(d)
    return min(1.0, 6.36 * special.ndtr(-abs(np.mean(d)) / np.sqrt(variance)))


def few_groups(n_groups: int, n_trials: int) -> list[str]:
    """The least p of two models that plainly differ."""
    rng = np.random.default_rng(1)
    before, ours = [], []
    for trial in range(n_trials):
        models = draw(2, n_groups, 40, rng, ahead=3.0)
        before.append(before_shortcut(models))
        found = contributions_of(models, MeanScore(), trial)
        ours.append(adjusted_p(found, n_flips=N_FLIPS, seed=trial)[0])
    return [f"{2.0 ** (1 - n_groups):.2g}", f"{min(before):.0e}", f"{min(ours):.2g}"]


def equal_models(n_models: int, n_groups: int, size: int, n_trials: int) -> list[float]:
    """Of each metric and of the mean of three tasks: the share of tables with any false claim.

    And the share of tables in which, before, a model was tied with the best and had a rank interval
    without 1 (of the mean score); now to be tied is to have one with it.
    """
    rng = np.random.default_rng(2)
    wrong = np.zeros(len(METRICS) + 1)
    torn = 0
    for trial in range(n_trials):
        tasks = []
        for i, metric in enumerate(METRICS):
            models = draw(n_models, n_groups, size, rng)
            found = contributions_of(models, metric, trial)
            p = adjusted_p(found, n_flips=N_FLIPS, seed=trial)
            wrong[i] += np.any(p < 0.05)
            tasks.append(found)
            if i == 0:
                torn += contradiction_before(found, rng)
        mean = mean_of(tasks, trial)
        wrong[-1] += np.any(adjusted_p(mean, n_flips=N_FLIPS, seed=trial) < 0.05)
    return [*(wrong / n_trials).tolist(), torn / n_trials]


def contradiction_before(found: Contributions, rng: np.random.Generator) -> bool:
    """Whether, before, any model was tied with the best and ranked below."""
    n = found.n_models
    ahead = matrix_sum(found)
    scores = -ahead[0]
    best = int(np.argmax(scores))
    first, second = pairs_of(n)
    # Before: ties by Holm over all pairs with the best, ranks by a maximum for each model.
    with_best = np.flatnonzero((first == best) | (second == best))
    others = np.where(first == best, second, first)[with_best]
    raw = before_p(found.values[:, with_best], rng)
    tied = np.ones(n, bool)
    tied[others] = holm(raw, family=len(first)) >= 0.05
    centred = found.values - found.values.mean(axis=0)
    drawn = matrix_pairs(rng.normal(size=(500, len(centred))) @ centred, n)
    error = matrix_pairs(np.sqrt(np.sum(centred**2, axis=0))[None], n)[0]
    error = np.maximum(np.abs(error), 1e-12)
    reach = np.quantile(np.max(np.abs(drawn) / error, axis=2), 0.95, axis=0)
    reach *= special.stdtrit(len(centred) - 1, 0.975) / special.ndtri(0.975)
    low = 1 + np.count_nonzero(-ahead > reach[:, None] * error, axis=1)
    return bool(np.any(tied & (low > 1)))


def matrix_pairs(values: np.ndarray, n: int) -> np.ndarray:
    """[b, m, m], antisymmetric, from values of pairs."""
    first, second = pairs_of(n)
    whole = np.zeros((len(values), n, n))
    whole[:, first, second] = values
    whole[:, second, first] = -values
    return whole


def skewed(kind: str, n_groups: int, n_trials: int) -> list[float]:
    """The share of trials in which a model no better in truth is declared better, and worse.

    What cameras add to the difference is skewed (mean 0, variance 1): before and now.
    """
    rng = np.random.default_rng(3)
    effects: dict[str, Callable[[], np.ndarray]] = {
        "symmetric": lambda: rng.normal(0, 1, n_groups),
        "skewness 1": lambda: 2 - rng.gamma(4, 0.5, n_groups),
        "skewness 2": lambda: 1 - rng.exponential(1, n_groups),
    }
    effect, _, uneven = kind.partition(", ")
    wrong = np.zeros(4)
    for trial in range(n_trials):
        sizes = rng.geometric(0.05, n_groups) if uneven else np.ones(n_groups)
        weights = sizes / sizes.sum()
        values = (effects[effect]() * weights)[:, None]
        found = Contributions(values, np.array([np.nan]), 2, True, n_groups, weights)
        ahead = values.sum() > 0
        before = before_p(values, rng)[0] < 0.05
        now = adjusted_p(found, n_flips=N_FLIPS, seed=trial)[0] < 0.05
        wrong += [before and ahead, before and not ahead, now and ahead, now and not ahead]
    return (wrong / n_trials).tolist()


def over_tasks(kind: str, n_tasks: int, n_models: int, n_trials: int) -> list[float]:
    """The share of tables with a false claim over tasks, before and now."""
    rng = np.random.default_rng(4)
    wrong = np.zeros(2)
    for _ in range(n_trials):
        by_task = rng.normal(0, 0.02, (n_tasks, n_models))
        if kind == "one family":
            # Half of the tasks share what suits a model.
            by_task[: n_tasks // 2] += rng.normal(0, 0.02, n_models)
        equal = np.ones((n_models, n_models), bool)
        if kind == "one shining":
            by_task[:, 0] += 0.1 + rng.normal(0, 0.1, n_tasks)
            equal[0] = equal[:, 0] = False
        wrong[0] += np.any(before_over_tasks(by_task, rng) & equal)
        better = better_over_tasks(by_task, 0.05)
        wrong[1] += better is not None and np.any(better & equal)
    return (wrong / n_trials).tolist()


def before_over_tasks(by_task: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Before: for each model the largest t of resampled tasks."""
    n_tasks, n_models = by_task.shape
    scores = by_task.mean(axis=0)
    normal = (by_task - scores).T @ rng.standard_normal((n_tasks, 1000))
    draws = normal / np.sqrt(n_tasks * rng.chisquare(n_tasks - 1, 1000))
    better = np.zeros((n_models, n_models), bool)
    for j in range(n_models):
        error = np.std(by_task - by_task[:, [j]], axis=0, ddof=1) / n_tasks**0.5
        scale = np.where(error > 0, error, np.inf)
        reach = np.quantile(np.max(np.abs(draws - draws[j]) / scale[:, None], axis=0), 0.95)
        better[:, j] = scores - scores[j] > reach * error
        better[j] |= scores[j] - scores > reach * error
    return better


def resolved(n_models: int, n_trials: int) -> list[float]:
    """The share of truly different pairs with the best that are found: Holm over all pairs, now."""
    rng = np.random.default_rng(5)
    shares = np.zeros(2)
    for trial in range(n_trials):
        models = draw(n_models, 600, 1, rng, ahead=0.4)
        found = contributions_of(models, MacroF1(), trial)
        first, _ = pairs_of(n_models)
        signs = rng.choice([-1.0, 1.0], (4000, len(found.values)))
        drawn = np.abs(signs @ found.values[:, first == 0])
        observed = np.abs(found.values[:, first == 0].sum(axis=0))
        raw = (np.count_nonzero(drawn >= observed - 1e-12, axis=0) + 1) / 4001
        shares[0] += np.mean(holm(raw, family=len(first)) < 0.05)
        shares[1] += np.mean(adjusted_p(found, n_flips=4000, seed=trial)[first == 0] < 0.05)
    return (shares / n_trials).tolist()


def main() -> int:
    """Run every regime and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    args = parser.parse_args()
    start = time.perf_counter()

    def say(*cells: object) -> None:
        line = " | ".join(f"{c:.1%}" if isinstance(c, float) else str(c) for c in cells)
        print(f"| {line} |" if args.markdown else line, flush=True)

    def table(heads: list[str], work: Callable, regimes: list[tuple], n_trials: int) -> None:
        error = np.sqrt(0.05 * 0.95 / n_trials)
        print(f"\n{n_trials} trials a regime; standard error of a share of 5%: {error:.1%}\n")
        say(*heads)
        say(*["---"] * len(heads))
        with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
            runs = [pool.submit(work, *regime, n_trials) for regime in regimes]
            for regime, run in zip(regimes, runs, strict=True):
                say(*regime, *run.result())

    n = args.trials
    heads = ["groups", "least attainable p", "least p before", "least p now"]
    table(heads, few_groups, [(g,) for g in (2, 3, 5, 8, 13)], max(n // 5, 1))
    heads = ["effects of groups", "groups", "better, before", "worse, before", "better", "worse"]
    kinds = ("symmetric", "symmetric, uneven", "skewness 1", "skewness 1, uneven")
    kinds += ("skewness 2", "skewness 2, uneven")
    table(heads, skewed, list(itertools.product(kinds, (8, 15, 30, 50))), 5 * n)
    heads = ["tasks are", "tasks", "models", "any false claim, before", "now"]
    kinds = ("independent", "one family", "one shining")
    table(heads, over_tasks, list(itertools.product(kinds, (4, 6, 10), (4, 20))), n)
    heads = ["models", "groups", "examples a group", *(m.name for m in METRICS), "mean of 3 tasks"]
    heads += ["tied yet ranked below, before"]
    regimes = [(2, g, 20) for g in (2, 5, 6, 8, 15, 50)] + [(20, g, 20) for g in (6, 8, 15, 50)]
    table(heads, equal_models, [*regimes, (2, 300, 1), (20, 300, 1)], n)
    heads = ["models", "found with Holm over all pairs", "found now"]
    table(heads, resolved, [(5,), (20,)], max(n // 10, 1))
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
