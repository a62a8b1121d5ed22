"""What several jobs at once bring, and how long `biobench status` takes.

    python benchmarks/launch.py [--jobs 2] [--pictures 600]

Runs one plan (4 models x 2 folder tasks of generated pictures) with one job and with several, each
from an empty feature cache, and prints the ratio of their times, the share of the cores that was
busy once every worker had begun to embed, and whether the scores are equal. Then writes the states
of 85 models x 13 tasks and prints the time of `biobench status` against a bare interpreter.
"""

import argparse
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from biobench import launch
from biobench.launch.local import run_local
from biobench.launch.states import state

MODELS = [f"baseline:{name}" for name in ("random-vit", "color-hog", "hog", "color-hist")]
N_STATUS_RUNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=600, help="of each of the two tasks")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare_jobs(Path(folder), args.jobs, args.pictures)
        time_status(Path(folder))


def compare_jobs(folder: Path, jobs: int, n_pictures: int) -> None:
    for task in ("one", "two"):
        draw(folder / task, n_pictures)
    seconds, scores = {}, {}
    for n in (1, jobs):
        os.environ["BIOBENCH_CACHE"] = str(folder / f"cache-{n}")
        seconds[n], busy, scores[n] = measure(folder, n)
        print(
            f"--jobs {n}: {seconds[n]:6.1f} s, cores busy after start-up: "
            f"{busy:.2f} of {n} ({busy / n:.0%})"
        )
    print(f"time of --jobs {jobs} over --jobs 1: {seconds[jobs] / seconds[1]:.2f}")
    print(f"equal scores: {scores[1] == scores[jobs]}")


def measure(folder: Path, jobs: int) -> tuple[float, float, list[float | None]]:
    """Wall seconds of a run, cores busy after start-up, and the scores."""
    tables = {
        task: {"kind": "folder", "datadir": str(folder / task), "probe": "simpleshot"}
        for task in ("one", "two")
    }
    settings = launch.Settings(
        models=MODELS, tasks=tables, device="cpu", results=str(folder / f"results-{jobs}")
    )
    plan = launch.make_plan(settings)
    launch.check(plan)
    embedding: set[str] = set()
    begun: list[tuple[float, float]] = []

    def show(cell: launch.Cell, current: launch.CellState) -> None:
        if current.stage == "embed":
            embedding.add(cell.id)
        if len(embedding) == jobs and not begun:
            begun.append((time.perf_counter(), get_cpu_seconds()))

    start = time.perf_counter()
    states = run_local(plan, plan.cells, jobs=jobs, show=show)
    end, cpu = time.perf_counter(), get_cpu_seconds()
    wall_then, cpu_then = begun[0]
    return end - start, (cpu - cpu_then) / (end - wall_then), [s.score for s in states]


def get_cpu_seconds() -> float:
    """CPU seconds of all processes that this one started, ended or not."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = ended.ru_utime + ended.ru_stime
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            total += times.user + times.system
            # What it waited for counts once it has ended, too.
            total += times.children_user + times.children_system
    return total


def draw(folder: Path, n_pictures: int) -> None:
    """Noise of three colours, as JPEG files of 400 x 300 pixels."""
    rng = np.random.default_rng(len(folder.name))
    for i in range(n_pictures):
        label = i % 3
        pixels = rng.integers(0, 160, (300, 400, 3), dtype=np.uint8)
        pixels[..., label] += 60
        path = folder / f"class-{label}" / f"{i:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG")
        path.write_bytes(buffer.getvalue())


def time_status(folder: Path) -> None:
    tables = {f"task-{i}": {"kind": "folder", "datadir": f"/data/task-{i}"} for i in range(13)}
    models = [f"timm:model-{i}" for i in range(85)]
    results = folder / "status"
    plan = launch.make_plan(launch.Settings(models=models, tasks=tables, results=str(results)))
    plan.save()
    for i, cell in enumerate(plan.cells):
        name = ("done", "failed", "running")[i % 3]
        state.StateFile(plan.folder, cell.id, state=name, score=0.5, ci=[0.4, 0.6]).update()
    status = [sys.executable, "-m", "biobench.cli", "status", "--results", str(results)]
    cases = {"python -c pass": [sys.executable, "-c", "pass"], "biobench status": status}
    medians = {}
    for name, command in cases.items():
        times = []
        for _ in range(N_STATUS_RUNS):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - start)
        medians[name] = sorted(times)[N_STATUS_RUNS // 2]
    ratio = medians["biobench status"] / medians["python -c pass"]
    print(
        f"status of {len(plan.cells):,} cells: {medians['biobench status'] * 1000:.0f} ms, "
        f"{ratio:.1f} x a bare interpreter"
    )


if __name__ == "__main__":
    main()
