"""What it costs to know that a large data set is unchanged.

    python benchmarks/listing.py [--files 275034] [--folders 500]

Makes tiny files by code in a temporary folder, then prints, as seconds and as a ratio to the
reference, a plain `os.scandir` with a `stat` of every file: what is known of the contents
(`biobench.data.contents.lookup`), the same with the digest of the manifest, and for comparison
reading and hashing every file. Best of `--repeats`, with the files' metadata in memory; where they
must come from a disk, every row but the last costs the same more. Wall clock, and beside it the
time on processors, which tells more where other programs run.
"""

import argparse
import os
import pathlib
import tempfile
import time
from collections.abc import Callable

import polars as pl

from biobench.data import Manifest, contents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=275_034)
    parser.add_argument("--folders", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BIOBENCH_CACHE"] = os.path.join(folder, "cache")
        root = pathlib.Path(folder, "pictures")
        manifest = make_files(root, options.files, options.folders)
        images = manifest.images()
        first = measure(lambda: contents.hash_files(root, images))
        assert not contents.lookup(root, images).unknown
        rows = {
            "scandir and stat (reference)": lambda: list_plainly(root),
            "contents known": lambda: contents.lookup(root, images),
            "contents known, with the data's digest": manifest.digest,
        }
        best = {name: (float("inf"), float("inf")) for name in rows}
        # In turn, so that what else the machine does falls on all alike.
        for _ in range(options.repeats):
            for name, work in rows.items():
                best[name] = tuple(map(min, best[name], measure(work)))
    print(f"{options.files:,} files in {options.folders:,} folders")
    print(f"{'':<44}{'wall clock':>16}{'processors':>18}")
    references = best["scandir and stat (reference)"]
    for name, both in [*best.items(), ("every file read and hashed, the first time", first)]:
        pairs = zip(both, references, strict=True)
        print(f"{name:<44}" + "".join(f"{s:8.2f} s {s / r:6.2f}" for s, r in pairs))


def make_files(root: pathlib.Path, n_files: int, n_folders: int) -> Manifest:
    names = [f"class-{i % n_folders:04d}/picture-{i:07d}.jpg" for i in range(n_files)]
    for folder in range(n_folders):
        (root / f"class-{folder:04d}").mkdir(parents=True)
    for name in names:
        (root / name).write_text(name)
    table = pl.DataFrame(
        {
            "image": names,
            "example": names,
            "split": ["train" if i % 4 else "test" for i in range(n_files)],
            "label": [name.partition("/")[0] for name in names],
        }
    )
    return Manifest.build(root, table, source="benchmark")


def list_plainly(root: pathlib.Path) -> int:
    n_bytes = 0
    for folder in os.scandir(root):
        for entry in os.scandir(folder.path):
            n_bytes += entry.stat().st_size
    return n_bytes


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and on processors."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


if __name__ == "__main__":
    main()
