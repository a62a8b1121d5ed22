"""What every output draws a leaderboard and a comparison from: typed cells, marks and notes.

    cells = view_cells(board.table, board.signs)         # CellView by (model, task)
    cells["timm:a", "newt"].mark            # BEST, TIED, UNVERIFIED or None
    cells["timm:a", "newt"].marks           # the same, and SEEN where that is so
    Note("few groups", label="Warning (newt)").sentence

Terminal, Markdown, LaTeX, page and JSON know no mark by name: what one means and how each of them
draws it stands in `MARKS` and nowhere else.
"""

import dataclasses
import enum
import typing
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from biobench import catalog

__all__ = [
    "BEST",
    "MARKS",
    "ODD",
    "PUBLISHED",
    "SEEN",
    "TIED",
    "UNVERIFIED",
    "WRONG",
    "CellView",
    "Mark",
    "Note",
    "PairView",
    "Verdict",
    "view_cells",
    "view_pairs",
    "view_parts",
]

ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Note:
    """One sentence under a table."""

    text: str
    label: str = ""
    """what stands in front, as "Warning (newt)"; empty for what is said of the table itself."""
    is_of_marks: bool = False
    """whether it explains marks and ranks, which only terminal and page show."""

    @property
    def is_warning(self) -> bool:
        """Whether it says that something may be wrong."""
        return self.label.startswith("Warning")

    @property
    def sentence(self) -> str:
        """The whole note."""
        return f"{self.label}: {self.text}" if self.label else self.text


@dataclasses.dataclass(frozen=True)
class CellView:
    """A score with what is known of it. Of a part of a test set, `task` is the part."""

    model: str
    task: str
    score: float
    ci_low: float | None
    """None, as `ci_high`, where the interval cannot be computed or verified."""
    ci_high: float | None
    n: int | None
    """scored test examples."""
    n_groups: int | None = None
    rank: int | None = None
    rank_low: int | None = None
    rank_high: int | None = None
    tied_with_best: bool | None = None
    run: str | None = None
    """the newest run; None for a mean over tasks."""
    runs: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    is_best: bool = False
    """whether it has the best of several scores of its task."""
    published: bool = False
    """whether it was taken over from a published leaderboard, without predictions."""
    doubts: tuple[str, ...] = ()
    """what is the matter with a published score (`results.published.KINDS`)."""
    seen: str | None = None
    """what pretraining has seen of the task, of `catalog.STATUSES`; None where the list of
    checkpoints says nothing."""

    @property
    def ci(self) -> list[float] | None:
        """[low, high]; None where there is no interval."""
        if self.ci_low is None or self.ci_high is None:
            return None
        return [self.ci_low, self.ci_high]

    @property
    def rank_ci(self) -> list[int] | None:
        """[low, high]; None where there is no rank."""
        if self.rank_low is None or self.rank_high is None:
            return None
        return [self.rank_low, self.rank_high]

    @property
    def mark(self) -> "Mark | None":
        """The first mark that is true of the cell, but for those that stand beside others."""
        return next((one for one in MARKS if not one.is_beside and one.holds(self)), None)

    @property
    def marks(self) -> "list[Mark]":
        """Its mark, and those that stand beside it."""
        beside = [one for one in MARKS if one.is_beside and one.holds(self)]
        return [*([self.mark] if self.mark else []), *beside]

    @property
    def sign(self) -> str:
        """The sign of its mark; empty where it has none."""
        return self.mark.sign if self.mark else ""

    @property
    def beside(self) -> str:
        """The signs of the marks that stand beside it; empty where there are none."""
        return "".join(one.sign for one in self.marks if one.is_beside)


@dataclasses.dataclass(frozen=True)
class Mark:
    """What may be said of a cell, and how each output says it."""

    name: str
    """for style sheets."""
    sign: str
    """one character behind the score: terminal and page."""
    words: str
    """what it means, in a few words."""
    holds: Callable[[CellView], bool]
    style: str
    """rich's, of the score."""
    markdown: str
    """of the score, which stands for {}."""
    latex: str
    kinds: frozenset[str] = frozenset()
    """the doubts of which it is true."""
    is_beside: bool = False
    """whether it is shown beside another, not in its place."""


