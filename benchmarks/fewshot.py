"""Do intervals and tests know that another training draw gives another score? (docs/statistics.md)

    python benchmarks/fewshot.py                  # 1,000 trials a regime
    python benchmarks/fewshot.py --markdown       # as Markdown tables
    python benchmarks/fewshot.py --only tables    # one of: pairs, tables, designs

A trial draws a test set and, for every seed, a training set of so many pictures a class; two sets
of features, equally good, see the same pictures. What is to be covered is the expected score over
test sets *and* training draws. First what one seed's interval and test do, which know the test set
only; then five seeds, pooled. `tables` has 20 equal models, of which none may be called better or
worse; `designs` draws scores from the two-way model itself.
"""

import argparse
import concurrent.futures
import dataclasses
import time
from collections.abc import Callable

import numpy as np
from scipy import stats

from biobench.metrics import MeanScore
from biobench.stats.coded import Coded
from biobench.stats.draws import Crossed, cross
from biobench.stats.pooled import Pooled, crossed_p
from biobench.stats.resample import Resampler
from biobench.stats.seeds import Replicated
from biobench.stats.simultaneous import adjusted_p, holm
from biobench.stats.spread import Spread, interval, quantile

N_CLASSES = 20
DIM = 32
N_TEST = 2000
N_SEEDS = 5
N_RESAMPLES = 200
N_FLIPS = 1000
SPREAD = 0.55
"""of the class means in each dimension, where a picture's own spread is 1."""
SHARED = 0.5
"""of a picture's own variance, what all features see of it."""
PENALTY = 10.0
METRIC = MeanScore()


@dataclasses.dataclass(frozen=True)
class Regime:
    probe: str
    shots: int
    n_models: int = 2


PAIRS = [Regime(p, s) for p in ("nearest centroid", "ridge") for s in (1, 5, 10, 50)]
TABLES = [Regime("nearest centroid", s, n_models=20) for s in (1, 10)]


class World:
    """Classes as clouds of pictures, seen through equally good sets of features."""

    def __init__(self) -> None:
        self.means = np.random.default_rng(7).normal(0, SPREAD, (N_CLASSES, DIM)).astype(np.float32)

    def draw(self, labels: np.ndarray, n_models: int, rng: np.random.Generator) -> np.ndarray:
        """[models, pictures, dim]: the features of fresh pictures of those labels."""
        size = (len(labels), DIM)
        shared = self.means[labels] + SHARED**0.5 * rng.standard_normal(size, np.float32)
        own = rng.standard_normal((n_models, *size), np.float32)
        return shared + (1 - SHARED) ** 0.5 * own

    def answer(self, regime: Regime, n_seeds: int, n_test: int, rng: np.random.Generator):
        """[models, seeds, pictures]: whether each model trained on each draw is right."""
        y_test = rng.integers(0, N_CLASSES, n_test)
        x_test = self.draw(y_test, regime.n_models, rng)
        y_train = np.repeat(np.arange(N_CLASSES), regime.shots)
        right = np.empty((regime.n_models, n_seeds, n_test))
        for s in range(n_seeds):
            x_train = self.draw(y_train, regime.n_models, rng)
            for m in range(regime.n_models):
                scores = PROBES[regime.probe](x_train[m], regime.shots, x_test[m])
                right[m, s] = scores.argmax(axis=1) == y_test
        return right


def by_centroid(x: np.ndarray, shots: int, x_test: np.ndarray) -> np.ndarray:
    """Scores of the classes by the distance to their mean (SimpleShot without normalisation)."""
    centroids = x.reshape(N_CLASSES, shots, -1).mean(axis=1)
    return x_test @ centroids.T - 0.5 * np.sum(centroids**2, axis=1)


