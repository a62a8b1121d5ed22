"""The kinds of pages, in the order of the site's menu: a new one is a module here and an entry."""

from biobench.report.site.kinds import (
    board,
    cite,
    compare,
    cost,
    models,
    overview,
    pictures_page,
    predict,
    progress,
    tasks,
)
from biobench.report.site.pages import Kind

__all__ = ["KINDS"]

KINDS: tuple[Kind, ...] = (
    overview.KIND,
    board.KIND,
    compare.KIND,
    pictures_page.KIND,
    cost.KIND,
    progress.KIND,
    predict.KIND,
    tasks.KIND,
    models.KIND,
    cite.KIND,
)
