"""How long a site of many models takes to make, how large it is, and how soon a page can be used.

    python benchmarks/site.py [--models 85] [--tasks 13] [--browser chromium]

Makes a results folder of synthetic runs, then prints the seconds of `biobench report` as a ratio to
those of `biobench leaderboard` on the same folder, the size of the site in megabytes, and, with a
browser, the seconds from opening the leaderboard's file until its table can be sorted.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import make_runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=85)
    parser.add_argument("--tasks", type=int, default=13)
    parser.add_argument("--browser", default=shutil.which("chromium") or "")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root, site = Path(folder, "results"), Path(folder, "site")
        root.mkdir()
        make_runs(root, options.models * options.tasks, options.models, options.tasks)
        reference = measure(["leaderboard", "--results", str(root)])
        made = measure(["report", "--results", str(root), "--out", str(site)])
        files = [path for path in site.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{options.models} models, {options.tasks} tasks")
        print(f"biobench leaderboard (reference)  {reference:6.1f} s   1.0")
        print(f"biobench report                   {made:6.1f} s   {made / reference:.1f}")
        print(f"the site                          {size:6.2f} MB in {len(files):,} files")
        largest = sorted(files, key=lambda path: -path.stat().st_size)[:3]
        for path in largest:
            print(f"  {path.relative_to(site)}  {path.stat().st_size / 1e6:.2f} MB")
        if options.browser:
            seconds = open_leaderboard(site, options.browser)
            print(f"the leaderboard can be sorted after {seconds:.2f} s")


def measure(words: list[str]) -> float:
    """Seconds of one command, start-up included."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "biobench", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def open_leaderboard(site: Path, program: str) -> float:
    """Seconds from opening the file until a click on a head has sorted the table."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto("about:blank")
        start = time.perf_counter()
        page.goto((site / "leaderboard.html").as_uri())
        page.locator("#t0 button.sort").nth(3).click()
        page.wait_for_selector("[aria-sort]")
        seconds = time.perf_counter() - start
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
