"""Fits one probe on each of many problems, with the cores that there are.

    outputs = fit_predict("svm", problems, seed=42, n_jobs=8)

A problem is a training set and the features to predict: a whole task, or one of NeWT's 164.
"""

import dataclasses
import time
import typing
from collections.abc import Sequence

import joblib
import numpy as np
import threadpoolctl
from jaxtyping import Float, Shaped

from biobench import progress
from biobench.errors import BadInput
from biobench.probes.factory import make

__all__ = ["ProbeOutput", "Problem", "fit_predict"]

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


@dataclasses.dataclass(frozen=True)
class ProbeOutput:
    """What a probe said about one problem."""

    y_pred: Shaped[np.ndarray, " n_test"]
    top_labels: Shaped[np.ndarray, "n_test k"] | None
    """up to five classes, best first; None where the probe ranks none."""
    top_scores: Float[np.ndarray, "n_test k"] | None
    params: dict[str, float | str]
    """the hyperparameters that the probe chose."""


def fit_predict(
    name: str,
    problems: Sequence[Problem],
    *,
    seed: int = 42,
    folds: typing.Literal["stratified-shuffle", "kfold"] = "stratified-shuffle",
    device: str = "cpu",
    n_jobs: int = 1,
    **params: object,
) -> list[ProbeOutput]:
    """Fit a fresh probe on every problem and predict its test features; order is kept.

    n_jobs: cores to use, -1 for all. One problem has them all as threads; many problems are shared
        out over processes of one thread each. The outputs do not depend on it.
    Reports progress as stage "probe", one unit a problem.
    Raises BadInput, naming the subtask, when a problem cannot be fitted.
    """
    n_jobs = joblib.cpu_count() if n_jobs == -1 else n_jobs
    options = {"seed": seed, "folds": folds, "device": device, **params}
    total = len(problems)
    outputs: list[ProbeOutput] = []
    start = time.monotonic()
    while len(outputs) < total and not _is_worth_a_pool(start, len(outputs), total, n_jobs):
        n_threads = n_jobs if total == 1 else 1
        outputs.append(_fit_one(name, problems[len(outputs)], n_threads, options))
        progress.report("probe", len(outputs), total)
    if len(outputs) < total:
        pool = joblib.Parallel(n_jobs=n_jobs, return_as="generator", max_nbytes=None)
        rest = problems[len(outputs) :]
        tasks = (joblib.delayed(_fit_one)(name, problem, 1, options) for problem in rest)
        for output in pool(tasks):
            outputs.append(output)
            progress.report("probe", len(outputs), total)
    return outputs


def _is_worth_a_pool(start: float, n_done: int, total: int, n_jobs: int) -> bool:
    if n_jobs == 1 or n_done == 0 or total - n_done < 2:
        return False
    return (time.monotonic() - start) / n_done * (total - n_done) > _SECONDS_WORTH_A_POOL


def _fit_one(name: str, problem: Problem, n_threads: int, options: dict) -> ProbeOutput:
    with threadpoolctl.threadpool_limits(n_threads):
        probe = make(name, n_jobs=n_threads, **options)
        try:
            probe.fit(problem.x_train, problem.y_train)
        except BadInput as err:
            if problem.subtask is None:
                raise
            raise BadInput(f"Subtask '{problem.subtask}': {err}") from err
        # Of a pipeline the last step is the probe.
        *steps, last = [step for _, step in getattr(probe, "steps", [("", probe)])]
        if len(problem.x_test) == 0:
            return ProbeOutput(problem.y_train[:0], None, None, _get_params(last))
        x = problem.x_test
        for step in steps:
            x = step.transform(x)
        return ProbeOutput(np.asarray(last.predict(x)), *_get_top(last, x), _get_params(last))


def _get_top(probe, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scores = probe.class_scores(x)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :_N_TOP]
    return probe.classes_[order], np.take_along_axis(scores, order, axis=1)


def _get_params(probe) -> dict[str, float | str]:
    return {
        key: value if isinstance(value, str) else float(value)
        for key, value in probe.params_.items()
    }
