"""Your own pictures: a folder of class folders, or a table of paths and labels.

Data
    `datadir` is one of
    - a folder with `train/<class>/…` and `test/<class>/…` (or `val/`); `Training`, `test_set` and
      the like are understood, and said; what could be a split or a class is refused,
    - a folder of class folders, split 80/20 by class,
    - an export of camera traps, collections or observations: Camtrap DP, COCO Camera Traps,
      Wildlife Insights, Timelapse, iNaturalist, Darwin Core; known by its content
      (docs/exports.md),
    - a CSV, TSV or Parquet file with columns path and label, and optionally split, group and id,
      under these names or the usual others (`filepath`, `species`, `deployment_id`; else `columns`
      says which); paths are relative to the file's folder (or to `root`), those of another machine
      are understood. Without split it is split as above, whole groups together. Further columns are
      kept for breakdowns.
    MegaDetector's output gives boxes to any of them.
    Every file that is not used is counted and listed with its reason.

Citation
    None: cite where your pictures came from.

Protocol
    Any classification probe (ridge, as for iWildCam, unless told otherwise), fitted on train,
    evaluated on test. Score: macro-F1, or another metric by `metric`. Splits: accuracy, macro-F1
    and macro accuracy. `group` (specimen, camera, site) is what is resampled.
    The split is the one nearest to 80/20 by class that keeps groups whole and every class in
    training (`biobench.data.splitting`). It hangs on `split_seed` alone, so runs with other seeds
    share one test set. With `split_by` it is cameras, days, observers or the values of a column
    that stay whole. With `folds_test` K there are K such parts, and every picture is tested
    once, by a probe that was trained on the other parts. A probe that is trained on no
    picture (`zero-shot`) needs no training split: without a split every picture is tested.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from biobench import evaluate, probes
from biobench.args import PictureArgs
from biobench.data import (
    LeftOut,
    Manifest,
    PictureTable,
    exports,
    list_pictures,
    parse_columns,
    read_picture_table,
    require_folder,
    split_by,
    split_names,
    splitting,
)
from biobench.data.crops import name_part
from biobench.data.plaintext import PARQUET_SUFFIXES, TEXT_SUFFIXES
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs, TaskReport

__all__ = ["Args", "benchmark", "load", "protocol"]

TABLE_SUFFIXES = (*TEXT_SUFFIXES, *PARQUET_SUFFIXES)
OUTSIDE = "pictures outside a class folder"


@dataclasses.dataclass(frozen=True)
class Args(PictureArgs):
    """Your own pictures in class folders, or in a table (any probe, macro-F1)."""

    title: str = "Folder"
    """name of the task in reports."""
    metric: Literal["macro-f1", "accuracy", "macro-accuracy"] = "macro-f1"
    """the score."""
    split_seed: int = 42
    """which of equally good splits is taken; other `seeds` leave the test set as it is."""


def benchmark(args: Args, model_args: ModelArgs) -> tuple[ModelArgs, TaskReport]:
    """Run a task on your own pictures; raises BadInput or CellFailed."""
    return evaluate.run(load(args), protocol(args), args, model_args, calc_splits=calc_splits)


def protocol(args: Args) -> evaluate.Protocol:
    return evaluate.Protocol(
        title=args.title, probe="ridge", metric=args.metric, folds_test=args.folds_test
    )


@evaluate.remembered
def load(args: Args) -> Manifest:
    """One row a picture; raises BadInput saying which layout was expected."""
    if not args.datadir:
        raise BadInput("The task folder needs a datadir: a folder of pictures, or a table.")
    path = pathlib.Path(args.datadir)
    if not path.exists():
        raise BadInput(f"{path}: there is no such file or folder; correct the datadir.")
    place = exports.Place.of(path)
    boxes = _read_boxes(path, place, args)
    export = exports.find_export(place)
    if export:
        root = pathlib.Path(args.root) if args.root else export.main.parent
        require_folder(root, "The folder of the pictures", "correct --root.")
        found = export.read(root, parse_columns(args.columns))
        return _build_table(found, str(path), args, boxes)
    if path.suffix.lower() in TABLE_SUFFIXES:
        return _load_table(path, args, boxes)
    if path.is_dir():
        return _load_folder(path, args, boxes)
    if boxes:
        # A detector's output has no labels: those are the folders of its pictures.
        return _load_folder(pathlib.Path(args.root) if args.root else path.parent, args, boxes)
    raise BadInput(
        f"{path} is neither a folder, nor a table (.csv, .tsv, .txt, .parquet), nor an export that "
        "is known (docs/exports.md); correct the datadir, and unpack what is packed."
    )


def calc_splits(predictions: pl.DataFrame) -> dict[str, float]:
    """Accuracy, macro-F1 and macro accuracy."""
    return {
        name: evaluate.score(predictions, name)
        for name in ("accuracy", "macro-f1", "macro-accuracy")
    }


def _read_boxes(path: pathlib.Path, place: exports.Place, args: Args) -> exports.Boxes | None:
    """The detector's output that was named, or lies in the folder."""
    found = pathlib.Path(args.boxes) if args.boxes else exports.find_boxes(place)
    if found is None:
        if args.box_confidence is not None:
            raise BadInput(
                f"{path}: box_confidence is given, but there is no output of MegaDetector; name it "
                "with --boxes."
            )
        return None
    return exports.read_boxes(found, args.box_confidence)


