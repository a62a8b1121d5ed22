"""Finds hashes of 64 bits that differ in few, without comparing all with all.

    at = find_nearest(prints, sides, asked)     # position of the nearest on another side, or -1

Multi-index hashing (Norouzi, Punjani, Fleet 2012, "Fast search in Hamming space with multi-index
hashing"): of two hashes that differ in at most d bits, some quarter differs in at most d/4, so only
those are compared that share a quarter but for so many bits.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Int64, UInt64

__all__ = ["MAX_DISTANCE", "find_nearest"]

MAX_DISTANCE = 4
"""bits in which two pictures that are nearly the same may differ."""
MAX_PAIRS = 2**22
"""pairs compared at a time: what bounds the memory."""

N_BANDS = 4
BAND_BITS = 16
N_VALUES = 2**BAND_BITS
# Quarters that differ in no bit or one: enough for a distance of up to 7.
_FLIPS = [0, *(1 << bit for bit in range(BAND_BITS))]
_N_BITS = np.array([value.bit_count() for value in range(N_VALUES)], np.uint8)


def find_nearest(
    prints: UInt64[np.ndarray, " n"], sides: Int64[np.ndarray, " n"], asked: Bool[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """For each print that is asked, the position of the nearest whose side is another.

    -1 where none differs in at most MAX_DISTANCE bits; of several the one that stands first.
    """
    # Many pictures have one hash: each is compared once for each side.
    keys = np.rec.fromarrays([prints, sides])
    _, first, back = np.unique(keys, return_index=True, return_inverse=True)
    queries = np.unique(back[asked])
    one, side = prints[first], sides[first]
    none = (MAX_DISTANCE + 1) * len(prints)
    # The distance first, then the position, in one number.
    best = np.full(len(first), none, np.int64)
    for query, candidate in _iter_pairs(one, queries):
        other = side[query] != side[candidate]
        query, candidate = query[other], candidate[other]
        distance = _count_bits(one[query] ^ one[candidate])
        is_near = distance <= MAX_DISTANCE
        rank = distance[is_near] * len(prints) + first[candidate[is_near]]
        np.minimum.at(best, query[is_near], rank)
    nearest = np.where(best < none, best % max(len(prints), 1), -1)
    return np.where(asked, nearest[back], -1)


def _iter_pairs(
    prints: UInt64[np.ndarray, " n"], queries: Int64[np.ndarray, " q"]
) -> Iterator[tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"]]]:
    """Positions of a query and of what may be near it, a block at a time."""
    for band in range(N_BANDS):
        part = ((prints >> np.uint64(band * BAND_BITS)) & np.uint64(N_VALUES - 1)).astype(np.int64)
        order = np.argsort(part, kind="stable")
        starts = np.searchsorted(part[order], np.arange(N_VALUES + 1))
        for flip in _FLIPS:
            wanted = part[queries] ^ flip
            low, n = starts[wanted], starts[wanted + 1] - starts[wanted]
            yield from _expand(queries, order, low, n)


def _expand(
    queries: Int64[np.ndarray, " q"],
    order: Int64[np.ndarray, " n"],
    low: Int64[np.ndarray, " q"],
    n: Int64[np.ndarray, " q"],
) -> Iterator[tuple[Int64[np.ndarray, " p"], Int64[np.ndarray, " p"]]]:
    """Each query with order[low : low + n], about MAX_PAIRS pairs at a time."""
    block = np.cumsum(n) // MAX_PAIRS
    for number in np.unique(block[n > 0]):
        rows = np.flatnonzero((block == number) & (n > 0))
        ends = np.cumsum(n[rows])
        within = np.arange(ends[-1]) - np.repeat(ends - n[rows], n[rows])
        yield np.repeat(queries[rows], n[rows]), order[np.repeat(low[rows], n[rows]) + within]


def _count_bits(values: UInt64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    parts = np.ascontiguousarray(values).view(np.uint16).reshape(-1, N_BANDS)
    return _N_BITS[parts].sum(axis=1, dtype=np.int64)
