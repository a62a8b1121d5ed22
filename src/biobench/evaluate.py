"""The spine: manifest -> features -> probe -> report, the same for every task.

    manifest, protocol = task.load(args), task.protocol(args)
    model_args, report = evaluate.run(manifest, protocol, args, ("timm", "resnet50.a1_in1k"))

A task module is a function from a folder to a manifest plus a `Protocol`; everything that happens
between the two and the scored examples is here.
"""

import dataclasses
import importlib.metadata
import platform
import time
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import polars as pl

from biobench import features, metrics, probes, registry
from biobench._identity import Identity, Prepared, check_args, hash_data
from biobench._predictions import group_examples, predict, to_example
from biobench._subset import select, select_data
from biobench.data import Manifest, contents, traps
from biobench.errors import BadInput, CellFailed
from biobench.features.origins import list_files, stamp_files
from biobench.interfaces import Example, ModelArgs, Provenance, TaskArgs, TaskReport

__all__ = [
    "Args",
    "BatchSize",
    "Identity",
    "Prepared",
    "Protocol",
    "check",
    "get_source",
    "identify",
    "prepare",
    "run",
    "score",
]

FILE_ORG = "features"
"""model_org of vectors that were computed elsewhere; the checkpoint is the name the user gave."""

BatchSize = int | Literal["auto"]

UNSHARED = "without shared pictures"
"""the split of a report that holds the score without test pictures that are in training, too."""

MAX_FAILED = 3
MAX_FAILED_FRACTION = 0.01


@dataclasses.dataclass(frozen=True)
class Args(TaskArgs):
    """What every task that runs on this spine can be told."""

    batch_size: BatchSize = 256
    """images in a forward pass."""
    n_workers: int = 4
    """processes that decode pictures; 0 decodes in this one."""
    n_train: int = -1
    """training examples to use, nested from the seed; -1 uses all."""
    n_train_unit: Literal["class", "total"] = "class"
    """whether n_train counts per class or over all classes."""
    probe: str = ""
    """the probe to fit; empty means the task's own."""
    folds: Literal["stratified-shuffle", "kfold", "group"] = "stratified-shuffle"
    """cross-validation folds of a probe that chooses a penalty; group keeps groups (cameras,
    videos) whole, and the choice is then by accuracy."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """arithmetic of the backbone; auto is fp32 on a CPU."""
    exif: bool = False
    """rotate pictures as their EXIF tag says; the published protocols do not."""
    compile: bool = False
    """compile the backbone; pays off on a GPU with many images."""
    resume: bool = True
    """use features embedded before; without, embed anew."""
    features: str = ""
    """Parquet file with the vectors of a `features:NAME` model."""
    metrics: list[str] = dataclasses.field(default_factory=list)
    """metrics to report beside the task's own; what they need is kept with the predictions."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a task turns features into a score: everything that is not data, model or `Args`."""

    title: str
    """the report's name."""
    probe: str
    """name of a probe (`biobench.probes`)."""
    metric: str
    """name of a metric (`biobench.metrics`)."""
    test_split: str = "test"
    also_score: tuple[str, ...] = ()
    """further splits whose predictions `calc_splits` is given."""
    pooling: Literal["none", "mean", "max"] = "none"
    """how the images of one example become one vector."""
    normalize: bool = False
    """scale each image's features to unit length before pooling."""
    version: int = 1
    """raised whenever the task's loader or protocol changes what it computes."""
    folds_test: int = 0
    """test every example once, in the folds of the manifest's column `fold`; 0: one test split."""
    leave_one_out: bool = False
    """test each example by all those of another `fold` (a probe of neighbours), and as a query."""
    apart: str = ""
    """a column: queries are also scored without neighbours that share its value."""


