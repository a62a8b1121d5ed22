"""One vector an example from the features of its images.

pooled = Pooled(feats, protocol)
x = pooled.get("train", examples["positions"])
"""

import numpy as np
import polars as pl
from jaxtyping import Float

from biobench import features
from biobench._protocol import Protocol

__all__ = ["Pooled"]


class Pooled:
    """Vectors of examples; those that the subtask before has are not made again."""

    def __init__(self, feats: "features.Features", protocol: Protocol):
        self._feats, self._protocol = feats, protocol
        self._last: dict[str, tuple[pl.Series, np.ndarray]] = {}

    def get(self, side: str, positions: pl.Series) -> Float[np.ndarray, "n dim"]:
        """The vectors of the train or test side of a subtask."""
        if side not in self._last or not self._last[side][0].equals(positions):
            self._last[side] = positions, _pool(positions, self._feats, self._protocol)
        return self._last[side][1]


def _pool(
    positions: pl.Series, feats: "features.Features", protocol: Protocol
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
