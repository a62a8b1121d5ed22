"""Beluga: which white whale is it? Photographs from above, of one individual each.

Data
    5,902 photographs of 788 individuals (Beluga ID 2022). Below `datadir`:
    `beluga.coco/images/train2022/` and `beluga.coco/annotations/instances_train2022.json` (COCO;
    the annotation of a photograph has the individual in `name`, `____` where it is not known, and
    the whale's box in `bbox`, which `--crop` cuts out).
    Photographs of unknown individuals and of individuals seen once are left out and counted.

Citation
    Algasov et al., "Understanding the Impact of Training Set Size on Animal Re-identification",
    arXiv 2405.15976; Wild Me and the Beluga ID project, https://lila.science/datasets/beluga-id-2022.

Protocol
    Five nearest neighbours in Euclidean distance, each photograph asked of all others of
    individuals with at least two. Score: macro-F1. Splits: accuracy; Recall@1 and mean average
    precision of retrieval; and both once more without neighbours of the same date (or encounter,
    where only that is known), because near-identical frames of one encounter inflate them.
    Individuals are what is resampled.
"""

import dataclasses
import json
import math
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import Manifest, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

ANNOTATIONS = "beluga.coco/annotations/instances_train2022.json"
PICTURES = "beluga.coco/images/train2022"
UNKNOWN = "____"
ENCOUNTERS = ("encounter_id", "encounter", "encounter_uuid", "occurrence_id")
"""what an encounter may be called in an annotation or picture."""
NOT_ANNOTATED = "pictures without an annotation"
SEVERAL = "pictures of several individuals"
NOT_KNOWN = "pictures of unknown individuals"
ONCE = "pictures of individuals seen once"
RETRIEVAL = ("recall-at-1", "retrieval-map", "recall-at-1-apart", "retrieval-map-apart")

SOURCES = (
    Source(
        name="beluga.coco.tar.gz",
        urls=(
            "http://us-west-2.opendata.source.coop.s3.amazonaws.com/agentmorris/lila-wildlife/"
            "wild-me/beluga.coco.tar.gz",
        ),
        archive="tar",
        gives=("beluga.coco",),
        licence="Community Data License Agreement, permissive",
        citation="Beluga ID 2022 (LILA); Algasov et al., arXiv 2405.15976",
    ),
)
EXPECTED = Expected(total=5902, classes=788, source="https://lila.science/datasets/beluga-id-2022")

PRESETS: dict[str, dict[str, str]] = {"2026": {}}
"""what a preset (`--protocol`) has otherwise: nothing, the task keeps its own."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Re-identification of beluga whales (5 nearest neighbours, macro-F1)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run Beluga; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="Beluga", probe="knn", metric="macro-f1", leave_one_out=True, apart="occasion"
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a photograph; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir), "Beluga", "it should hold beluga.coco/.", "beluga"
    )
    path = root / ANNOTATIONS
    table, dropped = _read_pictures(path)
    n = pl.len().over("label")
    once = table.filter(n == 1).height
    dropped |= {ONCE: once} if once else {}
    table = table.filter(n > 1).with_columns(
        (pl.lit(f"{PICTURES}/") + pl.col("example")).alias("image"),
        pl.lit("test").alias("split"),
        pl.col("label").alias("group"),
        fold=pl.int_range(pl.len(), dtype=pl.Int64),
        occasion=pl.coalesce(pl.col("date").str.slice(0, 10), "encounter"),
    )
    if table["label"].n_unique() < 2:
        raise BadInput(
            f"{path}: fewer than two individuals have two pictures or more; extract the whole data "
            "set."
        )
    n_unplaced = table["occasion"].null_count()
    notes = [f"Pictures without a date or encounter, apart from all others: {n_unplaced:,}."]
    return Manifest.build(
        root,
        table,
        source=str(path),
        splits=("test",),
        dropped=dropped,
        notes=notes if n_unplaced else (),
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy, and Recall@1 and mean average precision, of all others and of those apart."""
    splits = {"accuracy": evaluate.score(predictions, "accuracy")}
    for name in RETRIEVAL:
        column = name.replace("retrieval-map", "average-precision").replace("-", "_")
        if predictions[column].count():
            splits[name] = evaluate.score(predictions, name)
    return splits


def _read_pictures(path: pathlib.Path) -> tuple[pl.DataFrame, dict[str, int]]:
    """A row a picture of one known individual, and how many others there are, by reason."""
    try:
        coco = json.loads(path.read_text())
        pictures = {entry["id"]: entry for entry in coco["images"]}
        names: dict[object, list[dict]] = {key: [] for key in pictures}
        for annotation in coco["annotations"]:
            names[annotation["image_id"]].append(annotation)
        for annotations in names.values():
            for annotation in annotations:
                annotation["name"] = str(annotation["name"] or UNKNOWN)
        files = {key: str(entry["file_name"]) for key, entry in pictures.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
        raise BadInput(
            f"{path}: not COCO JSON with images (id, file_name) and annotations (image_id, name) "
            f"({err!r}); extract the data set again."
        ) from err
    rows, dropped = [], {}
    for key, annotations in names.items():
        known = {annotation["name"] for annotation in annotations}
        reason = NOT_ANNOTATED if not known else SEVERAL if len(known) > 1 else ""
        reason = reason or (NOT_KNOWN if known == {UNKNOWN} else "")
        if reason:
            dropped[reason] = dropped.get(reason, 0) + 1
            continue
        annotation, picture = annotations[0], pictures[key]
        encounter = next(
            (str(d[k]) for d in (annotation, picture) for k in ENCOUNTERS if d.get(k)), None
        )
        date = str(picture.get("date_captured") or "") or None
        viewpoint = annotation.get("viewpoint")
        own = (files[key], annotation["name"], encounter, date, viewpoint and str(viewpoint))
        rows.append((*own, _read_box(annotation.get("bbox"))))
    columns = ("example", "label", "encounter", "date", "viewpoint")
    schema = {**dict.fromkeys(columns, pl.String), "box": pl.List(pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row"), dropped


def _read_box(bbox: object) -> list[float] | None:
    """COCO's x, y, width, height in pixels; NaN, which cannot be cropped, where it is no box."""
    if not bbox:
        return None
    try:
        x, y, width, height = (float(value) for value in bbox)  # type: ignore[union-attr]
    except (TypeError, ValueError):
        return [math.nan] * 4
    return [x, y, width, height]
