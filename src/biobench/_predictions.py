"""From a manifest and features to the table of predictions (the second half of `evaluate`)."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import joblib
import numpy as np
import polars as pl
from jaxtyping import Float

from biobench import features, probes
from biobench.data import Manifest
from biobench.data.traps import Trap, find_vector_traps, find_voting_trap
from biobench.interfaces import Example

if TYPE_CHECKING:
    from biobench.evaluate import Args, Protocol

__all__ = ["group_examples", "predict", "to_example"]


def group_examples(
    manifest: Manifest, images: Sequence[str], feats: "features.Features"
) -> pl.DataFrame:
    """One row an example, with `positions`: where in `images` its readable pictures are."""
    where = pl.DataFrame({"image": images, "position": np.arange(len(images)), "row": feats.rows})
    table = manifest.table.join(where, on="image", how="left", maintain_order="left")
    others = [n for n in table.columns if n not in ("subtask", "example", "position", "row")]
    return table.group_by("subtask", "example", maintain_order=True).agg(
        *(pl.col(name).first() for name in others),
        pl.col("position").filter(pl.col("row") >= 0).alias("positions"),
    )


def predict(
    examples: pl.DataFrame,
    feats: "features.Features",
    protocol: "Protocol",
    settings: dict[str, object],
    args: "Args",
) -> tuple[pl.DataFrame, dict[str, int], dict[str, dict[str, object]], list[Trap]]:
    """Predictions, counts of examples, what each subtask's probe chose, and what is odd of it."""
    readable = pl.col("positions").list.len() > 0
    usable = examples.filter(readable)
    tables, problems = [], []
    for subtask, train, test in _iter_problems(usable, protocol):
        problems.append(
            probes.Problem(
                x_train=_pool(train["positions"], feats, protocol),
                y_train=train["label"].to_numpy().astype(str),
                x_test=_pool(test["positions"], feats, protocol),
                subtask=subtask,
            )
        )
        tables.append(test)
    odd = _find_traps(problems, protocol, settings)
    outputs = probes.fit_predict(
        str(settings["probe"]),
        problems,
        seed=args.seed,
        folds=args.folds,
        device=str(features.resolve_device(args.device)),
        n_jobs=joblib.cpu_count(),
    )
    scored = [_attach(test, output) for test, output in zip(tables, outputs, strict=True)]
    unreadable = examples.filter(~readable & (pl.col("split") != "train"))
    predictions = pl.concat([*scored, unreadable], how="diagonal_relaxed")
    predictions = _finish(predictions, examples, _count_training(usable, protocol))
    is_train = pl.col("split") == "train"
    n_train = usable.filter(is_train).height
    if protocol.folds_test:
        # What the probe of each fold had at least.
        n_train = min(len(problem.y_train) for problem in problems)
    counts = {
        "n_train": n_train,
        "n_train_unreadable": examples.filter(is_train & ~readable).height,
        "n_test": examples.filter(pl.col("split") == protocol.test_split).height,
        "n_test_unreadable": unreadable.filter(pl.col("split") == protocol.test_split).height,
    }
    fitted = {
        problem.subtask or "": dict(output.params)
        for problem, output in zip(problems, outputs, strict=True)
    }
    return predictions, counts, fitted, odd


def _iter_problems(
    usable: pl.DataFrame, protocol: "Protocol"
) -> Iterator[tuple[str | None, pl.DataFrame, pl.DataFrame]]:
    """(name, training examples, test examples) of every probe that is to be fitted."""
    for (subtask,), rows in usable.group_by("subtask", maintain_order=True):
        if not protocol.folds_test:
            is_train = pl.col("split") == "train"
            yield subtask, rows.filter(is_train), rows.filter(~is_train)
            continue
        for fold in sorted(rows["fold"].unique()):
            is_test = pl.col("fold") == fold
            name = f"fold {fold + 1}" if subtask is None else f"{subtask}, fold {fold + 1}"
            yield name, rows.filter(~is_test), rows.filter(is_test)


