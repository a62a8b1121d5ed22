"""Tables in Markdown and LaTeX, from cells that are markup already.

latex_table(["Model", latex("a_b")], [[latex("timm:x"), "0.5"]], notes=["Bold: best."])
"""

import re
from collections.abc import Sequence

__all__ = ["latex", "latex_table", "markdown", "markdown_table"]

Rows = Sequence[Sequence[str]]

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


def markdown(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return re.sub(r"([\\|*_\[\]<>`])", r"\\\1", text).replace("\n", " ")


def markdown_table(header: Sequence[str], rows: Rows, notes: Sequence[str]) -> str:
    """A table, then its notes as a list."""
    lines = [header, ["---"] * len(header), *rows]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*table, "", *(f"- {note}" for note in notes)])


def latex(text: str) -> str:
    """`text` so that LaTeX shows it as it is."""
    return "".join(_LATEX.get(char, char) for char in text.replace("\n", " "))


def latex_table(header: Sequence[str], rows: Rows, notes: Sequence[str]) -> str:
    """A tabular in booktabs' style; its notes stand above it as comments."""
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            *(f"% {note}" for note in notes),
            rf"\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}",
            r"\toprule",
            rf"{' & '.join(header)} \\",
            r"\midrule",
            *(rf"{' & '.join(row)} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
