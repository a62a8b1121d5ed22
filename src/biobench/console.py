"""A rich console on which nothing but our own code has colours, markup or a say over the cursor.

CleanConsole().print(Text(model))
"""

import typing
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from biobench import clean, screen

__all__ = ["CleanConsole"]


class CleanConsole(Console):
    """A console that shows every text as it is: `[red]` is six characters, an escape is spelled.

    Takes the keywords of `rich.console.Console`. A character that the stream's encoding lacks
    becomes one that it has.
    """

    def __init__(self, **options) -> None:
        plain: dict[str, typing.Any] = {"highlight": False, "markup": False, "emoji": False}
        super().__init__(**plain | options)
        screen.make_tolerant(self.file)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of a renderable, their texts clean."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(clean.lines(segment.text), segment.style)
