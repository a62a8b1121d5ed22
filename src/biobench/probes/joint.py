"""One probe for several yes-or-no questions about the same examples, as FishNet's traits are.

outputs = fit_predict_jointly("mlp", problems, seed=42)      # one output a problem
"""

import typing
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64, Shaped

from biobench import progress
from biobench.errors import BadInput
from biobench.probes.factory import make
from biobench.probes.fitting import Kept, ProbeOutput, Problem

__all__ = ["fit_predict_jointly"]


def fit_predict_jointly(
    name: str,
    problems: Sequence[Problem],
    *,
    seed: int = 42,
    device: str = "cpu",
    keep: frozenset[Kept] = frozenset(),
    **params: typing.Any,
) -> list[ProbeOutput]:
    """Fit one fresh probe on the questions of all problems, and predict each; order is kept.

    problems: all with the same training and test features, row for row; each with at most two
        labels, of which the second in alphabetical order is the yes.
    keep: further outputs; probabilities are the probe's own.
    Reports progress as stage "probe". Raises BadInput where the problems are others.
    """
    first = problems[0]
    for problem in problems[1:]:
        same = problem.x_train is first.x_train or np.array_equal(problem.x_train, first.x_train)
        same &= problem.x_test is first.x_test or np.array_equal(problem.x_test, first.x_test)
        if not same:
            raise BadInput(
                f"Subtask '{problem.subtask}' has other examples than '{first.subtask}', but the "
                f"probe '{name}' answers all subtasks of an example at once."
            )
    classes = [np.unique(problem.y_train) for problem in problems]
    for problem, known in zip(problems, classes, strict=True):
        if len(known) > 2:
            raise BadInput(
                f"Subtask '{problem.subtask}' has {len(known)} labels, but the probe '{name}' "
                "answers yes-or-no questions."
            )
    y = np.stack([p.y_train == c[-1] for p, c in zip(problems, classes, strict=True)], axis=1)
    # A question with one answer is one that is always answered no.
    y[:, [len(known) < 2 for known in classes]] = False
    progress.report("probe", 0, 1)
    probe: typing.Any = make(name, seed=seed, device=device, **params)
    probe.fit(first.x_train, y.astype(np.int64))
    progress.report("probe", 1, 1)
    yes, answer = probe.predict_proba(first.x_test), probe.predict(first.x_test)
    return [_make_output(known, yes[:, i], answer[:, i], keep) for i, known in enumerate(classes)]


def _make_output(
    classes: Shaped[np.ndarray, " c"],
    yes: Float[np.ndarray, " n"],
    answer: Int64[np.ndarray, " n"],
    keep: frozenset[Kept],
) -> ProbeOutput:
    if len(classes) < 2:
        p, best = np.ones((len(yes), 1)), np.zeros((len(yes), 1), np.int64)
    else:
        p = np.column_stack([1 - yes, yes])
        best = np.column_stack([answer, 1 - answer])
    return ProbeOutput(
        classes[best[:, 0]],
        classes[best],
        np.take_along_axis(p, best, axis=1),
        {},
        {},
        classes,
        p.astype(np.float16) if "scores" in keep else None,
        p if "probabilities" in keep else None,
    )