def run(
    manifest: Manifest,
    protocol: Protocol,
    args: Args,
    model_args: ModelArgs,
    *,
    calc_splits: Callable[[pl.DataFrame], dict[str, float]] = lambda predictions: {},
    add_columns: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
) -> tuple[ModelArgs, TaskReport]:
    """Embed every image once, fit the probe, score the test examples.

    calc_splits: predictions (columns in docs/architecture.md, plus `split`) -> named sub-scores.
    add_columns: predictions -> the same with what the task's metric reads of each besides.
    Raises BadInput before any embedding, CellFailed where too many pictures cannot be read.
    """
    start = time.perf_counter()
    check_args(args)
    described = _describe(protocol, args)
    data, manifest = select_data(manifest, protocol, args)
    manifest.check_files()
    images = manifest.images()
    source = get_source(args, model_args)
    loaded = time.perf_counter()

    feats = source(manifest.root, images)
    embedded = time.perf_counter()
    skipped = _check_failures(manifest, feats)
    hashes = hash_data(data, feats)
    hashed = time.perf_counter()

    examples = group_examples(manifest, images, feats)
    predicted = predict(examples, feats, protocol, described, args)
    if add_columns:
        predicted = dataclasses.replace(predicted, predictions=add_columns(predicted.predictions))
    predictions = predicted.predictions
    fitted = time.perf_counter()

    tested = predicted.to_examples(protocol.test_split)
    further, not_defined = _score_further(tested, args.metrics)
    images_of = zip(data.images(), hashes.to_list(), strict=True)
    known = {image: content.hex() for image, content in images_of if content is not None}
    scored = manifest.split("train", protocol.test_split)
    rejects = probes.UNKNOWN if described["probe"] == "openset" else None
    found = [*traps.find_traps(scored, known, rejects), *predicted.odd]
    provenance = Provenance(
        protocol=described,
        manifest=data.digest(hashes),
        manifest_of="contents",
        versions=_get_versions(),
        backbone=_describe_model(source, model_args),
        stages={
            "load": loaded - start,
            **{f"embed/{name}": seconds for name, seconds in feats.stages.items()},
            "embed": embedded - loaded,
            "hash": hashed - embedded,
            "probe": fitted - hashed,
        },
        skipped=skipped,
        counts={
            "n_images": len(images),
            **predicted.counts,
            **manifest.dropped,
            **{trap.kind: trap.n for trap in found},
        },
        fitted=predicted.fitted,
        warnings=[
            *manifest.notes,
            *(trap.sentence for trap in found),
            *feats.warnings,
            *predicted.warnings,
            *not_defined,
        ],
        left_out=[dataclasses.asdict(out) for out in manifest.left_out],
    )
    main = predictions.filter(pl.col("split") == protocol.test_split).drop("split")
    report = TaskReport(
        name=protocol.title,
        examples=tested,
        splits={
            **calc_splits(predictions),
            **_score_unshared(main, scored, known, protocol),
            **further,
        },
        calc_mean_score=metrics.get_metric(protocol.metric),
        provenance=provenance,
    )
    return model_args, report


def identify(task: types.ModuleType, args: Args, model_args: ModelArgs) -> Identity:
    """The identity of a cell, found without embedding anything.

    Loads the manifest and the backbone, and raises what they raise; reads the pictures whose
    content is not known.
    """
    prepared = prepare(task, args)
    digest = str(get_source(args, model_args).describe()["digest"])
    return Identity(prepared.protocol_digest, digest, prepared.count_images())


def prepare(task: types.ModuleType, args: Args) -> Prepared:
    """What a run would use, known without any backbone; raises BadInput if it cannot start."""
    manifest, protocol = _load(task, args)
    data, used = select_data(manifest, protocol, args)
    known = contents.lookup(data.root, data.images())
    used.check_files(known)
    return Prepared(_describe(protocol, args), used, data, known)


def check(task: types.ModuleType, args: Args) -> tuple[Manifest, Protocol]:
    """Load a task's manifest and see that a benchmark of it can start; raises BadInput if not."""
    manifest, protocol = _load(task, args)
    select(manifest, protocol, args).check_files()
    return manifest, protocol


def _load(task: types.ModuleType, args: Args) -> tuple[Manifest, Protocol]:
    check_args(args)
    manifest, protocol = task.load(args), task.protocol(args)
    _check_metrics(args.metrics, manifest)
    if args.folds == "group" and not manifest.table["group"].count():
        raise BadInput(
            "--folds group needs groups (cameras, videos, specimens), but the data name none; use "
            "other folds."
        )
    return manifest, protocol


def get_source(args: Args, model_args: ModelArgs) -> "features.FeatureSource":
    """Where the features of MODEL_ORG:CKPT come from: a backbone, or a file for `features:NAME`."""
    org, ckpt = model_args
    if org == FILE_ORG:
        if not args.features:
            raise BadInput(
                f"{org}:{ckpt} needs the file with its vectors; name it with --features FILE."
            )
        return features.FileSource(Path(args.features), ckpt)
    if args.features:
        raise BadInput(f"--features goes with a {FILE_ORG}:NAME model, not with {org}:{ckpt}.")
    options = features.EmbedOptions(
        batch_size=args.batch_size,
        n_workers=args.n_workers,
        device=str(features.resolve_device(args.device)),
        resume=args.resume,
        exif=args.exif,
        compile=args.compile,
        precision=args.precision,
    )
    backbone = _load_backbone(org, ckpt)
    source = features.BackboneSource(
        backbone, options, name=f"{org}:{ckpt}", files=_loaded["files"]
    )
    # Of the same weights, which need not be gone through for every cell.
    digests = _loaded["digests"]
    key = (source.precision, args.exif)
    source.digest = digests[key] if key in digests else digests.setdefault(key, source.digest)
    return source


