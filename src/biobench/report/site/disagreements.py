"""Where two models disagree: which examples one has right and the other wrong, and both wrong.

found = find_disagreements(answers["timm:a"], answers["timm:b"])
found.counts            # {"both-right": 410, "a": 32, "b": 14, "both-wrong": 40}
found.by_class          # a table: class, a, b, both-wrong, n
pick(found.table, "a", 12)
"""

import dataclasses
from collections.abc import Mapping

import polars as pl

from biobench.report.site.picture_answers import KEY, join_class

__all__ = ["KINDS", "Disagreements", "find_disagreements", "pick", "spread"]

KINDS = ("a", "b", "both-wrong")
"""only the first is right, only the second, neither."""

BOTH_RIGHT = "both-right"


@dataclasses.dataclass(frozen=True)
class Disagreements:
    """Two models' answers on the examples that both were asked about."""

    table: pl.DataFrame
    """subtask, example, group, truth, image, box, class, kind, and answer and sureness of each
    (answer_a, …); surest mistake first."""
    counts: Mapping[str, int]
    """examples of each kind, and of "both-right"."""
    by_class: pl.DataFrame
    """class, one column a kind, and n; the class with most that one model alone has right first."""


def find_disagreements(a: pl.DataFrame, b: pl.DataFrame) -> Disagreements:
    """The examples of two models, sorted by who has them right (see `read_answers`)."""
    other = b.select(*KEY, "truth", pl.col("answer", "sureness", "is_right").name.suffix("_b"))
    first = a.rename({name: f"{name}_a" for name in ("answer", "sureness", "is_right")})
    table = first.join(other, on=[*KEY, "truth"], how="inner", nulls_equal=True)
    right_a, right_b = pl.col("is_right_a"), pl.col("is_right_b")
    kind = (
        pl.when(right_a & right_b)
        .then(pl.lit(BOTH_RIGHT))
        .when(right_a)
        .then(pl.lit("a"))
        .when(right_b)
        .then(pl.lit("b"))
        .otherwise(pl.lit("both-wrong"))
    )
    sureness = pl.when(right_a).then("sureness_b").otherwise("sureness_a")
    table = table.with_columns(kind.alias("kind"), join_class().alias("class"))
    table = table.sort(sureness, "subtask", "example", descending=[True, False, False])
    sums = [(pl.col("kind") == kind).sum().alias(kind) for kind in (*KINDS, BOTH_RIGHT)]
    counts = table.select(sums).row(0, named=True)
    by_class = (
        table.group_by("class")
        .agg(*sums, pl.len().alias("n"))
        .sort(pl.col("a") + pl.col("b"), "both-wrong", "class", descending=[True, True, False])
    )
    return Disagreements(table.drop("is_right_a", "is_right_b"), counts, by_class)


def pick(table: pl.DataFrame, kind: str, n: int) -> pl.DataFrame:
    """At most `n` examples of a kind, of as many classes as there are."""
    return spread(table.filter(pl.col("kind") == kind), n)


def spread(table: pl.DataFrame, n: int, by: str = "class") -> pl.DataFrame:
    """The first of each class, then the second of each, up to `n`: no class crowds out others."""
    turn = pl.int_range(pl.len()).over(by)
    return table.with_columns(turn.alias("turn")).sort("turn", maintain_order=True)[:n].drop("turn")
