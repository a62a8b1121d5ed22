"""`biobench leaderboard`, `compare`, `report`, `export`, `import`: what is done with results."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench import clean
from biobench.commands.explaining import METRICS, Imports, Known
from biobench.commands.printing import make_console
from biobench.errors import BadInput
from biobench.imports import import_modules
from biobench.screen import say

__all__ = ["Compare", "Export", "Import", "Leaderboard", "Report"]

Format = Literal["table", "json", "csv", "markdown", "latex"]
Tasks = Annotated[tuple[str, ...], tyro.conf.arg(metavar="TASK…")]
Models = Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORG:CKPT…")]
Metric = Annotated[str, tyro.conf.arg(metavar="NAME"), Known(lambda: METRICS)]
Where = Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE…")]
Alias = tyro.conf.UseAppendAction[
    Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORG:CKPT=Name")]
]


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """Every model's score on every task, with intervals, ties and ranks."""

    results: Path = Path("results")
    """the results folder."""
    format: Format = "table"
    """how to print it."""
    tasks: Tasks = ()
    """keep these tasks only (patterns like newt* may be used)."""
    models: Models = ()
    """keep these models only (patterns like timm:* may be used)."""
    where: Where = ()
    """keep runs with this protocol only, as in n_train=10 seed=42."""
    by: str = ""
    """show parts of the test sets instead: class, rarity (training examples of the class), a column
    that the task knows (subtask, camera, …), or ranges of one (date:year, date:month, latitude:5,
    place:10)."""
    full: bool = False
    """compute ties and ranks however many cells there are."""
    metric: Metric = ""
    """score all predictions anew by this metric (docs/metrics.md)."""
    alias: Alias = ()
    """a model's name for people, as for a paper; once for each model."""
    explain: bool = False
    """print all that there is to say under the table, instead of three lines."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import report

        import_modules(self.imports)
        board = report.leaderboard(
            self.results,
            tasks=self.tasks,
            models=self.models,
            where=_parse_where(self.where),
            full=self.full,
            metric=self.metric,
            aliases=self.alias,
        )
        console = make_console()
        parts = report.break_down(board, self.by) if self.by else None
        if self.format == "table":
            console.print(
                report.render(board, console.width, explain=self.explain)
                if parts is None
                else report.render_breakdowns(parts, console.width)
            )
            return 0
        say(
            report.to_text(board, self.format, explain=self.explain)
            if parts is None
            else report.breakdowns_to_text(parts, self.format)
        )
        _warn(board.problems, [*board.doubts, *board.unknown])
        return 0


@dataclasses.dataclass(frozen=True)
class Compare:
    """Two models on the same examples: is there a difference, and could it have been seen?"""

    a: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ORG:CKPT")]
    """the first model."""
    b: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ORG:CKPT")]
    """the second model."""
    results: Path = Path("results")
    """the results folder."""
    format: Format = "table"
    """how to print it."""
    tasks: Tasks = ()
    """keep these tasks only (patterns like newt* may be used)."""
    where: Where = ()
    """keep runs with this protocol only, as in n_train=10 seed=42."""
    metric: Metric = ""
    """score all predictions anew by this metric (docs/metrics.md)."""
    alias: Alias = ()
    """a model's name for people, as for a paper; once for each model."""
    explain: bool = False
    """print all that there is to say under the table, instead of three lines."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import report

        import_modules(self.imports)
        comparison = report.compare(
            self.results,
            self.a,
            self.b,
            tasks=self.tasks,
            where=_parse_where(self.where),
            metric=self.metric,
            aliases=self.alias,
        )
        if self.format == "table":
            console = make_console()
            shown = report.render_comparison(comparison, console.width, explain=self.explain)
            console.print(shown)
        else:
            say(report.comparison_to_text(comparison, self.format, explain=self.explain))
            _warn(comparison.problems, [*comparison.doubts, *comparison.unknown])
        return 0


@dataclasses.dataclass(frozen=True)
class Report:
    """Write the results as a static site: pages that open from a file and need no network."""

    results: Path = Path("results")
    """the results folder."""
    out: Path = Path("site")
    """folder for the site; an earlier site in it is replaced."""
    images: Path | None = None
    """folder with the tasks' pictures, for the pages that show some."""
    serve: bool = False
    """then show the site on this machine's own address, until Ctrl-C."""
    tasks: Tasks = ()
    """keep these tasks only (patterns like newt* may be used)."""
    models: Models = ()
    """keep these models only (patterns like timm:* may be used)."""
    where: Where = ()
    """keep runs with this protocol only, as in n_train=10 seed=42."""
    alias: Alias = ()
    """a model's name for people, as for a paper; once for each model."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import report

        import_modules(self.imports)
        page = report.write_site(
            self.results,
            self.out,
            tasks=self.tasks,
            models=self.models,
            where=_parse_where(self.where),
            aliases=self.alias,
            images=self.images,
        )
        say(clean.line(str(page)))
        if self.serve:
            report.serve(self.out, say)
        return 0


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the results to one file for other programs (docs/results.md lists the columns)."""

    to: Path
    """the file: .sqlite holds all tables; .csv, .parquet and .json hold one."""
    results: Path = Path("results")
    """the results folder."""
    table: Literal["runs", "splits", "predictions"] = "runs"
    """which table, where the file holds one."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import results

        import_modules(self.imports)
        done = results.export(self.results, self.to, table=self.table)
        say(f"{self.to}: " + ", ".join(f"{n:,} {name}" for name, n in done.rows.items()))
        _warn(done.problems, [*done.doubts, *done.unknown])
        return 0


@dataclasses.dataclass(frozen=True)
class Import:
    """Take in a results folder from elsewhere, the published leaderboard, or an older database."""

    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """a results folder, a published results.json or its database, or an older reports.sqlite."""
    results: Path = Path("results")
    """the results folder to add to; nothing in it is changed."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import results

        import_modules(self.imports)
        done = results.import_any(self.source, self.results)
        say(
            f"{self.results}: {done.n_imported:,} runs imported, {done.n_present:,} were there "
            f"already, {len(done.problems):,} left out."
        )
        for note in done.notes:
            say(clean.sentence(note))
        _warn(done.problems)
        return 0


def _parse_where(items: tuple[str, ...]) -> dict[str, str]:
    pairs = [item.partition("=") for item in items]
    for (key, sign, value), item in zip(pairs, items, strict=True):
        if not (key and sign and value):
            raise BadInput(f"--where {item} is not KEY=VALUE; write for example n_train=10.")
    return {key: value for key, _, value in pairs}


def _warn(problems, doubts=()) -> None:
    """Say on the error stream what the output has no place for."""
    for doubt in doubts:
        say(f"biobench: {clean.sentence(doubt)}", error=True)
    if problems:
        say(f"biobench: {len(problems):,} could not be read and are left out:", error=True)
        for problem in problems:
            say(f"  {clean.sentence(problem.reason)}", error=True)
