"""How long readers of a large results folder take.

    python benchmarks/results.py [--runs 10000] [--models 85] [--tasks 13]

Makes a results folder of synthetic runs (several runs a cell), then prints, as seconds and as a
ratio to the reference of the same process and disk, a plain loop that opens and parses every
`report.json` with `json.loads`: `results.scan`, and the command `biobench leaderboard`, start-up
included, over all cells.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from biobench import metrics, results
from biobench.interfaces import Example, Provenance, TaskReport
from biobench.results import store

N_EXAMPLES = 200
N_CLASSES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=85)
    parser.add_argument("--tasks", type=int, default=13)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_runs(root, options.runs, options.models, options.tasks)
        reference = measure(lambda: read_plainly(root))
        scan = measure(lambda: results.scan(root))
        command = [sys.executable, "-m", "biobench.cli", "leaderboard", "--results", folder]
        shown = measure(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
    n_cells = options.models * options.tasks
    print(f"{options.runs:,} runs of {n_cells:,} cells, {N_EXAMPLES} examples each")
    print(f"json.loads of every report (reference)  {reference:6.2f} s   1.0")
    print(f"results.scan                            {scan:6.2f} s   {scan / reference:.1f}")
    print(f"biobench leaderboard                    {shown:6.2f} s   {shown / reference:.1f}")


def measure(work) -> float:
    """Seconds of the best of three."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def read_plainly(root: Path) -> int:
    return sum("score" in json.loads(path.read_bytes()) for path in root.rglob("report.json"))


def make_runs(root: Path, n_runs: int, n_models: int, n_tasks: int) -> None:
    """Runs whose reports differ in model, task and time, and share one model's predictions."""
    # Flushing ten thousand folders to the disk is what a benchmark of reading can do without.
    store.os.fsync = lambda handle: None
    made = {}
    for model in range(n_models):
        report = make_report(model)
        table = results.to_table(report.examples)
        made[model] = (store.build_report("task", ("timm", f"model-{model}"), report, table), table)
    for i in range(n_runs):
        model, task = i % n_models, i // n_models % n_tasks
        report, table = made[model]
        fields = {"task": f"task-{task}", "run": store.make_run_id(1.7e9 + i)}
        store.write_folder(root, report | fields | {"posix_time": 1.7e9 + i}, table)


def make_report(seed: int) -> TaskReport:
    rng = np.random.default_rng(seed)
    truth = np.arange(N_EXAMPLES) % N_CLASSES
    wrong = rng.integers(N_CLASSES, size=N_EXAMPLES)
    guess = np.where(rng.random(N_EXAMPLES) < 0.5 + seed / 250, truth, wrong)
    frame = pl.DataFrame({"truth": truth.astype(str), "guess": guess.astype(str)})
    examples = [
        Example(f"image-{i}", float(t == g), {"y_true": t, "y_pred": g, "train_count": 5})
        for i, (t, g) in enumerate(frame.rows())
    ]
    return TaskReport(
        name="Task",
        examples=examples,
        splits={f"split-{i}": 0.5 for i in range(10)},
        calc_mean_score=metrics.get_metric("macro-f1"),
        argv=["biobench", "run"],
        commit="0" * 40,
        gpu_name="cpu",
        hostname="node",
        provenance=Provenance(
            protocol={"metric": "macro-f1", "probe": "ridge", "seed": 42, "n_train": -1},
            manifest="0" * 64,
            backbone={"digest": f"digest-{seed}"},
            stages={"embed": 1.0, "probe": 1.0},
            versions={"python": "3.11"},
        ),
    )


if __name__ == "__main__":
    main()
