"""What a leaderboard is, apart from how it is made: its table, and what must be known of it."""

import dataclasses

import polars as pl

from biobench import results
from biobench.report.notes import MEAN
from biobench.report.views import Note

__all__ = ["Leaderboard"]


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """A table of scores. `table` has the columns model, task, score, ci_low, ci_high (the interval
    over groups where there are groups), n, rank, rank_low, rank_high, tied_with_best, n_groups
    (null where examples were resampled), run (the newest; null for the mean), warnings, runs (all
    that the score is the mean of, which differ in their seed alone, newest first), their seeds,
    published (whether it was taken over without predictions), doubts (what is the matter with a
    published score) and seen (what pretraining has seen of the task; docs/contamination.md)."""

    table: pl.DataFrame
    models: list[str]
    """best first."""
    tasks: list[str]
    """without the mean."""
    order: pl.DataFrame
    """of the models with a mean, best first: model, rank, rank_low, rank_high (over fresh test
    sets), tasks_low, tasks_high (rank had other tasks been chosen), left_low, left_high (rank with
    any one task left out), beats_next (probability of a higher expected mean than the next)."""
    left_out: pl.DataFrame
    """means with one task left out: left_out, model, score, rank."""
    notes: list[Note]
    """what a reader has to know, one sentence each."""
    problems: list[results.Problem]
    """folders that could not be read."""
    doubts: list[str] = dataclasses.field(default_factory=list)
    """one sentence for each run whose report says something else than its predictions give."""
    unknown: list[str] = dataclasses.field(default_factory=list)
    """one sentence for each metric of the runs that cannot be used here, and what to do."""
    metric: str = ""
    """the metric by which all runs were scored anew; empty where each has its task's own."""
    signs: dict[str, int] = dataclasses.field(default_factory=dict)
    """of each task, and the mean: 1 where the higher score is the better one, -1 where the lower
    is, 0 where that is not known."""
    headings: dict[str, str] = dataclasses.field(default_factory=dict)
    """what each task is called for people: with its protocol, where that is not its own."""
    alarms: list[str] = dataclasses.field(default_factory=list)
    """what a reader has to know first, short, the worst first; the notes say more."""
    preset: str = ""
    """the protocol preset of all its runs; empty: each task's original protocol, or several."""
    parts: list["Leaderboard"] = dataclasses.field(default_factory=list)
    """of several protocol presets the board of each, which is what people are shown: a row here is
    of one preset, and the mean of each has its own name (`mean [2026]`)."""

    def head(self, task: str) -> str:
        """What a column is called for people."""
        return self.headings.get(task, task)

    @property
    def measured(self) -> list[str]:
        """The models with a score that is not only taken over from a published leaderboard."""
        ours = set(self.table.filter(~pl.col("published"))["model"])
        return [model for model in self.models if model in ours]

    @property
    def has_mean(self) -> bool:
        """Whether any model has every task, and each task one protocol."""
        return bool((self.table["task"] == MEAN).any())

    @property
    def columns(self) -> list[str]:
        """The columns of scores, the mean last."""
        return [*self.tasks, MEAN] if self.has_mean else list(self.tasks)
