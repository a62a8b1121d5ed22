"""Probes by name, and what decides their numbers.

clf = make("ridge", seed=42).fit(x_train, y_train)
describe("ridge")       # plain JSON, part of a result's identity
"""

import difflib
import typing

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

from biobench.errors import BadInput
from biobench.probes.folds import Folds
from biobench.probes.knn import KNN
from biobench.probes.linear import LinearProbe
from biobench.probes.mlp import MultiLabelMlp
from biobench.probes.openset import OpenSet
from biobench.probes.ridge import RidgeSweep
from biobench.probes.simpleshot import CenterNormalize, SimpleShot
from biobench.probes.svm import SvmSearch

__all__ = ["describe", "list_joint_probes", "list_probes", "make"]

_Folds = typing.Literal["stratified-shuffle", "kfold", "group"]

# The seed stands beside the description, the others change how long it takes.
_NOT_IN_NUMBERS = ("device", "memory_limit", "n_jobs", "random_state")

_NAMES = ("knn", "linear", "openset", "ridge", "simpleshot", "svm")
_JOINT_NAMES = ("mlp",)


def list_probes() -> list[str]:
    """Every name that `make` knows, but those of `list_joint_probes`."""
    return list(_NAMES)


def list_joint_probes() -> list[str]:
    """The probes that answer several yes-or-no questions about an example at once."""
    return list(_JOINT_NAMES)


def make(
    name: str,
    *,
    seed: int = 42,
    folds: _Folds = "stratified-shuffle",
    device: str = "cpu",
    n_jobs: int = 1,
    **params: object,
) -> BaseEstimator:
    """A fresh probe.

    folds: of ridge and linear; svm keeps NeWT's unshuffled stratified folds, the others have none.
        "group" is for all three (groups are given to `fit`), and ridge then chooses by accuracy.
    params: constructor arguments that differ from the protocol's.
    Raises BadInput when the name is unknown.
    """
    _check_name(name)
    if name == "simpleshot":
        return SimpleShot(**{"device": device, "n_jobs": n_jobs, **params})
    if name == "ridge":
        cv = Folds(5, folds, seed)
        # By R², folds by group always pick the largest penalty.
        scoring = "accuracy" if folds == "group" else "r2"
        own = {"cv": cv, "scoring": scoring, "device": device, "n_jobs": n_jobs}
        return RidgeSweep(**{**own, **params})
    if name == "svm":
        cv = Folds(5, "group", seed) if folds == "group" else Folds(5, "stratified")
        search = SvmSearch(**{"cv": cv, "random_state": seed, **params})
        return make_pipeline(CenterNormalize(), search)
    if name == "linear":
        cv = Folds(5, folds, seed)
        return LinearProbe(**{"cv": cv, "device": device, "n_jobs": n_jobs, **params})
    if name == "mlp":
        return MultiLabelMlp(**{"random_state": seed, "device": device, **params})
    if name == "openset":
        return OpenSet(**{"base": SimpleShot(device=device, n_jobs=n_jobs), **params})
    return KNN(**{"device": device, "n_jobs": n_jobs, **params})


def describe(
    name: str, *, folds: _Folds = "stratified-shuffle", **params: object
) -> dict[str, object]:
    """Everything besides data and seed that decides the probe's numbers, in plain JSON types."""
    probe = make(name, folds=folds, **params)
    steps = [step for _, step in getattr(probe, "steps", [("", probe)])]
    out: dict[str, object] = {"name": name, "steps": [type(step).__name__ for step in steps]}
    for step in steps:
        for key, value in step.get_params(deep=False).items():
            if key not in _NOT_IN_NUMBERS:
                out[key] = _to_json(value)
    return out


def _to_json(value: object) -> object:
    if isinstance(value, Folds):
        return {"n_splits": value.n_splits, "kind": value.kind}
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    if isinstance(value, tuple | list | np.ndarray):
        return [_to_json(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _check_name(name: str) -> None:
    known = [*_NAMES, *_JOINT_NAMES]
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise BadInput(f"Unknown probe '{name}'; known: {', '.join(known)}.{hint}")
