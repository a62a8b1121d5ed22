"""Probes by name, and what decides their numbers.

clf = make("ridge", seed=42).fit(x_train, y_train)
describe("ridge")                       # plain JSON, part of a result's identity
register_probe("nearest", Nearest)      # a class of one's own, as a descendant of `Probe`
"""

import typing

import numpy as np
from sklearn.base import BaseEstimator

from biobench.probes._estimator import find_faults, is_joint
from biobench.probes.folds import FoldKind, Folds
from biobench.registry import Registry

__all__ = [
    "PROBES",
    "answers_jointly",
    "describe",
    "get_rejected",
    "list_probes",
    "make",
    "reads_text",
    "register_probe",
    "split_steps",
]

PROBES: Registry[type[BaseEstimator]] = Registry(
    "probe",
    "biobench.probes",
    {
        "adamw-head": "biobench.probes.adamw_head:AdamWHead",
        "knn": "biobench.probes.knn:KNN",
        "linear": "biobench.probes.linear:LinearProbe",
        "logistic-search": "biobench.probes.logistic:LogisticSearch",
        "mlp": "biobench.probes.mlp:MultiLabelMlp",
        "openset": "biobench.probes.openset:OpenSet",
        "ridge": "biobench.probes.ridge:RidgeSweep",
        "simpleshot": "biobench.probes.simpleshot:SimpleShot",
        "svc": "biobench.probes.svc:LinearSvc",
        "svm": "biobench.probes.svm:SvmSearch",
        "zero-shot": "biobench.probes.zeroshot:ZeroShot",
    },
    find_faults,
)


def list_probes() -> list[str]:
    """Every name that `make` knows."""
    return PROBES.names()


def register_probe(name: str, cls: type[BaseEstimator]) -> None:
    """Make a class usable as the probe `name`; one of that name that was there is replaced, with a
    warning.

    cls: a descendant of `Probe`, or any class of scikit-learn's kind with what `ProbeKind` names,
        or `JointKind`.
    Raises BadInput naming what it lacks.
    """
    PROBES.register(name, cls)


def answers_jointly(name: str) -> bool:
    """Whether a probe answers several yes-or-no questions about an example at once, and no others.

    Raises BadInput when the name is unknown.
    """
    return is_joint(PROBES.load(name))


def reads_text(name: str) -> bool:
    """Whether a probe is fitted on prompts that name the classes, in place of pictures.

    Raises BadInput when the name is unknown.
    """
    return getattr(PROBES.load(name), "reads_text", False)


def get_rejected(name: str) -> str | None:
    """The label that a probe gives to what is of no training class; None where it gives none.

    Raises BadInput when the name is unknown.
    """
    return getattr(PROBES.load(name), "rejected_label", None)


def make(
    name: str | type[BaseEstimator],
    *,
    seed: int = 42,
    folds: FoldKind = "stratified-shuffle",
    device: str = "cpu",
    n_jobs: int = 1,
    **params: object,
) -> BaseEstimator:
    """A fresh probe.

    name: of a probe, or the class that `PROBES` has under it.
    folds: of ridge and linear; svm keeps NeWT's unshuffled stratified folds, the others have none.
        "group" is for all three (groups are given to `fit`), and ridge then chooses by accuracy.
    params: constructor arguments that differ from the protocol's.
    Raises BadInput when the name is unknown.
    """
    cls = PROBES.load(name) if isinstance(name, str) else name
    return cls.for_protocol(seed=seed, folds=folds, device=device, n_jobs=n_jobs, **params)


def describe(
    name: str, *, folds: FoldKind = "stratified-shuffle", **params: typing.Any
) -> dict[str, object]:
    """Everything besides data and seed that decides the probe's numbers, in plain JSON types.

    Of each step that is what its class names in `deciding`.
    """
    probe = make(name, folds=folds, **params)
    steps, last = split_steps(probe)
    every = [*steps, last]
    out: dict[str, object] = {"name": name, "steps": [type(step).__name__ for step in every]}
    for step in every:
        values = step.get_params(deep=False)
        out |= {key: _to_json(values[key]) for key in type(step).deciding}
    return out


def split_steps(probe: BaseEstimator) -> tuple[list[BaseEstimator], typing.Any]:
    """The transformers of a pipeline and the probe that it ends in; of a probe, none and itself."""
    *steps, last = [step for _, step in getattr(probe, "steps", [("", probe)])]
    return steps, last


def _to_json(value: object) -> object:
    if isinstance(value, Folds):
        return {"n_splits": value.n_splits, "kind": value.kind}
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    if isinstance(value, tuple | list | np.ndarray):
        return [_to_json(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value
