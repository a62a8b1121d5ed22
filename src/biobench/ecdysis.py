"""Ecdysis: insects of farms and rangeland, photographed by the Ecdysis Foundation.

Data
    Photographs of pinned and loose specimens. Below `datadir`: `metadata.csv` (columns id,
    specimen_id, image_thumbnail_large, visit_date, country, state_region, gbif_class, gbif_order,
    gbif_family, gbif_genus, gbif_species, public_url) and `images/<file>`, the file being called as
    at the end of image_thumbnail_large. The collection grows: counts hang on the day of download.

Citation
    Ecdysis Foundation, "BugBox", https://bugbox.ecdysis.bio.

Protocol
    The label is the name at five ranks. Within each, the latest 20% by date, rounded up, are the
    test set; a name with one photograph is trained on only. Linear probe (softmax regression on
    standardised features, its penalty by cross-validation). Score: macro-F1. Splits: the share of
    photographs whose genus, family and order are right. Photographs of one specimen are not
    independent: specimens are what is resampled.
"""

import dataclasses
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import LeftOut, Manifest, read_table, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Listing, Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport
from biobench.metrics.examples import RankAccuracy

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

RANKS = ("class", "order", "family", "genus", "species")
COLUMNS = (
    "id",
    "specimen_id",
    "image_thumbnail_large",
    "visit_date",
    *(f"gbif_{rank}" for rank in RANKS),
)
NO_PICTURE = "rows without a picture"
NO_NAME = "rows without a name at any rank"
NO_DATE = "rows without a date"
NOT_THERE = "pictures that are not there"

_CITATION = "Ecdysis Foundation, BugBox"

SOURCES = (
    Source(
        name="metadata.csv.zip",
        urls=(),
        archive="zip",
        gives=("metadata.csv",),
        renames=(("zip", "metadata.csv"),),
        licence="unknown",
        citation=_CITATION,
        by_hand=(
            "The address of the CSV changes: download what "
            "https://bugbox.ecdysis.bio/samples/collection-download/1 links, as metadata.csv.zip."
        ),
    ),
    Source(
        name="pictures",
        urls=(),
        into="images",
        listing=Listing("metadata.csv", address="public_url", file="image_thumbnail_large"),
        licence="unknown",
        citation=_CITATION,
    ),
)
EXPECTED = Expected(source="the collection grows; no counts are published")

PRESETS = {"2026": {"probe": "adamw-head"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Insects of farms, the latest fifth of each species at test (linear probe, macro-F1)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run Ecdysis; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(title="Ecdysis", probe="linear", metric="macro-f1").under(
        args.protocol, PRESETS
    )


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a photograph; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir), "Ecdysis", "it should hold metadata.csv and images/.", "ecdysis"
    )
    path = root / "metadata.csv"
    rows = read_table(path, COLUMNS).with_row_index("line", 2)
    rows = rows.with_columns(
        (pl.lit("images/") + pl.col("image_thumbnail_large").str.split("/").list.last()).alias(
            "image"
        ),
        *(pl.col(f"gbif_{rank}").fill_null("").str.strip_chars().alias(rank) for rank in RANKS),
        _read_date(rows, path),
    ).with_columns(pl.concat_str(*RANKS, separator="|").alias("label"))
    dropped: dict[str, int] = {}
    for reason, bad in (
        (NO_PICTURE, pl.col("image_thumbnail_large").fill_null("").str.strip_chars() == ""),
        (NO_NAME, pl.col("label") == "|" * (len(RANKS) - 1)),
        (NO_DATE, pl.col("date").is_null()),
    ):
        n = rows.filter(bad).height
        rows = rows.filter(~bad)
        dropped |= {reason: n} if n else {}
    images = require_folder(root / "images", "Ecdysis's pictures", "download them.")
    there = pl.col("image").is_in([f"images/{entry.name}" for entry in images.iterdir()])
    left_out = [LeftOut(name, NOT_THERE) for name in rows.filter(~there)["image"]]
    rows = _split(rows.filter(there))
    n_alone = rows.filter(pl.len().over("label") == 1).height
    notes = [f"Names with one photograph, trained on and not tested: {n_alone:,}."] * (n_alone > 0)
    table = rows.select(
        "image",
        pl.col("id").alias("example"),
        "split",
        "label",
        pl.col("specimen_id").alias("group"),
        *(pl.when(pl.col(rank) != "").then(rank).alias(rank) for rank in RANKS),
        pl.col("date").cast(pl.String),
        *(name for name in ("country", "state_region") if name in rows.columns),
    )
    return Manifest.build(
        root, table, source=str(path), dropped=dropped, left_out=left_out, notes=notes
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """The share whose taxon is right at each rank above the species."""
    return {
        f"{rank}-acc": float(RankAccuracy(rank).values(predictions).mean())
        for rank in ("genus", "family", "order")
        if predictions[rank].count()
    }


def _split(rows: pl.DataFrame) -> pl.DataFrame:
    """With `split`: of n photographs of a name the latest n - 4n // 5, none where n is 1.

    Of one day, the later ids come later.
    """
    rows = rows.sort("label", "date", pl.col("id").str.len_chars(), "id", maintain_order=True)
    place, n = pl.int_range(pl.len()).over("label"), pl.len().cast(pl.Int64).over("label")
    is_test = (n > 1) & (place >= 4 * n // 5)
    split = pl.when(is_test).then(pl.lit("test")).otherwise(pl.lit("train"))
    return rows.with_columns(split.alias("split")).sort("line")


def _read_date(rows: pl.DataFrame, path: pathlib.Path) -> pl.Series:
    """`date` of each row; null where there is none."""
    text = rows["visit_date"].fill_null("").str.strip_chars()
    date = text.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False).alias("date")
    wrong = date.is_null() & (text != "")
    if wrong.any():
        at = int(wrong.arg_max() or 0)
        raise BadInput(
            f"{path}: line {rows['line'][at]} has visit_date '{text[at]}', which is no date as "
            f"2023-07-31 is ({int(wrong.sum()):,} such lines); restore the published file."
        )
    return date
