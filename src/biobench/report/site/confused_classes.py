"""Which classes a model takes for which, and an order of them that puts the confused ones together.

found = find_confusions(answers["timm:a"])
found.pairs             # truth, answer, n, n_truth; the most frequent first
found.classes           # in the order of the matrix
found.cells             # (row, column, n), the diagonal among them
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import polars as pl
import scipy.cluster.hierarchy
import scipy.spatial.distance
from jaxtyping import Float64

from biobench.report.site.picture_answers import RANKS, join_class

__all__ = ["Confusions", "find_confusions", "order_by_clustering"]

MAX_CLASSES = 1_000
"""of a matrix: those with most mistakes."""

MAX_CELLS = 4_000
"""of a matrix besides its diagonal: the fullest."""


@dataclasses.dataclass(frozen=True)
class Confusions:
    """One model's confusions on a task."""

    pairs: pl.DataFrame
    classes: Sequence[str]
    order: str
    """"taxonomy" or "clustering"."""
    cells: Sequence[tuple[int, int, int]]
    """(row of the truth, column of the answer, examples)."""
    n_classes: int
    """all that there are."""
    n_cells_left_out: int
    """cells besides the diagonal that `cells` lacks, of the classes that it has."""


def find_confusions(answers: pl.DataFrame) -> Confusions:
    """The confusions of one model's answers (see `read_answers`); unread pictures are no answer."""
    table = answers.filter(pl.col("answer").is_not_null()).with_columns(
        join_class("truth").alias("truth"), join_class("answer").alias("answer")
    )
    n_truth = table.group_by("truth").agg(pl.len().alias("n_truth"))
    counts = table.group_by("truth", "answer").agg(pl.len().alias("n"))
    pairs = (
        counts.filter(pl.col("truth") != pl.col("answer"))
        .join(n_truth, on="truth")
        .sort("n", "truth", "answer", descending=[True, False, False])
    )
    everyone = sorted({*counts["truth"], *counts["answer"]})
    classes = _choose(pairs, everyone)
    ranks = [f"rank_{rank}" for rank in RANKS if f"rank_{rank}" in table.columns]
    if ranks and table.select(pl.any_horizontal(pl.col(ranks).is_not_null().any())).item():
        classes, order = _order_by_taxonomy(table, classes, ranks), "taxonomy"
    else:
        classes, order = order_by_clustering(pairs, classes), "clustering"
    place = {name: i for i, name in enumerate(classes)}
    shown = [
        (place[truth], place[answer], n)
        for truth, answer, n in counts.sort(
            "n", "truth", "answer", descending=[True, False, False]
        ).rows()
        if truth in place and answer in place
    ]
    beside = [cell for cell in shown if cell[0] != cell[1]]
    diagonal = [cell for cell in shown if cell[0] == cell[1]]
    return Confusions(
        pairs=pairs,
        classes=classes,
        order=order,
        cells=diagonal + beside[:MAX_CELLS],
        n_classes=len(everyone),
        n_cells_left_out=max(0, len(beside) - MAX_CELLS),
    )


def _choose(pairs: pl.DataFrame, classes: Sequence[str]) -> list[str]:
    """All classes, or of many those that are most confused."""
    if len(classes) <= MAX_CLASSES:
        return list(classes)
    both = pl.concat(
        [pairs.select(pl.col(name).alias("class"), "n") for name in ("truth", "answer")]
    )
    sums = (
        both.group_by("class").agg(pl.col("n").sum()).sort("n", "class", descending=[True, False])
    )
    return sums["class"].to_list()[:MAX_CLASSES]


def _order_by_taxonomy(
    table: pl.DataFrame, classes: Sequence[str], ranks: Sequence[str]
) -> list[str]:
    """Relatives beside each other; classes of which nothing is known last."""
    first = table.group_by("truth").agg(pl.col(ranks).drop_nulls().first())
    known = {truth: tuple(taxa) for truth, *taxa in first.rows()}
    unknown = (None,) * len(ranks)

    def sort_key(name: str) -> tuple[list[tuple[bool, str]], str]:
        return [(taxon is None, taxon or "") for taxon in known.get(name, unknown)], name

    return sorted(classes, key=sort_key)


def order_by_clustering(pairs: pl.DataFrame, classes: Sequence[str]) -> list[str]:
    """The leaves of an average-linkage tree, where two classes are near that are confused often.

    The distance of two classes is one less the mean share of their examples that is taken for the
    other; the tree is SciPy's.
    """
    names = sorted(classes)
    if len(names) < 3:
        return names
    place = {name: i for i, name in enumerate(names)}
    share: Float64[np.ndarray, "c c"] = np.zeros((len(names), len(names)))
    for truth, answer, n, n_truth in pairs.select("truth", "answer", "n", "n_truth").rows():
        if truth in place and answer in place:
            share[place[truth], place[answer]] = n / n_truth
    distance = 1 - (share + share.T) / 2
    np.fill_diagonal(distance, 0)
    flat = scipy.spatial.distance.squareform(distance, checks=False)
    tree = scipy.cluster.hierarchy.linkage(flat, method="average")
    return [names[i] for i in scipy.cluster.hierarchy.leaves_list(tree)]
