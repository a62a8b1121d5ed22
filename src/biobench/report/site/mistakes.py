"""The examples that most models have wrong: often the label is.

table = find_mistakes(answers)      # answers: see `picture_answers`
pick_mistakes(table, 48)
"""

from collections.abc import Mapping

import polars as pl

from biobench.report.site.picture_answers import KEY, join_class

__all__ = ["find_mistakes", "pick_mistakes"]

MAX_OF_MODEL = 8
"""examples shown because one model is surest of them, whatever the others say."""


def find_mistakes(answers: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """One row an example that any model has wrong; what most have wrong first.

    Columns: subtask, example, group, truth, image, box, class, n (models that answered), n_wrong,
    wrong (their names, as `answers` has them), wrong_answers, surenesses (of each of these).
    """
    if not answers:
        return pl.DataFrame()
    long = pl.concat(
        table.with_columns(pl.lit(model).alias("model")) for model, table in answers.items()
    )
    is_wrong = ~pl.col("is_right")
    found = (
        long.group_by(*KEY, "truth", maintain_order=True)
        .agg(
            pl.col("group", "image", "box").first(),
            pl.len().alias("n"),
            is_wrong.sum().alias("n_wrong"),
            pl.col("model").filter(is_wrong).alias("wrong"),
            pl.col("answer").filter(is_wrong).alias("wrong_answers"),
            pl.col("sureness").filter(is_wrong).alias("surenesses"),
        )
        .filter(pl.col("n_wrong") > 0)
        .with_columns(join_class().alias("class"))
    )
    # The same wrong answer of many is more like a wrong label than as many different ones.
    agreed = (
        pl.col("wrong_answers")
        .list.drop_nulls()
        .list.eval(pl.element().value_counts().struct.field("count").max())
        .list.first()
        .fill_null(0)
    )
    return found.with_columns(agreed.alias("n_agreed")).sort(
        pl.col("n_wrong") / pl.col("n"),
        "n",
        "n_agreed",
        "subtask",
        "example",
        descending=[True, True, True, False, False],
    )


def pick_mistakes(table: pl.DataFrame, n: int) -> pl.DataFrame:
    """At most `n` rows, the hardest of as many classes as there are, and each model's surest."""
    if not table.height:
        return table
    mine = (
        table.with_row_index("place")
        .select("place", "wrong", "surenesses")
        .explode("wrong", "surenesses")
        .sort("surenesses", descending=True, nulls_last=True, maintain_order=True)
        .group_by("wrong", maintain_order=True)
        .head(MAX_OF_MODEL)
    )
    surest = mine["place"].unique(maintain_order=True).to_list()[: n // 2]
    turn = pl.int_range(pl.len()).over("n_wrong", "class")
    hardest = (
        table.with_row_index("place")
        .filter(~pl.col("place").is_in(surest))
        .with_columns(turn.alias("turn"))
        .sort(1 - pl.col("n_wrong") / pl.col("n"), "turn", "place")["place"]
        .to_list()
    )
    return table[sorted([*surest, *hardest[: n - len(surest)]])]
