"""NeWT: 164 binary tasks on natural-world photographs.

Data
    Labels and 36,032 pictures of the Natural World Tasks (2021), collected by iNaturalist, the
    Macaulay Library and others. Below `datadir`: `newt2021_labels.csv` (columns id, task_cluster,
    task_subcluster, task, label, text_label, split, height, width) and
    `newt2021_images/<id>.jpg`.

Citation
    Van Horn et al., "Benchmarking Representation Learning for Natural World Image Collections",
    CVPR 2021, arXiv 2103.16483.

Protocol
    One classifier a task: features scaled to unit length, centred on the training mean, scaled to
    unit length again, standardised; a support vector machine tuned by random search (100 draws,
    5 stratified folds). Score: mean over all test examples of all tasks. Splits: for each cluster
    the mean of its tasks' accuracies, and the mean over all tasks. A picture can serve in several
    tasks, so pictures are what is resampled, not rows.
"""

import dataclasses
import pathlib

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

COLUMNS = ("id", "task_cluster", "task_subcluster", "task", "label", "text_label", "split")
LABELS_CSV = "newt2021_labels.csv"

_BASE = "https://ml-inat-competition-datasets.s3.amazonaws.com/newt"
_LICENCE = "unknown (see github.com/visipedia/newt)"
_CITATION = "Van Horn et al., CVPR 2021, arXiv 2103.16483"
SOURCES = (
    Source(
        name="newt2021_labels.csv.tar.gz",
        urls=(f"{_BASE}/newt2021_labels.csv.tar.gz",),
        checksum="sha256:e09807842485ef49ccf51d74ac9f6072c599fc16cf5ee755fdf4064f2e4c3828",
        archive="tar",
        gives=(LABELS_CSV,),
        licence=_LICENCE,
        citation=_CITATION,
    ),
    Source(
        name="newt2021_images.tar.gz",
        urls=(f"{_BASE}/newt2021_images.tar.gz",),
        checksum="sha256:8d40958a867c1296f92b5e125f1f1d8ddaa59f249315740fc366fc606995c055",
        archive="tar",
        gives=("newt2021_images",),
        licence=_LICENCE,
        citation=_CITATION,
        about=4_100_000_000,
    ),
)


EXPECTED = Expected(subtasks=164, source="arXiv 2103.16483")

PRESETS = {"2026": {"probe": "svc"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Natural World Tasks: 164 binary classifications (SVM, accuracy)."""

    batch_size: evaluate.BatchSize = 256


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run NeWT; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(title="NeWT", probe="svm", metric="mean-score").under(
        args.protocol, PRESETS
    )


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture and task; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "NeWT",
        f"it should hold {LABELS_CSV} and newt2021_images/.",
        "newt",
    )
    path = root / LABELS_CSV
    labels = read_table(path, COLUMNS)
    _check_labels(labels, path)
    names = ("newt2021_images/" + labels["id"].fill_null("") + ".jpg").to_list()
    table = labels.select(
        match_suffix_case(root, names),
        pl.col("id").alias("example"),
        "split",
        "label",
        pl.col("task").alias("subtask"),
        pl.col("task_cluster").alias("cluster"),
        pl.col("task_subcluster").alias("subcluster"),
        "text_label",
    )
    manifest = Manifest.build(root, table, source=str(path))
    _check_tasks(manifest.table, path)
    return manifest


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Mean accuracy of each cluster's tasks, and of all tasks (`task-mean`)."""
    # In order: a mean of means added up in the order of a hash table differs in its last digit.
    tasks = (
        predictions.group_by("subtask")
        .agg(pl.col("score").mean(), pl.col("cluster").first())
        .sort("subtask")
    )
    clusters = (
        tasks.group_by("cluster", maintain_order=True).agg(pl.col("score").mean()).sort("cluster")
    )
    return {**dict(clusters.iter_rows()), "task-mean": tasks.select(pl.col("score").mean()).item()}


def _check_labels(labels: pl.DataFrame, path: pathlib.Path) -> None:
    require_values(labels, {"label": ("0", "1"), "split": ("train", "test")}, path)
    if labels["task"].is_null().any() or labels["task_cluster"].is_null().any():
        raise BadInput(f"{path}: a row has no task or task_cluster; restore the published file.")


def _check_tasks(table: pl.DataFrame, path: pathlib.Path) -> None:
    train = pl.col("split") == "train"
    torn = (
        table.group_by("subtask")
        .agg(
            pl.col("label").filter(train).n_unique().alias("classes"),
            (~train).sum().alias("n_test"),
        )
        .filter((pl.col("classes") < 2) | (pl.col("n_test") == 0))
        .sort("subtask")
    )
    if torn.height:
        raise BadInput(
            f"{path}: task '{torn['subtask'][0]}' lacks training pictures of both labels or test "
            f"pictures ({torn.height} such tasks); restore the published file."
        )
