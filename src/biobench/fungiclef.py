"""FungiCLEF 2023: Danish fungi, unknown species among them, where a mistake can poison.

Data
    Photographs of the Danish Fungal Atlas: DF20 to train on, one species a picture; DF21 to
    evaluate, by observation, with species that training lacks (class_id -1). Below `datadir`:
    `DF20_300/` and `DF21_300/` (pictures of 300 pixels, which may be called in another case than
    the tables write), `FungiCLEF2023_train_metadata_PRODUCTION.csv` and
    `FungiCLEF2023_val_metadata_PRODUCTION.csv` (columns image_path, class_id, observationID), and
    `poison_status_list.csv` (columns class_id, poisonous: 0 or 1). Date, latitude and longitude,
    country, habitat, substrate and taxa are read where the tables have them.

Citation
    Picek et al., "Overview of FungiCLEF 2023: Fungi Recognition Beyond 1/0 Cost", CLEF 2023 Working
    Notes; Picek et al., "Danish Fungi 2020: Not Just Another Image Recognition Dataset", WACV 2022.

Protocol
    SimpleShot on the training pictures; an observation is the mean of its pictures' features, and
    unknown where its Mahalanobis distance to every class (one shrunk covariance) is beyond that of
    95% of the training pictures. Score: one less the challenge's user loss over the worst that the
    truths allow. A prediction costs 10 where an unknown species is named, 0.1 where a known one is
    called unknown, 1 where one is taken for another; besides, 100 where a poisonous species is
    taken for one that is not, and 1 the other way round. As in the challenge, what is unknown is
    not poisonous. Splits: the user loss itself, accuracy, macro-F1, and the shares of unknown and
    of known species that are called unknown. Observations are what is resampled.
"""

import dataclasses
import pathlib
from collections.abc import Iterator

import polars as pl

from biobench import evaluate, probes
from biobench.data import RANKS, Manifest, find_facts, match_case, read_table, require_folder
from biobench.data.expected import Expected
from biobench.data.sources import Source
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["EXPECTED", "PRESETS", "SOURCES", "Args", "add_costs", "benchmark", "load", "protocol"]

UNKNOWN_ID = "-1"
FOLDERS = {"train": "DF20_300", "val": "DF21_300"}
TABLES = {split: f"FungiCLEF2023_{split}_metadata_PRODUCTION.csv" for split in FOLDERS}
POISON = "poison_status_list.csv"
COLUMNS = ("image_path", "class_id", "observationID")
FURTHER = {"countryCode": "country", "Habitat": "habitat", "Substrate": "substrate"}
"""what the tables say besides -> the manifest's column."""

COST_UNKNOWN_NAMED = 10.0
COST_KNOWN_REJECTED = 0.1
COST_OTHER = 1.0
COST_POISONOUS_AS_EDIBLE = 100.0
COST_EDIBLE_AS_POISONOUS = 1.0

_CITATION = "Picek et al., CLEF 2023 Working Notes; Picek et al., WACV 2022"
_BASE = "http://ptak.felk.cvut.cz/plants/DanishFungiDataset"
_LICENCE = "for non-commercial research"
_CHECKSUMS = {
    "DF20-300px.tar.gz": "b7b572179c3e99dfdfaed4b75872cb6cc59ad8d7dccab331906687ca6bce3b5a",
    "DF21_300px.tar.gz": "c0194d3314370a22fb01fb0800330c2e18c90d83f97def55dea84cb5abc2fc3e",
    TABLES["train"]: "dc17fc1ab48f0876947402965ee9c25e437c1622f134edab5c7da6c9b853d907",
    TABLES["val"]: "9573102de721bc93f36e5e03e878cd50cc7f6031a7a3bc82ed0642ec4c691c2a",
}


def _make_source(name: str, folder: str = "") -> Source:
    checksum = _CHECKSUMS.get(name)
    return Source(
        name=name,
        urls=(f"{_BASE}/{name}",),
        checksum=f"sha256:{checksum}" if checksum else "",
        archive="tar" if folder else "",
        gives=(folder or name,),
        licence=_LICENCE,
        citation=_CITATION,
    )