BEST = Mark(
    name="best",
    sign="*",
    words="best",
    holds=lambda cell: cell.is_best,
    style="bold green",
    markdown="**{}**",
    latex=r"\textbf{{{}}}",
)
TIED = Mark(
    name="tied",
    sign="=",
    words="not distinguishable from the best",
    holds=lambda cell: cell.rank != 1 and bool(cell.tied_with_best),
    style="green",
    markdown="<u>{}</u>",
    latex=r"\underline{{{}}}",
)
UNVERIFIED = Mark(
    name="unverified",
    sign="?",
    words="cannot be verified",
    holds=lambda cell: cell.ci_low is None and not cell.published,
    style="dim",
    markdown="{} (?)",
    latex="{} (?)",
)
SEEN = Mark(
    name="seen",
    sign="†",
    words="seen in pretraining",
    holds=lambda cell: cell.seen in catalog.SEEN,
    style="",
    markdown="{}†",
    latex=r"{}$^{{\dagger}}$",
    is_beside=True,
)
PUBLISHED = Mark(
    name="published",
    sign="~",
    words="published without predictions, cannot be recomputed",
    holds=lambda cell: cell.published,
    style="dim",
    markdown=r"{} (\~)",
    latex=r"{} (\textasciitilde{{}})",
)
ODD = Mark(
    name="odd",
    sign="!",
    words="published, and outside its own interval or without one",
    holds=lambda cell: cell.published and not ODD.kinds.isdisjoint(cell.doubts),
    style="dim",
    markdown="{} (!)",
    latex="{} (!)",
    kinds=frozenset({"outside", "swapped", "no interval"}),
)
WRONG = Mark(
    name="wrong",
    sign="x",
    words="published, and known to be wrong",
    holds=lambda cell: not WRONG.kinds.isdisjoint(cell.doubts),
    style="dim",
    markdown="{} (x)",
    latex="{} (x)",
    kinds=frozenset({"wrong"}),
)
MARKS = (WRONG, ODD, PUBLISHED, UNVERIFIED, BEST, TIED, SEEN)
"""the one that stands first is the one that is shown, with those that stand beside others."""


class Verdict(enum.Enum):
    """What a comparison of two models found."""

    A = "A is better"
    B = "B is better"
    NOT_SEEN = "no difference seen"
    NOT_SHOWABLE = "none could be shown"
    NOT_TESTED = "not tested"


@dataclasses.dataclass(frozen=True)
class PairView:
    """What two models' scores on one task differ by."""

    task: str
    a: str
    b: str
    score_a: float
    score_b: float
    difference: float
    ci_low: float | None
    """None, as all that follows, where a model's predictions are not here: nothing is tested."""
    ci_high: float | None
    p: float | None
    p_holm: float | None
    n: int | None
    n_groups: int | None
    n_left_out: int | None
    detectable: float | None

    @property
    def ci(self) -> list[float] | None:
        """[low, high] of the difference; None where it was not tested."""
        if self.ci_low is None or self.ci_high is None:
            return None
        return [self.ci_low, self.ci_high]

    @property
    def verdict(self) -> Verdict:
        """Which is better at 5%, all rows allowed for, or why none is."""
        if self.p_holm is None:
            return Verdict.NOT_TESTED
        if self.p_holm < ALPHA:
            return Verdict.A if self.difference > 0 else Verdict.B
        return Verdict.NOT_SHOWABLE if self.detectable is None else Verdict.NOT_SEEN

    @property
    def shown_p(self) -> str:
        """p with four decimals; a smaller one is not shown as none."""
        return _show_p(self.p)

    @property
    def shown_p_holm(self) -> str:
        """The corrected p, likewise."""
        return _show_p(self.p_holm)

    @property
    def shown_n(self) -> str:
        """The examples that both were tested on; a dash where there was no test."""
        return "–" if self.n is None else f"{self.n:,}"

    @property
    def shown_detectable(self) -> str:
        """The smallest difference that could have been seen, or that there is none."""
        if self.p is None:
            return "–"
        return "none" if self.detectable is None else f"{self.detectable:.3f}"


def view_cells(table: pl.DataFrame, signs: Mapping[str, int]) -> dict[tuple[str, str], CellView]:
    """Every row of a leaderboard's table, by (model, task).

    signs: of each task, as `Leaderboard.signs`; the best of one whose sign is 0 is not known.
    """
    sure = table.filter(pl.col("ci_low").is_not_null(), ~pl.col("published")).group_by("task")
    ends = sure.agg(pl.col("score").max().alias("high"), pl.col("score").min(), pl.len())
    top = {
        task: high if signs[task] > 0 else low
        for task, high, low, n in ends.rows()
        if n > 1 and signs[task]
    }
    cells = {}
    for row in table.iter_rows(named=True):
        is_sure = row["ci_low"] is not None and not row["published"]
        is_best = is_sure and row["score"] == top.get(row["task"])
        lists = {name: tuple(row[name] or ()) for name in ("runs", "seeds", "doubts")}
        cell = _make(row, **lists)
        cells[cell.model, cell.task] = dataclasses.replace(cell, is_best=is_best)
    return cells


def view_parts(table: pl.DataFrame) -> dict[tuple[str, str], CellView]:
    """Every row of a breakdown's table, by (part, model); nothing there is best or tied."""
    rows = table.iter_rows(named=True)
    return {(row["value"], row["model"]): _make(row, task=row["value"]) for row in rows}


def view_pairs(table: pl.DataFrame) -> list[PairView]:
    """Every row of a comparison's table, in order."""
    names = [field.name for field in dataclasses.fields(PairView)]
    return [PairView(**row) for row in table.select(names).iter_rows(named=True)]


def _make(row: Mapping[str, typing.Any], **given: typing.Any) -> CellView:
    names: Iterable[str] = (field.name for field in dataclasses.fields(CellView))
    return CellView(**{name: row[name] for name in names if name in row} | given)


def _show_p(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"
