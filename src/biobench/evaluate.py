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

import polars as pl

from biobench import features, metrics, probes, registry
from biobench._classes import FILE_ORG, OPTIONS, Classes, Prompted, check_text, find_classes
from biobench._identity import Prepared, check_args, hash_data
from biobench._predicting import group_examples, predict
from biobench._protocol import Protocol, check_preset
from biobench._remembering import Seen, get_seen, is_remembered, remembered, session
from biobench._subset import select_data
from biobench.args import Args, BatchSize
from biobench.data import Manifest, checked, contents, traps
from biobench.data.crops import Views, list_views
from biobench.errors import BadInput, CellFailed
from biobench.features.origins import list_files, stamp_files
from biobench.fields import get_decided
from biobench.interfaces import Example, ModelArgs, Provenance, TaskReport
from biobench.predictions import to_examples

__all__ = [
    "Args",
    "BatchSize",
    "Prepared",
    "Protocol",
    "Seen",
    "check_text",
    "get_source",
    "is_remembered",
    "prepare",
    "remembered",
    "run",
    "score",
    "session",
]

UNSHARED = "without shared pictures"
"""the split of a report that holds the score without test pictures that are in training, too."""

MAX_FAILED = 3
MAX_FAILED_FRACTION = 0.01


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
    check_preset(protocol, args)
    manifest, classes = find_classes(manifest, protocol, args)
    described = _describe(protocol, args, classes)
    data, manifest = select_data(manifest, protocol, args)
    manifest.check_files()
    views = list_views(manifest.table, args.crop, args.crop_margin)
    source = get_source(args, model_args, protocol.probe)
    loaded = time.perf_counter()

    # Before the pictures, which take longer: what cannot be run is found out sooner.
    prompted = Prompted(classes, _get_text(source)) if classes else None
    if prompted:
        prompted.check_space(source.describe())
    read = time.perf_counter()
    # What is not cropped is asked of any source, also of one that knows of no parts.
    parts = {"crops": views.crops} if views.crops else {}
    feats = source(manifest.root, views.names, **parts)
    embedded = time.perf_counter()
    skipped = _check_failures(manifest, feats, views)
    hashes = hash_data(data, feats)
    hashed = time.perf_counter()

    examples = group_examples(manifest, views, feats)
    predicted = predict(examples, feats, protocol, described, args, prompted)
    if add_columns:
        predicted = dataclasses.replace(predicted, predictions=add_columns(predicted.predictions))
    predictions = predicted.predictions
    fitted = time.perf_counter()

    tested = predicted.to_examples(protocol.test_split)
    further, not_defined = _score_further(tested, args.metrics)
    images_of = zip(data.images(), hashes.to_list(), strict=True)
    known = {image: content.hex() for image, content in images_of if content is not None}
    scored = manifest.split("train", protocol.test_split)
    rejects = probes.get_rejected(str(described["probe"]))
    found = traps.find_traps(scored, known, rejects, trained=classes is None)
    found += predicted.odd
    digest = data.digest(hashes)
    summary, said = checked.summarise(digest, {trap.kind for trap in found})
    provenance = Provenance(
        protocol=described,
        manifest=digest,
        manifest_of="contents",
        versions=_get_versions(),
        backbone=_describe_model(source, model_args),
        stages={
            "load": loaded - start,
            **({"text": read - loaded} if classes else {}),
            **{f"embed/{name}": seconds for name, seconds in feats.stages.items()},
            "embed": embedded - read,
            "hash": hashed - embedded,
            "probe": fitted - hashed,
        },
        skipped=skipped,
        counts={
            "n_images": len(manifest.images()),
            "n_embedded": feats.counts.get("embedded", 0),
            **({"n_crops": len(views.crops)} if views.crops else {}),
            **({"n_prompts": len(classes.prompts)} if classes else {}),
            **predicted.counts,
            **manifest.dropped,
            **{trap.kind: trap.n for trap in found},
        },
        fitted=predicted.fitted,
        warnings=[
            *manifest.notes,
            *views.warnings,
            *(trap.sentence for trap in found),
            *said,
            *(classes.notes if classes else ()),
            *(prompted.warnings if prompted else ()),
            *feats.warnings,
            *predicted.warnings,
            *not_defined,
        ],
        left_out=[dataclasses.asdict(out) for out in manifest.left_out],
        imports=_list_imports(described, model_args),
        checked=summary,
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


def prepare(task: types.ModuleType, args: Args) -> Prepared:
    """What a run would use, known without any backbone; raises BadInput if it cannot start.

    What the task has loaded before is not loaded again (see `remembered`).
    """
    with session():
        manifest, protocol = _load(task, args)
        manifest, classes = find_classes(manifest, protocol, args)
        _check_metrics(args.metrics, manifest)
        data, used = select_data(manifest, protocol, args)
        seen = get_seen(task.load, args)
        known = contents.lookup(data.root, data.images(), trusted=seen.contents if seen else "")
        used.check_files(known)
        list_views(used.table, args.crop, args.crop_margin)
        seen = get_seen(task.load, args, known)
        return Prepared(_describe(protocol, args, classes), used, data, known, seen)


def _load(task: types.ModuleType, args: Args) -> tuple[Manifest, Protocol]:
    check_args(args)
    protocol = task.protocol(args)
    check_preset(protocol, args)
    manifest = task.load(args)
    if args.folds == "group" and not manifest.table["group"].count():
        raise BadInput(
            "--folds group needs groups (cameras, videos, specimens), but the data name none; use "
            "other folds."
        )
    return manifest, protocol


def get_source(args: Args, model_args: ModelArgs, probe: str = "") -> "features.FeatureSource":
    """Where the features of MODEL_ORG:CKPT come from: a backbone, or a file for `features:NAME`.

    probe: the task's own. Where the probe reads, the source has its `text`; BadInput where it
    cannot.
    """
    org, ckpt = model_args
    probe = args.probe or probe
    if probe:
        check_text(model_args, probe)
    registry.check_choices(model_args, args.get_choices())
    if org == FILE_ORG:
        if not args.features:
            raise BadInput(
                f"{org}:{ckpt} needs the file with its vectors; name it with --features FILE."
            )
        return features.FileSource(Path(args.features), ckpt)
    if args.features:
        raise BadInput(f"--features goes with a {FILE_ORG}:NAME model, not with {org}:{ckpt}.")
    device = str(features.resolve_device(args.device))
    options = features.EmbedOptions(**args.get_embedding(), device=device, resume=args.resume)
    backbone = _load_backbone(model_args, args.get_choices())
    source = features.BackboneSource(
        backbone, options, name=f"{org}:{ckpt}", files=_loaded["files"]
    )
    # Of the same weights, which need not be gone through for every cell.
    digests = _loaded["digests"]
    key = tuple(source.decided.items())
    source.digest = digests[key] if key in digests else digests.setdefault(key, source.digest)
    if probe and probes.reads_text(probe):
        tower = _loaded.get("text") or type(backbone).load_text_tower(ckpt)
        _loaded["text"] = tower
        text = features.TextSource(tower, options, name=f"{org}:{ckpt}")
        key = "text", text.precision
        text.digest = digests[key] if key in digests else digests.setdefault(key, text.digest)
        source.text = text
    return source


def _get_text(source: "features.FeatureSource") -> "features.TextSource":
    text = getattr(source, "text", None)
    assert text is not None, "a probe that reads has a source that does"
    return text


def score(predictions: pl.DataFrame, metric: str) -> float:
    """A metric over a table of predictions, as `calc_splits` functions need it."""
    return float(metrics.get_metric(metric)(to_examples(predictions)))


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


def _load_backbone(model: ModelArgs, choices: dict[str, typing.Any]):
    org, ckpt = model
    # Before the weights are read: what is exchanged meanwhile must not be taken for them.
    files = stamp_files(list_files(ckpt))
    key = (registry.load_vision_backbone_class(org), ckpt, choices, files)
    if _loaded.get("key") != key:
        # One model's cells run one after the other; keeping more than one could fill a GPU.
        _loaded.clear()
        backbone = registry.make_vision_backbone(model, choices)
        _loaded.update(backbone=backbone, files=files, digests={}, key=key)
    return _loaded["backbone"]


_loaded: dict[str, typing.Any] = {}


def _describe(protocol: Protocol, args: Args, classes: Classes | None) -> dict[str, object]:
    """Everything besides data and backbone that decides the numbers."""
    name = args.probe or protocol.probe
    # A run without what was added since is the same protocol as it was before.
    added = ("folds_test", "leave_one_out", "apart", "preset")
    fields = {k: v for k, v in dataclasses.asdict(protocol).items() if v or k not in added}
    decided = get_decided(args, "protocol")
    # The preset is in the protocol that it made.
    decided.pop("protocol", None)
    if "metrics" in decided:
        # In whichever order, and however often, they were named.
        decided["metrics"] = sorted(set(args.metrics))
    if classes is not None:
        # By content, wherever the files lie.
        decided = {k: v for k, v in decided.items() if k not in OPTIONS}
        decided["zero_shot"] = classes.described
    return {
        **fields,
        **decided,
        "probe": name,
        "probe_params": probes.describe(name, folds=args.folds),
    }


def _describe_model(source: "features.FeatureSource", model_args: ModelArgs) -> dict[str, object]:
    org, ckpt = model_args
    return {"org": org, "ckpt": ckpt, "weights": "", **source.describe()}


def _list_imports(described: dict[str, typing.Any], model_args: ModelArgs) -> list[dict[str, str]]:
    """What is not biobench's own of a run's backbone, probe and metrics, and where it came from."""
    found = [] if model_args[0] == FILE_ORG else registry.BACKBONES.describe_origin(model_args[0])
    found += probes.PROBES.describe_origin(str(described["probe"]))
    for name in dict.fromkeys([described["metric"], *described.get("metrics", ())]):
        found += metrics.METRICS.describe_origin(str(name))
    return found


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


def _check_failures(
    manifest: Manifest, feats: "features.Features", views: Views
) -> list[dict[str, str]]:
    if not feats.failures:
        return []
    named = manifest.table.select(views.of_row.alias("image"), "split")
    splits = named.unique(maintain_order=True)
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
