"""Two models over all tasks: what they differ by, and whether it could have been seen."""

import dataclasses
from collections.abc import Iterator, Sequence

from biobench import clean
from biobench.report.formats import comparison_to_text
from biobench.report.site.bars import Scale
from biobench.report.site.comparisons import Pair, compare_pairs
from biobench.report.site.pages import File, Kind, Page
from biobench.report.site.pictured_pairs import address_pictures, choose_pictured
from biobench.report.site.subject import Subject
from biobench.report.views import Note, PairView, Verdict, view_pairs

__all__ = ["KIND"]

WORDS = {
    Verdict.NOT_SEEN: "no difference seen",
    Verdict.NOT_SHOWABLE: "none could be shown",
    Verdict.NOT_TESTED: "not tested",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """Two models on a task."""

    heading: str
    address: str
    """empty for the mean."""
    pair: PairView
    words: str
    bar: str


@dataclasses.dataclass(frozen=True)
class Compared:
    """The page of one pair."""

    a: str
    b: str
    address_a: str
    address_b: str
    headline: str
    rows: Sequence[Row]
    notes: Sequence[Note]
    command: str
    csv: str
    pictures: str
    """the address of where they disagree; empty where there is no such page."""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A pair in the list of pairs."""

    a: str
    b: str
    address: str
    headline: str
    n_better: int
    """tasks on which the first is shown to be better."""
    n_worse: int
    n_tasks: int


@dataclasses.dataclass(frozen=True)
class PairList:
    """The page of all pairs."""

    pairs: Sequence[Listed]
    models: Sequence[str]
    n_possible: int
    results: str
    """the results folder, for the command of any other pair."""


def _make(subject: Subject) -> Iterator[Page | File]:
    found = list(compare_pairs(subject))
    if not found:
        return
    views = [(pair, *_make_page(subject, pair)) for pair in found]
    n = len(subject.board.models)
    listed = [_list(pair, view) for pair, view, _ in views]
    view = PairList(listed, subject.board.models, n * (n - 1) // 2, str(subject.root))
    yield Page("compare.html", "Compare", "pairs.html.j2", view)
    for pair, view, file in views:
        yield Page(pair.address, f"{pair.a} and {pair.b}", "pair.html.j2", view)
        yield file


def _make_page(subject: Subject, pair: Pair) -> tuple[Compared, File]:
    rows = view_pairs(pair.comparison.table)
    scale = _find_scale(rows)
    csv = pair.address.replace("compare/", "data/pair-").removesuffix(".html") + ".csv"
    view = Compared(
        a=pair.a,
        b=pair.b,
        address_a=subject.address_model(pair.a),
        address_b=subject.address_model(pair.b),
        headline=_say(subject, pair, rows),
        rows=[
            Row(
                heading=pair.comparison.head(row.task),
                address="" if row.task == "mean" else subject.address_task(row.task),
                pair=row,
                words=_say_verdict(pair, row),
                bar=_draw(scale, row),
            )
            for row in rows
        ],
        notes=pair.comparison.notes,
        command=clean.shell(
            ["biobench", "compare", pair.a, pair.b, "--results", str(subject.root)]
        ),
        csv=csv,
        pictures=address_pictures(pair.a, pair.b)
        if (pair.a, pair.b) in choose_pictured(subject)
        else "",
    )
    return view, File(csv, f"{comparison_to_text(pair.comparison, 'csv')}\n")


def _find_scale(rows: Sequence[PairView]) -> Scale:
    """One for all rows, with no difference in its middle."""
    ends = [abs(end) for row in rows for end in (*(row.ci or ()), row.difference)]
    width = max(ends, default=1.0) or 1.0
    return Scale(-width, width)


def _draw(scale: Scale, row: PairView) -> str:
    low, high = row.ci or (row.difference, row.difference)
    zero = f'<path class="zero" d="M{scale.place(0.0):.0f} 0V8"/>'
    line = f'<path d="M{scale.place(low):.0f} 4H{scale.place(high):.0f}"/>'
    dot = f'<circle cx="{scale.place(row.difference):.0f}" cy="4" r="3"/>'
    return f'<svg class="bar" viewBox="0 0 100 8">{zero}{line}{dot}</svg>'


def _say_verdict(pair: Pair, row: PairView) -> str:
    if row.verdict is Verdict.A:
        return f"{pair.a} is better"
    return f"{pair.b} is better" if row.verdict is Verdict.B else WORDS[row.verdict]


def _say(subject: Subject, pair: Pair, rows: Sequence[PairView]) -> str:
    """One sentence: what holds of the mean, else of how many tasks."""
    means = [row for row in rows if row.task == "mean"]
    one = means[0] if means else rows[0] if len(rows) == 1 else None
    if one is not None and one.ci is not None:
        low, high = one.ci
        where = "over all tasks that both have" if means else f"on {pair.comparison.head(one.task)}"
        numbers = f"{one.difference:+.3f} ({low:+.3f} to {high:+.3f})"
        if one.verdict in (Verdict.A, Verdict.B):
            return f"{_say_verdict(pair, one)} {where}: {numbers}."
        return f"{_say_verdict(pair, one).capitalize()} {where}: {numbers}."
    better = sum(row.verdict is Verdict.A for row in rows)
    worse = sum(row.verdict is Verdict.B for row in rows)
    return (
        f"Of {len(rows):,} tasks {pair.a} is better on {better:,} and {pair.b} on {worse:,}; on "
        f"the others no difference is shown."
    )


def _list(pair: Pair, view: Compared) -> Listed:
    tasks = [row.pair for row in view.rows if row.pair.task != "mean"]
    return Listed(
        pair.a,
        pair.b,
        pair.address,
        view.headline,
        sum(row.verdict is Verdict.A for row in tasks),
        sum(row.verdict is Verdict.B for row in tasks),
        len(tasks),
    )


KIND = Kind("compare", "Compare", _make)