def _count_training(usable: pl.DataFrame, protocol: "Protocol") -> pl.DataFrame:
    """`train_count`: training examples by subtask and label, and by fold where there are folds."""
    keys = ["subtask", "label"]
    if not protocol.folds_test:
        return usable.filter(pl.col("split") == "train").group_by(keys).agg(train_count=pl.len())
    inside = usable.group_by(*keys, "fold").agg(n=pl.len().cast(pl.Int64))
    folds = usable.select("fold").unique()
    every = inside.group_by(keys).agg(total=pl.col("n").sum()).join(folds, how="cross")
    every = every.join(inside, on=[*keys, "fold"], how="left", nulls_equal=True)
    count = (pl.col("total") - pl.col("n").fill_null(0)).alias("train_count")
    return every.select(*keys, "fold", count)


def _find_traps(
    problems: Sequence["probes.Problem"], protocol: "Protocol", settings: dict[str, object]
) -> list[Trap]:
    """What makes a probe's answers mean little, whatever the pictures."""
    # With folds every example is tested once; else it is either trained on or tested.
    counted = [problem.x_test for problem in problems]
    if not protocol.folds_test:
        counted += [problem.x_train for problem in problems]
    trained = {problem.subtask or "": problem.x_train for problem in problems}
    odd = find_vector_traps(trained, counted)
    described = settings["probe_params"]
    if settings["probe"] == "knn" and isinstance(described, dict):
        sizes = {name: len(x) for name, x in trained.items()}
        voting = find_voting_trap(sizes, int(described["k"]))
        odd += [voting] if voting else []
    return odd


def _attach(test: pl.DataFrame, output: "probes.ProbeOutput") -> pl.DataFrame:
    columns = {"y_pred": pl.Series(output.y_pred.astype(str), dtype=pl.String)}
    if output.top_labels is not None and output.top_scores is not None:
        columns["top_labels"] = pl.Series(output.top_labels.astype(str).tolist())
        columns["top_scores"] = pl.Series(output.top_scores.astype(float).tolist())
    return test.with_columns(**columns)


def _finish(predictions: pl.DataFrame, examples: pl.DataFrame, train_count: pl.DataFrame):
    """Bring the predictions into their published form and the manifest's order."""
    keys = [name for name in train_count.columns if name != "train_count"]
    for name, dtype in (("top_labels", pl.List(pl.String)), ("top_scores", pl.List(pl.Float64))):
        if name not in predictions.columns:
            predictions = predictions.with_columns(pl.lit(None, dtype).alias(name))
    order = examples.select("subtask", "example")
    predictions = order.join(
        predictions, on=["subtask", "example"], nulls_equal=True, maintain_order="left"
    ).join(train_count, on=keys, how="left", nulls_equal=True, maintain_order="left")
    first = ["example", "subtask", "group", "y_true", "y_pred", "score"]
    first += ["top_labels", "top_scores", "train_count", "split", "image"]
    return (
        predictions.rename({"label": "y_true"})
        .with_columns(
            score=(pl.col("y_true") == pl.col("y_pred")).fill_null(False).cast(pl.Float64),
            train_count=pl.col("train_count").fill_null(0).cast(pl.Int64),
        )
        .drop("positions")
        .select(*first, pl.exclude(first))
    )


def _pool(
    positions: pl.Series, feats: "features.Features", protocol: "Protocol"
) -> Float[np.ndarray, "n dim"]:
    """One vector an example from the features of its images."""
    if protocol.pooling == "none":
        x = feats.take(positions.list.first().to_numpy().astype(np.int64))
        return _normalize(x) if protocol.normalize else x
    pooled = np.empty((len(positions), feats.dim), dtype=np.float32)
    reduce = {"mean": np.mean, "max": np.max}[protocol.pooling]
    for i, index in enumerate(positions.to_list()):
        x = feats.take(np.asarray(index, dtype=np.int64))
        pooled[i] = reduce(_normalize(x) if protocol.normalize else x, axis=0)
    return pooled


def _normalize(x: Float[np.ndarray, "n dim"]) -> Float[np.ndarray, "n dim"]:
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.maximum(norms, np.finfo(np.float32).tiny)


def to_example(row: dict[str, object]) -> Example:
    info = {key: value for key, value in row.items() if key not in ("example", "score")}
    return Example(id=str(row["example"]), score=float(row["score"]), info=info)
