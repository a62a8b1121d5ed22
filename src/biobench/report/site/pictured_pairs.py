"""The pairs of models whose disagreements are shown in pictures, and where.

for a, b in choose_pictured(subject):
    address_pictures(a, b)
"""

from biobench.report.site.addresses import address
from biobench.report.site.comparisons import choose_pairs
from biobench.report.site.subject import Subject

__all__ = ["address_pictures", "choose_pictured"]

MAX_PAIRS = 6
"""the first of those that are compared."""


def choose_pictured(subject: Subject) -> list[tuple[str, str]]:
    """The pairs, each with the model first that stands higher."""
    return choose_pairs(subject)[:MAX_PAIRS]


def address_pictures(a: str, b: str) -> str:
    """The page of a pair's disagreements."""
    return address("disagree", f"{a}\n{b}")
