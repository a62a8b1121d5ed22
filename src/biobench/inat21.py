"""iNat21 (mini): 10,000 species photographed by users of iNaturalist.

Data
    50 training and 10 validation photographs of each species. Below `datadir`:
    `train_mini/<class>/…` and `val/<class>/…`, where a class's folder is called
    `<number>_<kingdom>_<phylum>_<class>_<order>_<family>_<genus>_<epithet>`.

Citation
    Van Horn et al., "Benchmarking Representation Learning for Natural World Image Collections",
    CVPR 2021, arXiv 2103.16483.

Protocol
    Linear probe (softmax regression on standardised features, its penalty by cross-validation),
    fitted on train_mini, evaluated on val. Score: accuracy. Splits: the share of photographs whose
    genus, family, order and class are right.
"""

import dataclasses
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import Manifest, read_class_folders, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.interfaces import ModelArgs, TaskReport
from biobench.metrics.examples import RankAccuracy

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

FOLDERS = {"train": "train_mini", "val": "val"}
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus")
SCORED_RANKS = ("genus", "family", "order", "class")

_CITATION = "Van Horn et al., CVPR 2021, arXiv 2103.16483"
_BASE = "https://ml-inat-competition-datasets.s3.amazonaws.com/2021"
_LICENCE = "each photograph's own (iNaturalist); for non-commercial research and teaching"

_ABOUT = {"train_mini": 42_000_000_000, "val": 8_400_000_000}

SOURCES = tuple(
    Source(
        name=f"{folder}.tar.gz",
        urls=(f"{_BASE}/{folder}.tar.gz",),
        archive="tar",
        gives=(folder,),
        licence=_LICENCE,
        citation=_CITATION,
        about=_ABOUT[folder],
    )
    for folder in FOLDERS.values()
)
EXPECTED = Expected(
    images={"train": 500_000, "val": 100_000}, classes=10_000, source="arXiv 2103.16483"
)

PRESETS = {"2026": {"probe": "adamw-head"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """10,000 species of iNaturalist 2021, mini (linear probe, accuracy)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run iNat21; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="iNat21", probe="linear", metric="accuracy", test_split="val"
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a photograph; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir), "iNat21", "it should hold train_mini/ and val/.", "inat21"
    )
    table, left_out = read_class_folders(root, FOLDERS, "iNat21")
    return Manifest.build(
        root,
        _add_taxa(table),
        source=str(root),
        splits=tuple(FOLDERS),
        left_out=left_out,
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """The share whose taxon is right, at each rank that the folders name."""
    return {
        f"{rank}-acc": float(RankAccuracy(rank).values(predictions).mean())
        for rank in SCORED_RANKS
        if predictions[rank].count()
    }


def _add_taxa(table: pl.DataFrame) -> pl.DataFrame:
    """The ranks that a class's folder names; null where it is not called as published."""
    parts = pl.col("label").str.split("_")
    named = (parts.list.len() > len(RANKS) + 1) & pl.col("label").str.contains(r"^\d+_")
    return table.with_columns(
        pl.when(named).then(parts.list.get(i + 1, null_on_oob=True)).alias(rank)
        for i, rank in enumerate(RANKS)
    ).with_columns(
        pl.when(named).then(parts.list.slice(len(RANKS)).list.join(" ")).alias("species")
    )
