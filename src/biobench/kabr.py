"""KABR: what giraffes and zebras do, in clips from a drone.

Data
    Clips of reticulated giraffes, plains zebras and Grevy's zebras over Kenya, 8 behaviours. Below
    `datadir`: `annotation/{train,val}.csv` (space-delimited, columns original_vido_id, video_id,
    frame_id, path, labels), frames at `dataset/image/<path>`, and `annotation/classes.json`, which
    names the behaviours (without it their numbers do).

Citation
    Kholiavchenko et al., "KABR: In-Situ Dataset for Kenyan Animal Behavior Recognition from Drone
    Videos", WACV Workshops 2024.

Protocol
    Clips of at least 16 frames. 16 frames are taken every 5 (a smaller stride where the clip is too
    short) from a start that depends on the seed and the clip's id alone. Each frame's features are
    scaled to unit length; a clip's vector is their mean or maximum, its label their most frequent
    one. SimpleShot (Wang et al. 2019, arXiv 1911.04623). Score: mean accuracy over val clips. Clips
    from one original video are not independent: videos are what is resampled.
"""

import collections
import dataclasses
import hashlib
import json
import pathlib
import string
import typing
from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from biobench import evaluate
from biobench.data import (
    Manifest,
    match_suffix_case,
    read_table,
    require_folder,
    require_values,
)
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

COLUMNS = ("original_vido_id", "video_id", "frame_id", "path", "labels")
N_FRAMES = 16
MAX_STRIDE = 5
N_CLASSES = 8

_BASE = "https://huggingface.co/datasets/imageomics/KABR/resolve/main/KABR"
_PUBLISHED: dict[str, typing.Any] = dict(
    licence="CC0-1.0", citation="Kholiavchenko et al., WACV Workshops 2024"
)
_LAST_PARTS = {"giraffes": "d", "zebras_grevys": "m", "zebras_plains": "l"}


def _list_sources() -> Iterator[Source]:
    """Three tables, and an archive of frames for each kind of animal, split into pieces."""
    for name in ("classes.json", "train.csv", "val.csv"):
        urls = (f"{_BASE}/annotation/{name}",)
        yield Source(name=f"annotation/{name}", urls=urls, **_PUBLISHED)
    for animal, last in _LAST_PARTS.items():
        letters = string.ascii_lowercase[: string.ascii_lowercase.index(last) + 1]
        names = [f"{animal}_part_a{letter}" for letter in letters]
        sums = f"{animal}_md5.txt"
        yield Source(
            name=f"{animal}.zip",
            urls=(),
            archive="zip",
            into="dataset/image",
            parts=tuple(Source(n, (f"{_BASE}/dataset/image/{n}",)) for n in names),
            checksums=Source(sums, (f"{_BASE}/dataset/image/{sums}",)),
            **_PUBLISHED,
        )


SOURCES = tuple(_list_sources())

EXPECTED = Expected(classes=N_CLASSES, source="Kholiavchenko et al., WACV Workshops 2024")

