"""The interval of a share of examples that are right.

low, high = wilson(0.9, 20)
"""

import math

__all__ = ["Z", "wilson"]

Z = 1.959964
"""of a 95% interval: the normal distribution's 97.5th percentile."""


def wilson(share: float, n: int) -> tuple[float, float]:
    """The 95% interval of a share of `n` examples that are taken for independent.

    Source: Wilson, J. Am. Stat. Assoc. 1927.
    """
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return middle - half, middle + half
