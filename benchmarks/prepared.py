"""What a plan costs when its data are known, at the size of Pl@ntNet.

    python benchmarks/prepared.py [--files 275034] [--species 1081] [--dim 768] [--models 3]

Makes tiny files in Pl@ntNet's layout, and random vectors, in a temporary folder, and prints,
as seconds and as a ratio to the reference (a plain `os.scandir` with a `stat` of every file):

- the first run of a plan of `--models` sets of vectors, and the most memory that one of its
  processes took beyond one that has only imported what a worker imports;
- the same plan again, of which nothing is to be done (`biobench run`, from start to exit);
- what a cell does with its data before it takes its first vector, in a worker that is told what the
  plan saw, and in a process of its own; and how many folders are listed in each.

Wall clock. `--dim 16` leaves out most of the probe.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK = 8192

START = """
import json, sys, time
from biobench import evaluate, plantnet
from biobench.data import contents, listing

folders = []
original = listing._list_folder
listing._list_folder = lambda path, wanted: folders.append(path) or original(path, wanted)
args = plantnet.Args(datadir=sys.argv[1], device="cpu", features="vectors")
seen = json.loads(sys.argv[2])
start = time.perf_counter()
with evaluate.session(evaluate.Seen(*seen) if seen else None):
    prepared = evaluate.prepare(plantnet, args)
    with contents.given(prepared.data.root, prepared.known):
        manifest = plantnet.load(args)
        manifest.check_files()
        images = manifest.images()
        manifest.digest(contents.hash_files(manifest.root, images))
seen = prepared.seen and [prepared.seen.key, prepared.seen.digest, prepared.seen.contents]
print(json.dumps([time.perf_counter() - start, len(folders), seen]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=275_034)
    parser.add_argument("--species", type=int, default=1_081)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--models", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        os.environ["BIOBENCH_CACHE"] = str(place / "cache")
        images = make_files(place / "plantnet", options.files, options.species)
        config = write_config(place, images, options.dim, options.models)
        # What changed just now could change again unseen, and is not kept.
        time.sleep(3)
        reference = min(measure(lambda: list_plainly(place / "plantnet")) for _ in range(3))
        show("scandir and stat (reference)", reference, reference)
        imports = get_peak([sys.executable, "-c", "import biobench.evaluate, torch"])
        command = [sys.executable, "-m", "biobench", "run", str(config)]
        show("the first run", measure(lambda: call(command)), reference)
        added = (get_peak([]) - imports) / 2**20
        print(f"{'memory of its largest process, added':<44}{added:8.2f} GiB")
        show("the finished plan", min(measure(lambda: call(command)) for _ in range(3)), reference)
        words = [sys.executable, "-c", START, str(place / "plantnet")]
        seconds, n_folders, seen = json.loads(call([*words, "null"]))
        show(f"a cell's own start ({n_folders:,} folders listed)", seconds, reference)
        seconds, n_folders, _ = json.loads(call([*words, json.dumps(seen)]))
        show(f"the same in a plan ({n_folders:,} folders listed)", seconds, reference)


def make_files(root: pathlib.Path, n_files: int, n_species: int) -> list[str]:
    images = []
    for i in range(n_files):
        split = "val" if i % 9 == 0 else "train"
        images.append(f"images/{split}/{1_355_000 + i // 9 % n_species}/{i:07d}.jpg")
    for folder in {pathlib.PurePath(image).parent for image in images}:
        (root / folder).mkdir(parents=True)
    for image in images:
        (root / image).write_text(image)
    return images


def write_config(place: pathlib.Path, images: list[str], dim: int, n_models: int) -> pathlib.Path:
    """The config file of a plan of vectors from files that differ."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(n_models):
        path = place / f"vectors-{number}.parquet"
        schema = pa.schema([("path", pa.string()), ("feature", pa.list_(pa.float32(), dim))])
        with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
            for start in range(0, len(images), BLOCK):
                some = images[start : start + BLOCK]
                values = rng.standard_normal(len(some) * dim, dtype=np.float32)
                vectors = pa.FixedSizeListArray.from_arrays(pa.array(values), dim)
                writer.write_table(pa.table([pa.array(some), vectors], schema=schema))
        lines.append(f'vectors-{number} = "{path}"')
    config = place / "plan.toml"
    config.write_text(
        f'tasks = ["plantnet"]\ndata = "{place}"\nresults = "{place / "results"}"\n'
        'device = "cpu"\n[features]\n' + "\n".join(lines) + "\n"
    )
    return config


def list_plainly(root: pathlib.Path) -> int:
    n_bytes, waiting = 0, [os.fspath(root)]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir():
                waiting.append(entry.path)
            else:
                n_bytes += entry.stat().st_size
    return n_bytes


def call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def get_peak(command: list[str]) -> int:
    """The most memory of a process that ended so far, in KiB; `command` is run first."""
    if command:
        call(command)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def measure(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def show(what: str, seconds: float, reference: float) -> None:
    print(f"{what:<44}{seconds:8.2f} s {seconds / reference:6.2f}", flush=True)


if __name__ == "__main__":
    main()
