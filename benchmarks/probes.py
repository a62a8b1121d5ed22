"""How much faster the probes are than plain scikit-learn, and whether the answer is the same.

    python benchmarks/probes.py                                  # every case at full size
    python benchmarks/probes.py --case svm-newt --scale 0.1      # one case, a tenth of its examples

Each case generates features with a decaying spectrum, as networks give, fits scikit-learn's own
construction and ours in this very run with all cores, and prints one line a quantity. Seconds are
wall clock; CPU seconds, of this process and its workers, stand beside them because they hold on a
busy machine too. BLAS is warmed up first. The exit code is 1 where an answer differs.
"""

import argparse
import contextlib
import dataclasses
import pathlib
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import joblib
import numpy as np
import psutil
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench import probes
from biobench.probes import reference
from biobench.probes.folds import resolve_splits

DIM = 768
FOLDS = probes.Folds(5, "stratified-shuffle", 42)


@dataclasses.dataclass
class Timing:
    """Of one measured block."""

    wall: float = 0.0
    cpu: float = 0.0
    peak_bytes: int = 0
    """of memory that no file backs, above where the block began."""


@contextlib.contextmanager
def measure() -> Iterator[Timing]:
    timing, stop = Timing(), threading.Event()
    base = _anonymous_bytes()

    def watch() -> None:
        while not stop.wait(0.02):
            timing.peak_bytes = max(timing.peak_bytes, _anonymous_bytes() - base)

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    try:
        yield timing
    finally:
        timing.wall, timing.cpu = time.perf_counter() - wall, _cpu_seconds() - cpu
        stop.set()
        watcher.join()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=[*CASES, "all"], default="all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the examples or tasks")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    names = list(CASES) if args.case == "all" else [args.case]
    same = True
    for name in names:
        print(f"\n{name} (scale {args.scale:g}, {joblib.cpu_count()} cores)", flush=True)
        np.linalg.eigh(np.eye(256) + np.ones((256, 256)) @ np.ones((256, 256)))
        same &= CASES[name](np.random.default_rng(args.seed), args.scale)
    return 0 if same else 1


def run_ridge_iwildcam(rng: np.random.Generator, scale: float) -> bool:
    x, y, z = make_features(rng, int(20_000 * scale), 182, n_test=int(10_000 * scale))
    with measure() as ours:
        clf = probes.RidgeSweep(cv=FOLDS, n_jobs=-1).fit(x, y)
    # float64, because in float32 scikit-learn's own scores are off in the third digit.
    x64, targets = x.astype(np.float64), reference.one_hot(y, clf.classes_)
    with measure() as theirs:
        search = reference.ridge_search(resolve_splits(FOLDS, y), n_jobs=-1).fit(x64, targets)
    alpha = search.best_params_["ridge__alpha"]
    scores = search.cv_results_["mean_test_score"]
    predicted = clf.classes_[search.predict(z.astype(np.float64)).argmax(axis=1)]
    equal = float((clf.predict(z) == predicted).mean())
    gap = np.abs(clf.cv_scores_.mean(axis=1) - scores).max()
    show_speed(ours, theirs, "GridSearchCV(StandardScaler, Ridge)", 30)
    show("penalty", f"{clf.alpha_:g} and {alpha:g}")
    show("largest difference of a score", f"{gap:.1e}")
    show("equal predictions", f"{equal:.4%} (target 99.99%)")
    return clf.alpha_ == alpha and equal >= 0.9999


def run_ridge_plantnet(rng: np.random.Generator, scale: float) -> bool:
    n, n_classes = int(240_000 * scale), 1081
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "features.npy"
        y = write_features(path, rng, n, n_classes)
        x64 = np.load(path).astype(np.float64)
        _ = x64[:10_000].T @ x64[:10_000]
        with measure() as product:
            _ = x64.T @ x64
        del x64
        x = np.load(path, mmap_mode="r")
        with measure() as ours:
            clf = probes.RidgeSweep(cv=FOLDS, n_jobs=-1).fit(x, y)
    show("X.T @ X in float64", f"{product.wall:.1f} s ({product.cpu:.1f} CPU)")
    show("ours", f"{ours.wall:.1f} s ({ours.cpu:.1f} CPU), penalty {clf.alpha_:g}")
    ratios = f"{ours.wall / product.wall:.1f}x ({ours.cpu / product.cpu:.1f}x CPU)"
    show("ours over X.T @ X", f"{ratios} (target at most 20x)")
    show("added memory", f"{ours.peak_bytes / 1e9:.2f} GB (target under 1)")
    return True


