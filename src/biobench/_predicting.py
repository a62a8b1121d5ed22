"""From a manifest and features to the table of predictions (the second half of `evaluate`)."""

import collections
import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence

import joblib
import numpy as np
import polars as pl
from jaxtyping import Float, Float16, Shaped

from biobench import features, metrics, probes
from biobench._classes import Prompted
from biobench._pooling import Pooled
from biobench._protocol import Protocol
from biobench._queries import add_retrieval
from biobench.args import Args
from biobench.contract import Example
from biobench.data import Manifest
from biobench.data.crops import Views
from biobench.data.traps import Trap, find_vector_traps, find_voting_trap
from biobench.errors import BadInput
from biobench.predictions import to_examples

__all__ = ["MAX_SCORES", "Predicted", "group_examples", "predict"]

MAX_SCORES = 2**26
"""scores of all classes that are kept with one run: 128 MiB in half precision."""

_N_NAMED = 8


@dataclasses.dataclass(frozen=True)
class ClassScores:
    """One subtask's scores of all classes, a row for each of its readable test examples."""

    subtask: str | None
    examples: list[str]
    classes: list[str]
    scores: Float16[np.ndarray, "n c"]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What the probes said of the test examples."""

    predictions: pl.DataFrame
    counts: dict[str, int]
    fitted: dict[str, dict[str, object]]
    """what each subtask's probe chose."""
    warnings: list[str]
    class_scores: list[ClassScores]
    """empty where no metric needs them."""
    odd: list[Trap] = dataclasses.field(default_factory=list)
    """what makes the probes' answers mean little, whatever the pictures."""

    def to_examples(self, split: str) -> list[Example]:
        """The predictions of a split as objects, with the scores of all classes where kept."""
        rows = self.predictions.filter(pl.col("split") == split).drop("split")
        examples = to_examples(rows)
        if not self.class_scores:
            return examples
        where: dict[tuple[object, str], tuple[object, object]] = {
            (part.subtask, example): (part.classes, part.scores[i])
            for part in self.class_scores
            for i, example in enumerate(part.examples)
        }
        for example in examples:
            kept = where.get((example.info["subtask"], example.id), (None, None))
            example.info[metrics.CLASS_LABELS], example.info[metrics.CLASS_SCORES] = kept
        return examples


def group_examples(manifest: Manifest, views: Views, feats: "features.Features") -> pl.DataFrame:
    """One row an example, with `positions`: where among the views its readable pictures are."""
    names = views.names
    where = pl.DataFrame({"view": names, "position": np.arange(len(names)), "row": feats.rows})
    table = manifest.table.with_columns(views.of_row.alias("view"))
    table = table.join(where, on="view", how="left", maintain_order="left")
    others = [n for n in manifest.table.columns if n not in ("subtask", "example")]
    return table.group_by("subtask", "example", maintain_order=True).agg(
        *(pl.col(name).first() for name in others),
        pl.col("position").filter(pl.col("row") >= 0).alias("positions"),
    )


