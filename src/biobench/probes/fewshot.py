"""Few-shot subsets: nested, seeded, and independent of the order of the rows.

    keep = subset(labels, ids, n_train=5, unit="class", seed=42)

Every example's rank is a hash of (seed, id), so the 5-shot subset of a seed lies inside its 10-shot
subset, adding an example moves no other, and no loader's order matters.
"""

import hashlib
import typing
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, Shaped

from biobench.errors import BadInput

__all__ = ["Unit", "subset"]

Unit = typing.Literal["class", "total"]


def subset(
    labels: Shaped[np.ndarray, " n"],
    ids: Sequence[str],
    n_train: int,
    unit: Unit,
    seed: int,
) -> Int64[np.ndarray, " m"]:
    """Positions of the chosen training examples, ascending.

    unit: "class": `n_train` of every class, or all of a class that has fewer; "total": `n_train` in
        all, whatever their classes, or all where there are fewer.
    Raises BadInput when `n_train` is not positive or labels and ids differ in length.
    """
    if n_train < 1:
        raise BadInput(f"n_train is {n_train}, but a training subset needs at least 1 example.")
    if len(labels) != len(ids):
        raise BadInput(
            f"There are {len(labels)} labels but {len(ids)} example ids; give one id per label."
        )
    # Equal ids (an image in two subtasks) are legal; the label breaks their tie, not the position.
    order = sorted(range(len(ids)), key=lambda i: (_rank(seed, ids[i]), str(labels[i])))
    order = np.asarray(order, dtype=np.int64)
    if unit == "total":
        return np.sort(order[:n_train])
    ordered = np.asarray(labels)[order]
    chosen = [order[ordered == label][:n_train] for label in np.unique(ordered)]
    return np.sort(np.concatenate(chosen)) if chosen else order


def _rank(seed: int, example: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{example}".encode(), digest_size=16).digest()