SOURCES = (
    _make_source("DF20-300px.tar.gz", FOLDERS["train"]),
    _make_source("DF21_300px.tar.gz", FOLDERS["val"]),
    *map(_make_source, TABLES.values()),
    _make_source(POISON),
)
EXPECTED = Expected(images={"train": 295_938}, classes=1604, source="Picek et al., WACV 2022")

PRESETS: dict[str, dict[str, str]] = {"2026": {}}
"""what a preset (`--protocol`) has otherwise: nothing, the task keeps its own."""


@dataclasses.dataclass(frozen=True)
class Args(evaluate.Args):
    """Danish fungi, unknown species and poisonous ones among them (open set, user loss)."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run FungiCLEF; raises BadInput or CellFailed."""
    manifest = load(args)
    labels = manifest.table.unique("label").select("label", "poisonous")
    poisonous = frozenset(labels.filter(pl.col("poisonous") == "1")["label"])
    return evaluate.run(
        manifest,
        protocol(args),
        args,
        model_args,
        calc_splits=calc_splits,
        add_columns=lambda predictions: add_costs(predictions, poisonous),
    )


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title="FungiCLEF", probe="openset", metric="cost-score", test_split="val", pooling="mean"
    ).under(args.protocol, PRESETS)


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture, in observations at evaluation; BadInput where the layout is another."""
    root = require_folder(
        pathlib.Path(args.datadir),
        "FungiCLEF",
        f"it should hold {', '.join([*FOLDERS.values(), *TABLES.values(), POISON])}.",
        "fungiclef",
    )
    poison = _read_poison(root / POISON)
    dropped: dict[str, int] = {}
    tables = [_read_pictures(root, split, dropped) for split in FOLDERS]
    table = pl.concat(tables, how="diagonal")
    table = table.with_columns(
        match_case(root, table["image"].to_list()),
        pl.col("label")
        .replace_strict(poison, default=None, return_dtype=pl.String)
        .alias("poisonous"),
    )
    known = table.filter(pl.col("label") != probes.UNKNOWN)
    unlisted = known.filter(pl.col("poisonous").is_null())["label"].n_unique()
    notes = [f"Taken as not poisonous, because {POISON} has no line: {unlisted:,} classes."]
    return Manifest.build(
        root,
        table.with_columns(
            pl.when(pl.col("label") != probes.UNKNOWN).then(pl.col("poisonous").fill_null("0"))
        ),
        source=str(root),
        splits=tuple(FOLDERS),
        clips=True,
        dropped=dropped,
        notes=notes if unlisted else (),
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """The mean cost as the challenge has it, accuracy, macro-F1, and who is called unknown."""
    unknown = pl.col("y_true") == probes.UNKNOWN
    rejected = (pl.col("y_pred") == probes.UNKNOWN).fill_null(False)
    splits = {
        "user-loss": float(predictions["cost"].to_numpy().mean()),
        "accuracy": evaluate.score(predictions, "accuracy"),
        "macro-f1": evaluate.score(predictions, "macro-f1"),
    }
    for name, which in (("unknown-rejected", unknown), ("known-rejected", ~unknown)):
        rows = predictions.filter(which)
        if rows.height:
            splits[name] = float(rows.select(rejected.mean()).item())
    return splits


def add_costs(predictions: pl.DataFrame, poisonous: frozenset[str]) -> pl.DataFrame:
    """With `cost` of each prediction and `worst_cost` of any with its truth.

    poisonous: the labels of poisonous species. What is unknown is not poisonous.
    """
    unknown = pl.lit(probes.UNKNOWN)
    true, pred = pl.col("y_true"), pl.col("y_pred")
    bad = sorted(poisonous)
    true_bad, pred_bad = true.is_in(bad), pred.is_in(bad)
    named = (
        pl.when(true == pred)
        .then(0.0)
        .when(true == unknown)
        .then(COST_UNKNOWN_NAMED)
        .when(pred == unknown)
        .then(COST_KNOWN_REJECTED)
        .otherwise(COST_OTHER)
    )
    poisoned = (
        pl.when(true_bad & ~pred_bad)
        .then(COST_POISONOUS_AS_EDIBLE)
        .when(~true_bad & pred_bad)
        .then(COST_EDIBLE_AS_POISONOUS)
        .otherwise(0.0)
    )
    # The dearest mistake names a known species, of the other kind.
    worst = pl.when(true == unknown).then(COST_UNKNOWN_NAMED).otherwise(COST_OTHER)
    worst += (
        pl.when(true_bad)
        .then(COST_POISONOUS_AS_EDIBLE)
        .otherwise(COST_EDIBLE_AS_POISONOUS if bad else 0.0)
    )
    cost = pl.when(pred.is_null()).then(worst).otherwise(named + poisoned)
    return predictions.with_columns(cost=cost, worst_cost=worst)


def _read_pictures(root: pathlib.Path, split: str, dropped: dict[str, int]) -> pl.DataFrame:
    """The rows of one table; those left out are counted in `dropped`."""
    path = root / TABLES[split]
    rows = read_table(path, COLUMNS).with_row_index("line", 2)
    number = pl.col("class_id").cast(pl.Float64, strict=False)
    wrong = rows.filter(~(number.is_not_null() & (number == number.floor())).fill_null(False))
    if wrong.height:
        raise BadInput(
            f"{path}: line {wrong['line'][0]} has class_id '{wrong['class_id'][0]}' ("
            f"{wrong.height:,} such lines); restore the published file."
        )
    rows = rows.with_columns(number.cast(pl.Int64).cast(pl.String).alias("class_id"))
    odd = {"rows without a picture": pl.col("image_path").fill_null("") == ""}
    if split == "train":
        odd["training pictures of unknown species"] = pl.col("class_id") == UNKNOWN_ID
    for reason, bad in odd.items():
        n = rows.filter(bad).height
        rows = rows.filter(~bad)
        dropped |= {reason: dropped.get(reason, 0) + n} if n else {}
    known = pl.col("class_id") != UNKNOWN_ID
    image = pl.lit(f"{FOLDERS[split]}/") + pl.col("image_path")
    observation = pl.col("observationID")
    return rows.select(
        image.alias("image"),
        # A picture without an observation is one by itself.
        (image if split == "train" else pl.coalesce(observation, image)).alias("example"),
        pl.lit(split).alias("split"),
        pl.when(known).then("class_id").otherwise(pl.lit(probes.UNKNOWN)).alias("label"),
        observation.alias("group"),
        *_take_facts(rows.columns, known),
    )


def _take_facts(columns: list[str], known: pl.Expr) -> Iterator[pl.Expr]:
    """Taxa of known species, date and place, as far as the table has them."""
    facts = find_facts(columns)
    for fact in ("date", "latitude", "longitude"):
        if fact in facts:
            yield pl.col(facts[fact]).alias(fact)
    plain = {name.lower(): name for name in columns}
    if "date" not in facts and "year" in plain:
        parts = [pl.col(plain[name]) for name in ("year", "month", "day") if name in plain]
        numbers = [part.cast(pl.Float64, strict=False).cast(pl.Int64) for part in parts]
        known_to = [pl.concat_str(numbers[:n], separator="-") for n in range(len(parts), 0, -1)]
        yield pl.coalesce(known_to).alias("date")
    for name in FURTHER:
        if name.lower() in plain:
            yield pl.col(plain[name.lower()]).alias(FURTHER[name])
    for rank in RANKS:
        if rank in facts:
            yield pl.when(known).then(facts[rank]).alias(rank)


def _read_poison(path: pathlib.Path) -> dict[str, str]:
    """Class -> "1" where it is poisonous, else "0"."""
    table = read_table(path, ("class_id", "poisonous")).with_row_index("line", 2)
    number = [pl.col(name).cast(pl.Float64, strict=False) for name in ("class_id", "poisonous")]
    good = number[0].is_not_null() & number[1].is_in([0.0, 1.0])
    wrong = table.filter(~good.fill_null(False))
    if wrong.height:
        raise BadInput(
            f"{path}: line {wrong['line'][0]} has class_id '{wrong['class_id'][0]}' and poisonous "
            f"'{wrong['poisonous'][0]}' (expected a number, and 0 or 1); download it again."
        )
    whole = table.select(value.cast(pl.Int64).cast(pl.String) for value in number)
    return dict(whole.iter_rows())
