"""Fits one probe on each of many problems, with the cores that there are.

    outputs = fit_predict("svm", problems, seed=42, n_jobs=8)

A problem is a training set and the features to predict: a whole task, or one of NeWT's 164.
"""

import dataclasses
import time
import typing
from collections.abc import Iterator, Sequence

import joblib
import numpy as np
import threadpoolctl
from jaxtyping import Float, Float16, Float64, Shaped
from scipy.special import softmax
from sklearn.base import BaseEstimator

from biobench import progress
from biobench.errors import BadInput
from biobench.probes._estimator import Probe, is_joint, iter_chunks
from biobench.probes.calibration import calibrate
from biobench.probes.factory import PROBES, make, split_steps

__all__ = ["ProbeOutput", "Problem", "fit_predict"]

Kept = typing.Literal["scores", "probabilities"]

_N_TOP = 5
# A pool of processes takes a second or two to start.
_SECONDS_WORTH_A_POOL = 5.0


@dataclasses.dataclass(frozen=True)
class Problem:
    """One training set and the features whose labels are asked for."""

    x_train: Float[np.ndarray, "n d"]
    y_train: Shaped[np.ndarray, " n"]
    """strings."""
    x_test: Float[np.ndarray, "n_test d"]
    subtask: str | None = None
    groups: Shaped[np.ndarray, " n"] | None = None
    """of the training examples, for folds that keep groups whole."""
    left_out: Shaped[np.ndarray, " n"] | None = None
    """if given, `x_test` is `x_train`, and each example is predicted from those of other values."""


@dataclasses.dataclass(frozen=True)
class ProbeOutput:
    """What a probe said about one problem."""

    y_pred: Shaped[np.ndarray, " n_test"]
    top_labels: Shaped[np.ndarray, "n_test k"] | None
    """up to five classes, best first; None where the probe ranks none."""
    top_scores: Float[np.ndarray, "n_test k"] | None
    params: dict[str, float | str]
    """the hyperparameters that the probe chose."""
    edges: dict[str, str] = dataclasses.field(default_factory=dict)
    """"lowest" or "highest" for each of them that lies at an end of its range."""
    classes: Shaped[np.ndarray, " c"] | None = None
    scores: Float16[np.ndarray, "n_test c"] | None = None
    """of all `classes`; None where they were not asked for."""
    probabilities: Float64[np.ndarray, "n_test c"] | None = None
    """of all `classes`; None where they were not asked for."""
    temperature: float | None = None
    """what made probabilities of the scores; None where the probe gives probabilities itself."""


def fit_predict(
    name: str,
    problems: Sequence[Problem],
    *,
    seed: int = 42,
    folds: typing.Literal["stratified-shuffle", "kfold", "group"] = "stratified-shuffle",
    device: str = "cpu",
    n_jobs: int = 1,
    keep: frozenset[Kept] = frozenset(),
    **params: object,
) -> list[ProbeOutput]:
    """Fit a fresh probe on every problem and predict its test features; order is kept.

    n_jobs: cores to use, -1 for all. One problem has them all as threads; many problems are shared
        out over processes of one thread each. The outputs do not depend on it.
    keep: further outputs; "probabilities" fits the probe once more on every fold, to calibrate it.
    Reports progress as stage "probe", one unit a problem.
    Raises BadInput, naming the subtask, when a problem cannot be fitted.
    """
    n_jobs = joblib.cpu_count() if n_jobs == -1 else n_jobs
    options = {"seed": seed, "folds": folds, "device": device, **params}
    if folds == "group" and all(problem.groups is None for problem in problems):
        raise BadInput("Folds by group need groups, but no training example has one.")
    # The class, because a worker process has not registered what this one has.
    cls = PROBES.load(name)
    if is_joint(cls):
        raise BadInput(f"The probe '{name}' answers all questions at once; fit it jointly.")
    total = len(problems)
    outputs: list[ProbeOutput] = []
    start = time.monotonic()
    while len(outputs) < total and not _is_worth_a_pool(start, len(outputs), total, n_jobs):
        n_threads = n_jobs if total == 1 else 1
        outputs.append(_fit_one(cls, problems[len(outputs)], n_threads, options, keep))
        progress.report("probe", len(outputs), total)
    if len(outputs) < total:
        pool = joblib.Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes=None)
        rest = problems[len(outputs) :]
        tasks = (joblib.delayed(_fit_one)(cls, problem, 1, options, keep) for problem in rest)
        for output in pool(tasks):
            outputs.append(output)
            progress.report("probe", len(outputs), total)
    return outputs


