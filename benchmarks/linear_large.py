"""Time and memory of the linear probe at the size of iNat21 mini and of ImageNet.

    python benchmarks/linear_large.py                                # both at full size: hours
    python benchmarks/linear_large.py --case inat21 --scale 0.05     # a twentieth of the examples
    python benchmarks/linear_large.py --case inat21 --penalties 1 --folds 1 --max-iter 1    # memory

Writes memory-mapped features of as many classes as the data set has, also at a smaller scale, fits
`linear`, predicts a tenth as many examples block by block, as a run does, and prints one line a
quantity. The reference is what one evaluation of the loss costs at least: the two products between
features and classes, X @ W and X.T @ P, timed in this very run on some of the rows.

Memory is what no file backs: the mapped features are not counted.
The exit code is 1 where it exceeds 4 GiB.
"""

import argparse
import contextlib
import os
import pathlib
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator

import joblib
import numpy as np
import psutil
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ShuffleSplit

from biobench.probes import Folds, LinearProbe

CASES = {"inat21": (500_000, 10_000), "imagenet1k": (1_281_167, 1_000)}
"""training examples and classes."""
LIMIT = 4 * 2**30
ROWS = 4096


class Memory:
    """The most memory that no file backs, while a block runs."""

    peak = 0

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.05):
                self.peak = max(self.peak, self.now())

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()

    @staticmethod
    def now() -> int:
        found = psutil.Process().memory_info()
        return found.rss - found.shared


def write_features(
    path: pathlib.Path, n: int, dim: int, n_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Features with a decaying spectrum about class means, mapped; and codes, in no order."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(n) % n_classes)
    spectrum = np.arange(1, dim + 1) ** -0.5
    means = (rng.normal(size=(n_classes, dim)) * spectrum * 0.8).astype(np.float32)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, dim))
    for start in range(0, n, ROWS):
        rows = slice(start, start + ROWS)
        noise = rng.standard_normal((len(y[rows]), dim), np.float32) * spectrum.astype(np.float32)
        X[rows] = means[y[rows]] + noise
    X.flush()
    return np.load(path, mmap_mode="r"), y


def time_products(X: np.ndarray, n_classes: int) -> float:
    """Seconds a row of the two products that an evaluation needs, with all threads of BLAS."""
    Z = np.array(X[: 2 * ROWS])
    W = np.ones((X.shape[1], n_classes), np.float32)
    best = np.inf
    for _ in range(2):
        start = time.perf_counter()
        for rows in (slice(0, ROWS), slice(ROWS, None)):
            P = Z[rows] @ W
            Z[rows].T @ P
        best = min(best, time.perf_counter() - start)
    return best / len(Z)


def run(name: str, args: argparse.Namespace) -> bool:
    n, n_classes = CASES[name]
    n = max(n_classes, round(n * args.scale))
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        X, y = write_features(pathlib.Path(folder, "x.npy"), n, args.dim, n_classes)
        floor = time_products(X, n_classes)
        # Where a class has too few examples for stratified folds, plain ones: there is no order.
        kind = "stratified-shuffle" if n >= args.folds * n_classes else "kfold"
        cv = Folds(args.folds, kind) if args.folds > 1 else ShuffleSplit(1, random_state=0)
        clf = LinearProbe(
            Cs=args.penalties, cv=cv, max_iter=args.max_iter, device=args.device, n_jobs=args.jobs
        )
        memory, base = Memory(), Memory.now()
        wall, cpu = time.perf_counter(), time.process_time()
        with memory.watch(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            clf.fit(X, y)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            predicted = time.perf_counter()
            for start in range(0, n // 10, ROWS):
                clf.class_scores(X[start : min(start + ROWS, n // 10)]).argmax(axis=1)
            predicted = time.perf_counter() - predicted
    # Nearly all evaluations are of the training part of a fold.
    per_row = wall / clf.n_iter_ / (n * (1 - 1 / max(args.folds, 10 * (args.folds == 1))))
    said = {
        "examples x dim, classes": f"{n:,} x {args.dim}, {n_classes:,}",
        "penalties, folds, max_iter": f"{args.penalties}, {args.folds}, {args.max_iter}",
        "device, threads": f"{args.device}, {args.jobs}",
        "fit": f"{wall:,.0f} s wall, {cpu:,.0f} s CPU",
        "evaluations": f"{clf.n_iter_:,}",
        "an evaluation (all else included)": f"{wall / clf.n_iter_:.2f} s",
        "time of the two products alone": f"{per_row / floor:.2f} of it",
        "predicting a tenth as many": f"{predicted:,.1f} s",
        "memory before": f"{base / 2**30:.2f} GiB",
        "memory at most": f"{memory.peak / 2**30:.2f} GiB",
        "C, edges": f"{clf.C_:g} {clf.edges_}",
    }
    for what, value in said.items():
        sys.stdout.write(f"{name:<11} {what:<44} {value}\n")
    sys.stdout.flush()
    return memory.peak <= LIMIT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append", help="all by default")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of examples")
    parser.add_argument("--dim", type=int, default=768, help="of the features")
    parser.add_argument("--penalties", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5, help="1: one validation split")
    parser.add_argument("--max-iter", type=int, default=1000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count())
    parser.add_argument("--folder", default=os.environ.get("TMPDIR"), help="for the features")
    args = parser.parse_args()
    fits = [run(name, args) for name in args.case or CASES]
    return 0 if all(fits) else 1


if __name__ == "__main__":
    raise SystemExit(main())