def predict(
    examples: pl.DataFrame,
    feats: "features.Features",
    protocol: Protocol,
    settings: dict[str, object],
    args: Args,
    prompted: Prompted | None = None,
) -> Predicted:
    """Fit the probe of each subtask and predict its test examples.

    prompted: what the probe is fitted on in place of the training examples.
    """
    readable = pl.col("positions").list.len() > 0
    usable = examples.filter(readable)
    tables, problems = [], []
    pooled = Pooled(feats, protocol)
    for subtask, train, test in _iter_problems(usable, protocol):
        if prompted is None:
            x_train = pooled.get("train", train["positions"])
            y_train = train["label"].to_numpy().astype(str)
        else:
            x_train, y_train = prompted.get(subtask)
        problems.append(
            probes.Problem(
                x_train=x_train,
                y_train=y_train,
                x_test=pooled.get("test", test["positions"]),
                subtask=subtask,
                groups=None if prompted or args.folds != "group" else _get_groups(train),
                left_out=train["fold"].to_numpy() if protocol.leave_one_out else None,
            )
        )
        tables.append(test)
    odd = _find_traps(problems, protocol, settings, prompted)
    keep, warnings = _find_kept(protocol, args, problems)
    name, params = str(settings["probe"]), prompted.params if prompted else {}
    outputs = _fit(name, problems, args, keep, params)
    scored = [_attach(test, output) for test, output in zip(tables, outputs, strict=True)]
    if prompted:
        pairs = zip(scored, problems, strict=True)
        scored = [prompted.add_probabilities(test, problem, name) for test, problem in pairs]
    if protocol.leave_one_out:
        scored = [
            add_retrieval(test, problem.x_train, protocol.apart)
            for test, problem in zip(scored, problems, strict=True)
        ]
    unreadable = examples.filter(~readable & (pl.col("split") != "train"))
    predictions = pl.concat([*scored, unreadable], how="diagonal_relaxed")
    predictions = _finish(predictions, examples, _count_training(usable, examples, protocol))
    is_train = pl.col("split") == "train"
    n_train = usable.filter(is_train).height
    if protocol.folds_test:
        # What the probe of each fold had at least.
        n_train = min(len(problem.y_train) for problem in problems)
    if protocol.leave_one_out:
        n_train = min(len(problem.y_train) for problem in problems) - 1
    counts = {
        "n_train": n_train,
        "n_train_unreadable": examples.filter(is_train & ~readable).height,
        "n_test": examples.filter(pl.col("split") == protocol.test_split).height,
        "n_test_unreadable": unreadable.filter(pl.col("split") == protocol.test_split).height,
    }
    fitted = {
        problem.subtask or "": _describe_choice(output)
        for problem, output in zip(problems, outputs, strict=True)
    }
    class_scores = [
        ClassScores(test["subtask"][0], test["example"].to_list(), classes.tolist(), scores)
        for test, output in zip(tables, outputs, strict=True)
        if (scores := output.scores) is not None and (classes := output.classes) is not None
    ]
    warnings += _warn_of_edges(problems, outputs)
    warnings += _warn_of_temperatures(outputs)
    return Predicted(predictions, counts, fitted, warnings, class_scores, odd)


def _fit(
    name: str,
    problems: Sequence["probes.Problem"],
    args: Args,
    keep: frozenset,
    params: Mapping[str, typing.Any],
) -> list["probes.ProbeOutput"]:
    device = str(features.resolve_device(args.device))
    if probes.answers_jointly(name):
        return probes.fit_predict_jointly(name, problems, seed=args.seed, device=device, keep=keep)
    return probes.fit_predict(
        name,
        problems,
        seed=args.seed,
        folds=args.folds,
        device=device,
        n_jobs=joblib.cpu_count(),
        keep=keep,
        **params,
    )


def _iter_problems(
    usable: pl.DataFrame, protocol: Protocol
) -> Iterator[tuple[str | None, pl.DataFrame, pl.DataFrame]]:
    """(name, training examples, test examples) of every probe that is to be fitted."""
    for (subtask,), rows in usable.group_by("subtask", maintain_order=True):
        if protocol.leave_one_out:
            yield subtask, rows, rows
            continue
        if not protocol.folds_test:
            is_train = pl.col("split") == "train"
            yield subtask, rows.filter(is_train), rows.filter(~is_train)
            continue
        for fold in sorted(rows["fold"].unique()):
            is_test = pl.col("fold") == fold
            name = f"fold {fold + 1}" if subtask is None else f"{subtask}, fold {fold + 1}"
            yield name, rows.filter(~is_test), rows.filter(is_test)