def _is_worth_a_pool(start: float, n_done: int, total: int, n_jobs: int) -> bool:
    if n_jobs == 1 or n_done == 0 or total - n_done < 2:
        return False
    return (time.monotonic() - start) / n_done * (total - n_done) > _SECONDS_WORTH_A_POOL


def _fit_one(
    cls: type[BaseEstimator],
    problem: Problem,
    n_threads: int,
    options: dict,
    keep: frozenset[Kept],
) -> ProbeOutput:
    with threadpoolctl.threadpool_limits(n_threads):
        probe = make(cls, n_jobs=n_threads, **options)
        try:
            _fit(probe, problem, options["folds"])
        except BadInput as err:
            if problem.subtask is None:
                raise
            raise BadInput(f"Subtask '{problem.subtask}': {err}") from err
        steps, last = split_steps(probe)
        if len(problem.x_test) == 0:
            return ProbeOutput(problem.y_train[:0], None, None, _get_params(last), last.edges_)
        # What is kept of all classes is kept whole.
        parts = []
        for scores, predicted in _iter_scores(steps, last, problem, whole=bool(keep)):
            parts.append((predicted, *_get_top(last, scores)))
        y_pred, labels, best = (np.concatenate(part) for part in zip(*parts, strict=True))
        output = ProbeOutput(
            y_pred,
            labels,
            best,
            _get_params(last),
            last.edges_,
            last.classes_,
            _to_half(scores) if "scores" in keep else None,
        )
        if "probabilities" not in keep:
            return output
        temperature = calibrate(probe, problem.x_train, problem.y_train, problem.groups)
        p = _to_probabilities(last, scores, temperature)
        return dataclasses.replace(output, probabilities=p, temperature=temperature)


def _fit(probe, problem: Problem, folds: str) -> None:
    if folds != "group" or not hasattr(split_steps(probe)[1], "cv"):
        probe.fit(problem.x_train, problem.y_train)
        return
    groups = problem.groups
    if groups is None:
        # Of a subtask whose examples have no groups each is its own.
        groups = np.arange(len(problem.y_train))
    name = f"{probe.steps[-1][0]}__groups" if hasattr(probe, "steps") else "groups"
    probe.fit(problem.x_train, problem.y_train, **{name: groups})


def _iter_scores(
    steps, last, problem: Problem, *, whole: bool
) -> Iterator[tuple[Float[np.ndarray, "k c"], Shaped[np.ndarray, " k"]]]:
    """Class scores and predictions of the test examples, in blocks of rows, or in one: whole."""
    if problem.left_out is not None:
        scores = last.leave_one_out_scores(problem.left_out)
        yield scores, last.classes_[scores.argmax(axis=1)]
        return
    x = problem.x_test
    for step in steps:
        x = step.transform(x)
    in_blocks = getattr(last, "by_chunk", False) and not whole
    for rows in iter_chunks(x) if in_blocks else [slice(None)]:
        scores = last.class_scores(x[rows])
        yield scores, _predict(last, x[rows], scores)


def _predict(probe, x: Float[np.ndarray, "n d"], scores: Float[np.ndarray, "n c"]) -> np.ndarray:
    """The class of each row; scores: its `class_scores`."""
    if getattr(type(probe), "predict", None) is Probe.predict:
        # Which would compute the same scores once more.
        return probe.classes_[scores.argmax(axis=1)]
    return np.asarray(probe.predict(x))


def _to_probabilities(
    probe, scores: Float[np.ndarray, "n c"], temperature: float | None
) -> Float[np.ndarray, "n c"]:
    if temperature is not None:
        return softmax(scores / temperature, axis=1)
    # The scores of a probe that gives probabilities are those, unless it says how they become them.
    return probe.to_probabilities(scores) if hasattr(probe, "to_probabilities") else scores


def _to_half(scores: Float[np.ndarray, "n c"]) -> Float16[np.ndarray, "n c"]:
    largest = np.finfo(np.float16).max
    return np.clip(scores, -largest, largest).astype(np.float16)


def _get_top(probe, scores: Float[np.ndarray, "n c"]) -> tuple[np.ndarray, np.ndarray]:
    # In blocks, because the scores of all classes are what is largest beside the features.
    order = np.empty((len(scores), min(_N_TOP, scores.shape[1])), np.int64)
    for rows in iter_chunks(scores):
        order[rows] = np.argsort(-scores[rows], axis=1, kind="stable")[:, :_N_TOP]
    return probe.classes_[order], np.take_along_axis(scores, order, axis=1)


def _get_params(probe) -> dict[str, float | str]:
    return {
        key: value if isinstance(value, str) else float(value)
        for key, value in probe.params_.items()
    }
