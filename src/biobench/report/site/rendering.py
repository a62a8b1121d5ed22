"""From pages to text: Jinja2 with everything from elsewhere escaped and made visible."""

import datetime
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from biobench import clean
from biobench.report.site.pages import Page

if TYPE_CHECKING:
    import jinja2

__all__ = ["MenuItem", "Renderer"]

MenuItem = tuple[str, str, str]
"""a kind's name, its label, and its first page."""


class Renderer:
    """Renders pages that share one menu."""

    def __init__(self, menu: Sequence[MenuItem], made: datetime.datetime):
        self._menu = menu
        self._made = made

    def render(self, page: Page, kind: str) -> str:
        """The page as HTML."""
        up = "../" * page.path.count("/")
        return self._env.get_template(page.template).render(
            view=page.view, page=page, kind=kind, up=up, menu=self._menu, made=self._made
        )

    @functools.cached_property
    def _env(self) -> "jinja2.Environment":
        # Only the site needs it (extra `report`), not the tables of the terminal.
        import jinja2

        env = jinja2.Environment(
            loader=jinja2.PackageLoader("biobench.report.site"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
            # What is escaped already (figures) is ours, and clean.
            finalize=lambda value: clean.lines(value) if type(value) is str else value,
        )
        env.filters.update(_FILTERS)
        return env


def _show_score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _sort_by(value: float) -> str:
    """What a table sorts by: finer than what it shows."""
    return f"{value:.6g}"


def _show_signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"


def _show_count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _show_millions(value: int | None) -> str:
    if value is None:
        return "–"
    return f"{value / 1e6:,.1f} M" if value >= 1e5 else f"{value:,}"


def _show_rate(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _show_time(posix: float | datetime.datetime) -> str:
    if not isinstance(posix, datetime.datetime):
        posix = datetime.datetime.fromtimestamp(posix, datetime.UTC)
    return posix.strftime("%Y-%m-%d %H:%M UTC")


def _show_seconds(value: float) -> str:
    return f"{value:,.1f} s"


_FILTERS = {
    "score": _show_score,
    "signed": _show_signed,
    "sorted_by": _sort_by,
    "count": _show_count,
    "millions": _show_millions,
    "rate": _show_rate,
    "time": _show_time,
    "seconds": _show_seconds,
}