def _count_training(
    usable: pl.DataFrame, examples: pl.DataFrame, protocol: Protocol
) -> pl.DataFrame:
    """`train_count`: training examples by subtask and label, and by fold where there are folds."""
    keys = ["subtask", "label"]
    if not (protocol.folds_test or protocol.leave_one_out):
        return usable.filter(pl.col("split") == "train").group_by(keys).agg(train_count=pl.len())
    inside = usable.group_by(*keys, "fold").agg(n=pl.len().cast(pl.Int64))
    total = inside.group_by(keys).agg(total=pl.col("n").sum())
    asked = examples.select(*keys, "fold").unique()
    every = asked.join(total, on=keys, how="left", nulls_equal=True)
    every = every.join(inside, on=[*keys, "fold"], how="left", nulls_equal=True)
    count = pl.col("total").fill_null(0) - pl.col("n").fill_null(0)
    return every.select(*keys, "fold", count.alias("train_count"))


def _find_traps(
    problems: Sequence["probes.Problem"],
    protocol: Protocol,
    settings: dict[str, object],
    prompted: Prompted | None,
) -> list[Trap]:
    """What makes a probe's answers mean little, whatever the pictures."""
    if prompted:
        return [*prompted.classes.odd, *find_vector_traps({}, [p.x_test for p in problems])]
    # With folds every example is tested once; else it is either trained on or tested.
    counted = [problem.x_test for problem in problems]
    if not (protocol.folds_test or protocol.leave_one_out):
        counted += [problem.x_train for problem in problems]
    # Subtasks about the same examples share their vectors.
    counted = list({id(x): x for x in counted}.values())
    trained = {problem.subtask or "": problem.x_train for problem in problems}
    odd = find_vector_traps(trained, counted)
    described = settings["probe_params"]
    if settings["probe"] == "knn" and isinstance(described, dict):
        sizes = {name: len(x) for name, x in trained.items()}
        voting = find_voting_trap(sizes, int(described["k"]))
        odd += [voting] if voting else []
    return odd


def _get_groups(train: pl.DataFrame) -> Shaped[np.ndarray, " n"] | None:
    """The group of each row; a row without one is its own."""
    if not train["group"].count():
        return None
    key = pl.coalesce(
        pl.concat_str(pl.lit("group "), pl.col("group")),
        pl.concat_str(pl.lit("example "), pl.col("example")),
    )
    return train.select(key.alias("key"))["key"].to_numpy().astype(str)


def _find_kept(
    protocol: Protocol, args: Args, problems: Sequence["probes.Problem"]
) -> tuple[frozenset, list[str]]:
    """What to keep beside labels and the best scores, and what is too large to keep.

    Raises BadInput where the task's own metric cannot be computed without it.
    """
    own = metrics.get_columns(metrics.get_metric(protocol.metric))
    further = [c for name in args.metrics for c in metrics.get_columns(metrics.get_metric(name))]
    columns = {*own, *further}
    keep = {"probabilities"} if {"probability", "brier"} & columns else set()
    if metrics.CLASS_SCORES not in columns:
        return frozenset(keep), []
    n = sum(len(p.x_test) * len(np.unique(p.y_train)) for p in problems)
    if n <= MAX_SCORES:
        return frozenset({*keep, "scores"}), []
    warning = (
        f"The scores of all classes are {n:,} numbers, more than the {MAX_SCORES:,} that are kept "
        "with a run: metrics that need them are not reported."
    )
    if metrics.CLASS_SCORES in own:
        raise BadInput(f"{warning} Score the task by another metric than '{protocol.metric}'.")
    return frozenset(keep), [warning]


def _describe_choice(output: "probes.ProbeOutput") -> dict[str, object]:
    """What a probe chose, plain."""
    out = {**output.params, **{f"{name}_at_end": end for name, end in output.edges.items()}}
    if output.temperature is not None:
        out["temperature"] = output.temperature
    return out