def by_ridge(x: np.ndarray, shots: int, x_test: np.ndarray) -> np.ndarray:
    """Scores of the classes by least squares on their indicators."""
    centre = x.mean(axis=0)
    x = x - centre
    onto = np.repeat(np.eye(N_CLASSES, dtype=np.float32), shots, axis=0) - 1 / N_CLASSES
    weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(DIM, dtype=np.float32), x.T @ onto)
    return (x_test - centre) @ weights


PROBES: dict[str, Callable] = {"nearest centroid": by_centroid, "ridge": by_ridge}


def code(right: np.ndarray) -> Coded:
    unit = np.arange(len(right))
    return Coded(right, None, None, 0, unit, len(right))


def pool(right: np.ndarray, seed: int) -> Pooled:
    """What is known of the models of one trial; right: [models, seeds, pictures]."""
    n_models, n_seeds = right.shape[:2]
    models = [[code(one) for one in draws] for draws in right]
    resampler = Resampler([one for draws in models for one in draws])
    replicates = resampler.replicates(METRIC, N_RESAMPLES, seed)
    replicates = replicates.reshape(n_models, n_seeds, -1)
    found = [
        Replicated.of(draws, METRIC, scores, values)
        for draws, scores, values in zip(models, right.mean(axis=2), replicates, strict=True)
    ]
    return Pooled(METRIC, [[str(s) for s in range(n_seeds)]] * n_models, found)