def run_svm_newt(rng: np.random.Generator, scale: float) -> bool:
    problems = [_make_newt_task(rng) for _ in range(max(1, round(164 * scale)))]
    with measure() as ours:
        outputs = probes.fit_predict("svm", problems, n_jobs=-1)
    fit = joblib.delayed(_fit_reference_svm)
    with measure() as theirs:
        # One search to a core is the faster way for scikit-learn, too.
        found = joblib.Parallel(n_jobs=-1)(fit(problem) for problem in problems)
    same_draw = np.mean(
        [
            output.params["C"] == params["svc__C"]
            for output, (_, params) in zip(outputs, found, strict=True)
        ]
    )
    pairs = zip(outputs, found, strict=True)
    equal = np.mean([(output.y_pred == predicted).mean() for output, (predicted, _) in pairs])
    show_speed(ours, theirs, f"RandomizedSearchCV, {len(problems)} tasks", 15)
    show("same best draw", f"{same_draw:.1%} of tasks (target 99%)")
    show("equal predictions", f"{equal:.3%} (target 99.9%)")
    return same_draw >= 0.99 and equal >= 0.999


def run_linear(rng: np.random.Generator, scale: float, tol: float = 1e-4) -> bool:
    n = int(50_000 * scale)
    x, y, z, truth = make_features(rng, n, 100, n_test=max(1000, n // 5), with_truth=True)
    with measure() as ours:
        clf = probes.LinearProbe(cv=FOLDS, n_jobs=-1).fit(x, y)
    x64, z64 = x.astype(np.float64), z.astype(np.float64)
    splits = resolve_splits(FOLDS, y)
    pipeline = make_pipeline(StandardScaler(), reference.linear(splits, n_jobs=-1, tol=tol))
    with measure() as theirs:
        pipeline.fit(x64, y)
    model = pipeline[-1]
    show_speed(ours, theirs, f"LogisticRegressionCV(lbfgs, tol={tol:g})", 5)
    C = float(model.C_)
    show("penalty C", f"{clf.C_:g} and {C:g}")
    Z = StandardScaler().fit_transform(x64)
    best = LogisticRegression(C=clf.C_, tol=1e-9, max_iter=10_000).fit(Z, y)
    lowest = _softmax_loss(best, Z, y, clf.C_)
    above = clf.loss_ / lowest - 1
    show("our loss above the minimum", f"{above:.1e} (target 1e-4)")
    lowest = _softmax_loss(best.set_params(C=C).fit(Z, y), Z, y, C) if clf.C_ != C else lowest
    theirs_above = _softmax_loss(model, Z, y, C) / lowest - 1
    show("their loss above the minimum", f"{theirs_above:.1e}")
    ours_accuracy = float((clf.predict(z) == truth).mean())
    best_accuracy = float((best.predict(StandardScaler().fit(x64).transform(z64)) == truth).mean())
    their_accuracy = float((pipeline.predict(z64) == truth).mean())
    show("accuracy", f"{ours_accuracy:.2%}, theirs {their_accuracy:.2%}, limit {best_accuracy:.2%}")
    show("evaluations of the loss", f"{clf.n_iter_}, theirs {np.sum(model.n_iter_)} iterations")
    return above <= 1e-4 and ours_accuracy >= their_accuracy - 1e-3


def run_linear_tight(rng: np.random.Generator, scale: float) -> bool:
    """With a tolerance at which scikit-learn, too, comes within 1e-4 of the minimum at large C."""
    return run_linear(rng, scale, tol=1e-7)


def run_knn(rng: np.random.Generator, scale: float) -> bool:
    x, y, _ = make_features(rng, int(20_000 * scale), 50, n_test=1)
    with measure() as ours:
        distances, index = probes.KNN(k=5, n_jobs=-1).fit(x, y).leave_one_out_neighbors()
    model = reference.knn(5).set_params(n_jobs=-1).fit(x, y)
    with measure() as theirs:
        their_distances, their_index = model.kneighbors()
    equal = float((index == their_index).mean())
    show_speed(ours, theirs, "KNeighborsClassifier brute", 2)
    show("equal neighbours", f"{equal:.4%} (target 100%)")
    show("largest difference of a distance", f"{np.abs(distances - their_distances).max():.1e}")
    return equal == 1.0


def run_simpleshot(rng: np.random.Generator, scale: float) -> bool:
    n = int(100_000 * scale)
    x, y, z = make_features(rng, n, 1000, n_test=n)
    with measure() as ours:
        predicted = probes.SimpleShot(n_jobs=-1).fit(x, y).predict(z)
    x64, z64 = x.astype(np.float64), z.astype(np.float64)
    with measure() as theirs:
        expected = reference.simple_shot().fit(x64, y).predict(z64)
    equal = float((predicted == expected).mean())
    show_speed(ours, theirs, "NearestCentroid, fit and predict", 3)
    show("equal predictions", f"{equal:.4%} (target 100%)")
    return equal == 1.0


CASES: dict[str, Callable[[np.random.Generator, float], bool]] = {
    "ridge-iwildcam": run_ridge_iwildcam,
    "ridge-plantnet": run_ridge_plantnet,
    "svm-newt": run_svm_newt,
    "linear": run_linear,
    "linear-tight": run_linear_tight,
    "knn": run_knn,
    "simpleshot": run_simpleshot,
}


class Generator:
    """Classes on a long tail, features whose standard deviations fall from 1 to 1/20."""

    def __init__(self, rng: np.random.Generator, n_classes: int, separation: float = 0.2):
        self.rng, self.n_classes = rng, n_classes
        rotation = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
        self.mix = (np.exp(-3 * np.arange(DIM) / DIM)[:, None] * rotation).astype(np.float32)
        self.means = separation * rng.standard_normal((n_classes, DIM), dtype=np.float32)

    def draw_labels(self, n: int) -> np.ndarray:
        share = 1 / np.arange(1, self.n_classes + 1) ** 0.7
        drawn = self.rng.choice(self.n_classes, n, p=share / share.sum())
        every = np.arange(min(self.n_classes, n))
        drawn[: len(every)] = every
        return drawn

    def draw_features(self, y: np.ndarray) -> np.ndarray:
        noise = self.rng.standard_normal((len(y), DIM), dtype=np.float32)
        return (self.means[y] + noise) @ self.mix


def make_features(rng, n: int, n_classes: int, n_test: int, with_truth: bool = False):
    source = Generator(rng, n_classes)
    y, truth = source.draw_labels(n), rng.integers(0, n_classes, n_test)
    out = source.draw_features(y), y, source.draw_features(truth)
    return (*out, truth) if with_truth else out


def write_features(path: pathlib.Path, rng, n: int, n_classes: int) -> np.ndarray:
    """Write float32 features [n DIM], a chunk at a time; returns the labels."""
    source = Generator(rng, n_classes)
    y = source.draw_labels(n)
    x = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, DIM))
    for start in range(0, n, 10_000):
        x[start : start + 10_000] = source.draw_features(y[start : start + 10_000])
    x.flush()
    return y


