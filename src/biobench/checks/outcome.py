"""What a check found, for people and for programs.

console.print(render("newt", args, checked))
clean.to_json(to_dict("newt", args, checked))
"""

import dataclasses

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from biobench.args import Args
from biobench.checks import SAMPLE, Checked
from biobench.clean import line, sentence

__all__ = ["render", "to_dict"]


def render(task: str, args: Args, checked: Checked) -> Group:
    """A line of what was looked at, and a table of what was found."""
    parts: list[RenderableType] = [Text(f"{line(task)}: {_describe(args, checked)}")]
    if checked.findings:
        table = Table(show_header=True, expand=True)
        table.add_column("")
        table.add_column("n", justify="right")
        table.add_column("what", ratio=1)
        for finding in checked.findings:
            word = "trouble" if finding.is_trouble else "note"
            style = "bold" if finding.is_trouble else ""
            row = (word, f"{finding.n:,}", sentence(finding.sentence))
            table.add_row(*(Text(line(text)) for text in row), style=style)
        parts.append(table)
    n = len(checked.troubles)
    outcome = f"{n} kind{'s' * (n != 1)} of trouble" if n else "no trouble found"
    parts.append(Text(f"{line(task)}: {outcome}"))
    return Group(*parts)


def to_dict(task: str, args: Args, checked: Checked) -> dict[str, object]:
    """task, data, and what `Checked` holds."""
    return {"task": task, "data": args.datadir, **dataclasses.asdict(checked)}


def _describe(args: Args, checked: Checked) -> str:
    if not checked.n_pictures:
        return line(args.datadir)
    splits = ", ".join(f"{split} {n:,}" for split, n in checked.splits.items())
    text = f"{checked.n_pictures:,} pictures ({splits}), {checked.n_classes:,} classes"
    if checked.n_train_classes != checked.n_classes or checked.n_test_classes != checked.n_classes:
        text += (
            f" ({checked.n_train_classes:,} in training, {checked.n_test_classes:,} in the test, "
            f"{len(checked.shared_classes):,} in both)"
        )
    whole = checked.n_read == checked.n_pictures
    text += "; every picture was read" if whole else f"; {checked.n_read:,} pictures were read"
    if not whole and checked.n_read == SAMPLE:
        text += f" (a sample, seed {args.seed})"
    if checked.sizes:
        sizes = ", ".join(f"{name} {w} x {h}" for name, (w, h) in checked.sizes.items())
        text += f"; pixels: {sizes}"
    return line(text)
