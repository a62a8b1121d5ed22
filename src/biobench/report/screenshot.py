"""The terminal's leaderboard as a picture, for the README.

write_picture(board, Path("docs/leaderboard.svg"), command="make demo")
"""

import io
import re
from pathlib import Path

from rich.text import Text

from biobench.console import CleanConsole
from biobench.report.board import Leaderboard
from biobench.report.terminal import render

__all__ = ["write_picture"]


def write_picture(board: Leaderboard, path: Path, *, command: str, width: int = 100) -> None:
    """Write what a terminal `width` characters wide shows after `command` as an SVG file."""
    console = CleanConsole(
        record=True,
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    console.print(Text.assemble(("$", "bold"), f" {command}"))
    console.print(render(board, width))
    picture = console.export_svg(title="biobench", unique_id="biobench")
    # Rich names web fonts; without them the reader's own monospace font is used.
    path.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")
