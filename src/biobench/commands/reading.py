"""`biobench leaderboard`, `compare`, `report`, `export`, `import`: what is done with results."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench.errors import BadInput

__all__ = ["Leaderboard"]

Format = Literal["table", "json", "csv", "markdown", "latex"]

PIPE_WIDTH = 120
"""width of a table that does not go to a terminal."""


@dataclasses.dataclass(frozen=True)
class Leaderboard:
    """Every model's score on every task, with intervals, ties and ranks."""

    results: Path = Path("results")
    """the results folder."""
    format: Format = "table"
    """how to print it."""
    tasks: Annotated[tuple[str, ...], tyro.conf.arg(metavar="TASK…")] = ()
    """keep these tasks only (patterns like newt* may be used)."""
    models: Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORG:CKPT…")] = ()
    """keep these models only (patterns like timm:* may be used)."""
    where: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE…")] = ()
    """keep runs with this protocol only, as in n_train=10 seed=42."""
    full: bool = False
    """compute ties and ranks however many cells there are."""

    def main(self) -> int:
        from biobench import report

        board = report.leaderboard(
            self.results,
            tasks=self.tasks,
            models=self.models,
            where=_parse_where(self.where),
            full=self.full,
        )
        if self.format == "table":
            console = _make_console()
            console.print(report.render(board, console.width))
        else:
            print(report.to_text(board, self.format))
            _warn(board.problems)
        return 0


def _parse_where(items: tuple[str, ...]) -> dict[str, str]:
    pairs = [item.partition("=") for item in items]
    for (key, sign, value), item in zip(pairs, items, strict=True):
        if not (key and sign and value):
            raise BadInput(f"--where {item} is not KEY=VALUE; write for example n_train=10.")
    return {key: value for key, _, value in pairs}


def _make_console():
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def _warn(problems) -> None:
    """Say on the error stream what machine-readable output has no place for."""
    if problems:
        print(f"biobench: {len(problems)} unreadable, left out:", file=sys.stderr)
        for problem in problems:
            print(f"  {problem.reason}", file=sys.stderr)
