"""Output kept as text: what a command shows at 60, 100 and 160 columns, compared with tests/shown/.

    compare("leaderboard", lambda width: show(report.render(board, width), width))

To write the texts anew after a change that is meant, and look at the difference:

    BIOBENCH_SHOWN=write python -m pytest tests/report/test_shown.py && git diff tests/shown
"""

import io
import os
import pathlib
import re

from biobench.console import CleanConsole

WIDTHS = (60, 100, 160)
FOLDER = pathlib.Path(__file__).parent / "shown"


def show(renderable, width):
    """What a pipe `width` columns wide would get."""
    console = CleanConsole(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    return console.file.getvalue()


def compare(name, make):
    """Assert that `make(width)` is the kept text, and only commands to copy are wider."""
    for width in WIDTHS:
        text = "\n".join(line.rstrip() for line in make(width).splitlines()) + "\n"
        lines = [line for line in text.splitlines() if not re.match(r"[a-z ]+: +biobench ", line)]
        assert max(map(len, lines)) <= width
        path = FOLDER / f"{name}-{width}.txt"
        if os.environ.get("BIOBENCH_SHOWN") == "write":
            FOLDER.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: see tests/shown.py"
