"""How often a nominal 95% interval contains what it claims to (written up in docs/statistics.md).

    python benchmarks/coverage.py                      # the whole grid, 1,000 trials a regime
    python benchmarks/coverage.py --only grouped       # part of it
    python benchmarks/coverage.py --only methods       # every candidate method, on fewer regimes
    python benchmarks/coverage.py --only variances     # every candidate variance over groups
    python benchmarks/coverage.py --markdown           # any of them as Markdown tables

A regime is a population: classes with Zipf frequencies, an accuracy for each class (spread on the
logit scale around the regime's), wrong answers that go to frequent classes; grouped regimes also
have groups of uneven (geometric) size whose answers are alike. Regimes with the shape of real
tasks are those of task_populations.py, where the classes depend on the group. A trial draws a test
set and asks whether the interval contains the mean score of fresh test sets of that size (with
fresh groups), which is known, as is the score's deviation, from 2,000 further ones. Coverage is
counted for all test sets, and for those whose interval has a warning and those whose has none.
"""

import argparse
import concurrent.futures
import dataclasses
import itertools
import sys
import time
from collections.abc import Iterable, Iterator

import numpy as np
from scipy import special

from biobench.metrics import Counts, MacroAccuracy, MacroF1, MeanScore, Metric
from biobench.stats.coded import Coded
from biobench.stats.intervals import make_interval
from biobench.stats.resample import Resampler
from biobench.stats.spread import design_of, interval, spread_of
from task_populations import TASKS, Cameras, Strata

METRICS: tuple[Metric, ...] = (MeanScore(), MacroAccuracy(), MacroF1())
FIELDS = frozenset({"score", "n_true", "n_pred", "n_hit"})
N_RESAMPLES = 200
N_TRUTH = 2000
N_LUCKS = 1000
FEWEST = 50
"""test sets with or without a warning of which a coverage is shown."""


@dataclasses.dataclass(frozen=True)
class Regime:
    """One population and the size of a test set drawn from it."""

    classes: int
    zipf: float
    accuracy: float
    n: int
    """examples; in a grouped regime what the groups sum to on average."""
    groups: int = 0
    correlation: float = 0.0
    """of two answers in one group and class."""
    tilt: float = 0.0
    """how much harder rarer classes are: logits an e-fold of frequency."""
    copied: bool = False
    """whether alike answers in a group are copies of one, rather than of one common accuracy."""


def small() -> list[Regime]:
    """200 and 2,000 examples: classes 2 to 1,000, Zipf 0 and 1.5, accuracy 0.1 to 0.99."""
    points = itertools.product((2, 10, 100, 1000), (0.0, 1.5), (0.1, 0.5, 0.9, 0.99), (200, 2000))
    return [Regime(*point) for point in points]


def large() -> list[Regime]:
    """30,000 examples: the ends of the other ranges."""
    points = itertools.product((2, 1000), (0.0, 1.5), (0.5, 0.99), (30000,))
    return [Regime(*point) for point in points]


def hard() -> list[Regime]:
    """Rare classes harder than frequent ones, so that they are unlike what they are judged by."""
    points = itertools.product((10, 100, 1000), (0.1, 0.9), (200, 2000))
    return [Regime(k, 1.5, accuracy, n, tilt=0.5) for k, accuracy, n in points]


def grouped() -> list[Regime]:
    """30 to 300 groups of 20 examples on average, correlation 0 to 0.6."""
    points = itertools.product((2, 50), (0.5, 0.9), (30, 100, 300), (0.0, 0.2, 0.6))
    return [Regime(k, 1.0, a, 20 * g, g, icc) for k, a, g, icc in points]


def copied() -> list[Regime]:
    """Groups in which many answers stand or fall together, and which one cannot tell beforehand."""
    points = itertools.product((2, 50), (0.5, 0.9), (30, 100, 300), (0.2, 0.6))
    return [Regime(k, 1.0, a, 20 * g, g, icc, copied=True) for k, a, g, icc in points]


def extreme() -> list[Regime]:
    """Accuracies so far from one half that a test set has a handful of errors, or none."""
    alone = [Regime(k, 1.0, a, 200) for k in (2, 20) for a in (0.97, 0.995, 0.999)]
    points = itertools.product((0.97, 0.99), (100, 200, 400), (0.2, 0.6))
    return alone + [Regime(2, 1.0, a, 20 * g, g, icc, copied=True) for a, g, icc in points]


