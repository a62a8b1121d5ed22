"""What a perceptual hash finds, what it takes for the same wrongly, and what matching costs.

    python benchmarks/near_duplicates.py WORLD/data [--tasks plantnet newt] [--n 700]

WORLD is a folder of `biobench demo --tasks all --out WORLD`. Of pictures that were changed in known
ways, shown is the share within each distance; of pairs of different files of one task, how many are
within it (in a task of unrelated scenes each of them is a mistake). Then the time of matching as
many hashes as a large data set has, beside scikit-learn's brute force on a part of them.
"""

import argparse
import io
import pathlib
import time

import imagehash
import numpy as np
from PIL import Image, ImageEnhance
from sklearn.neighbors import NearestNeighbors

from biobench.data import SUFFIXES
from biobench.data.contents import read_file
from biobench.data.images import decode
from biobench.data.near import MAX_DISTANCE, find_nearest

DISTANCES = (0, 2, 4, 6, 8, 10, 12)
N_CHANGED = 300
N_HASHES = 300_000
N_BRUTE = 3_000


def save_as_jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return decode(file.getvalue())


def crop(image, share):
    dx, dy = round(image.width * share), round(image.height * share)
    return image.crop((dx, dy, image.width - dx, image.height - dy))


CHANGES = {
    "JPEG, quality 40": save_as_jpeg,
    "half as large": lambda i: i.resize((i.width // 2, i.height // 2), Image.Resampling.BILINEAR),
    "15% brighter": lambda i: ImageEnhance.Brightness(i).enhance(1.15),
    "20% less contrast": lambda i: ImageEnhance.Contrast(i).enhance(0.8),
    "cropped by 2%": lambda i: crop(i, 0.02),
    "cropped by 5%": lambda i: crop(i, 0.05),
}


def hash_picture(image):
    return int.from_bytes(np.packbits(imagehash.phash(image).hash).tobytes(), "big")


def read_pictures(folder, n):
    """At most n decoded pictures of different contents, in an order drawn from a seed."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    seen = set()
    for position in np.random.default_rng(0).permutation(len(paths))[:n]:
        with paths[position].open("rb") as file:
            data, record = read_file(file, "")
        if record.hash not in seen:
            seen.add(record.hash)
            yield decode(data)


def show(name, counts, total):
    print(f"{name:<22}" + "".join(f"{count:>9}" for count in counts) + f"  of {total:,}")


def measure_changes(folders):
    per_task = -(-N_CHANGED // len(folders))
    found = {name: [] for name in CHANGES}
    for folder in folders:
        for image in read_pictures(folder, per_task):
            one = hash_picture(image)
            for name, change in CHANGES.items():
                found[name].append((one ^ hash_picture(change(image))).bit_count())
    for name, apart in found.items():
        shares = [f"{np.mean(np.array(apart) <= d):.0%}" for d in DISTANCES]
        show(name, shares, len(apart))


def measure_pairs(folder, n):
    hashes = [hash_picture(image) for image in read_pictures(folder, n)]
    apart = [(a ^ b).bit_count() for i, a in enumerate(hashes) for b in hashes[:i]]
    show(folder.name, [sum(x <= d for x in apart) for d in DISTANCES], len(apart))


def measure_time():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, N_HASHES, dtype=np.uint64)
    sides = (np.arange(N_HASHES) % 5 == 0).astype(np.int64)
    start = time.perf_counter()
    find_nearest(hashes, sides, sides == 1)
    ours = time.perf_counter() - start
    bits = np.unpackbits(hashes[:N_BRUTE].view(np.uint8).reshape(-1, 8), axis=1).astype(bool)
    few = sides[:N_BRUTE]
    start = time.perf_counter()
    brute = NearestNeighbors(n_neighbors=1, metric="hamming", algorithm="brute")
    brute.fit(bits[few == 0]).kneighbors(bits[few == 1])
    # Its time grows with the number of pairs.
    all_pairs = (time.perf_counter() - start) * (N_HASHES / N_BRUTE) ** 2
    print(f"{N_HASHES:,} hashes, a fifth of them asked: {all_pairs / ours:,.0f} times as fast as")
    print(f"brute force would be (from {N_BRUTE:,}); {ours:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world", type=pathlib.Path)
    parser.add_argument("--tasks", nargs="*", help="all by default")
    parser.add_argument("--n", type=int, default=700, help="pictures of a task")
    args = parser.parse_args()
    folders = sorted(path for path in args.world.iterdir() if path.is_dir())
    folders = [path for path in folders if not args.tasks or path.name in args.tasks]
    print(f"Within so many of 64 bits (biobench check takes {MAX_DISTANCE}):")
    show("", DISTANCES, len(folders))
    measure_changes(folders)
    for folder in folders:
        measure_pairs(folder, args.n)
    measure_time()


if __name__ == "__main__":
    main()
