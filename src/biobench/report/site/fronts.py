"""Which models no other beats in both score and cost; or, with dates for costs, in score and age.

front = find_front([(cost, score), ...])        # indices, cheapest first
"""

from collections.abc import Sequence
from typing import TypeVar

__all__ = ["find_front"]


Cost = TypeVar("Cost", float, str)


def find_front(points: Sequence[tuple[Cost, float]]) -> list[int]:
    """The points (cost, score) that no other beats: none is as cheap and better, or cheaper and as
    good. The least cost and the highest score are good; of equals the first stands for all."""
    found: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1], i)):
        if not found or points[i][1] > points[found[-1]][1]:
            found.append(i)
    return found
