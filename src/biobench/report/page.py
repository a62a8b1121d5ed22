"""The results as one web page that needs nothing else: no network, no scripts, no other file.

write_page(results, Path("site"))        # site/index.html

The page holds the leaderboard, a section a task (intervals, sub-scores, breakdowns by rarity,
class and what the task knows of its examples) and the provenance of every run shown.
"""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from biobench import atomic, clean, results
from biobench.errors import BadInput, require_extra
from biobench.report.alarms import brief
from biobench.report.board import Leaderboard, leaderboard
from biobench.report.notes import MEAN
from biobench.report.parts import UNEVEN, Breakdown, break_down_task, list_columns
from biobench.report.plots import plot_intervals
from biobench.report.views import BEST, SEEN, TIED, CellView, view_cells, view_parts

__all__ = ["write_page"]

GUIDE = (
    f"Below each score its 95% interval; of several models {BEST.sign} is the best, {TIED.sign} "
    f"may be the best; {SEEN.sign}: {SEEN.words}."
)

MAX_BROKEN_DOWN = 6
"""models of a task, best first, whose scores are broken down."""

MAX_PARTS = 30
"""parts shown of a breakdown, hardest first."""


def write_page(
    root: Path,
    site: Path,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    aliases: Sequence[str] = (),
) -> Path:
    """Write the page of the results below `root` into the folder `site`; returns the file.

    tasks, models, where: see `selection.select`. aliases: names for models, each ORG:CKPT=Name.
    An earlier page is replaced in one step. Raises BadInput where there is nothing to show,
    `site` is not a folder, or there is no jinja2.
    """
    if site.exists() and not site.is_dir():
        raise BadInput(f"{site} is a file; name a folder for the page.")
    require_extra("report", "jinja2", "The page")
    board = leaderboard(root, tasks=tasks, models=models, where=where, aliases=aliases)
    text = _render(board)
    site.mkdir(parents=True, exist_ok=True)
    target = site / "index.html"
    atomic.write(target, text)
    return target


@dataclasses.dataclass(frozen=True)
class Part:
    """Scores of the best models of a task on parts of its test examples."""

    title: str
    models: list[str]
    rows: list[tuple[str, int, list[CellView | None]]]
    """what the part is, its examples, and one cell a model."""
    n_left_out: int
    note: str


@dataclasses.dataclass(frozen=True)
class Section:
    """What the page says of one task."""

    task: str
    """as it is called for people."""
    anchor: str
    metric: str
    cells: list[CellView]
    """best first."""
    plot: str
    splits: list[tuple[str, list[float | None]]]
    breakdowns: list[Part]


def _render(board: Leaderboard) -> str:
    # Only the page needs it (extra `report`), not the tables of the terminal.
    import jinja2

    loader = jinja2.PackageLoader("biobench.report")
    env = jinja2.Environment(
        loader=loader,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        # What is escaped already (the style, the plots) is ours, and clean.
        finalize=lambda value: clean.lines(value) if type(value) is str else value,
    )
    env.filters.update(score=_show_score, time=_show_time, seconds=_show_seconds)
    runs = [
        (row["task"], row["model"], results.read_report(Path(run)))
        for row in board.table.sort("task", "model").iter_rows(named=True)
        for run in row["runs"] or []
    ]
    css = loader.get_source(env, "page.css")[0]
    return env.get_template("page.html.j2").render(
        board=board,
        mean=MEAN,
        brief=brief(board.alarms, len(board.notes), GUIDE, "below"),
        cells=view_cells(board.table, board.signs),
        left_out={(r["left_out"], r["model"]): r for r in board.left_out.iter_rows(named=True)},
        css=css,
        sections=[_make_section(board, i, task, runs) for i, task in enumerate(board.tasks)],
        runs=runs,
        made=datetime.datetime.now(datetime.UTC),
    )


def _make_section(
    board: Leaderboard, number: int, task: str, runs: list[tuple[str, str, dict]]
) -> Section:
    cells = [cell for (_, of), cell in view_cells(board.table, board.signs).items() if of == task]
    sign = board.signs[task] or 1
    cells.sort(key=lambda cell: (-sign * cell.score, cell.model))
    reports: dict[str, list[dict]] = {}
    for of, model, report in runs:
        if of == task:
            reports.setdefault(model, []).append(report)
    every = [report for some in reports.values() for report in some]
    names = dict.fromkeys(name for report in every for name in report["splits"])
    shown = [cell.model for cell in cells]
    return Section(
        task=board.head(task),
        anchor=f"task-{number}",
        metric=_get_metric(every[0]),
        cells=cells,
        plot=plot_intervals(cells, f"Scores on {board.head(task)} with their intervals"),
        splits=[(name, [_get_split(reports[m], name) for m in shown]) for name in sorted(names)],
        breakdowns=_break_down(board, task),
    )


def _get_metric(report: dict) -> str:
    name = report["provenance"]["protocol"].get("metric")
    return name if isinstance(name, str) else "of its own"


def _get_split(reports: list[dict], name: str) -> float | None:
    """A sub-score, on average over the runs that have it."""
    found = [report["splits"].get(name) for report in reports]
    scores = [score for score in found if score is not None]
    return _mean(scores) if scores else None


def _break_down(board: Leaderboard, task: str) -> list[Part]:
    found = (
        break_down_task(board, task, by, n_models=MAX_BROKEN_DOWN)
        for by in list_columns(board, task)
    )
    return [_make_part(one) for one in found if one is not None and len(one.values) > 1]


def _make_part(found: Breakdown) -> Part:
    cells = view_parts(found.table)
    rows = []
    for value in found.values:
        row = [cells.get((value, model)) for model in found.models]
        rows.append((value, max(cell.n or 0 for cell in row if cell), row))
    if found.by != "rarity":
        rows.sort(key=lambda row: (_mean([cell.score for cell in row[2] if cell]), row[0]))
    named = {"rarity": "training examples of the class"}.get(found.by, found.by)
    left_out = max(0, len(rows) - MAX_PARTS)
    note = UNEVEN if found.is_uneven else ""
    return Part(f"By {named}", found.models, rows[:MAX_PARTS], left_out, note)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _show_score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _show_time(posix: float | datetime.datetime) -> str:
    if not isinstance(posix, datetime.datetime):
        posix = datetime.datetime.fromtimestamp(posix, datetime.UTC)
    return posix.strftime("%Y-%m-%d %H:%M UTC")


def _show_seconds(value: float) -> str:
    return f"{value:,.1f} s"
