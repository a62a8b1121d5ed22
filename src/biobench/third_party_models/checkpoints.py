"""Reads weights files as trainers write them: nested, prefixed, averaged, with an optimiser beside.

    found = read_checkpoint(path, expected=model.state_dict())
    model.load_state_dict(found.state)
    found.notes        # ("the averaged weights 'model_ema'", "without the prefix 'module.'")

A file is never executed: pickles are read with `weights_only`, and the few further classes that
trainers leave in their files are those that can only hold values.
"""

import argparse
import collections
import contextlib
import dataclasses
import pathlib
import re
from collections.abc import Collection, Iterator

import numpy as np
import torch
from torch import Tensor

from biobench.errors import BadInput

__all__ = ["Checkpoint", "explain_unreadable", "is_unreadable", "read_checkpoint"]

_DEPTH = 3
_AVERAGED = re.compile(r"(^|[._])(ema|teacher|averaged?|swa)([._]|$)", re.IGNORECASE)
_WRAPPERS = re.compile(r"^(?:(?:module|_orig_mod)\.)+")
_ENOUGH = 0.5
"""share of an architecture's tensors that a prefix must explain before it is believed."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A state dict as its architecture names it, and what had to be recognised for that."""

    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()

    def describe(self, path: pathlib.Path) -> str:
        """Where the weights came from, in words."""
        return ", ".join([f"the file {path}", *self.notes])


@dataclasses.dataclass(frozen=True)
class _Reading:
    """One way of reading a file: the tensors at `place` whose names begin with `prefix`."""

    place: str
    prefix: str
    state: dict[str, Tensor]
    n_matching: int

    @property
    def is_averaged(self) -> bool:
        return bool(_AVERAGED.search(self.place) or _AVERAGED.search(self.prefix))


def read_checkpoint(path: pathlib.Path, expected: Collection[str]) -> Checkpoint:
    """The tensors of `path` under the names that an architecture `expected`.

    Recognised: safetensors and PyTorch files; a state dict under any key, as "state_dict", "model"
    or "model_ema"; any prefix of its names, as "module.", "model." or "student.backbone.". Where
    averaged weights (EMA, a teacher) stand beside those last trained, the averaged are taken.
    A file that cannot be read so is returned as it is, for its loader to understand or refuse.
    Raises BadInput where the file is damaged, holds no tensors, or code to be run.
    """
    places = dict(_find_states(_load(path)))
    if not places:
        raise BadInput(
            f"The weights file '{path}' cannot be read as a state dict: it holds no tensors by "
            "name; save one with torch.save(model.state_dict(), FILE)."
        )
    names = set(expected)
    readings = [
        reading for place, state in places.items() for reading in _read(place, state, names)
    ]
    good = [one for one in readings if one.n_matching > _ENOUGH * len(names)]
    if not good:
        place, state = max(places.items(), key=lambda item: len(item[1]))
        state = {_WRAPPERS.sub("", name): tensor for name, tensor in state.items()}
        return Checkpoint(state, _explain(_Reading(place, "", state, 0), (), 0))
    most = max(one.n_matching for one in good)
    best = [one for one in good if one.n_matching == most]
    chosen = next((one for one in best if one.is_averaged), best[0])
    kept = {name: t for name, t in chosen.state.items() if name.startswith(chosen.prefix)}
    n_others = len(chosen.state) - len(kept)
    state = {name[len(chosen.prefix) :]: tensor for name, tensor in kept.items()}
    return Checkpoint(state, _explain(chosen, [one for one in best if one != chosen], n_others))


def _explain(chosen: _Reading, others: Collection[_Reading], n_others: int) -> tuple[str, ...]:
    notes = []
    kind = "averaged weights" if chosen.is_averaged else "weights"
    if chosen.place or chosen.is_averaged:
        notes.append(f"its {kind} '{chosen.place or chosen.prefix.rstrip('.')}'")
    if others:
        names = ", ".join(f"'{one.place or one.prefix.rstrip('.')}'" for one in others)
        notes.append(f"not its {names}")
    if chosen.prefix:
        notes.append(f"without the prefix '{chosen.prefix}'")
    if n_others:
        notes.append(f"{n_others:,} tensors beside them left out")
    return tuple(notes)


def _read(place: str, state: dict[str, Tensor], names: set[str]) -> Iterator[_Reading]:
    """The readings of a state dict that explain most of the names, by its prefixes."""
    votes: collections.Counter[str] = collections.Counter()
    for name in state:
        parts = name.split(".")
        for i in range(len(parts)):
            if ".".join(parts[i:]) in names:
                votes["".join(f"{part}." for part in parts[:i])] += 1
    most = max(votes.values(), default=0)
    for prefix in sorted((p for p, n in votes.items() if n == most), key=len):
        yield _Reading(place, prefix, state, most)


def _find_states(value: object, place: str = "", depth: int = 0) -> Iterator:
    """(place, state dict) of everything in a file that maps names to tensors."""
    if isinstance(value, torch.nn.Module):
        value = value.state_dict()
    if not isinstance(value, dict):
        return
    tensors = {str(name): item for name, item in value.items() if isinstance(item, Tensor)}
    # An optimiser's state maps numbers to dicts of tensors: not a network's.
    if tensors and all(isinstance(name, str) for name in value):
        yield place, tensors
    if depth < _DEPTH:
        for name, item in value.items():
            if isinstance(name, str) and name not in ("optimizer", "optimizers"):
                yield from _find_states(item, f"{place}.{name}" if place else name, depth + 1)


def _load(path: pathlib.Path) -> object:
    try:
        if path.suffix == ".safetensors":
            import safetensors.torch

            return safetensors.torch.load_file(path, device="cpu")
        with torch.serialization.safe_globals(_value_classes()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=_can_map(path))
    except Exception as err:  # torch, pickle, zipfile and safetensors each raise their own
        raise BadInput(
            f"The weights file '{path}' cannot be read as a state dict: {explain_unreadable(err)}"
        ) from err


def _can_map(path: pathlib.Path) -> bool:
    """Whether a file is of the kind that can be mapped instead of read (a zip, since torch 1.6)."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _value_classes() -> list:
    """Classes that trainers leave beside the weights and that can only hold values."""
    kinds = [np.dtype, *{type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "u1", "?")}]
    with contextlib.suppress(ImportError, AttributeError):
        from numpy._core import multiarray

        kinds += [multiarray.scalar, multiarray._reconstruct, np.ndarray]
    return [argparse.Namespace, pathlib.PosixPath, *kinds]


def is_unreadable(err: BaseException | None) -> bool:
    """Whether an error is of a file that is damaged, or that holds code."""
    while err is not None:
        # Of safetensors, and of pickle with or without C.
        if type(err).__name__ in ("SafetensorError", "UnpicklingError") or isinstance(
            err, EOFError
        ):
            return True
        if "PytorchStreamReader" in str(err):
            return True
        err = err.__cause__
    return False


def explain_unreadable(err: Exception) -> str:
    """Why a weights file could not be read, in one line."""
    text = " ".join(str(err).split())
    unsafe = re.search(r"GLOBAL ([\w.]+)", text)
    if unsafe:
        return (
            f"beside tensors it holds the class {unsafe[1]}, which could run code when it is "
            "opened; save the weights alone, with torch.save(model.state_dict(), FILE)."
        )
    return next(iter(str(err).strip().splitlines()), type(err).__name__)