def _make_newt_task(rng: np.random.Generator) -> probes.Problem:
    source = Generator(rng, 2, separation=rng.uniform(0.03, 0.2))
    y, truth = np.arange(110) % 2, np.arange(100) % 2
    return probes.Problem(source.draw_features(y), y.astype(str), source.draw_features(truth))


def _fit_reference_svm(problem: probes.Problem):
    clf = reference.ReferenceProbe("svm", cv=probes.Folds(5, "stratified"), random_state=42)
    clf.fit(problem.x_train.astype(np.float64), problem.y_train)
    return clf.predict(problem.x_test.astype(np.float64)), clf.model_[-1].best_params_


def _softmax_loss(model, Z: np.ndarray, y: np.ndarray, C: float) -> float:
    log_loss = -model.predict_log_proba(Z)[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    return float(log_loss.mean() + (model.coef_**2).sum() / (2 * C * len(y)))


def show_speed(ours: Timing, theirs: Timing, name: str, target: int) -> None:
    show(name, f"{theirs.wall:.1f} s ({theirs.cpu:.1f} CPU)")
    show("ours", f"{ours.wall:.2f} s ({ours.cpu:.2f} CPU)")
    ratios = f"{theirs.wall / ours.wall:.1f}x ({theirs.cpu / ours.cpu:.1f}x CPU)"
    show("speed-up", f"{ratios} (target {target}x)")


def show(what: str, value: str) -> None:
    print(f"  {what:<45} {value}", flush=True)


def _cpu_seconds() -> float:
    process = psutil.Process()
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:2])
    return total


def _anonymous_bytes() -> int:
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=FutureWarning)
    sys.exit(main())
