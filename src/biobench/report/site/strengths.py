"""Which classes a model is strong and weak on, against the other models of the same task.

field = Field.of(subject, task)
field.find_extremes(model)          # classes, each with its share right and the field's

Of a class, what counts is the share of its test examples that are right (its recall). Classes are
ordered by how sure it is that they differ from the field's median, not by how far, so that a class
of three pictures does not lead; extremes picked among many are partly luck, and said to be.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import polars as pl

from biobench import results
from biobench.errors import BadInput
from biobench.report.run_data import LEAST_OF_CLASS
from biobench.report.site.shares import Z, wilson
from biobench.report.site.subject import Subject

__all__ = ["MAX_SHOWN", "ClassScore", "Field"]

LEAST_MODELS = 3
"""without which there is no field."""

MAX_SHOWN = 6


@dataclasses.dataclass(frozen=True)
class ClassScore:
    """A model on the test examples of one class."""

    task: str
    label: str
    n: int
    share: float
    """of them that is right."""
    low: float
    """of its 95% interval (Wilson's), as `high`."""
    high: float
    field: float
    """the median share of the task's models."""

    @property
    def lead(self) -> float:
        """The difference from the field in units of its standard error, roughly."""
        return (self.share - self.field) / max((self.high - self.low) / (2 * Z), 1e-9)


@dataclasses.dataclass(frozen=True)
class Field:
    """Every model's share of right answers, by class, on one task."""

    task: str
    shares: Mapping[str, Mapping[str, tuple[float, int]]]
    """by model and class: the share, and the test examples."""
    medians: Mapping[str, float]
    """of each class that can be judged."""

    @classmethod
    def of(cls, subject: Subject, task: str) -> "Field | None":
        """The field of a task; None where fewer than three models have predictions."""
        tables = {}
        for cell in subject.rank_cells(task):
            for run in subject.list_runs(task=task, model=cell.model)[:1]:
                if run.report["has_predictions"]:
                    tables[cell.model] = run.path
        if len(tables) < LEAST_MODELS:
            return None
        parts = []
        for model, path in tables.items():
            try:
                table = results.read_predictions(path, ["subtask", "y_true", "y_pred"])
            except BadInput:
                continue
            label = pl.concat_str([pl.col("subtask"), pl.col("y_true")], separator=": ")
            right = (pl.col("y_true") == pl.col("y_pred")).fill_null(False)
            parts.append(
                table.with_columns(pl.col("subtask", "y_true", "y_pred").cast(pl.String))
                .drop_nulls("y_true")
                .group_by(pl.coalesce(label, "y_true").alias("label"))
                .agg(right.mean().alias("share"), pl.len().alias("n"))
                .with_columns(model=pl.lit(model))
            )
        table = pl.concat(parts)
        judged = table.filter(pl.col("n") >= LEAST_OF_CLASS)
        medians = dict(judged.group_by("label").agg(pl.col("share").median()).rows())
        shares: dict[str, dict[str, tuple[float, int]]] = {}
        for label, share, n, model in table.rows():
            shares.setdefault(model, {})[label] = share, n
        return cls(task, shares, medians)

    def find_extremes(self, model: str) -> tuple[Sequence[ClassScore], Sequence[ClassScore]]:
        """The strongest and the weakest classes of a model, at most six each, surest first."""
        own = self.shares.get(model, {})
        found = [
            _make(self.task, label, *own[label], median)
            for label, median in self.medians.items()
            if label in own
        ]
        found.sort(key=lambda one: (-one.lead, one.label))
        strong = [one for one in found if one.share > one.field][:MAX_SHOWN]
        weak = [one for one in reversed(found) if one.share < one.field][:MAX_SHOWN]
        return strong, weak


def _make(task: str, label: str, share: float, n: int, median: float) -> ClassScore:
    return ClassScore(task, label, n, share, *wilson(share, n), median)