def plantnet() -> list[Regime]:
    """31,118 pictures of 1,081 species."""
    return [Regime(1081, 1.3, 0.75, 31_118, tilt=tilt) for tilt in (0.0, 0.3)]


def tasks() -> list[Cameras | Strata]:
    """Populations with the shape of real tasks."""
    return list(TASKS)


GRIDS = {
    "small": small,
    "large": large,
    "hard": hard,
    "grouped": grouped,
    "copied": copied,
    "extreme": extreme,
    "plantnet": plantnet,
    "tasks": tasks,
}


class Population:
    """Draws test sets of a regime."""

    def __init__(self, regime: Regime):
        self.regime = regime
        frequency = np.arange(1, regime.classes + 1) ** -regime.zipf
        self.frequency = frequency / frequency.sum()
        spread = np.random.default_rng(0).normal(0, 1, regime.classes)
        spread += regime.tilt * np.log(self.frequency)
        low, high = -30.0, 30.0
        for _ in range(60):
            middle = (low + high) / 2
            mean = self.frequency @ special.expit(middle + spread)
            low, high = (middle, high) if mean < regime.accuracy else (low, middle)
        self.accuracy = special.expit(low + spread)
        self._cumulative = np.cumsum(self.frequency)
        if regime.correlation:
            # Beta-binomial: a group's luck is one number, put through each class's own beta.
            total = 1 / regime.correlation - 1
            luck = (np.arange(N_LUCKS) + 0.5) / N_LUCKS
            mean = self.accuracy[:, None]
            self._lucky_accuracy = special.betaincinv(mean * total, (1 - mean) * total, luck)

    def draw(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Group, truth and prediction of each example of one test set."""
        groups = self.regime.groups
        if groups:
            size = 1 + rng.geometric(groups / self.regime.n, groups) - 1
            group = np.repeat(np.arange(groups), size)
        else:
            group = np.arange(self.regime.n)
        true = self._classes(len(group), rng)
        accuracy = self.accuracy[true]
        if self.regime.correlation and not self.regime.copied:
            luck = rng.integers(0, N_LUCKS, groups)
            accuracy = self._lucky_accuracy[true, luck[group]]
        guess = self._classes(len(group), rng)
        guess = np.where(guess == true, (guess + 1) % self.regime.classes, guess)
        chance = rng.random(len(group))
        if self.regime.copied:
            is_copy = rng.random(len(group)) < self.regime.correlation**0.5
            chance = np.where(is_copy, rng.random(groups)[group], chance)
        return group, true, np.where(chance < accuracy, true, guess)

    def _classes(self, n: int, rng: np.random.Generator) -> np.ndarray:
        drawn = np.searchsorted(self._cumulative, rng.random(n))
        return np.minimum(drawn, self.regime.classes - 1)

    def fresh_scores(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """[n, metrics]: each metric's score of each of n fresh test sets."""
        if self.regime.groups:
            return scores_of(self, self.regime.classes, n, rng)
        return scores_of_counts(self._draw_counts(n, rng))

    def _draw_counts(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        # The counts of `draw` without its examples. A guess of the true class moves on by one.
        n_true = rng.multinomial(self.regime.n, self.frequency, n)
        n_hit = rng.binomial(n_true, self.accuracy)
        missed = n_true - n_hit
        all_missed = missed.sum(axis=1)
        guessed = rng.multinomial(all_missed, self.frequency)
        own = rng.hypergeometric(missed, all_missed[:, None] - missed, guessed)
        n_pred = n_hit + guessed - own + np.roll(own, 1, axis=1)
        return n_true.T, n_pred.T, n_hit.T


def scores_of(
    population: Population | Cameras | Strata, classes: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    """[n, metrics]: each metric's score of each of n fresh test sets, drawn one by one."""
    counts = []
    for _ in range(n):
        _, true, pred = population.draw(rng)
        labels = (true, pred, true[true == pred])
        counts.append([np.bincount(label, minlength=classes) for label in labels])
    return scores_of_counts(tuple(np.stack(part, axis=1) for part in zip(*counts, strict=True)))


def scores_of_counts(counts: tuple[np.ndarray, ...]) -> np.ndarray:
    """[b, metrics] of how often a class is the truth, is predicted, is both: each [classes, b]."""
    n_true, n_pred, n_hit = counts
    whole = Counts(n_true.sum(axis=0), n_hit.sum(axis=0), n_true, n_pred, n_hit)
    return np.stack([metric.from_counts(whole) for metric in METRICS], axis=1)


def code(
    classes: int, grouped: bool, group: np.ndarray, true: np.ndarray, pred: np.ndarray
) -> Coded:
    """A test set as the statistics see it: classes present in the truth only."""
    present, label = np.unique(true, return_inverse=True)
    lookup = np.full(classes, -1)
    lookup[present] = np.arange(len(present))
    score = (true == pred).astype(np.float64)
    return Coded(score, label, lookup[pred], len(present), group, int(group[-1]) + 1, grouped)


@dataclasses.dataclass(frozen=True)
class Cover:
    """Of the shipped intervals in one regime; arrays are [metrics], or [trials, metrics]."""

    inside: np.ndarray
    warned: np.ndarray
    width: np.ndarray
    """mean width over the score's true 95% range."""
    worth: float
    """units of equal weight (Kish's number) of macro-F1, on average."""

    def shares(self, which: np.ndarray | None = None) -> list[float]:
        """Coverage for each metric, of the test sets chosen for it; nan of too few."""
        if which is None:
            return self.inside.mean(axis=0).tolist()
        n = which.sum(axis=0)
        share = (self.inside & which).sum(axis=0) / np.maximum(n, 1)
        return np.where(n >= min(FEWEST, len(which)), share, np.nan).tolist()


def cover(regime: Regime | Cameras | Strata, n_trials: int) -> Cover:
    """Whether the shipped intervals contain the expected score of fresh test sets."""
    rng = np.random.default_rng(1)
    if isinstance(regime, Regime):
        population = Population(regime)
        fresh = population.fresh_scores(N_TRUTH, rng)
    else:
        population = regime
        fresh = scores_of(regime, regime.classes, N_TRUTH, rng)
    truth, deviation = fresh.mean(axis=0), fresh.std(axis=0)
    rng = np.random.default_rng(2)
    bounds, worth = np.empty((n_trials, len(METRICS), 2)), 0.0
    warned = np.zeros((n_trials, len(METRICS)), bool)
    for trial in range(n_trials):
        coded = code(regime.classes, bool(regime.groups), *population.draw(rng))
        resampler = Resampler([coded])
        copies = resampler.draw(N_RESAMPLES, trial)
        for i, metric in enumerate(METRICS):
            design = design_of(coded, metric)
            score = float(resampler.scores(metric)[0])
            replicates = np.empty(N_RESAMPLES)
            if design.variance is None:
                replicates = resampler.score_copies(metric, copies)[0]
            spread = spread_of(coded, metric, score, replicates, design)
            found = make_interval(coded, metric, score, spread, design, 95, N_RESAMPLES)
            bounds[trial, i] = found.low, found.high
            warned[trial, i] = bool(found.warnings)
        worth += design.n_weighty / n_trials
    inside = (bounds[:, :, 0] <= truth) & (truth <= bounds[:, :, 1])
    width = (bounds[:, :, 1] - bounds[:, :, 0]).mean(axis=0) / (2 * 1.96 * deviation)
    return Cover(inside, warned, width, worth)


def candidates(regime: Regime, n_trials: int) -> dict[str, list[float]]:
    """Coverage of each method that the interval was chosen from, for each metric."""
    population = Population(regime)
    rng = np.random.default_rng(1)
    truth = population.fresh_scores(N_TRUTH, rng).mean(axis=0)
    rng = np.random.default_rng(2)
    inside: dict[str, np.ndarray] = {}
    for trial in range(n_trials):
        coded = code(regime.classes, bool(regime.groups), *population.draw(rng))
        resampler = Resampler([coded])
        copies = resampler.draw(N_RESAMPLES, trial)
        for i, metric in enumerate(METRICS):
            score = float(resampler.scores(metric)[0])
            replicates = resampler.score_copies(metric, copies)[0]
            found = bounds_of_candidates(resampler, metric, score, replicates, copies)
            spread = spread_of(coded, metric, score, replicates, design_of(coded, metric))
            found["shipped"] = interval(score, spread, 95)
            for name, (low, high) in found.items():
                hits = inside.setdefault(name, np.zeros(len(METRICS)))
                hits[i] += low - 1e-12 <= truth[i] <= high + 1e-12
    return {name: (hits / n_trials).tolist() for name, hits in inside.items()}


def variances(regime: Regime | Cameras, n_trials: int) -> dict[str, tuple[float, float]]:
    """Coverage of macro-F1, and its width over the ideal, by each candidate variance."""
    metric = METRICS[-1]
    rng = np.random.default_rng(1)
    population = Population(regime) if isinstance(regime, Regime) else regime
    fresh = scores_of(population, regime.classes, N_TRUTH, rng)[:, -1]
    rng = np.random.default_rng(2)
    found: dict[str, list[tuple[bool, float]]] = {}
    for trial in range(n_trials):
        coded = code(regime.classes, True, *population.draw(rng))
        resampler = Resampler([coded])
        score = float(resampler.scores(metric)[0])
        replicates = resampler.replicates(metric, N_RESAMPLES, trial)[0]
        design = design_of(coded, metric)
        without = 1 - np.eye(coded.n_units, dtype=np.float32)
        left_out = resampler.score_copies(metric, without)[0]
        for name, variance in {
            "bootstrap, corrected": None,
            "delete one group": float(np.sum((left_out - left_out.mean()) ** 2)),
            "shipped": design.variance,
        }.items():
            one = dataclasses.replace(design, variance=variance)
            low, high = interval(score, spread_of(coded, metric, score, replicates, one), 95)
            inside = low <= fresh.mean() <= high
            found.setdefault(name, []).append((inside, (high - low) / (3.92 * fresh.std())))
    return {name: tuple(np.mean(values, axis=0).tolist()) for name, values in found.items()}


def bounds_of_candidates(
    resampler: Resampler, metric: Metric, score: float, replicates: np.ndarray, copies: np.ndarray
) -> dict[str, tuple[float, float]]:
    """The textbook intervals from the same resamples (Davison and Hinkley 1997, chapter 5)."""
    error = replicates.std(ddof=1)
    low, high = np.quantile(replicates, (0.025, 0.975))
    found = {
        "centred SE": (score - 1.96 * error, score + 1.96 * error),
        "percentile": (low, high),
        "basic": (2 * score - high, 2 * score - low),
    }
    below = np.clip(np.mean(replicates < score) + np.mean(replicates == score) / 2, 1e-3, 1 - 1e-3)
    bias = special.ndtri(below)
    size = resampler.size
    left_out = size[:, None] - np.eye(len(size), dtype=np.float32)
    influence = resampler.score_copies(metric, left_out.astype(np.float32))[0]
    pull = np.average(influence, weights=size) - influence
    cubes, squares = size @ pull**3, size @ pull**2
    acceleration = cubes / (6 * squares**1.5) if squares > 0 else 0.0
    for name, a in (("BC", 0.0), ("BCa", acceleration)):
        z = bias + np.array([-1.96, 1.96])
        at = special.ndtr(bias + z / (1 - a * z))
        found[name] = tuple(np.quantile(replicates, np.clip(at, 0, 1)))
    within = standard_errors(resampler, metric, copies)
    own = standard_errors(resampler, metric, size[:, None].astype(np.float32))[0]
    usable = within > 0
    t = (replicates[usable] - score) / within[usable] if usable.any() else np.zeros(1)
    t_low, t_high = np.quantile(t, (0.025, 0.975))
    found["studentised"] = (score - t_high * own, score - t_low * own)
    p = np.clip(score, 1e-9, 1 - 1e-9)
    half = 1.96 * error / (p * (1 - p))
    found["logit"] = (
        special.expit(special.logit(p) - half),
        special.expit(special.logit(p) + half),
    )
    return found


def standard_errors(resampler: Resampler, metric: Metric, copies: np.ndarray) -> np.ndarray:
    """The delta method's standard error of each resample's score (of F1 given the predictions)."""
    counts = resampler.counts(resampler.models, FIELDS, copies)[0]
    n, hit, pred = counts.n_true, counts.n_hit, counts.n_pred
    if not metric.macro:
        p = counts.score / counts.n
        return np.sqrt(p * (1 - p) / counts.n)
    recall = hit / np.maximum(n, 1)
    slope = 1 / np.maximum(n, 1) if "n_pred" not in metric.fields else 2 / np.maximum(n + pred, 1)
    variance = slope**2 * n * recall * (1 - recall)
    return np.sqrt(variance.sum(axis=0)) / np.count_nonzero(n, axis=0)


def main() -> int:
    """Run the grid and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=(*GRIDS, "methods", "variances"))
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    args = parser.parse_args()
    start = time.perf_counter()
    error = np.sqrt(0.95 * 0.05 / args.trials)
    print(
        f"{args.trials} trials a regime, {N_RESAMPLES} resamples; "
        f"standard error of a coverage of 95%: {error:.1%}\n"
    )
    work, tell = cover, tell_coverage
    if args.only == "methods":
        regimes = [regime for regime in small() if regime.n == 200]
        work, tell = candidates, tell_methods
    elif args.only == "variances":
        regimes = [one for one in TASKS if one.name.startswith("iWildCam") and one.n < 10_000]
        regimes += [one for one in grouped() if one.classes == 50 and one.groups < 300]
        work, tell = variances, tell_variances
    else:
        regimes = [r for name in GRIDS if args.only in (None, name) for r in GRIDS[name]()]
    with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
        results = pool.map(work, regimes, itertools.repeat(args.trials))
        for line in tell(regimes, results, args.trials):
            print(line if args.markdown else line.strip("|").replace("|", " "), flush=True)
    print(f"{len(regimes)} regimes in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return 0


def tell_coverage(
    regimes: list[Regime | Cameras | Strata], results: Iterable[Cover], _: int
) -> Iterator[str]:
    """One row a regime: coverage of each metric's interval and its width over the right one."""
    names = [metric.name for metric in METRICS]
    columns = ("regime", "worth", *names, "width/ideal", "warned", "if warned", "if not warned")
    yield row(*columns)
    yield row(*["---"] * len(columns))
    flat: list[float] = []
    unwarned: list[float] = []
    for regime, result in zip(regimes, results, strict=True):
        coverage, silent = result.shares(), result.shares(~result.warned)
        cells = [f"{c:.1%}" + ("" if 0.93 <= c <= 0.97 else " \\*") for c in coverage]
        ratios = " ".join(f"{w:.2f}" for w in result.width)
        warned = " ".join(f"{w:.0%}" for w in result.warned.mean(axis=0))
        parts = [tell_shares(result.shares(result.warned)), tell_shares(silent)]
        yield row(describe(regime), f"{result.worth:.0f}", *cells, ratios, warned, *parts)
        flat += coverage
        unwarned += [share for share in silent if share == share]
    outside = sum(not 0.93 <= c <= 0.97 for c in flat)
    yield ""
    yield (
        f"{outside} of {len(flat)} coverages (marked \\*) lie outside 93% to 97%; "
        f"least {min(flat):.1%}, mean {np.mean(flat):.1%}, most {max(flat):.1%}; "
        f"least without a warning {min(unwarned, default=np.nan):.1%}."
    )


def describe(regime: Regime | Cameras | Strata) -> str:
    """What a regime is, in words."""
    if not isinstance(regime, Regime):
        return regime.name
    found = f"{regime.n:,} in {regime.classes:,} classes, Zipf {regime.zipf}, {regime.accuracy}"
    if regime.tilt:
        found += f", tilt {regime.tilt}"
    if regime.groups:
        kind = "copied" if regime.copied else "alike"
        found += f", {regime.groups} groups, {kind} {regime.correlation}"
    return found


def tell_shares(shares: list[float]) -> str:
    """Coverages of the metrics, where there were enough test sets."""
    if all(share != share for share in shares):
        return "\u2013"
    return " ".join("\u2013" if share != share else f"{share:.1%}" for share in shares)


def tell_methods(
    regimes: list[Regime], results: Iterable[dict[str, list[float]]], n_trials: int
) -> Iterator[str]:
    """One row a method: how its coverage is spread over the regimes."""
    slack = 2 * np.sqrt(0.95 * 0.05 / n_trials)
    names = [f"{metric.name}: least, mean, most" for metric in METRICS]
    yield row("method", *names, "within 93% to 97%, give or take two standard errors")
    yield row(*["---"] * (2 + len(METRICS)))
    found = list(zip(regimes, results, strict=True))
    for name in found[0][1]:
        flat = np.array([result[name] for _, result in found])
        cells = [f"{c.min():.1%} {c.mean():.1%} {c.max():.1%}" for c in flat.T]
        yield row(name, *cells, f"{np.mean(np.abs(flat - 0.95) <= 0.02 + slack):.0%}")


def tell_variances(
    regimes: list[Regime | Cameras], results: Iterable[dict[str, tuple[float, float]]], _: int
) -> Iterator[str]:
    """One row a regime: coverage and width over the ideal of each candidate."""
    for i, (regime, result) in enumerate(zip(regimes, results, strict=True)):
        if not i:
            yield row("regime", *result)
            yield row(*["---"] * (1 + len(result)))
        yield row(describe(regime), *(f"{c:.1%}, {w:.2f}" for c, w in result.values()))


def row(*cells: object) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
