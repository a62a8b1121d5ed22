"""Tables in Markdown and LaTeX, from cells that are markup already and notes that are not.

latex_table(["Model", latex("a_b")], [[latex("timm:x"), "0.5"]], notes=[Note("Bold: best.")])
"""

from collections.abc import Sequence

from biobench.clean import latex, markdown
from biobench.report.views import Note

__all__ = ["latex_table", "markdown_table"]

Rows = Sequence[Sequence[str]]


def markdown_table(header: Sequence[str], rows: Rows, notes: Sequence[Note]) -> str:
    """A table, then its notes as a list."""
    lines = [header, ["---"] * len(header), *rows]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*table, "", *(f"- {markdown(note.sentence)}" for note in notes)])


def latex_table(header: Sequence[str], rows: Rows, notes: Sequence[Note]) -> str:
    """A tabular in booktabs' style; its notes stand above it as comments, ready for a caption."""
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            *(f"% {latex(note.sentence)}" for note in notes),
            rf"\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}",
            r"\toprule",
            rf"{' & '.join(header)} \\",
            r"\midrule",
            *(rf"{' & '.join(row)} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
