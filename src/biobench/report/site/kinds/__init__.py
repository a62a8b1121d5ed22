"""The kinds of pages, in the order of the site's menu: a new one is a module here and an entry."""

from biobench.report.site.kinds import board, models, overview, tasks
from biobench.report.site.pages import Kind

__all__ = ["KINDS"]

KINDS: tuple[Kind, ...] = (
    overview.KIND,
    board.KIND,
    tasks.KIND,
    models.KIND,
)
