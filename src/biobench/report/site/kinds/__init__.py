"""The kinds of pages, in the order of the site's menu: a new one is a module here and an entry."""

from biobench.report.site.kinds import (
    board_page,
    check_page,
    cite_page,
    compare_page,
    cost_page,
    models_page,
    overview_page,
    pictures_page,
    predict_page,
    progress_page,
    tasks_page,
)
from biobench.report.site.pages import Kind

__all__ = ["KINDS"]

KINDS: tuple[Kind, ...] = (
    overview_page.KIND,
    board_page.KIND,
    compare_page.KIND,
    pictures_page.KIND,
    cost_page.KIND,
    progress_page.KIND,
    predict_page.KIND,
    tasks_page.KIND,
    models_page.KIND,
    check_page.KIND,
    cite_page.KIND,
)