def _warn_of_edges(
    problems: Sequence["probes.Problem"], outputs: Sequence["probes.ProbeOutput"]
) -> list[str]:
    """One sentence for each hyperparameter that was chosen at an end of its range."""
    where = collections.defaultdict(list)
    for problem, output in zip(problems, outputs, strict=True):
        for name, end in output.edges.items():
            where[name, end].append((problem.subtask or "", output.params[name]))
    found = []
    for (name, end), cases in sorted(where.items()):
        beyond = "a better one may lie beyond"
        if len(problems) == 1:
            found.append(
                f"The probe's {name} is the {end} of its range, {cases[0][1]:g}: {beyond}."
            )
            continue
        named = ", ".join(subtask for subtask, _ in cases[:_N_NAMED])
        more = f" and {len(cases) - _N_NAMED} more" if len(cases) > _N_NAMED else ""
        found.append(
            f"In {len(cases)} of {len(problems)} subtasks the probe's {name} is the {end} of its "
            f"range: {beyond} ({named}{more})."
        )
    return found


def _warn_of_temperatures(outputs: Sequence["probes.ProbeOutput"]) -> list[str]:
    """Whether probabilities could not be calibrated, because no training example is wrong."""
    n = sum(output.temperature == probes.LEAST_TEMPERATURE for output in outputs)
    if not n:
        return []
    where = f" in {n} of {len(outputs)} subtasks" if len(outputs) > 1 else ""
    return [
        f"The cross-validated training examples are all right{where}, which leaves nothing to "
        "calibrate by: the probabilities there are 0 or 1."
    ]


def _attach(test: pl.DataFrame, output: "probes.ProbeOutput") -> pl.DataFrame:
    columns = {"y_pred": pl.Series(output.y_pred.astype(str), dtype=pl.String)}
    if output.top_labels is not None and output.top_scores is not None:
        columns["top_labels"] = pl.Series(output.top_labels.astype(str).tolist())
        columns["top_scores"] = pl.Series(output.top_scores.astype(float).tolist())
    if output.probabilities is not None and output.classes is not None:
        columns |= _judge(output.probabilities, output.classes, output.y_pred, test["label"])
    return test.with_columns(**columns)


def _judge(
    p: Float[np.ndarray, "n c"],
    classes: Shaped[np.ndarray, " c"],
    y_pred: Shaped[np.ndarray, " n"],
    label: pl.Series,
) -> dict[str, pl.Series]:
    """The probability of each prediction, and the squared error of all probabilities."""
    truth = label.to_numpy().astype(str)
    at = np.searchsorted(classes, truth).clip(max=len(classes) - 1)
    rows = np.arange(len(p))
    # A class that the probe does not know has no probability.
    p_true = np.where(classes[at] == truth, p[rows, at], 0)
    at_pred = np.searchsorted(classes, y_pred).clip(max=len(classes) - 1)
    # What an open set's probe rejects is of no class that it has a probability of.
    p_pred = np.where(classes[at_pred] == y_pred, p[rows, at_pred], np.nan)
    squares = np.einsum("ij,ij->i", p, p)
    return {
        "probability": pl.Series(p_pred, dtype=pl.Float64).fill_nan(None),
        "brier": pl.Series(squares - 2 * p_true + 1, dtype=pl.Float64),
    }


def _add_taxa(predictions: pl.DataFrame, examples: pl.DataFrame) -> pl.DataFrame:
    """The taxa of the predicted class, at each rank at which every label has one taxon."""
    for rank in metrics.RANKS:
        if rank not in examples.columns or metrics.predicted(rank) in predictions.columns:
            continue
        taxa = examples.select("subtask", "label", pl.col(rank).cast(pl.String)).drop_nulls(rank)
        taxa = taxa.unique(maintain_order=True)
        if taxa.select("subtask", "label").is_duplicated().any():
            continue
        taxa = taxa.rename({"label": "y_pred", rank: metrics.predicted(rank)})
        predictions = predictions.join(
            taxa, on=["subtask", "y_pred"], how="left", nulls_equal=True, maintain_order="left"
        )
    return predictions


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
        _add_taxa(predictions, examples)
        .rename({"label": "y_true"})
        .with_columns(
            score=(pl.col("y_true") == pl.col("y_pred")).fill_null(False).cast(pl.Float64),
            train_count=pl.col("train_count").fill_null(0).cast(pl.Int64),
        )
        .drop("positions")
        .select(*first, pl.exclude(first))
    )
