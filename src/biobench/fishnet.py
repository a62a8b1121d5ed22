"""FishNet: nine traits of fish, where and on what they live, from one photograph.

Data
    94,532 photographs of 17,357 species. Below `datadir`: `train.csv` and `test.csv` (two unnamed
    index columns, then among others image, Folder, Genus, Family, Order, Class and the traits), and
    `Image_Library/<Folder>/<image>`. Photographs with an empty trait are left out and counted.

Citation
    Khan et al., "FishNet: A Large-scale Dataset and Benchmark for Fish Recognition, Detection, and
    Functional Trait Prediction", ICCV 2023.

Protocol
    A network with 512 hidden units (ReLU, dropout 0.5) on standardised features says yes or no of
    all nine traits at once; yes from a probability of 0.5. Fitted on train, evaluated on test.
    Score: of each trait the macro-F1 over its two answers, averaged over the traits. Splits: the
    macro-F1 and the accuracy of each trait. The nine answers about a photograph are not
    independent: photographs are what is resampled.
"""

import dataclasses
import pathlib

import polars as pl

from biobench import evaluate
from biobench.data import Manifest, match_suffix_case, read_table, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "TRAITS", "Args", "benchmark", "load", "protocol"]

FEEDING = "FeedingPath"
TRAITS = (
    FEEDING,
    *("Tropical", "Temperate", "Subtropical", "Boreal", "Polar"),
    *("freshwater", "saltwater", "brackish"),
)
FEEDING_PATHS = {"benthic": "0", "pelagic": "1"}
RANKS = ("Genus", "Family", "Order", "Class")
COLUMNS = ("image", "Folder", *RANKS, *TRAITS)
PICTURES = "Image_Library"
EMPTY = "pictures with an empty trait"
REPEATED = "rows that repeat a picture"

_CITATION = "Khan et al., ICCV 2023"

SOURCES = (
    Source(
        name="Image_Library.zip",
        urls=(),
        archive="zip",
        gives=(PICTURES,),
        licence="unknown",
        citation=_CITATION,
        by_hand=(
            "Google Drive gives it to a browser only: download "
            "https://drive.google.com/file/d/1mqLoap9QIVGYaPJ7T_KSBfLxJOg2yFY3 as "
            "Image_Library.zip."
        ),
        about=5_400_000_000,
    ),
    Source(
        name="train.csv",
        urls=("https://raw.githubusercontent.com/faixan-khan/FishNet/main/anns/train.csv",),
        gives=("train.csv",),
        licence="unknown",
        citation=_CITATION,
    ),
    Source(
        name="test.csv",
        urls=("https://raw.githubusercontent.com/faixan-khan/FishNet/main/anns/test.csv",),
        gives=("test.csv",),
        licence="unknown",
        citation=_CITATION,
    ),
)
EXPECTED = Expected(total=94_532, source="Khan et al., ICCV 2023")

PRESETS: dict[str, dict[str, str]] = {"2026": {}}
"""what a preset (`--protocol`) has otherwise: nothing, the task keeps its own."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Nine traits of fish from one photograph (multi-label network, mean macro-F1)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run FishNet; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    # Each trait has two labels of its own, so the mean over all labels is the mean over traits.
    return evaluate.Protocol(title="FishNet", probe="mlp", metric="macro-f1").under(
        args.protocol, PRESETS
    )


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a photograph and trait; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "FishNet",
        f"it should hold train.csv, test.csv and {PICTURES}/.",
        "fishnet",
    )
    dropped: dict[str, int] = {}
    tables = [_read_pictures(root / f"{split}.csv", split, dropped) for split in ("train", "test")]
    pictures = pl.concat(tables, how="diagonal")
    pictures = pictures.with_columns(
        match_suffix_case(root, pictures["image"].to_list()), pl.col("image").alias("example")
    )
    others = [name for name in pictures.columns if name not in TRAITS]
    table = pl.concat(
        pictures.select(
            *others,
            pl.lit(trait).alias("subtask"),
            pl.concat_str(pl.lit(f"{trait}: "), _name_answer(trait)).alias("label"),
            # What the nine answers share.
            pl.col("example").alias("group"),
        )
        for trait in TRAITS
    )
    return Manifest.build(root, table, source=str(root), dropped=dropped)


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Macro-F1 and accuracy of each trait."""
    splits = {}
    for (trait,), rows in predictions.group_by("subtask", maintain_order=True):
        splits[f"{trait}/macro-f1"] = evaluate.score(rows, "macro-f1")
        splits[f"{trait}/accuracy"] = evaluate.score(rows, "accuracy")
    return splits


def _name_answer(trait: str) -> pl.Expr:
    """The two answers in words; in alphabetical order the yes is the second."""
    names = {code: name for name, code in FEEDING_PATHS.items()}
    return pl.col(trait).replace_strict(names if trait == FEEDING else {"0": "no", "1": "yes"})


def _read_pictures(path: pathlib.Path, split: str, dropped: dict[str, int]) -> pl.DataFrame:
    """The photographs of one table; those left out are counted in `dropped`."""
    rows = read_table(path, COLUMNS).with_row_index("line", 2)
    name = pl.col("image").str.split("/").list.last()
    rows = rows.select(
        "line",
        pl.concat_str(pl.lit(f"{PICTURES}/"), "Folder", pl.lit("/"), name).alias("image"),
        pl.lit(split).alias("split"),
        *(pl.col(rank).alias(rank.lower()) for rank in RANKS),
        *([pl.col("species")] if "species" in rows.columns else []),
        *(_read_trait(trait) for trait in TRAITS),
    )
    empty = pl.any_horizontal((pl.col(trait) == "").fill_null(False) for trait in TRAITS)
    for reason, bad in (
        (EMPTY, empty),
        (REPEATED, pl.struct("image", *TRAITS).is_first_distinct().not_()),
    ):
        n = rows.filter(bad).height
        rows = rows.filter(~bad)
        dropped |= {reason: dropped.get(reason, 0) + n} if n else {}
    for column in ("image", *TRAITS):
        wrong = rows.filter(pl.col(column).is_null())
        if wrong.height:
            raise BadInput(
                f"{path}: line {wrong['line'][0]} has no known value of {column} ("
                f"{wrong.height:,} such lines; {FEEDING} is pelagic or benthic, the other traits 0 "
                "or 1); restore the published file."
            )
    return rows.drop("line")


def _read_trait(trait: str) -> pl.Expr:
    """ "0" or "1"; empty where nothing is written, null where it is neither."""
    text = pl.col(trait).fill_null("").str.strip_chars()
    if trait == FEEDING:
        code = text.replace_strict({**FEEDING_PATHS, "": ""}, default=None)
    else:
        # Tables with gaps write whole numbers as 1.0.
        code = text.str.replace(r"\.0$", "")
        code = pl.when(code.is_in(["", "0", "1"])).then(code)
    return code.alias(trait)