def _load_folder(root: pathlib.Path, args: Args, boxes: exports.Boxes | None) -> Manifest:
    tops = sorted(entry.name for entry in root.iterdir() if not entry.name.startswith("."))
    # What is linked from a split's folder must be found there, wherever else it lies.
    found = list_pictures(root, first=[name for name in tops if split_names.read_role(name)])
    parts = [name.split("/") for name in found.names]
    inside = dict.fromkeys(part[0] for part in parts if len(part) > 1)
    layout = split_names.read_layout(inside, str(root), trained=_is_trained(args))
    depth = 3 if layout.roles else 2
    kept, left_out = [], list(found.left_out)
    for part in parts:
        reason = layout.unused.get(part[0]) or (OUTSIDE if len(part) < depth else None)
        if reason:
            left_out.append(LeftOut("/".join(part), reason))
        else:
            kept.append(part)
    images = ["/".join(part) for part in kept]
    columns = {"image": images, "example": images, "label": [part[depth - 2] for part in kept]}
    table = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    if not table.height:
        raise BadInput(_describe_empty(root, found.left_out))
    notes = [*layout.notes, *_find_emptied(left_out, kept, depth)]
    if layout.roles:
        split = [layout.roles[part[0]] for part in kept]
        table = table.with_columns(pl.Series("split", split, dtype=pl.String))
    found = PictureTable(root, table, tuple(notes), left_out=tuple(left_out))
    return _build(found, str(root), args, boxes)


def _describe_empty(root: pathlib.Path, left_out: Sequence[LeftOut]) -> str:
    files = f"; {len(left_out):,} other files, as {left_out[0].path}" if left_out else ""
    return (
        f"{root}: no pictures found in train/<class>/ and test/<class>/, nor in <class>/{files}; "
        "arrange them so, or give a table with columns path and label."
    )


def _find_emptied(
    left_out: Sequence[LeftOut], kept: Sequence[Sequence[str]], depth: int
) -> list[str]:
    """Folders that look like classes but have no picture that is used."""
    classes = {part[depth - 2] for part in kept}
    lost: dict[str, int] = {}
    for out in left_out:
        part = out.path.split("/")
        if len(part) == depth and not part[depth - 2].startswith(".") and out.reason != OUTSIDE:
            lost[part[depth - 2]] = lost.get(part[depth - 2], 0) + 1
    return [
        f"No picture in the folder '{name}' is used ({n:,} files are left out): it is no class."
        for name, n in lost.items()
        if name not in classes
    ]


def _load_table(path: pathlib.Path, args: Args, boxes: exports.Boxes | None) -> Manifest:
    found = read_picture_table(
        path,
        root=pathlib.Path(args.root) if args.root else None,
        columns=parse_columns(args.columns),
        skip_missing=args.skip_missing,
    )
    return _build_table(found, str(path), args, boxes)


def _build_table(
    found: PictureTable, source: str, args: Args, boxes: exports.Boxes | None
) -> Manifest:
    table, dropped, notes = found.table, dict(found.dropped), list(found.notes)
    for name in ("image", "example"):
        if name in table.columns:
            table = table.rename({name: f"{name}_"})
    table = _tell_boxes_apart(table.rename({"path": "image"}))
    if "split" in table.columns:
        values = table["split"].drop_nulls().unique().to_list()
        layout = split_names.read_splits(values, source)
        for value, reason in layout.unused.items():
            dropped[reason] = dropped.get(reason, 0) + table.filter(pl.col("split") == value).height
        used = ~pl.col("split").is_in(list(layout.unused)) | pl.col("split").is_null()
        table = table.filter(used).with_columns(pl.col("split").replace(layout.roles))
        notes += layout.notes
    found = dataclasses.replace(found, table=table, dropped=dropped, notes=tuple(notes))
    return _build(found, source, args, boxes)


def _tell_boxes_apart(table: pl.DataFrame) -> pl.DataFrame:
    """With an id a row as `example`; pictures with several boxes are what is kept together."""
    several = pl.col("image").is_duplicated()
    if "id" in table.columns:
        example = pl.col("id")
    elif "box" in table.columns:
        names = [
            image if box is None else name_part(image, box)
            for image, box in table.select("image", "box").iter_rows()
        ]
        example = pl.when(several).then(pl.Series(names, dtype=pl.String)).otherwise("image")
    else:
        example = pl.col("image")
    table = table.with_columns(example.alias("example"))
    if (
        "box" in table.columns
        and "group" not in table.columns
        and table["image"].n_unique() < table.height
    ):
        table = table.with_columns(group=pl.when(several).then("image"))
    return table


