"""Plankton: phytoplankton of the Baltic Sea under an imaging flow cytometer.

Data
    SYKE-plankton_IFCB_2022 to train on, SYKE-plankton_IFCB_Utö_2021 to evaluate. Below `datadir`:
    `labeled_20201020/<class>/…` and `phytoplankton_Utö_2021_labeled/<class>/…`. The latter holds
    about as many pictures again that its makers could not classify, in a folder of their own. Where
    a file is called as the instrument calls it (`D20180703T093454_IFCB114_00123.png`), that says
    when the water was sampled, and by which instrument.

Citation
    Kraft et al., "Towards operational phytoplankton recognition with automated high-throughput
    imaging, near-real-time data processing, and convolutional neural networks", Frontiers in Marine
    Science 9, 2022.

Protocol
    Linear probe (softmax regression on standardised features, its penalty by cross-validation),
    fitted on the first set, evaluated on the second; a class is its name. Score: macro-F1 without
    the unclassifiable pictures. Splits: accuracy; and how well the confidence tells pictures of
    classes that were trained on from the unclassifiable ones (area under the ROC curve, and the
    share of these rejected where 95% of those are accepted).
"""

import dataclasses
import pathlib
import unicodedata

import polars as pl

from biobench import evaluate
from biobench.data import LeftOut, Manifest, read_class_folders, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "benchmark", "load", "protocol"]

TRAIN = "labeled_20201020"
TEST = "phytoplankton_Utö_2021_labeled"
UNCLASSIFIABLE = "unclassifiable"
NO_CLASS = ("unclassifiable", "unclassified")
"""folders of pictures without a class, in lower case."""
NO_CLASS_TRAINED = "training pictures that were not classified"

_CITATION = "Kraft et al., Frontiers in Marine Science 9, 2022"
_BASE = "https://b2share.eudat.eu/records"

SOURCES = (
    Source(
        name="phytoplankton_labeled.zip",
        urls=(f"{_BASE}/xvnrp-7ga56/files/phytoplankton_labeled.zip",),
        checksum="sha256:0c47acd8dfad46829fe42758a6c24adcdb5e6f2456be4ced975cbb9de9644704",
        archive="zip",
        gives=(TRAIN,),
        licence="open access; see the record",
        citation=_CITATION,
    ),
    Source(
        name="phytoplankton_Utö_2021_labeled.zip",
        urls=(f"{_BASE}/w7y96-6jd66/files/phytoplankton_Ut%C3%B6_2021_labeled.zip",),
        checksum="sha256:b017809515c3d58171ecbfd196d6725239e9380c2a22ae880ac56e878bbfcfa4",
        archive="zip",
        gives=(TEST,),
        licence="open access; see the record",
        citation=_CITATION,
    ),
)
EXPECTED = Expected(
    classes=50,
    source="the records' descriptions: about 57,000 classified and 94,000 unclassifiable pictures",
)

PRESETS = {"2026": {"probe": "adamw-head"}}
"""what a preset (`--protocol`) has otherwise, by its name."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Phytoplankton of the Baltic Sea, another year and place at test (linear probe, macro-F1)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run Plankton; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="Plankton", probe="linear", metric="macro-f1", also_score=(UNCLASSIFIABLE,)
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput where the layout is not the published one."""
    root = require_folder(
        pathlib.Path(args.datadir), "Plankton", f"it should hold {TRAIN}/ and {TEST}/.", "plankton"
    )
    folders = {"train": TRAIN, "test": _find_folder(root, TEST)}
    table, left_out = read_class_folders(root, folders, "Plankton")
    no_class = pl.col("label").str.to_lowercase().is_in(NO_CLASS)
    in_train = no_class & (pl.col("split") == "train")
    left_out += [LeftOut(name, NO_CLASS_TRAINED) for name in table.filter(in_train)["image"]]
    table = table.filter(~in_train).with_columns(
        split=pl.when(no_class).then(pl.lit(UNCLASSIFIABLE)).otherwise("split")
    )
    return Manifest.build(root, _add_sample(table), source=str(root), left_out=left_out)


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy, and how far the unclassifiable pictures can be told from those of known classes."""
    rejected = pl.col("split") == UNCLASSIFIABLE
    splits = {"accuracy": evaluate.score(predictions.filter(~rejected), "accuracy")}
    told = predictions.filter(rejected | (pl.col("train_count") > 0))
    if told.filter(rejected).height and told.filter(~rejected).height:
        for name in ("open-set-auroc", "open-set-tnr95"):
            splits[f"{UNCLASSIFIABLE}/{name}"] = evaluate.score(told, name)
    return splits


def _add_sample(table: pl.DataFrame) -> pl.DataFrame:
    """With date, camera (the instrument) and sequence (the sample) of what files' names say."""
    name = pl.col("image").str.split("/").list.last()
    sample = name.str.extract(_SAMPLE, 1)
    moment = sample.str.slice(1, 15).str.to_datetime("%Y%m%dT%H%M%S", strict=False)
    named = table.with_columns(sample.alias("sequence"), moment.alias("date")).with_columns(
        name.str.extract(_SAMPLE, 2).alias("camera")
    )
    if not named["sequence"].count():
        return table
    return named


_SAMPLE = r"^(D\d{8}T\d{6}_(IFCB\d+))"


def _find_folder(root: pathlib.Path, name: str) -> str:
    """The folder of that name, in whichever Unicode form the archive was unpacked."""
    wanted = unicodedata.normalize("NFC", name)
    here = [path.name for path in root.iterdir() if path.is_dir()]
    return next((one for one in here if unicodedata.normalize("NFC", one) == wanted), name)
