"""How near the feature loop and its cache come to what the machine allows.

    python benchmarks/features.py                      # all four targets
    python benchmarks/features.py --only rate --scale 0.1

Every number is a ratio against a reference measured in the same run:

rate      end-to-end images a second over cores / (CPU seconds of reading, decoding and transforming
          an image + CPU seconds of its forward pass), both measured alone, on one core, with
          Pillow, torchvision and PyTorch. Target: at least 0.85.
again     seconds of a first run over the seconds of a second. Target: at least 100.
memory    resident memory added by opening and summing 500,000 x 768 cached features. Target: under
          300 MB.
overhead  bytes of the cache over the bytes of the raw floats, less one. Target: under 5%.
"""

import argparse
import hashlib
import io
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time

import joblib
import numpy as np
import polars as pl
import psutil
import timm
import torch
from PIL import Image

from biobench.data.contents import Record
from biobench.features import BackboneSource, EmbedOptions
from biobench.features.cache import open_generation
from biobench.interfaces import EncodedImgBatch, VisionBackbone

MODELS = ("vit_tiny_patch16_224", "efficientnet_lite0")
CAMERA_TRAP = (2048, 1536)
N_DISTINCT = 40


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=["rate", "again", "memory", "overhead"])
    parser.add_argument("--scale", type=float, default=1.0, help="share of the images to use")
    parser.add_argument("--n-workers", type=int, default=4)
    args = parser.parse_args()
    print(f"{joblib.cpu_count()} cores, torch {torch.__version__}, scale {args.scale:g}")
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            BENCHMARKS[name](pathlib.Path(folder) / name, args)