def _build(found: PictureTable, source: str, args: Args, boxes: exports.Boxes | None) -> Manifest:
    """The manifest of a table whose columns have the manifest's names."""
    table, notes, left_out = found.table, list(found.notes), list(found.left_out)
    if "fold" in table.columns:
        table = table.rename({"fold": "fold_"})
    if boxes:
        table, said = _add_boxes(table, found.root, boxes)
        notes += said
        left_out = [o for o in left_out if not _is_same(found.root / o.path, boxes.path)]
    table, said = _part(table, source, args, found.names)
    manifest = Manifest.build(
        found.root,
        table,
        source=source,
        splits=("test",) if args.folds_test or not _is_trained(args) else ("train", "test"),
        dropped=found.dropped,
        left_out=left_out,
        notes=(*notes, *said),
    )
    trained = manifest.table if args.folds_test else manifest.split("train")
    classes = trained["label"].n_unique()
    if classes < 2 and _is_trained(args):
        raise BadInput(
            f"{source}: the training pictures have {classes} class; at least 2 are needed."
        )
    return manifest


def _add_boxes(
    table: pl.DataFrame, root: pathlib.Path, boxes: exports.Boxes
) -> tuple[pl.DataFrame, list[str]]:
    """A box of the detector for each picture that has none."""
    made, said = boxes.place(table["image"], root)
    own = table["box"] if "box" in table.columns else [None] * table.height
    both = [one if one is not None else other for one, other in zip(own, made, strict=True)]
    return table.with_columns(pl.Series("box", both, dtype=made.dtype)), said


def _is_same(one: pathlib.Path, other: pathlib.Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _part(
    table: pl.DataFrame, source: str, args: Args, names: Mapping[str, str]
) -> tuple[pl.DataFrame, list[str]]:
    """The table with its column split, and fold where there are folds; and what is to be said."""
    notes, kept = [], None
    if args.split_by != split_by.RANDOM:
        kept = split_by.keep_together(table, args.split_by, source=source, names=names)
        notes += kept.notes
        if "split" in table.columns:
            notes.append(f"Split by {args.split_by}: the given split is not used.")
            table = table.drop("split")
        if "group" not in table.columns:
            # What cannot be torn is what varies together.
            table = table.with_columns(kept.values.alias("group"))
    units = kept.units if kept else _get_units(table)
    if args.folds_test:
        if "split" in table.columns:
            notes.append("With folds_test the given split is not used: every picture is tested.")
        if kept:
            notes += split_by.describe_torn(_get_labels(table), kept)
        return _fold(table, units, source, args), notes
    if "split" in table.columns:
        return table, notes
    if not _is_trained(args):
        notes.append("No split is given, and the probe needs none: every picture is tested.")
        return table.with_columns(pl.lit("test").alias("split")), notes
    table, said = _split(table, units, kept.one if kept else "group", source, args)
    return table, [*notes, *said]


def _is_trained(args: Args) -> bool:
    """Whether the probe needs training pictures."""
    return not (args.probe and probes.reads_text(args.probe))


def _split(
    table: pl.DataFrame, units: Sequence[str], one: str, source: str, args: Args
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    try:
        found = _find_split(tuple(_get_labels(table)), tuple(units), args.split_seed, one)
    except BadInput as err:
        raise BadInput(f"{source}: {err}.") from err
    split = pl.when(pl.Series(found.is_test)).then(pl.lit("test")).otherwise(pl.lit("train"))
    return table.with_columns(split.alias("split")), found.notes


@functools.lru_cache(maxsize=2)
def _find_split(
    labels: tuple[str, ...], units: tuple[str, ...], seed: int, one: str
) -> splitting.Split:
    """Every cell of a plan loads the same data: one search serves all."""
    return splitting.split(labels, units, seed=seed, unit_name=one)


def _fold(table: pl.DataFrame, units: Sequence[str], source: str, args: Args) -> pl.DataFrame:
    """Every example in the test split, with the fold that it is tested in."""
    try:
        fold = splitting.fold(_get_labels(table), units, args.folds_test, seed=args.split_seed)
    except BadInput as err:
        raise BadInput(f"{source}: {err}") from err
    return table.with_columns(pl.lit("test").alias("split"), pl.Series("fold", fold))


def _get_labels(table: pl.DataFrame) -> list[str]:
    # What is empty is refused where the manifest is built, with its row.
    return table["label"].fill_null("").to_list()


def _get_units(table: pl.DataFrame) -> list[str]:
    """What must stay together: the group, or the example where it has none."""
    example = pl.concat_str(pl.lit("example/"), pl.col("example"))
    if "group" not in table.columns:
        return table.select(example.alias("unit"))["unit"].fill_null("").to_list()
    group = pl.concat_str(pl.lit("group/"), pl.col("group").cast(pl.String))
    return table.select(group.fill_null(example).alias("unit"))["unit"].fill_null("").to_list()
