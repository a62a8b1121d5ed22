"""MammalNet: what mammals do, in clips of videos from the web.

Data
    Clips of 12 behaviours, cut from full videos. Below `datadir`:
    `annotation/composition/{train,test}.csv` (space-delimited, without a header:
    `trimmed_videos/<clip>.mp4`, behaviour, species), `annotation/detection_annotations.json` (the
    parts of each full video) and 32 evenly spaced frames of each clip in
    `frames/<clip>/frame_01.jpg` …. Where a clip has no frames but its full video is there
    (`full_video/` or `full_videos/`), they are decoded into that folder first; this needs PyAV (the
    extra `video`). Clips without either are left out, counted and listed.

Citation
    Chen et al., "MammalNet: A Large-scale Video Benchmark for Mammal Recognition and Behavior
    Understanding", CVPR 2023.

Protocol
    A clip is the mean of its 32 frames' features, its label the behaviour. SimpleShot (Wang et al.
    2019, arXiv 1911.04623), or another probe by `probe`, fitted on train, evaluated on test. Score:
    macro-F1. Splits: accuracy, macro accuracy. Clips of one video are not independent: full videos
    are what is resampled.
"""

import concurrent.futures
import dataclasses
import functools
import json
import pathlib

import polars as pl

from biobench import evaluate, progress
from biobench.data import LeftOut, Manifest, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.data.video import UndecodableVideo, extract_frames, has_decoder
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

N_FRAMES = 32
FRAMES = tuple(f"frame_{number:02d}.jpg" for number in range(1, N_FRAMES + 1))
VIDEO_FOLDERS = ("full_video", "full_videos")
MISSING = "clips without frames or video"
SHORT = f"clips with fewer than {N_FRAMES} frames"
UNDECODABLE = "clips whose video cannot be decoded"
UNPLACED = "clips whose part of the video is not known"

_CITATION = "Chen et al., CVPR 2023"

SOURCES = (
    Source(
        name="annotation.tar",
        urls=("https://mammalnet.s3.amazonaws.com/annotation.tar",),
        archive="tar",
        gives=("annotation",),
        licence="unknown",
        citation=_CITATION,
    ),
    Source(
        name="full_video.tar.gz",
        urls=("https://mammalnet.s3.amazonaws.com/full_video.tar.gz",),
        archive="tar",
        gives=("full_video*",),
        licence="unknown",
        citation=_CITATION,
    ),
)
EXPECTED = Expected(classes=12, source="Chen et al., CVPR 2023: 12 behaviours")

