"""ImageNet-1k: a thousand classes of things, animals among them; what most backbones have seen.

Data
    1,281,167 training and 50,000 validation pictures. `datadir` holds either
    - `train/<class>/…` and `val/<class>/…` (a folder a class, as `n01440764`), or
    - the Parquet files of the Hugging Face data set ILSVRC/imagenet-1k, `data/train-*.parquet` and
      `data/validation-*.parquet` (or the same without `data/`), whose pictures are read where they
      are; a class is then its number, and `name` what the files call it.

Citation
    Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015,
    arXiv 1409.0575.

Protocol
    Linear probe (softmax regression on standardised features, its penalty by cross-validation),
    fitted on train, evaluated on the validation pictures. Score: accuracy. Splits: macro accuracy,
    and the share of pictures whose class is among the five best.
"""

import dataclasses
import json
import pathlib

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from biobench import evaluate
from biobench.data import Manifest, read_class_folders, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

FOLDERS = {"train": "train", "val": "val"}
SHARDS = {"train": "train", "val": "validation"}
"""how the names of the Parquet files of each split begin."""

SOURCES = (
    Source(
        name="imagenet-1k",
        urls=(),
        licence="ImageNet's terms of access (non-commercial research and teaching)",
        citation="Russakovsky et al., IJCV 2015, arXiv 1409.0575",
        by_hand=(
            "Accept ImageNet's terms at https://huggingface.co/datasets/ILSVRC/imagenet-1k (or "
            "https://image-net.org) and put the Parquet files into data/, or class folders into "
            "train/ and val/."
        ),
    ),
)
EXPECTED = Expected(
    images={"train": 1_281_167, "val": 50_000}, classes=1000, source="arXiv 1409.0575"
)

PRESETS = {"2026": {"probe": "adamw-head"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """1,000 classes of ImageNet (linear probe, accuracy)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run ImageNet-1k; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="ImageNet-1k", probe="linear", metric="accuracy", test_split="val"
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput where the layout is neither of the two."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "ImageNet-1k",
        "it should hold train/ and val/, or the Parquet files of the Hugging Face copy.",
    )
    shards = {split: _find_shards(root, start) for split, start in SHARDS.items()}
    if not any(shards.values()):
        table, left_out = read_class_folders(root, FOLDERS, "ImageNet-1k")
        return Manifest.build(
            root, table, source=str(root), splits=tuple(FOLDERS), left_out=left_out
        )
    tables = [_read_shard(root, path, split) for split in shards for path in shards[split]]
    table = pl.concat(tables).with_columns(pl.col("image").alias("example"))
    # The published test pictures have no labels, which the files write as -1.
    unlabelled = table["label"] == "-1"
    dropped = {"pictures without a label": int(unlabelled.sum())} if unlabelled.any() else {}
    return Manifest.build(
        root,
        table.filter(~unlabelled),
        source=str(root),
        splits=tuple(FOLDERS),
        dropped=dropped,
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy over classes, and of the five best."""
    best = predictions.select(
        pl.col("top_labels").list.contains(pl.col("y_true")).fill_null(False).mean()
    )
    return {
        "macro-accuracy": evaluate.score(predictions, "macro-accuracy"),
        "top5-accuracy": float(best.item()),
    }


def _find_shards(root: pathlib.Path, start: str) -> list[str]:
    """The Parquet files of a split, below the root or its folder `data`."""
    found = [*root.glob(f"{start}-*.parquet"), *(root / "data").glob(f"{start}-*.parquet")]
    return sorted(path.relative_to(root).as_posix() for path in found)


def _read_shard(root: pathlib.Path, name: str, split: str) -> pl.DataFrame:
    """One row a picture of a Parquet file; raises BadInput where it has no labels."""
    try:
        with pq.ParquetFile(root / name) as file:
            labels = file.read(columns=["label"]).column("label").to_pylist()
            metadata = file.schema_arrow.metadata or {}
    except (OSError, KeyError, pa.ArrowException) as err:
        raise BadInput(
            f"{root / name}: no Parquet file with a column 'label' ({err}); download it again."
        ) from err
    names = _read_names(metadata.get(b"huggingface", b"{}"))
    return pl.DataFrame(
        {
            "image": [f"{name}/{row}" for row in range(len(labels))],
            "split": split,
            "label": [str(label) for label in labels],
            "name": [names.get(label) for label in labels],
        },
        schema=dict.fromkeys(("image", "split", "label", "name"), pl.String),
    )


def _read_names(text: bytes) -> dict[int, str]:
    """What the data set's description calls its classes; nothing where it does not say."""
    try:
        return dict(enumerate(json.loads(text)["info"]["features"]["label"]["names"]))
    except (ValueError, KeyError, TypeError):
        return {}