def p_values(pooled: Pooled, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each pair, adjusted for all: exchanges alone, as shipped, and by Satterthwaite."""
    exchanged = adjusted_p(pooled.contributions(seed), n_flips=N_FLIPS, seed=seed)
    pairs = [(pair.difference, pair.crossed) for pair in pooled.pairs()]
    if not pooled.has_draws:
        return exchanged, exchanged, exchanged
    crossed = crossed_p(pairs, np.array([difference for difference, _ in pairs]))
    other = holm([satterthwaite_p(*pair) for pair in pairs])
    return exchanged, np.maximum(exchanged, crossed), np.maximum(exchanged, other)


def satterthwaite(crossed: Crossed) -> float:
    parts = crossed.test**2 / crossed.df_test + crossed.draws**2 / crossed.df_draws
    return crossed.variance**2 / parts


def satterthwaite_p(difference: float, crossed: Crossed) -> float:
    t = abs(difference) / crossed.variance**0.5
    return float(2 * stats.t.sf(t, satterthwaite(crossed)))


def run_pairs(regime: Regime, n_trials: int) -> list[str]:
    world, rng = World(), np.random.default_rng(11)
    # Fresh test sets and draws, so that the truth is known far better than any trial tells it.
    truth = np.mean([world.answer(regime, 1, N_TEST, rng).mean() for _ in range(4000)])
    covered, found, width = np.zeros((n_trials, 3)), np.zeros((n_trials, 3)), np.zeros(n_trials)
    every = np.empty(n_trials)
    for trial in range(n_trials):
        right = world.answer(regime, N_SEEDS, N_TEST, rng)
        one, five = pool(right[:, :1], trial), pool(right, trial)
        crossed, score = five.found[0].crossed, five.found[0].score
        other = dataclasses.replace(crossed.spread(), df=satterthwaite(crossed))
        intervals = (
            interval(one.found[0].score, one.found[0].crossed.spread(), 95),
            interval(score, crossed.spread(), 95),
            interval(score, other, 95),
        )
        covered[trial] = [low <= truth <= high for low, high in intervals]
        width[trial], every[trial] = np.diff(intervals[1])[0], score
        p = np.concatenate([p_values(one, trial)[0], *p_values(five, trial)[1:]])
        found[trial] = p < 0.05
    ideal = 2 * 1.96 * every.std()
    shares = [*covered.mean(axis=0), *found.mean(axis=0)]
    order = (0, 3, 1, 4, 2, 5)
    return [
        regime.probe,
        str(regime.shots),
        f"{truth:.2f}",
        *(f"{shares[i]:.1%}" for i in order),
        f"{width.mean() / ideal:.2f}",
    ]


def run_tables(regime: Regime, n_trials: int) -> list[str]:
    world, rng = World(), np.random.default_rng(13)
    found = np.zeros((n_trials, 3), bool)
    for trial in range(n_trials):
        right = world.answer(regime, N_SEEDS, N_TEST, rng)
        one, five = pool(right[:, :1], trial), pool(right, trial)
        families = p_values(one, trial)[0], *p_values(five, trial)[1:]
        found[trial] = [p.min() < 0.05 for p in families]
    return [regime.probe, str(regime.shots), *(f"{share:.1%}" for share in found.mean(axis=0))]


@dataclasses.dataclass(frozen=True)
class Design:
    """Variances of the mean of one draw on one test set: by what they come from."""

    n_seeds: int
    test: float
    draw: float
    both: float


DESIGNS = [
    Design(n_seeds, *parts)
    for n_seeds in (2, 3, 5, 10)
    for parts in ((1, 3, 1), (1, 0.3, 0.5), (1, 0, 1), (0.04, 1, 0.04))
]


def run_designs(design: Design, n_trials: int) -> list[str]:
    rng = np.random.default_rng(17)
    spread = Spread(design.test + design.both, np.inf, 1.0)
    # Two draws' scores over test sets have the covariance `test`.
    together = design.both * np.eye(design.n_seeds) + design.test
    lower = np.linalg.cholesky(together)
    levels = 0.05, 0.05 / 190
    found = np.zeros((n_trials, len(levels), 2), bool)
    for trial in range(n_trials):
        scores = rng.normal(0, design.test**0.5) + rng.normal(
            0, (design.draw + design.both) ** 0.5, design.n_seeds
        )
        moved = lower @ rng.standard_normal((design.n_seeds, 500))
        crossed = cross(scores, [spread] * design.n_seeds, moved)
        for i, level in enumerate(levels):
            confidence = 100 * (1 - level)
            other = quantile(confidence, satterthwaite(crossed)) * crossed.variance**0.5
            halves = crossed.half_width(confidence), other
            found[trial, i] = np.abs(scores.mean()) > halves
    shares = [f"{share:.2%}" for share in found.mean(axis=0).ravel()]
    return [*(f"{value:g}" for value in dataclasses.astuple(design)), *shares]


PARTS = {
    "pairs": (
        PAIRS,
        run_pairs,
        1,
        "probe | shots | accuracy | one seed: coverage | called different | five seeds: coverage | "
        "called different | Satterthwaite: coverage | called different | width/ideal",
    ),
    "tables": (
        TABLES,
        run_tables,
        1,
        "probe | shots | one seed: any called different | five seeds | five seeds, Satterthwaite",
    ),
    "designs": (
        DESIGNS,
        run_designs,
        10,
        "seeds | test sets | draws | both | called different at 5% | Satterthwaite | at 5%/190 | "
        "Satterthwaite",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    for name, (regimes, run, more, header) in PARTS.items():
        if args.only not in (None, name):
            continue
        n_trials, start = args.trials * more, time.perf_counter()
        with concurrent.futures.ProcessPoolExecutor(args.jobs) as pool:
            rows = list(pool.map(run, regimes, [n_trials] * len(regimes)))
        error = (0.05 * 0.95 / n_trials) ** 0.5
        print(f"{name}: {n_trials:,} trials; standard error of 5% or 95%: {error:.1%}\n")
        rows = [header.split(" | "), *rows]
        if args.markdown:
            rows.insert(1, ["---"] * len(rows[0]))
            print("\n".join(f"| {' | '.join(row)} |" for row in rows))
        else:
            wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
            for row in rows:
                print("  ".join(text.rjust(w) for text, w in zip(row, wide, strict=True)))
        print(f"\n({time.perf_counter() - start:.0f} s)\n")


if __name__ == "__main__":
    main()
