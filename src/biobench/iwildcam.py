"""iWildCam 2020-WILDS: species in camera-trap pictures, at cameras never seen in training.

Data
    203,029 pictures, 182 species and empties. Below `datadir`: `iwildcam_v2.0/metadata.csv`
    (columns include split, filename, y, location_remapped, sequence_remapped, datetime), pictures
    in `iwildcam_v2.0/train/<filename>`, and, if it is there, `iwildcam_v2.0/categories.csv`, which
    names the classes (columns y, name). Splits: train, val and test (other cameras), id_val and
    id_test (the training cameras).

Citation
    Beery et al., "The iWildCam 2020 Competition Dataset", arXiv 2004.10340; Koh et al., "WILDS: A
    Benchmark of in-the-Wild Distribution Shifts", ICML 2021.

Protocol
    Ridge regression on one-hot labels of ±1 over standardised features, penalty from 2^-20…2^10 by
    5-fold cross-validation on R²; the largest output is the prediction. Fitted on train, evaluated
    on test. Score: macro-F1 over the labels present in the truth. Splits: micro accuracy, and the
    same scores on id_test where asked for. Pictures of one camera are not independent: cameras are
    what is resampled.
"""

import dataclasses
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import (
    Manifest,
    match_suffix_case,
    read_binomials,
    read_table,
    require_folder,
    require_values,
)
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

COLUMNS = ("split", "filename", "y", "location_remapped", "sequence_remapped", "datetime")
SPLITS = ("train", "val", "test", "id_val", "id_test")
FOLDER = "iwildcam_v2.0"

SOURCES = (
    Source(
        name="iwildcam_v2.0.tar.gz",
        urls=(
            "https://worksheets.codalab.org/rest/bundles/0x6313da2b204647e79a14b468131fcd64/"
            "contents/blob/",
        ),
        archive="tar",
        into=FOLDER,
        gives=(f"{FOLDER}/metadata.csv", f"{FOLDER}/train"),
        licence="CDLA-Permissive-1.0",
        citation="Beery et al., arXiv 2004.10340; Koh et al., ICML 2021",
        by_hand="its host has been down for months at a time: try again later, add a mirror "
        "(--mirror iwildcam=ADDRESS), or ask a colleague for iwildcam_v2.0.tar.gz",
        # The number that is published and the one of a copy in circulation differ.
        about=11_957_420_032,
    ),
)


EXPECTED = Expected(images={"test": 42_791}, source="Koh et al., ICML 2021")

PRESETS = {"2026": {"probe": "adamw-head"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Species in camera-trap pictures at unseen cameras (ridge, macro-F1)."""

    batch_size: evaluate.BatchSize = 2048
    id_test: bool = False
    """also score the test pictures from the training cameras."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run iWildCam; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="iWildCam",
        probe="ridge",
        metric="macro-f1",
        also_score=("id_test",) if args.id_test else (),
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "iWildCam",
        f"it should hold {FOLDER}/metadata.csv.",
        "iwildcam",
    )
    path = root / FOLDER / "metadata.csv"
    metadata = read_table(path, COLUMNS)
    number = pl.col("y").cast(pl.Float64, strict=False)
    right = {
        "y": (number >= 0) & (number == number.floor()),
        "split": SPLITS,
        "filename": pl.col("filename").str.len_chars() > 0,
        "location_remapped": pl.col("location_remapped").is_not_null(),
    }
    require_values(metadata, right, path)
    names = (f"{FOLDER}/train/" + metadata["filename"]).to_list()
    table = metadata.select(
        match_suffix_case(root, names),
        pl.col("filename").alias("example"),
        "split",
        pl.col("y").cast(pl.Float64).cast(pl.Int64).cast(pl.String).alias("label"),
        pl.col("location_remapped").alias("group"),
        pl.col("location_remapped").alias("location"),
        pl.col("location_remapped").alias("camera"),
        pl.col("sequence_remapped").alias("sequence"),
        "datetime",
        pl.col("datetime").alias("date"),
        _is_night().alias("light"),
    )
    table = _add_names(table, root / FOLDER / "categories.csv")
    splits = ("train", "test", "id_test") if args.id_test else ("train", "test")
    return Manifest.build(root, table, source=str(path), splits=splits)


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Micro accuracy and macro-F1 of each split; `micro-acc` alone is the test split's."""
    splits = {}
    for (split,), table in predictions.group_by("split", maintain_order=True):
        accuracy = table.select(pl.col("score").mean()).item()
        splits[f"{split}/macro-f1"] = evaluate.score(table, "macro-f1")
        splits[f"{split}/micro-acc"] = accuracy
        if split == "test":
            splits["micro-acc"] = accuracy
    return splits


def _add_names(table: pl.DataFrame, path: pathlib.Path) -> pl.DataFrame:
    """With what the classes are called, and the species of those that are one."""
    if not path.is_file():
        return table
    names = read_table(path, ("y", "name")).select(pl.col("y").alias("label"), "name")
    names = names.drop_nulls().unique("label", keep="first", maintain_order=True)
    taxa = [pl.when(~pl.col("name").str.contains("(?i)unknown")).then(e) for e in _TAXA]
    return table.join(names.with_columns(*taxa), on="label", how="left", maintain_order="left")


_TAXA = read_binomials("name")


def _is_night() -> pl.Expr:
    hour = pl.col("datetime").str.extract(r"[ T](\d{2}):", 1).cast(pl.Int64, strict=False)
    return (
        pl.when((hour >= 19) | (hour < 6))
        .then(pl.lit("night"))
        .when(hour.is_not_null())
        .then(pl.lit("day"))
    )