def measure_rate(folder: pathlib.Path, args: argparse.Namespace) -> None:
    images = write_pictures(folder, max(64, int(2000 * args.scale)), CAMERA_TRAP)
    for model in MODELS:
        backbone = TimmModel(model)
        sample = [folder / image for image in images[:: max(1, len(images) // 48)]]
        before = measure_cpu_seconds(backbone, sample)
        options = EmbedOptions(
            device="cpu", n_workers=args.n_workers, cache_root=folder / "cache" / model
        )
        start, cpu = time.perf_counter(), get_cpu_seconds()
        features = BackboneSource(backbone, options)(folder, images)
        rate = features.counts["embedded"] / (time.perf_counter() - start)
        cpu = (get_cpu_seconds() - cpu) / len(images)
        after = measure_cpu_seconds(backbone, sample)
        # The machine may be slower at one moment than at another.
        decoding, forward = (np.array(before) + np.array(after)) / 2
        limit = joblib.cpu_count() / (decoding + forward)
        print(
            f"rate {model}: {rate:.1f} images/s of {limit:.1f} = {rate / limit:.2f} (decode and "
            f"transform {1000 * decoding:.1f} ms, forward {1000 * forward:.1f} ms of CPU)"
        )
        print(
            f"  CPU used an image, in all processes: {1000 * cpu:.1f} ms, "
            f"{cpu / (decoding + forward):.2f} of that sum; "
            f"machine kept busy {rate * cpu / joblib.cpu_count():.0%}"
        )


def measure_again(folder: pathlib.Path, args: argparse.Namespace) -> None:
    images = write_pictures(folder, max(64, int(10_000 * args.scale)), (320, 240))
    for model in MODELS:
        options = EmbedOptions(
            device="cpu", n_workers=args.n_workers, cache_root=folder / "cache" / model
        )
        seconds = []
        for _ in range(2):
            source = BackboneSource(TimmModel(model), options)
            start = time.perf_counter()
            features = source(folder, images)
            features.take(np.arange(len(images)))
            seconds.append(time.perf_counter() - start)
        first, second = seconds
        print(
            f"again {model}: {len(images):,} images {first:.1f} s, then {second:.2f} s: "
            f"{first / second:.0f}x"
        )


def measure_memory(folder: pathlib.Path, args: argparse.Namespace) -> None:
    n, dim = int(500_000 * args.scale), 768
    n_bytes = fill_cache(folder, n, dim)
    command = [sys.executable, __file__, "--only", "_sum", "--scale", str(args.scale)]
    environment = {**os.environ, "BENCHMARK_FOLDER": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    said = done.stdout.split("sum: ")[1].strip()
    print(f"memory: {n:,} x {dim} ({n_bytes / 1e9:.2f} GB on disk): {said}")


def sum_cached(_: pathlib.Path, args: argparse.Namespace) -> None:
    """In a process of its own, whose memory nothing else has touched."""
    folder = pathlib.Path(os.environ["BENCHMARK_FOLDER"])
    n = int(500_000 * args.scale)

    # What a run has loaded before it opens any cache.
    import biobench.features.loop  # noqa: F401
    from biobench.features.vectors import Features

    hashes = pl.Series([make_hash(number) for number in range(n)], dtype=pl.Binary)
    peak = Peak()
    with peak:
        start = time.perf_counter()
        cache = open_generation(folder, "key")
        rows, _ = cache.lookup(hashes)
        opened = time.perf_counter() - start
        features = Features(768, rows, cache)
        total = np.zeros(768)
        for _, block in features.blocks():
            total += block.sum(axis=0, dtype=np.float64)
        seconds = time.perf_counter() - start
    assert (rows >= 0).all() and np.isfinite(total).all()
    added = f"{peak.added / 1e6:.0f} MB added"
    print(f"sum: {added}, open and verify {opened:.1f} s, with the sum {seconds:.1f} s")


def measure_overhead(folder: pathlib.Path, args: argparse.Namespace) -> None:
    for dim in (192, 768):
        n = max(4096, int(100_000 * args.scale))
        n_bytes = fill_cache(folder / str(dim), n, dim, path="train/species-{:03}/{:032x}.jpg")
        raw = n * dim * 4
        print(f"overhead: {n:,} x {dim}: {n_bytes / raw - 1:.1%} over {raw / 1e6:.0f} MB of floats")


class TimmModel(VisionBackbone):
    """timm's network with untrained weights: as fast as with any."""

    def __init__(self, name: str):
        super().__init__()
        torch.manual_seed(0)
        self.model = timm.create_model(name, num_classes=0)

    def img_encode(self, batch):
        return EncodedImgBatch(self.model(batch), None)

    def make_img_transform(self):
        config = timm.data.resolve_data_config({}, model=self.model)
        return timm.data.create_transform(**config, is_training=False)


class Peak:
    """Resident memory added inside a block, at its highest."""

    def __enter__(self):
        process = psutil.Process()
        self.before = self.highest = process.memory_info().rss
        self.stop = threading.Event()

        def watch():
            while not self.stop.wait(0.005):
                self.highest = max(self.highest, process.memory_info().rss)

        self.thread = threading.Thread(target=watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    @property
    def added(self) -> int:
        return self.highest - self.before


def measure_cpu_seconds(backbone: TimmModel, files: list[pathlib.Path]) -> tuple[float, float]:
    """CPU seconds an image of (reading, decoding, transforming) and of the forward pass alone."""
    transform = backbone.make_img_transform()
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    start = time.process_time()
    tensors = [transform(Image.open(file).convert("RGB")) for file in files]
    decoding = (time.process_time() - start) / len(files)
    model, forward = backbone.model.eval(), np.inf
    # The batch that is fastest here; the loop is held against the best.
    for size in (1, 2, 4, 8, 16):
        batch = torch.stack(tensors[:size])
        with torch.inference_mode():
            model(batch)
            start = time.process_time()
            for _ in range(32 // size):
                model(batch)
        forward = min(forward, (time.process_time() - start) / (32 // size * size))
    torch.set_num_threads(n_threads)
    return decoding, forward


def get_cpu_seconds() -> float:
    """CPU seconds of this process and of the workers that it has waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def write_pictures(folder: pathlib.Path, n: int, size: tuple[int, int]) -> list[str]:
    """`n` JPEG files: `N_DISTINCT` pictures, each file made unique by a comment in it."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    bases = []
    for _ in range(N_DISTINCT):
        coarse = rng.integers(0, 256, (size[1] // 16, size[0] // 16, 3), dtype=np.uint8)
        pixels = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
        noise = rng.integers(-12, 13, pixels.shape)
        buffer = io.BytesIO()
        image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
        image.save(buffer, "JPEG", quality=85)
        bases.append(buffer.getvalue())
    names = []
    for number in range(n):
        data = bases[number % N_DISTINCT]
        comment = f"{number:08}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        names.append(f"{number:06}.jpg")
        (folder / names[-1]).write_bytes(data[:2] + segment + data[2:])
    return names


def fill_cache(folder: pathlib.Path, n: int, dim: int, path: str = "{1:07}.jpg") -> int:
    """Write `n` vectors as a run would; returns the bytes on disk."""
    rng = np.random.default_rng(0)
    cache = open_generation(folder, "key")
    for start in range(0, n, 4096):
        numbers = range(start, min(n, start + 4096))
        records = [
            Record(make_hash(number), path.format(number // 500, number), 1, 1)
            for number in numbers
        ]
        cache.append("/images", records, rng.standard_normal((len(numbers), dim), np.float32))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def make_hash(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8)).digest()[:16]


BENCHMARKS = {
    "rate": measure_rate,
    "again": measure_again,
    "memory": measure_memory,
    "overhead": measure_overhead,
    "_sum": sum_cached,
}

if __name__ == "__main__":
    main()
