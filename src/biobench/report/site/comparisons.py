"""Which pairs of models a site compares, and the comparisons.

for pair in compare_pairs(subject):
    pair.address, pair.comparison

Every pair of a few models; of many those that a reader asks about first: all among the best, and
the best against each of the next. The command for any other stands on the page.
"""

import dataclasses
import itertools
from collections.abc import Iterator

from biobench.errors import BadInput
from biobench.report.comparison import Comparison, compare
from biobench.report.site.addresses import address
from biobench.report.site.subject import Subject

__all__ = ["Pair", "choose_pairs", "compare_pairs"]

MAX_AMONG_ALL = 5
"""models, best first, that are each compared with each."""

MAX_WITH_BEST = 12
"""models, best first, that are compared with the best."""


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two models, better one first."""

    a: str
    b: str
    address: str
    comparison: Comparison


def choose_pairs(subject: Subject) -> list[tuple[str, str]]:
    """The pairs that are compared, each with the model first that stands higher."""
    models = subject.board.models
    pairs = list(itertools.combinations(models[:MAX_AMONG_ALL], 2))
    pairs += [(models[0], other) for other in models[MAX_AMONG_ALL:MAX_WITH_BEST]]
    return pairs


def compare_pairs(subject: Subject) -> Iterator[Pair]:
    """The comparisons; a pair without a task in common, or without predictions, is left out."""
    for a, b in choose_pairs(subject):
        try:
            found = _compare(subject, a, b)
        except BadInput:
            continue
        yield Pair(a, b, address("compare", f"{a}\n{b}"), found)


def _compare(subject: Subject, a: str, b: str) -> Comparison:
    aliases = subject.choice.aliases
    # `compare` is asked by the names of the runs, and answers with the aliases.
    own = {alias: name for name, alias in (split_alias(subject, text) for text in aliases)}
    return compare(
        subject.root,
        own.get(a, a),
        own.get(b, b),
        tasks=subject.choice.tasks,
        where=subject.choice.where,
        aliases=aliases,
    )


def split_alias(subject: Subject, text: str) -> tuple[str, str]:
    """(ORG:CKPT, name) of one alias: the name is one of the leaderboard's models."""
    ends = (i for i, char in enumerate(text) if char == "=")
    found = [(text[:i], text[i + 1 :].strip()) for i in ends]
    return next(pair for pair in found if pair[1] in subject.board.models)