PRESETS = {"2026": {"probe": "logistic-search", "pooling": "max"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """12 behaviours of mammals in video (SimpleShot, macro-F1)."""


@dataclasses.dataclass(frozen=True)
class Clip:
    """A part of a full video."""

    name: str
    split: str
    behaviour: str
    species: str
    video: str
    """the full video's id."""
    segment: tuple[float, float] | None
    """start and end in seconds; None where it is not known."""
    label: str
    """what the annotation calls the behaviour; empty where it does not say."""

    @property
    def path(self) -> str:
        """As the annotation writes it."""
        return f"trimmed_videos/{self.name}.mp4"


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run MammalNet; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="MammalNet", probe="simpleshot", metric="macro-f1", pooling="mean"
    ).under(args.protocol, PRESETS)


# Not remembered: what it finds hangs on the decoder that is installed, too.
def load(args: Args) -> Manifest:
    """32 rows a clip, after decoding what has no frames; BadInput where the layout is another."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "MammalNet",
        "it should hold annotation/ and frames/.",
        "mammalnet",
    )
    videos = _read_videos(root / "annotation" / "detection_annotations.json")
    clips = [clip for split in ("train", "test") for clip in _read_clips(root, split, videos)]
    failed = _decode_missing(root, clips, max(1, args.n_workers))
    rows, left_out = [], []
    for clip in clips:
        folder = root / "frames" / clip.name
        names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
        if not names.issuperset(FRAMES):
            reason = failed.get(clip.name) or (SHORT if names else MISSING)
            left_out.append(LeftOut(clip.path, reason))
            continue
        own = (clip.name, clip.split, clip.behaviour, clip.video, clip.species, clip.label or None)
        rows += [(f"frames/{clip.name}/{name}", *own) for name in FRAMES]
    columns = ("image", "example", "split", "label", "group", "species_id", "behaviour")
    table = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    table = table.with_columns(sequence=pl.col("group"))
    notes = [f"{len(left_out):,} of {len(clips):,} clips are left out."] if left_out else []
    return Manifest.build(root, table, source=str(root), clips=True, left_out=left_out, notes=notes)


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy over clips and over behaviours."""
    return {name: evaluate.score(predictions, name) for name in ("accuracy", "macro-accuracy")}


def _read_clips(root: pathlib.Path, split: str, videos: dict[str, list]) -> list[Clip]:
    path = root / "annotation" / "composition" / f"{split}.csv"
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise BadInput(f"{path} cannot be read ({err}); extract annotation.tar again.") from err
    clips, seen = [], set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != 3 or not parts[0].endswith(".mp4"):
            raise BadInput(
                f"{path}: line {number} is '{line}', but should be trimmed_videos/CLIP.mp4, a "
                "behaviour and a species; restore the published file."
            )
        name = parts[0].rpartition("/")[2].removesuffix(".mp4")
        if name in seen:
            raise BadInput(f"{path}: line {number} names the clip '{name}' again; remove one.")
        seen.add(name)
        clips.append(_make_clip(name, split, parts[1], parts[2], videos))
    return clips


def _make_clip(
    name: str, split: str, behaviour: str, species: str, videos: dict[str, list]
) -> Clip:
    """With the clip's place in its video: `<video>`, or `<video>_<number>` where it has several."""
    video, _, number = name.rpartition("_")
    if name in videos or not number.isdecimal():
        video, number = name, "1"
    parts, index = videos.get(video, []), int(number) - 1
    segment, label = parts[index] if 0 <= index < len(parts) else (None, "")
    return Clip(name, split, behaviour, species, video, segment, label)


def _read_videos(path: pathlib.Path) -> dict[str, list]:
    """Video -> (start, end) in seconds and name of each of its parts; nothing without the file."""
    if not path.is_file():
        return {}
    try:
        return {
            video: [
                (
                    (float(part["segment"][0]), float(part["segment"][1])),
                    str(part.get("label", "")),
                )
                for part in entry["annotations"]
            ]
            for video, entry in json.loads(path.read_text()).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as err:
        raise BadInput(
            f"{path}: not the published form, a list of annotations with a segment for each video "
            f"({err!r}); extract annotation.tar again."
        ) from err


def _decode_missing(root: pathlib.Path, clips: list[Clip], n_workers: int) -> dict[str, str]:
    """Decode the clips that have a video and no frames; returns why others could not be."""
    found = {
        file.stem: file
        for folder in VIDEO_FOLDERS
        if (root / folder).is_dir()
        for file in (root / folder).iterdir()
    }
    wanted = [c for c in clips if c.video in found and not (root / "frames" / c.name).is_dir()]
    if not wanted:
        return {}
    if not has_decoder():
        raise BadInput(
            f"{root}: {len(wanted):,} clips have no frames (as {wanted[0].name}), and PyAV, which "
            "decodes them from the videos, is missing; install biobench with the extra 'video'."
        )
    failed = {clip.name: UNPLACED for clip in wanted if clip.segment is None}
    placed = [clip for clip in wanted if clip.segment is not None]
    decode = functools.partial(_decode_one, root, found)
    with concurrent.futures.ThreadPoolExecutor(n_workers) as pool:
        for done, (clip, reason) in enumerate(pool.map(decode, placed), 1):
            progress.report("decode", done, len(placed))
            if reason:
                failed[clip.name] = reason
    return failed


def _decode_one(root: pathlib.Path, found: dict[str, pathlib.Path], clip: Clip) -> tuple[Clip, str]:
    assert clip.segment is not None
    try:
        extract_frames(found[clip.video], *clip.segment, N_FRAMES, root / "frames" / clip.name)
    except UndecodableVideo:
        return clip, UNDECODABLE
    except OSError as err:
        raise BadInput(
            f"{root / 'frames'}: the frames of '{clip.name}' cannot be written ({err.strerror}); "
            "make room, or let the folder be written to."
        ) from err
    return clip, ""
