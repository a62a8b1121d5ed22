"""Near hashes are those that comparing all with all finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from biobench.data import near


def find_slowly(prints, sides, asked):
    """Python's integers, one pair at a time."""
    found = []
    for i, one in enumerate(prints):
        pairs = [
            ((one ^ other).bit_count(), j)
            for j, other in enumerate(prints)
            if sides[j] != sides[i] and (one ^ other).bit_count() <= near.MAX_DISTANCE
        ]
        found.append(min(pairs)[1] if pairs and asked[i] else -1)
    return found


@st.composite
def make_prints(draw):
    """A few hashes, each with others that differ from it in up to seven bits."""
    bits = st.sets(st.integers(0, 63), max_size=near.MAX_DISTANCE + 3)
    prints = []
    for seed in draw(st.lists(st.integers(0, 2**64 - 1), max_size=4)):
        for flips in draw(st.lists(bits, min_size=1, max_size=6)):
            prints.append(seed ^ sum(1 << bit for bit in flips))
    n = len(prints)
    sides = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return prints, sides, draw(st.lists(st.booleans(), min_size=n, max_size=n))


def find(prints, sides, asked):
    return near.find_nearest(
        np.array(prints, np.uint64), np.array(sides, np.int64), np.array(asked, bool)
    ).tolist()


@settings(max_examples=200, deadline=None)
@given(make_prints())
def test_the_nearest_on_another_side_is_the_one_that_comparing_all_pairs_finds(world):
    assert find(*world) == find_slowly(*world)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_the_answer_does_not_hang_on_how_many_pairs_are_compared_at_a_time(monkeypatch, size):
    rng = np.random.default_rng(0)
    flips = np.uint64(1) << rng.integers(0, 64, (60, 3)).astype(np.uint64)
    prints = rng.integers(0, 2**64, 4, dtype=np.uint64)[rng.integers(0, 4, 60)]
    world = (
        np.bitwise_xor.reduce(np.column_stack([prints, flips]), axis=1).tolist(),
        rng.integers(0, 2, 60).tolist(),
        [True] * 60,
    )
    monkeypatch.setattr(near, "MAX_PAIRS", size)
    found = find(*world)
    assert found == find_slowly(*world)
    assert max(found) >= 0
