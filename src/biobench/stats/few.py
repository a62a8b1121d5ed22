"""Where a score rests on few examples, cameras or classes: which ones, in words.

    describe_few(coded, metric, design)      # one sentence for each reason, most often none

Whether something is said follows from what was measured (how many test examples each class and each
group has), not from how it came out: a condition on the observed errors fails just where they are
fewer or more than expected, and there the interval is wrong. One condition has to ask how far the
accuracy is from one half, which is known well where groups are many: docs/statistics.md has what
its luck costs.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

from biobench.metrics import Metric, needs_labels
from biobench.stats.coded import Coded
from biobench.stats.spread import Design

__all__ = ["describe_few"]

FEW_GROUPS = 80
FEW_EXAMPLES = 50
"""units of equal weight (Kish's number) under which intervals are rough."""
FEW_RARER = 2.5
"""groups of equal weight that wrong answers (or right ones) weigh like, under which those that fail
as wholes may not have been met."""
MANY_ALONE = 0.2
"""share of the classes in a single unit above which their likeness to the others matters."""
FEW_OF_CLASS = 10
"""test examples or groups of a class under which it is named: one more or less moves its score by
a tenth."""
EVEN = 0.8
"""Kish's number over the number of units above which no unit is worth a mention."""

_N_NAMED = 3
_LONGEST = 40


def describe_few(coded: Coded, metric: Metric, design: Design) -> tuple[str, ...]:
    """One sentence for each reason to read the interval with care, naming the cause first."""
    found = []
    if coded.grouped and design.n_weighty < FEW_GROUPS:
        found.append(_describe_groups(coded, metric, design))
    elif coded.grouped and design.n_weighty * design.rarer < FEW_RARER:
        found.append(_describe_rarer(coded, metric, design))
    if not coded.grouped and design.n_weighty < FEW_EXAMPLES:
        found.append(_describe_examples(coded, metric, design))
    if design.n_alone > MANY_ALONE:
        found.append(_describe_alone(coded))
    return tuple(found)


def _describe_groups(coded: Coded, metric: Metric, design: Design) -> str:
    causes = []
    is_uneven = design.n_weighty < EVEN * coded.n_units
    if coded.groups and is_uneven:
        share = np.bincount(coded.unit, _weigh(coded, metric))
        share /= share.sum()
        heavy = np.argsort(-share, kind="stable")[:_N_NAMED]
        named = [f"{_quote(coded.groups[i])} is {share[i]:.0%}" for i in heavy]
        causes.append(f"{_join(named)} of the score")
    if metric.macro and coded.classes:
        causes += _name_small(coded, _count_units(coded), "is only in")
    few = f"{coded.n_units} cameras, videos or specimens"
    causes.append(f"{few} weigh like {design.n_weighty:.0f} equal ones" if is_uneven else few)
    text = "; ".join(causes)
    return f"Few groups: {text}. The interval allows for that, and may still be too narrow."


def _describe_rarer(coded: Coded, metric: Metric, design: Design) -> str:
    right = coded.true == coded.pred if needs_labels(metric) else coded.score
    kind = "wrong" if np.average(right, weights=_weigh(coded, metric)) > 0.5 else "right"
    # Without the model's own numbers, so that a table says it once of all its models.
    return (
        f"Few groups are {kind}: {kind} answers weigh like fewer than {FEW_RARER} of "
        f"{design.n_weighty:.0f} equal cameras, videos or specimens. Where these are right or "
        "wrong as wholes, the interval may be too narrow."
    )


def _describe_examples(coded: Coded, metric: Metric, design: Design) -> str:
    causes = []
    if metric.macro and coded.classes:
        assert coded.true is not None
        counts = np.bincount(coded.true, minlength=coded.n_classes)
        causes += _name_small(coded, counts, "has only")
    text = f"{coded.n_units} in all"
    if design.n_weighty < EVEN * coded.n_units:
        text += f", which weigh like {design.n_weighty:.0f}, as every class counts the same"
    text = "; ".join([*causes, text])
    return f"Few test examples: {text}. The interval is a rough one."


def _name_small(coded: Coded, counts: Int64[np.ndarray, " c"], verb: str) -> list[str]:
    """The classes that have the fewest, if these are few."""
    few = np.argsort(counts, kind="stable")
    few = few[counts[few] < FEW_OF_CLASS]
    if not few.size:
        return []
    named = [f"{_quote(coded.classes[i])} {counts[i]}" for i in few[:_N_NAMED]]
    named[0] = f"{_quote(coded.classes[few[0]])} {verb} {counts[few[0]]}"
    more = f" and {len(few) - _N_NAMED:,} more classes alike" if len(few) > _N_NAMED else ""
    return [", ".join(named) + more]


def _describe_alone(coded: Coded) -> str:
    alone = np.flatnonzero(_count_units(coded) == 1)
    kind = "in one group only" if coded.grouped else "with a single test example"
    named = ""
    if coded.classes:
        some = [_quote(coded.classes[i]) for i in alone[:_N_NAMED]]
        more = len(alone) - len(some)
        named = f": {', '.join(some)}{f' and {more:,} more' if more else ''}"
    return (
        f"Classes {kind}{named} ({len(alone):,} of {coded.n_classes:,}): nothing shows how much "
        "their score would vary, so the interval takes them to be about as hard as the others."
    )


def _weigh(coded: Coded, metric: Metric) -> Float64[np.ndarray, " n"]:
    """What each example counts for: where classes count the same, one of a rare class more."""
    if not metric.macro:
        return np.ones(coded.n)
    assert coded.true is not None
    return 1 / np.bincount(coded.true).astype(np.float64)[coded.true]


def _count_units(coded: Coded) -> Int64[np.ndarray, " c"]:
    """In how many units each class is."""
    assert coded.true is not None
    pairs = np.unique(coded.true * coded.n_units + coded.unit)
    return np.bincount(pairs // coded.n_units, minlength=coded.n_classes)


def _quote(name: str) -> str:
    return f"'{name if len(name) <= _LONGEST else name[: _LONGEST - 1] + '…'}'"


def _join(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
