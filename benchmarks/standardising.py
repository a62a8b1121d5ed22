"""What it changes that the linear probe standardises before its folds, and not within each.

    python benchmarks/standardising.py [--trials 20]

The features' means and deviations are taken over all training examples, those of a fold's test part
included (their labels are not). Compared with scikit-learn's pipeline, which takes them over the
fold's training part: how often the same penalty is chosen, the largest difference of a fold's
accuracies, and the accuracy on 5,000 fresh examples. Features have heavy tails and unlike scales,
where deviations are known worst.
"""

import argparse

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench.probes import Folds, LinearProbe
from biobench.probes.folds import resolve_splits

CS = np.logspace(-4, 4, 10)
SIZES = ((30, 64, 3), (100, 64, 5), (500, 64, 5), (2000, 64, 10))


def draw(rng: np.random.Generator, n: int, means: np.ndarray):
    n_classes, dim = means.shape
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    x = means[y] + rng.standard_t(3, size=(n, dim))
    return (x * np.logspace(-2, 2, dim)).astype(np.float32), y


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args().trials
    print("| training set | same penalty | accuracy before | within | difference |")
    print("|---|---|---|---|---|")
    for n, dim, n_classes in SIZES:
        same, before, within = 0, [], []
        for trial in range(trials):
            rng = np.random.default_rng([trial, n])
            means = 0.35 * rng.normal(size=(n_classes, dim))
            x, y = draw(rng, n, means)
            fresh, truth = draw(rng, 5000, means)
            ours = LinearProbe(cv=Folds(5, seed=trial)).fit(x, y)
            search = GridSearchCV(
                make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
                {"logisticregression__C": CS},
                cv=resolve_splits(Folds(5, seed=trial), y),
            ).fit(x.astype(np.float64), y)
            same += np.isclose(ours.C_, search.best_params_["logisticregression__C"])
            before.append(np.mean(ours.predict(fresh) == truth))
            within.append(search.score(fresh.astype(np.float64), truth))
        gap = np.array(before) - np.array(within)
        error = gap.std(ddof=1) / np.sqrt(trials)
        print(
            f"| {n:,} × {dim}, {n_classes} classes | {same} of {trials} | {np.mean(before):.2%} "
            f"| {np.mean(within):.2%} | {gap.mean():+.2%} ({error:.2%}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