PRESETS = {
    "2026": {
        "probe": "logistic-search",
        "metric": "macro-f1",
        "pooling": "max",
        "normalize": False,
    }
}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Behaviour of giraffes and zebras in drone video (SimpleShot, accuracy)."""

    batch_size: evaluate.BatchSize = 16
    """clips of 16 frames in a forward pass, or "auto"."""
    frame_agg: Literal["mean", "max"] = "mean"
    """how the features of a clip's frames become one vector."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run KABR; raises BadInput or CellFailed."""
    manifest, proto = load(args), protocol(args)
    if args.batch_size != "auto":
        args = dataclasses.replace(args, batch_size=int(args.batch_size) * N_FRAMES)
    return evaluate.run(manifest, proto, args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="KABR",
        probe="simpleshot",
        metric="mean-score",
        test_split="val",
        pooling=args.frame_agg,
        normalize=True,
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """16 rows a clip; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "KABR",
        "it should hold annotation/ and dataset/image/.",
        "kabr",
    )
    classes = _read_classes(root / "annotation" / "classes.json")
    tables, dropped = [], collections.Counter()
    for split in ("train", "val"):
        path = root / "annotation" / f"{split}.csv"
        frames = _read_frames(path, classes)
        clips, n_short = _sample_frames(frames, classes, args.seed)
        dropped[f"{split} clips under {N_FRAMES} frames"] += n_short
        tables.append(clips.with_columns(pl.lit(split).alias("split")))
    table = pl.concat(tables)
    table = table.with_columns(match_suffix_case(root, table["image"].to_list()))
    return Manifest.build(
        root,
        table,
        source=str(root / "annotation"),
        splits=("train", "val"),
        clips=True,
        dropped={reason: n for reason, n in dropped.items() if n},
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy of each behaviour."""
    classes = predictions.group_by("y_true").agg(pl.col("score").mean()).sort("y_true")
    return dict(classes.iter_rows())


def _read_classes(path: pathlib.Path) -> dict[str, str]:
    """Number (as text) -> behaviour; without the file, the eight numbers name themselves."""
    if not path.is_file():
        return {str(number): str(number) for number in range(N_CLASSES)}
    try:
        names = json.loads(path.read_text())
        if isinstance(names, list):
            return {str(i): str(name) for i, name in enumerate(names)}
        if all(key.isdecimal() for key in names):
            return {str(int(number)): str(name) for number, name in names.items()}
        return {str(int(number)): str(name) for name, number in names.items()}
    except (ValueError, AttributeError, TypeError) as err:
        raise BadInput(
            f"{path}: not a JSON object of behaviour names to numbers ({err}); download it again."
        ) from err


def _read_frames(path: pathlib.Path, classes: dict[str, str]) -> pl.DataFrame:
    frames = read_table(path, COLUMNS, separator=" ", quote_char='"')
    number = pl.col("frame_id").cast(pl.Int64, strict=False)
    right = {
        "labels": classes,
        "frame_id": number.is_not_null(),
        "path": pl.col("path").is_not_null(),
        "video_id": pl.col("video_id").is_not_null(),
    }
    require_values(frames, right, path)
    return frames.with_columns(number.alias("frame")).with_row_index("line")


def _sample_frames(
    frames: pl.DataFrame, classes: dict[str, str], seed: int
) -> tuple[pl.DataFrame, int]:
    """16 rows a clip, and how many clips were too short."""
    rows, n_short = [], 0
    clips = frames.sort("frame", maintain_order=True).group_by("video_id", maintain_order=True)
    first = pl.col("line").min()
    for (video,), clip in sorted(clips, key=lambda pair: pair[1].select(first).item()):
        if clip.height < N_FRAMES:
            n_short += 1
            continue
        picked = clip[_pick_frames(clip.height, seed, str(video))]
        counts = collections.Counter(picked["labels"].to_list())
        label = min(counts, key=lambda number: (-counts[number], int(number)))
        rows.append(picked.with_columns(pl.lit(label).alias("mode")))
    if not rows:
        return pl.DataFrame(schema=dict.fromkeys(_FRAME_COLUMNS, pl.String)), n_short
    table = pl.concat(rows).select(
        ("dataset/image/" + pl.col("path")).alias("image"),
        pl.col("video_id").alias("example"),
        pl.col("mode").replace_strict(classes).alias("label"),
        pl.col("original_vido_id").alias("group"),
        pl.col("original_vido_id").alias("sequence"),
    )
    return table, n_short


_FRAME_COLUMNS = ("image", "example", "label", "group", "sequence")


def _pick_frames(n: int, seed: int, video: str) -> np.ndarray:
    stride = min(MAX_STRIDE, (n - 1) // (N_FRAMES - 1))
    span = (N_FRAMES - 1) * stride + 1
    digest = hashlib.sha256(f"{seed}/{video}".encode()).digest()
    start = int.from_bytes(digest[:8], "big") % (n - span + 1)
    return start + stride * np.arange(N_FRAMES)
