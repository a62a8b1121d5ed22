"""Your own pictures: a folder of class folders, or a table of paths and labels.

Data
    `datadir` is one of
    - a folder with `train/<class>/…` and `test/<class>/…` (or `val/`),
    - a folder of class folders, split 80/20 by class from the seed,
    - a CSV or Parquet file with columns path and label, and optionally split, group and id; paths
      are relative to the file's folder (or to `root`). Without split it is split as above, whole
      groups together. Further columns are kept for breakdowns.

Citation
    None: cite where your pictures came from.

Protocol
    Any classification probe (ridge, as for iWildCam, unless told otherwise), fitted on train,
    evaluated on test. Score: macro-F1, or another metric by `metric`. Splits: accuracy, macro-F1
    and macro accuracy. `group` (specimen, camera, site) is what is resampled.
"""

import dataclasses
import hashlib
import pathlib
from typing import Literal

import numpy as np
import polars as pl

from biobench import evaluate
from biobench.data import Manifest, list_pictures, read_table
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["Args", "benchmark", "load", "protocol"]

TEST_FRACTION = 0.2
TEST_NAMES = ("test", "val", "valid", "validation")
TABLE_SUFFIXES = (".csv", ".parquet", ".pq")


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Your own pictures in class folders, or in a table (any probe, macro-F1)."""

    title: str = "Folder"
    """name of the task in reports."""
    root: str = ""
    """where a table's paths start; empty means the table's own folder."""
    metric: Literal["macro-f1", "accuracy", "macro-accuracy"] = "macro-f1"
    """the score."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run a task on your own pictures; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(title=args.title, probe="ridge", metric=args.metric)


def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput saying which layout was expected."""
    if not args.datadir:
        raise BadInput("The task folder needs a datadir: a folder of pictures, or a table.")
    path = pathlib.Path(args.datadir)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return _load_table(path, pathlib.Path(args.root) if args.root else path.parent, args.seed)
    if not path.is_dir():
        raise BadInput(
            f"{path} is neither a folder nor a .csv or .parquet file; correct the datadir."
        )
    return _load_folder(path, args.seed)


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy, macro-F1 and macro accuracy."""
    return {
        name: evaluate.score(predictions, name)
        for name in ("accuracy", "macro-f1", "macro-accuracy")
    }


def _load_folder(root: pathlib.Path, seed: int) -> Manifest:
    found = list_pictures(root)
    parts = [name.split("/") for name in found.names]
    dropped = {"files that are not pictures": found.n_others} if found.n_others else {}
    tops = {part[0] for part in parts}
    test = next((name for name in TEST_NAMES if name in tops), None)
    is_split = "train" in tops and test is not None
    depth = 3 if is_split else 2
    kept = [part for part in parts if len(part) >= depth]
    if is_split:
        kept = [part for part in kept if part[0] in ("train", test)]
    if len(kept) < len(parts):
        dropped["pictures outside a class folder"] = len(parts) - len(kept)
    table = pl.DataFrame(
        {
            "image": ["/".join(part) for part in kept],
            "example": ["/".join(part) for part in kept],
            "label": [part[depth - 2] for part in kept],
        },
        schema=dict.fromkeys(("image", "example", "label"), pl.String),
    )
    if not table.height:
        raise BadInput(
            f"{root}: no pictures found in train/<class>/ and test/<class>/, nor in <class>/; "
            "arrange them so, or give a table with columns path and label."
        )
    if is_split:
        split = ["train" if part[0] == "train" else "test" for part in kept]
        table = table.with_columns(pl.Series("split", split))
    else:
        table = _split(table, seed)
    return _build(root, table, str(root), dropped)


def _load_table(path: pathlib.Path, root: pathlib.Path, seed: int) -> Manifest:
    table = read_table(path, ("path", "label"))
    for name in ("image", "example"):
        if name in table.columns:
            table = table.rename({name: f"{name}_"})
    table = table.rename({"path": "image"}).with_columns(
        pl.col("image").cast(pl.String), pl.col("label").cast(pl.String)
    )
    example = pl.col("id").cast(pl.String) if "id" in table.columns else pl.col("image")
    table = table.with_columns(example.alias("example"))
    if "split" not in table.columns:
        table = _split(table, seed)
    elif not (table["split"] == "test").any():
        table = table.with_columns(pl.col("split").replace(dict.fromkeys(TEST_NAMES, "test")))
    return _build(root, table, str(path), {})


def _build(
    root: pathlib.Path, table: pl.DataFrame, source: str, dropped: dict[str, int]
) -> Manifest:
    manifest = Manifest.build(root, table, source=source, dropped=dropped)
    classes = manifest.split("train")["label"].n_unique()
    if classes < 2:
        raise BadInput(
            f"{source}: the training pictures have {classes} class; at least 2 are needed."
        )
    return manifest


def _split(table: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Mark a fifth of every class `test`, whole groups together, whatever the rows' order."""
    by = pl.col("example")
    if "group" in table.columns:
        by = pl.col("group").cast(pl.String).fill_null(pl.col("example"))
    units = (
        table.with_columns(by.alias("unit"))
        .group_by("unit")
        .agg(pl.col("label").mode().sort().first(), pl.len())
        .with_columns(
            pl.col("unit")
            .map_elements(lambda unit: _draw(seed, unit), return_dtype=pl.String)
            .alias("draw")
        )
        .sort("label", "draw")
    )
    test = []
    for _, members in units.group_by("label", maintain_order=True):
        before = np.cumsum(members["len"].to_numpy()) - members["len"].to_numpy()
        # At least one unit each way where there are two: a class of one can only be trained on.
        quota = TEST_FRACTION * members["len"].sum()
        chosen = before + 0.5 * members["len"].to_numpy() < quota
        chosen[0] = True
        chosen[-1] = False
        test.extend(members["unit"].filter(pl.Series(chosen)).to_list())
    return table.with_columns(
        pl.when(by.is_in(test)).then(pl.lit("test")).otherwise(pl.lit("train")).alias("split")
    )


def _draw(seed: int, unit: str) -> str:
    return hashlib.sha256(f"{seed}/{unit}".encode()).hexdigest()
