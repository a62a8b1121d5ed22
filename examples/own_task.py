"""A task in a file of its own: moths at light traps, tested in later years than trained.

    biobench run --imports own_task.py --tasks moths --models baseline:color-hog --data DATA

DATA/moths holds the pictures and labels.csv with the columns file, species, trap and year.
"""

import dataclasses
import pathlib
import sys

import polars as pl

from biobench import evaluate
from biobench.data import Manifest, read_table, require_folder
from biobench.interfaces import ModelArgs, TaskReport
from biobench.registry import register_task


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Moths at light traps, tested in later years than trained (ridge, macro-F1)."""

    test_from: int = 2024
    """the first year that is tested."""
    metric: str = "macro-f1"
    """the score."""


def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput where labels.csv or a picture is not there."""
    root = require_folder(pathlib.Path(args.datadir), "moths", "it should hold labels.csv.")
    rows = read_table(root / "labels.csv", ("file", "species", "trap", "year"))
    is_late = pl.col("year").cast(pl.Int64) >= args.test_from
    table = rows.select(
        pl.col("file").alias("image"),
        pl.col("file").alias("example"),
        pl.when(is_late).then(pl.lit("test")).otherwise(pl.lit("train")).alias("split"),
        pl.col("species").alias("label"),
        # What came to one trap is alike: traps are resampled, not pictures.
        pl.col("trap").alias("group"),
        "year",
    )
    return Manifest.build(root, table, source=str(root / "labels.csv"))


def protocol(args: Args) -> evaluate.Protocol:
    """How the score is made; raise `version` where `load` or this changes what it computes."""
    return evaluate.Protocol(title="Moths", probe="ridge", metric=args.metric, version=1)


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run the task; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args)


register_task("moths", sys.modules[__name__])
