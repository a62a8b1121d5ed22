"""The rows that several tables of predictions have in common, in one order.

tables, n_left_out = align({"one model": predictions, "another": predictions})
"""

from collections.abc import Mapping

import polars as pl

from biobench.errors import BadInput

__all__ = ["align"]

LEAST_COMMON = 0.95


def align(tables: Mapping[str, pl.DataFrame]) -> tuple[list[pl.DataFrame], int]:
    """The rows that every model has, in one order, and the number of rows that some lack.

    tables: predictions by the model's name.
    Raises BadInput where a model has a row twice, or under 95% of the rows are common.
    """
    keys = {name: _keys(table, name) for name, table in tables.items()}
    first = next(iter(keys.values()))
    if all(key is first or key.equals(first) for key in keys.values()):
        return list(tables.values()), 0
    for name, key in keys.items():
        if key.n_unique() < len(key):
            twice = key.filter(key.is_duplicated())[0]
            raise BadInput(
                f"{name} has more than one row for the example '{twice}'; keep one prediction "
                "an example and subtask."
            )
    common = first
    for key in keys.values():
        common = common.filter(common.is_in(key.implode()))
    every = pl.concat(keys.values()).n_unique()
    if len(common) < LEAST_COMMON * every:
        counts = ", ".join(f"{name} {len(key):,}" for name, key in list(keys.items())[:4])
        raise BadInput(
            f"Only {len(common):,} of {every:,} examples ({len(common) / every:.0%}) have a "
            f"prediction of every model ({counts}), and under {LEAST_COMMON:.0%} is no fair "
            "comparison; run the models on the same test set."
        )
    wanted = pl.DataFrame({"key": common})
    aligned = [
        wanted.join(
            table.with_columns(keys[name].alias("key")), on="key", how="left", maintain_order="left"
        ).drop("key")
        for name, table in tables.items()
    ]
    return aligned, every - len(common)


def _keys(table: pl.DataFrame, name: str) -> pl.Series:
    if "example" not in table.columns:
        raise BadInput(f"The predictions of {name} have no column 'example'; add it.")
    example = table["example"]
    if "subtask" not in table.columns or table["subtask"].null_count() == len(table):
        return example.cast(pl.String)
    return table.select(
        pl.concat_str(pl.col("example"), pl.col("subtask").fill_null(""), separator=" / ")
    ).to_series()
