"""Pl@ntNet-300K: 1,081 plant species with a long tail.

Data
    306,146 photographs by users of Pl@ntNet. Below `datadir`:
    `images/{train,val,test}/<species_id>/<id>.jpg`, `plantnet300K_metadata.json` (by picture:
    obs_id, organ, …) and `plantnet300K_species_id_2_name.json`.

Citation
    Garcin et al., "Pl@ntNet-300K: a plant image dataset with high label ambiguity and a long-tailed
    distribution", NeurIPS 2021 Datasets and Benchmarks.

Protocol
    Ridge regression on one-hot labels of ±1 over standardised features, penalty from 2^-20…2^10 by
    5-fold cross-validation on R²; fitted on train, evaluated on val. Score: macro top-1 accuracy
    (mean over species of the species' accuracy). Splits: `micro-acc@1`, `macro-acc@1`. A species
    may stand in one split only. Where the metadata name the observation a picture belongs to,
    observations are what is resampled.
"""

import dataclasses
import json
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import Manifest, list_pictures, read_binomials, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

METADATA = "plantnet300K_metadata.json"
SPECIES = "plantnet300K_species_id_2_name.json"

SOURCES = (
    Source(
        name="plantnet_300K.zip",
        urls=("https://zenodo.org/records/5645731/files/plantnet_300K.zip",),
        checksum="sha256:3a079076c8ad4476beac54d89ea344958256a999428937eba47ec352dadce00d",
        archive="zip",
        gives=("images", METADATA, SPECIES),
        licence="unknown (see zenodo.org/records/5645731)",
        citation="Garcin et al., NeurIPS 2021 Datasets and Benchmarks",
        about=29_500_000_000,
    ),
)


EXPECTED = Expected(
    images={"train": 243_916, "val": 31_118, "test": 31_112},
    classes=1081,
    source="Garcin et al., NeurIPS 2021",
)

PRESETS = {"2026": {"probe": "adamw-head", "metric": "macro-f1"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """1,081 plant species with a long tail (ridge, macro accuracy)."""

    batch_size: evaluate.BatchSize = 256


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run Pl@ntNet; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="Pl@ntNet", probe="ridge", metric="macro-accuracy", test_split="val"
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "Pl@ntNet",
        "it should hold images/train and images/val.",
        "plantnet",
    )
    images = require_folder(root / "images", "Pl@ntNet's pictures", "extract the archive again.")
    found = list_pictures(images)
    parts = [name.split("/") for name in found.names]
    wrong = [name for name, part in zip(found.names, parts, strict=True) if len(part) != 3]
    if wrong:
        raise BadInput(
            f"{images / wrong[0]}: expected images/<split>/<species>/<picture>; restore the layout."
        )
    table = pl.DataFrame(
        {
            "image": [f"images/{name}" for name in found.names],
            "example": [part[2].rpartition(".")[0] for part in parts],
            "split": [part[0] for part in parts],
            "label": [part[1] for part in parts],
        },
        schema=dict.fromkeys(("image", "example", "split", "label"), pl.String),
    )
    table = _add_metadata(table, root)
    return Manifest.build(
        root, table, source=str(images), splits=("train", "val"), left_out=found.left_out
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Top-1 accuracy over pictures and over species."""
    # In order: a mean of means added up in the order of a hash table differs in its last digit.
    species = predictions.group_by("y_true").agg(pl.col("score").mean()).sort("y_true")
    return {
        "micro-acc@1": predictions.select(pl.col("score").mean()).item(),
        "macro-acc@1": species.select(pl.col("score").mean()).item(),
    }


def _add_metadata(table: pl.DataFrame, root: pathlib.Path) -> pl.DataFrame:
    names = _read_json(root / SPECIES)
    table = table.with_columns(
        pl.col("label").replace_strict(names, default=None, return_dtype=pl.String).alias("species")
    )
    # With its author, as published; the genus is what comes before the epithet.
    table = table.with_columns(read_binomials("species")[0])
    metadata = _read_json(root / METADATA)
    for column, key in (("group", "obs_id"), ("organ", "organ")):
        values = [(metadata.get(name) or {}).get(key) for name in table["example"]]
        texts = [None if value is None else str(value) for value in values]
        table = table.with_columns(pl.Series(column, texts, dtype=pl.String))
    return table


def _read_json(path: pathlib.Path) -> dict:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_text())
    except ValueError as err:
        raise BadInput(f"{path}: not JSON ({err}); extract it again.") from err
