"""A score's place among others as a few pixels: the interval a line, the score a dot.

scale = Scale.of(cells)
scale.draw(cell)            # SVG, in the colours of the text around it
"""

import dataclasses
import math
from collections.abc import Iterable

from biobench.report.views import CellView

__all__ = ["Scale"]

WIDTH, HEIGHT, EDGE = 100, 8, 4


@dataclasses.dataclass(frozen=True)
class Scale:
    """What the left and the right end of a bar stand for."""

    low: float
    high: float

    @classmethod
    def of(cls, cells: Iterable[CellView]) -> "Scale":
        """A scale on which every interval of a column has room."""
        values = [value for cell in cells for value in (cell.score, *(cell.ci or ()))]
        return cls(min(values, default=0.0), max(values, default=1.0))

    def place(self, value: float) -> float:
        """Where a value lies on a bar, in its own units."""
        span = self.high - self.low
        share = (value - self.low) / span if 0 < span < math.inf else 0.5
        return EDGE + min(max(share, 0.0), 1.0) * (WIDTH - 2 * EDGE)

    def draw(self, cell: CellView) -> str:
        """The bar of a cell; it has no text, as the numbers stand beside it."""
        dot = f'<circle cx="{self.place(cell.score):.0f}" cy="4" r="3"/>'
        line = ""
        if cell.ci is not None:
            low, high = (self.place(end) for end in cell.ci)
            line = f'<path d="M{low:.0f} 4H{high:.0f}"/>'
        return f'<svg class="bar" viewBox="0 0 {WIDTH} {HEIGHT}">{line}{dot}</svg>'