def score(predictions: pl.DataFrame, metric: str) -> float:
    """A metric over a table of predictions, as `calc_splits` functions need it."""
    examples = [to_example(row) for row in predictions.iter_rows(named=True)]
    return float(metrics.get_metric(metric)(examples))


def _score_unshared(
    main: pl.DataFrame, scored: pl.DataFrame, known: Mapping[str, str], protocol: Protocol
) -> dict[str, float]:
    """The score without the test examples that share a picture with training, if there are some."""
    shared = traps.find_shared(scored, known)
    rest = main.join(shared, on=["subtask", "example"], how="anti", nulls_equal=True)
    if not shared.height or not rest.height:
        return {}
    return {UNSHARED: score(rest, protocol.metric)}


def _score_further(
    examples: list[Example], names: Sequence[str]
) -> tuple[dict[str, float], list[str]]:
    """The scores of further metrics by name, and why others have none."""
    scores, warnings = {}, []
    for name in dict.fromkeys(names):
        try:
            scores[name] = float(metrics.get_metric(name)(examples))
        except BadInput as err:
            warnings.append(f"Not reported: {err}")
    return scores, warnings


def _check_metrics(names: Sequence[str], manifest: Manifest) -> None:
    """Raise BadInput for an unknown metric, or one of taxa that the data do not name."""
    for name in names:
        columns = metrics.get_columns(metrics.get_metric(name))
        ranks = set(metrics.RANKS) & set(columns)
        for rank in sorted(ranks - set(manifest.table.columns)):
            raise BadInput(
                f"The metric '{name}' needs the {rank} of every label, but the task's table has no "
                f"column '{rank}'; add it, or leave the metric out."
            )


def _get_weights(source: "features.FeatureSource") -> str:
    """Where an adapter says it found the weights; empty where it does not say."""
    return str(getattr(getattr(source, "backbone", None), "weights_source", ""))


def _load_backbone(org: str, ckpt: str):
    try:
        cls = registry.load_vision_backbone_class(org)
    except ValueError as err:
        raise BadInput(str(err)) from err
    # Before the weights are read: what is exchanged meanwhile must not be taken for them.
    files = stamp_files(list_files(ckpt))
    if _loaded.get("key") != (cls, ckpt, files):
        # One model's cells run one after the other; keeping more than one could fill a GPU.
        _loaded.clear()
        _loaded.update(backbone=registry.load_vision_backbone(org, ckpt), files=files, digests={})
        _loaded.update(key=(cls, ckpt, files))
    return _loaded["backbone"]


_loaded: dict[str, typing.Any] = {}


def _describe(protocol: Protocol, args: Args) -> dict[str, object]:
    """Everything besides data and backbone that decides the numbers."""
    name = args.probe or protocol.probe
    # A run without what was added since is the same protocol as it was before.
    added = ("folds_test", "leave_one_out", "apart")
    fields = {k: v for k, v in dataclasses.asdict(protocol).items() if v or k not in added}
    return {
        **fields,
        "probe": name,
        "probe_params": probes.describe(name, folds=args.folds),
        "folds": args.folds,
        "seed": args.seed,
        "n_train": args.n_train,
        "n_train_unit": args.n_train_unit,
        "exif": args.exif,
        "debug": args.debug,
        # Only where some are asked for, so that other runs stay the cells that they were.
        **({"metrics": sorted(set(args.metrics))} if args.metrics else {}),
    }


def _describe_model(source: "features.FeatureSource", model_args: ModelArgs) -> dict[str, object]:
    org, ckpt = model_args
    return {"org": org, "ckpt": ckpt, **source.describe(), "weights": _get_weights(source)}


def _get_versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in (
        "biobench",
        "torch",
        "timm",
        "open-clip-torch",
        "numpy",
        "scikit-learn",
        "polars",
        "pillow",
    ):
        versions[name] = importlib.metadata.version(name)
    return versions


def _check_failures(manifest: Manifest, feats: "features.Features") -> list[dict[str, str]]:
    if not feats.failures:
        return []
    splits = manifest.table.select("image", "split").unique(maintain_order=True)
    failed = splits.filter(pl.col("image").is_in(list(feats.failures)))
    totals = dict(splits.group_by("split").len().iter_rows())
    for split, n_failed in failed.group_by("split").len().sort("split").iter_rows():
        if n_failed > MAX_FAILED and n_failed > MAX_FAILED_FRACTION * totals[split]:
            shown = ", ".join(
                f"{image} ({feats.failures[image]})"
                for image in failed.filter(pl.col("split") == split)["image"].head(3)
            )
            raise CellFailed(
                f"{n_failed:,} of the {totals[split]:,} pictures in split '{split}' cannot be "
                f"read, more than {MAX_FAILED_FRACTION:.0%}: {shown}; repair {manifest.root}."
            )
    return [
        {"image": image, "split": split, "reason": feats.failures[image]}
        for image, split in failed.iter_rows()
    ]
