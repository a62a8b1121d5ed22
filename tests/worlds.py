"""Small data sets in the published layouts, odd rows included, for the protocol tests.

Classes differ in colour and stripes, so that a simple backbone can tell them apart.
"""

import csv
import json
import pathlib
import typing

import numpy as np
from PIL import Image

from biobench import evaluate

COLOURS = [(200, 60, 40), (50, 160, 70), (60, 80, 190), (190, 170, 50), (150, 60, 170)]


def draw(path: pathlib.Path, kind: int, seed: int, mode: str = "RGB", size=(40, 32)) -> None:
    """Write one picture of class `kind`; the suffix decides the format."""
    rng = np.random.default_rng([kind, seed])
    width, height = size
    pixels = np.full((height, width, 3), COLOURS[kind % len(COLOURS)], dtype=float)
    pixels[:, :: 2 + kind] *= 0.5
    pixels += rng.normal(0, 25, pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)
    suffix = path.suffix.lower()
    image.save(path, format={".jpg": "JPEG", ".png": "PNG", ".jpeg": "JPEG"}[suffix])


def write_csv(path: pathlib.Path, rows: list[dict], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def newt(root: pathlib.Path, n_train: int = 10, n_test: int = 6) -> pathlib.Path:
    """Three tasks in two clusters; one empty subcluster, a shared picture, a shouting suffix."""
    rows = []
    for t, (task, cluster, subcluster) in enumerate(
        [
            ("fish_or_bird", "appearance", "species"),
            ("day_night", "context", ""),
            ("n", "context", ""),
        ]
    ):
        for i in range(n_train + n_test):
            label, name = i % 2, f"{task}-{i:02d}"
            rows.append(
                dict(id=name, task_cluster=cluster, task_subcluster=subcluster, task=task)
                | dict(label=label, text_label=f"{task}-{label}")
                | dict(split="train" if i < n_train else "test", height=32, width=40, extra="x")
            )
            suffix = ".JPG" if i == 1 else ".jpg"
            mode = ["RGB", "L", "CMYK"][i % 3] if t == 0 else "RGB"
            draw(root / "newt2021_images" / (name + suffix), label + t, i, mode)
    shared = next(row for row in rows if row["task"] == "day_night" and row["split"] == "test")
    rows.append(shared | dict(task="n", text_label=f"n-{shared['label']}"))
    write_csv(root / "newt2021_labels.csv", rows)
    return root


def kabr(root: pathlib.Path, n_clips: int = 6) -> pathlib.Path:
    """Three behaviours; one clip too short, one just long enough, the rest 40 frames."""
    behaviours = {"Walk": 0, "Graze": 1, "Run": 2}
    (root / "annotation").mkdir(parents=True, exist_ok=True)
    (root / "annotation" / "classes.json").write_text(json.dumps(behaviours))
    for split in ("train", "val"):
        rows = []
        for c in range(n_clips + 1):
            label = c % 3
            n_frames = {0: 16, n_clips: 15}.get(c, 40)
            for f in range(1, n_frames + 1):
                path = f"{split}{c}/{f}.jpg"
                # The last frame is labelled otherwise: the mode decides.
                number = (label + 1) % 3 if f == n_frames else label
                rows.append(
                    dict(original_vido_id=f"{split}-video-{c // 2}", video_id=f"{split}{c}")
                    | dict(frame_id=f, path=path, labels=number, extra="")
                )
                draw(root / "dataset" / "image" / path, label, c * 100 + f, size=(24, 20))
        write_csv(root / "annotation" / f"{split}.csv", rows, delimiter=" ")
    return root


def iwildcam(root: pathlib.Path, n: int = 12) -> pathlib.Path:
    """Three labels (one only in test), cameras by split, id_test from the training cameras."""
    rows = []
    for split, cameras in {"train": 4, "test": 3, "val": 1, "id_val": 1, "id_test": 2}.items():
        for i in range(n):
            y = [0, 2, 7][i % 3] if split == "test" else [0, 2][i % 2]
            name = f"{split}-{i:02d}.jpg"
            unseen = {"test": 100, "val": 200}.get(split, 0)
            rows.append(
                dict(split=split, filename=name, y=y, location_remapped=unseen + i % cameras)
                | dict(sequence_remapped=i // 3, datetime=f"2013-06-05 {i:02d}:44:19", extra=1)
            )
            draw(root / "iwildcam_v2.0" / "train" / name, [0, 2, 7].index(y), i)
    write_csv(root / "iwildcam_v2.0" / "metadata.csv", rows)
    (root / "iwildcam_v2.0" / "RELEASE_v2.0.txt").write_text("2.0\n")
    return root


def plantnet(root: pathlib.Path) -> pathlib.Path:
    """Four species: two common, one with a single picture to train on, one only in val."""
    counts = {"1355868": (9, 6), "1355920": (7, 5), "1355932": (1, 2), "1355936": (0, 2)}
    metadata = {}
    for k, (species, (n_train, n_val)) in enumerate(counts.items()):
        for split, n in (("train", n_train), ("val", n_val), ("test", 1)):
            for i in range(n):
                name = f"{split}{k}{i}"
                draw(root / "images" / split / species / f"{name}.jpg", k, i)
                metadata[name] = dict(obs_id=i // 2 + 100 * k, organ="leaf", species_id=species)
    (root / "plantnet300K_metadata.json").write_text(json.dumps(metadata))
    names = dict.fromkeys(counts, "Lamiaceae sp.")
    (root / "plantnet300K_species_id_2_name.json").write_text(json.dumps(names))
    return root


def folder(root: pathlib.Path, n: int = 10) -> pathlib.Path:
    """Class folders with mixed formats, sizes and modes."""
    for k, name in enumerate(("ants", "bees", "wasps")):
        for i in range(n):
            suffix, mode = [(".jpg", "RGB"), (".PNG", "RGBA"), (".jpeg", "L")][i % 3]
            draw(root / name / f"{i:02d}{suffix}", k, i, mode, size=(30 + i, 25 + 2 * i))
    return root


WRITERS = {
    "newt": newt,
    "kabr": kabr,
    "iwildcam": iwildcam,
    "plantnet": plantnet,
    "folder": folder,
}


class Identity(typing.NamedTuple):
    """The two digests by which a finished cell is found."""

    protocol_digest: str
    backbone_digest: str


def identify(task, args, model) -> Identity:
    """The identity of a cell, without embedding anything."""
    backbone = evaluate.get_source(args, model).describe()
    return Identity(evaluate.prepare(task, args).protocol_digest, str(backbone["digest"]))
