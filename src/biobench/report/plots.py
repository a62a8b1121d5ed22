"""Pictures for the page, drawn as SVG in the colours of the text around them."""

from collections.abc import Sequence

from biobench import clean
from biobench.report.views import CellView

__all__ = ["plot_intervals"]

WIDTH, LABEL, ROW, MARGIN = 760, 290, 24, 16


def plot_intervals(cells: Sequence[CellView], title: str) -> str:
    """A dot and a line a model, in the order given, on a common scale of score."""
    values = [value for cell in cells for value in (cell.score, *(cell.ci or ()))]
    left, right = min(0.0, *values), max(1.0, *values)
    height = len(cells) * ROW + 40

    def x(value: float) -> float:
        return LABEL + (value - left) / (right - left) * (WIDTH - LABEL - MARGIN)

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{clean.html(title)}">',
        f"<title>{clean.html(title)}</title>",
    ]
    for step in range(6):
        value = left + (right - left) * step / 5
        parts.append(
            f'<line class="grid" x1="{x(value):.1f}" x2="{x(value):.1f}" y1="4" '
            f'y2="{height - 30}"/><text class="tick" x="{x(value):.1f}" y="{height - 12}" '
            f'text-anchor="middle">{value:.1f}</text>'
        )
    for i, cell in enumerate(cells):
        y = 16 + i * ROW
        name = cell.model
        label = name if len(name) <= 42 else f"{name[:41]}…"
        parts.append(
            f'<text x="{LABEL - 12}" y="{y + 4}" text-anchor="end">{clean.html(label)}</text>'
        )
        if cell.ci is not None:
            ends = [f"{x(end):.1f}" for end in cell.ci]
            parts.append(
                f'<line class="interval" x1="{ends[0]}" x2="{ends[1]}" y1="{y}" y2="{y}"/>'
            )
        kind = "dot best" if cell.is_best else "dot published" if cell.published else "dot"
        parts.append(f'<circle class="{kind}" cx="{x(cell.score):.1f}" cy="{y}" r="5"/>')
    return "".join([*parts, "</svg>"])
