"""Herbarium 2019: flowering plants of the melastome family on herbarium sheets.

Data
    46,469 digitised specimens of 683 species from the New York Botanical Garden (the FGVC6
    challenge). Below `datadir`: `train/<class>/…` and `validation/<class>/…`; the labels of `test/`
    were never published.

Citation
    Tan et al., "The Herbarium Challenge 2019 Dataset", arXiv 1906.05372.

Protocol
    Linear probe (softmax regression on standardised features, its penalty by cross-validation),
    fitted on train, evaluated on validation. Score: macro-F1. Splits: accuracy, macro accuracy.
"""

import dataclasses
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import Manifest, read_class_folders, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

FOLDERS = {"train": "train", "validation": "validation"}

_CITATION = "Tan et al., arXiv 1906.05372"
_MD5 = {
    "train": "53c6b9ee2f831f5101dbe00958091dc8",
    "validation": "2f854d580949e54f114993a74adc3d4b",
}

# The test pictures have no labels: they are not fetched.
SOURCES = tuple(
    Source(
        name=f"{folder}.tar.gz",
        urls=(f"https://storage.googleapis.com/nybg/herbarium-2019-fgvc6/{folder}.tar.gz",),
        checksum=f"md5:{_MD5[folder]}",
        archive="tar",
        gives=(folder,),
        licence="unknown",
        citation=_CITATION,
    )
    for folder in FOLDERS.values()
)
EXPECTED = Expected(
    images={"train": 34_225, "validation": 2_679}, classes=683, source="arXiv 1906.05372"
)

PRESETS = {"2026": {"probe": "adamw-head"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """683 species on herbarium sheets (linear probe, macro-F1)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run Herbarium 2019; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="Herbarium19", probe="linear", metric="macro-f1", test_split="validation"
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a sheet; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "Herbarium19",
        "it should hold train/ and validation/.",
        "herbarium19",
    )
    table, left_out = read_class_folders(root, FOLDERS, "Herbarium19")
    return Manifest.build(root, table, source=str(root), splits=tuple(FOLDERS), left_out=left_out)


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy over sheets and over species."""
    return {name: evaluate.score(predictions, name) for name in ("accuracy", "macro-accuracy")}
