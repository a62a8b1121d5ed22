"""How long the command line takes to answer, against a bare interpreter measured in the same run.

    python benchmarks/startup.py

Prints the median of wall-clock times of whole processes, and each one's ratio to the reference.
"""

import subprocess
import sys
import time

REFERENCE = ("python -c pass", [sys.executable, "-c", "pass"])
CASES = [
    ("biobench --help", [sys.executable, "-m", "biobench.cli", "--help"]),
    ("biobench run --help", [sys.executable, "-m", "biobench.cli", "run", "--help"]),
    ("import biobench.interfaces", [sys.executable, "-c", "import biobench.interfaces"]),
    ("import torch", [sys.executable, "-c", "import torch"]),
]
N_RUNS = 9


def main() -> None:
    cases = [REFERENCE, *CASES]
    seconds = {name: [] for name, _ in cases}
    # Taking turns keeps a change of the machine's speed from favouring one of them.
    for _ in range(N_RUNS):
        for name, command in cases:
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: sorted(times)[len(times) // 2] for name, times in seconds.items()}
    reference = medians[REFERENCE[0]]
    for name, median in medians.items():
        print(f"{name:<28}{median * 1000:8.0f} ms {median / reference:8.1f} x")


if __name__ == "__main__":
    main()
