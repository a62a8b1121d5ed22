"""What models answered, picture by picture: the newest run of each on a task.

answers = read_answers(subject, "newt", ["timm:a", "timm:b"])
answers["timm:a"]       # subtask, example, group, truth, answer, sureness, is_right, image, box
                        # and rank_genus, … where the task knows them
"""

from collections.abc import Sequence

import polars as pl

from biobench import results
from biobench.errors import BadInput
from biobench.report.site.subject import Run, Subject

__all__ = ["KEY", "RANKS", "join_class", "read_answers"]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
KEY = ("subtask", "example")
"""what tells the examples of a task apart."""


def read_answers(subject: Subject, task: str, models: Sequence[str]) -> dict[str, pl.DataFrame]:
    """By model; a model whose run has no classes, or cannot be read, is not among them.

    Models that were tested on other data than the first of them are left out too: they answered
    other questions.
    """
    found: dict[str, pl.DataFrame] = {}
    data = ""
    for model in models:
        for run in subject.list_runs(task=task, model=model)[:1]:
            table = _read(run)
            data = data or (run.report["provenance"]["manifest"] if table is not None else "")
            if table is not None and run.report["provenance"]["manifest"] == data:
                found[model] = table
    return found


def _read(run: Run) -> pl.DataFrame | None:
    if not run.report["has_predictions"]:
        return None
    try:
        return _bring_into_form(results.read_predictions(run.path))
    except (BadInput, pl.exceptions.PolarsError):
        return None


def _bring_into_form(table: pl.DataFrame) -> pl.DataFrame | None:
    if not {"example", "y_true", "y_pred"} <= set(table.columns) or not table["y_true"].count():
        return None
    lacking = {
        "subtask": pl.String(),
        "group": pl.String(),
        "image": pl.String(),
        "box": pl.List(pl.Float64()),
        "top_labels": pl.List(pl.String()),
        "top_scores": pl.List(pl.Float64()),
    }
    table = table.with_columns(
        pl.lit(None, dtype).alias(name)
        for name, dtype in lacking.items()
        if name not in table.columns
    )
    is_first = pl.col("top_labels").list.first() == pl.col("y_pred")
    sureness = pl.when(is_first).then(pl.col("top_scores").list.first())
    if "probability" in table.columns:
        sureness = pl.coalesce(pl.col("probability").cast(pl.Float64, strict=False), sureness)
    ranks = [rank for rank in RANKS if rank in table.columns]
    is_boxed = isinstance(table.schema["box"], pl.List)
    box = pl.col("box").cast(pl.List(pl.Float64()), strict=False) if is_boxed else pl.lit(None)
    return (
        table.select(
            pl.col("subtask", "example", "group").cast(pl.String),
            pl.col("y_true").cast(pl.String).alias("truth"),
            pl.col("y_pred").cast(pl.String).alias("answer"),
            sureness.alias("sureness"),
            pl.coalesce(pl.col("image").cast(pl.String), "example").alias("image"),
            box.alias("box"),
            *(pl.col(rank).cast(pl.String).alias(f"rank_{rank}") for rank in ranks),
        )
        .filter(pl.col("truth").is_not_null())
        .unique(KEY, keep="first", maintain_order=True)
        .with_columns(is_right=(pl.col("truth") == pl.col("answer")).fill_null(False))
    )


def join_class(name: str = "truth") -> pl.Expr:
    """A class as a page names it: of several subtasks each has its own."""
    return pl.concat_str([pl.col("subtask"), pl.col(name)], separator=": ", ignore_nulls=True)
