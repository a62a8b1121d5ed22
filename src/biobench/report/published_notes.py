"""Scores of a published leaderboard beside ours: their means, and what is said of them.

table = add_means(table, signs)         # means over tasks of published scores, marked as such
explain_published(table, runs)          # what a reader has to know of them
"""

from collections.abc import Mapping

import polars as pl

from biobench.report.notes import MEAN, name_some
from biobench.report.views import BEST, ODD, PUBLISHED, TIED, WRONG, Note
from biobench.results.published import get_doubts

__all__ = ["add_means", "explain_doubts", "explain_means", "explain_published", "name_alarm"]


def add_means(table: pl.DataFrame, signs: Mapping[str, int]) -> pl.DataFrame:
    """A leaderboard's table with the mean of each model that has a published score among all tasks.

    Plain means, without interval and rank. A model has none where one of its scores is known to be
    wrong.
    """
    cells = table.filter(pl.col("task") != MEAN)
    tasks = cells["task"].unique()
    if len(tasks) < 2 or len({signs[task] for task in tasks}) > 1:
        return table
    means = (
        cells.group_by("model")
        .agg(
            pl.col("score").mean(),
            pl.col("published").any(),
            pl.len().alias("n_tasks"),
            pl.col("doubts").list.contains("wrong").any().alias("is_wrong"),
        )
        .filter("published", ~pl.col("is_wrong"), pl.col("n_tasks") == len(tasks))
        .sort("model")
        .select("model", pl.lit(MEAN).alias("task"), "score", "published")
    )
    return pl.concat([table, means], how="diagonal")


def explain_published(table: pl.DataFrame, runs: pl.DataFrame) -> list[Note]:
    """What a reader has to know of the published scores in a leaderboard's table, if any.

    runs: those shown, with column as in `table`.
    """
    published = table.filter("published", pl.col("task") != MEAN)
    if not table.filter(pl.col("doubts").list.len() > 0).height and not published.height:
        return []
    notes = []
    if n := published.height:
        notes.append(
            Note(
                f"{PUBLISHED.sign} {n:,} scores of {published['model'].n_unique():,} models were "
                "taken over from a published leaderboard without predictions: score and interval "
                "are the published ones, nothing is recomputed, tested or ranked; "
                f"{BEST.sign}, {TIED.sign} and ranks are among the other models."
            )
        )
    odd = published.filter(pl.col("doubts").list.set_intersection(list(ODD.kinds)).list.len() > 0)
    if odd.height:
        notes.append(
            Note(
                f"{ODD.sign} {odd.height:,} published scores lie outside their own interval, or "
                f"have none that can be shown: {_count_by_task(odd)}.",
                "Warning (published)",
            )
        )
    for column, sentence in _list_wrong(runs):
        notes.append(Note(f"{WRONG.sign} {sentence}", f"Warning ({column})"))
    return [*notes, *_explain_higher(table, published)]


def _count_by_task(cells: pl.DataFrame) -> str:
    counts = cells.group_by("task").len().sort("task").rows()
    return ", ".join(f"{task} {n:,}" for task, n in counts)


def _list_wrong(runs: pl.DataFrame) -> list[tuple[str, str]]:
    shown = runs.filter(pl.col("published").is_not_null()).select("column", "published")
    found = {
        (column, doubts["wrong"])
        for column, text in shown.rows()
        if "wrong" in (doubts := get_doubts(text))
    }
    return sorted(found)


def explain_doubts(runs: pl.DataFrame) -> list[Note]:
    """What is the matter with published scores of a comparison, a note for each doubt.

    runs: the published ones among them are looked at, with column and row.
    """
    found: dict[str, list[str]] = {}
    shown = runs.filter(pl.col("published").is_not_null()).sort("column", "row")
    for column, row, text in shown.select("column", "row", "published").rows():
        for sentence in get_doubts(text).values():
            found.setdefault(sentence, []).append(f"{column} of {row}")
    return [Note(text, f"Warning ({name_some(where)})") for text, where in sorted(found.items())]


def _explain_higher(table: pl.DataFrame, published: pl.DataFrame) -> list[Note]:
    """Where a published score is above the one that is marked as the best."""
    first = table.filter(pl.col("rank") == 1)
    best = first.group_by("task").agg(pl.col("score").max().alias("best"))
    above = published.join(best, on="task").filter(
        pl.col("score") > pl.col("best"), ~pl.col("doubts").list.contains("wrong")
    )
    if not above.height:
        return []
    return [
        Note(
            "Published scores above the best that was tested here (no difference is shown by "
            f"that): {_count_by_task(above)}."
        )
    ]


def explain_means(table: pl.DataFrame) -> list[Note]:
    """How the means of published scores came about, or why there are none."""
    published = table.filter("published", pl.col("task") != MEAN)
    if not published.height or published["task"].n_unique() < 2:
        return []
    if table.filter("published", pl.col("task") == MEAN).height:
        return [
            Note(
                f"Means marked {PUBLISHED.sign} are plain means over the tasks with published "
                "scores among them: without interval, rank and test."
            )
        ]
    wrong = published.filter(pl.col("doubts").list.contains("wrong"))["task"].unique().sort()
    if not len(wrong):
        return []
    rest = sorted(set(table["task"]) - {MEAN, *wrong})
    keep = [task.partition(" [")[0] for task in rest]
    return [
        Note(
            f"No mean over published scores, because those on {', '.join(wrong)} are known to be "
            f"wrong; for one over the others give --tasks {' '.join(keep)}."
        )
    ]


def name_alarm(table: pl.DataFrame) -> list[str]:
    """The published scores in one line, if there are any."""
    published = table.filter("published", pl.col("task") != MEAN)
    if not published.height:
        return []
    doubts = pl.col("doubts").list
    odd = published.filter(doubts.set_intersection(list(ODD.kinds)).list.len() > 0).height
    wrong = published.filter(doubts.contains("wrong")).height
    parts = [f"{odd:,} {ODD.sign} contradict their own interval"] * bool(odd)
    parts += [f"{wrong:,} {WRONG.sign} known to be wrong"] * bool(wrong)
    of = f" ({'; '.join(parts)})" if parts else ""
    return [f"{published.height:,} {PUBLISHED.sign} published, without predictions{of}"]
