"""What it costs to choose ridge's penalty by other folds and scores, where test cameras are new.

    python benchmarks/choosing.py [--trials 20]

Features of an iWildCam-like world: species with Zipf frequencies, cameras of uneven size that each
see few of the species, pictures in bursts. A picture's features are those of its species, of its
camera (its background), of the species at that camera, of its burst and of its own. Cameras of the
test set are not those of the training set. Shown are macro-F1 on the test cameras, what it falls
short of the penalty that is best there (which nobody knows beforehand), and how often the largest
penalty is chosen; means over trials, each a world of its own, with standard errors in brackets.
"""

import argparse

import numpy as np
from sklearn.metrics import f1_score

from biobench.probes import Folds, RidgeSweep
from biobench.probes.ridge import ALPHAS

N_SPECIES = 60
DIM = 192
BURST = 4
TRAIN, TEST = (100, 3000), (50, 3000)
"""cameras, and pictures on average."""
SPECIES, CAMERA, BOTH, BURSTS, OWN = 0.3, 15.0, 0.5, 0.3, 0.4
"""standard deviations of the parts of a feature; of cameras in the first direction, in direction k
that over k, as the variances of embeddings fall."""


class World:
    """Species, and how cameras photograph them."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.frequency = np.arange(1, N_SPECIES + 1) ** -1.0
        self.frequency /= self.frequency.sum()
        self.species = SPECIES * rng.normal(size=(N_SPECIES, DIM))
        self.scale = CAMERA / np.arange(1, DIM + 1)
        self.rotation = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]

    def draw(self, n_cameras: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features [n d], species and camera of each picture."""
        rng = self.rng
        size = 1 + rng.poisson(n / BURST / n_cameras * rng.gamma(0.8, 1 / 0.8, n_cameras))
        camera = np.repeat(np.arange(n_cameras), size)
        seen = rng.dirichlet(4 * self.frequency, n_cameras).cumsum(axis=1)
        at = rng.random((len(camera), 1))
        species = np.minimum((seen[camera] < at).sum(axis=1), N_SPECIES - 1)
        x = self.species[species] + (self.scale * rng.normal(size=(n_cameras, DIM)))[camera]
        x += BOTH * rng.normal(size=(n_cameras, N_SPECIES, DIM))[camera, species]
        x += BURSTS * rng.normal(size=x.shape)
        x, species, camera = (np.repeat(part, BURST, axis=0) for part in (x, species, camera))
        x += OWN * rng.normal(size=x.shape)
        return (x @ self.rotation).astype(np.float32), species, camera


def choices(seed: int) -> dict[str, RidgeSweep]:
    """Ridge with each way of choosing; folds by camera go with R² only by going round our check."""
    by_camera, at_random = Folds(5, "group", seed), Folds(5, "stratified-shuffle", seed)
    return {
        "folds by camera, R²": RidgeSweep(cv=Unchecked(by_camera)),
        "folds by camera, accuracy": RidgeSweep(cv=by_camera, scoring="accuracy"),
        "folds by camera, macro-F1": RidgeSweep(cv=by_camera, scoring="f1_macro"),
        "random folds, R²": RidgeSweep(cv=at_random),
        "random folds, accuracy": RidgeSweep(cv=at_random, scoring="accuracy"),
    }


class Unchecked:
    """The same folds, of which ridge does not know that they are by group."""

    def __init__(self, folds: Folds):
        self.folds = folds

    def split(self, X, y=None, groups=None):
        return self.folds.split(X, y, groups)

    def get_n_splits(self, X=None, y=None, groups=None):
        return self.folds.get_n_splits(X, y, groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=20)
    trials = parser.parse_args().trials
    scores: dict[str, list[float]] = {}
    largest: dict[str, int] = {}
    for trial in range(trials):
        world = World(np.random.default_rng(trial))
        x, y, camera = world.draw(*TRAIN)
        fresh, truth, _ = world.draw(*TEST)

        def macro_f1(probe: RidgeSweep, fresh=fresh, truth=truth) -> float:
            labels = np.unique(truth)
            predicted = probe.predict(fresh)
            return f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)

        every = [RidgeSweep(alphas=[a], cv=2).fit(x, y) for a in ALPHAS]
        scores.setdefault("the best penalty of all", []).append(max(map(macro_f1, every)))
        for name, probe in choices(trial).items():
            probe.fit(x, y, groups=camera if "camera" in name else None)
            scores.setdefault(name, []).append(macro_f1(probe))
            largest[name] = largest.get(name, 0) + (probe.alpha_ == max(ALPHAS))
    print(f"{trials} trials\n")
    print("| penalty chosen by | macro-F1 | short of the best | largest penalty chosen |")
    print("|---|---|---|---|")
    best = np.array(scores["the best penalty of all"])
    for name, found in scores.items():
        short = best - np.array(found)
        mean, error = (f(short) / d for f, d in ((np.mean, 1), (np.std, trials**0.5)))
        chosen = f"{largest[name]} of {trials}" if name in largest else "–"
        print(f"| {name} | {np.mean(found):.3f} | {mean:.3f} ({error:.3f}) | {chosen} |")


if __name__ == "__main__":
    main()
