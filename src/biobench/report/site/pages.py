"""What a page kind makes: pages of a template and a view, and files of data beside them."""

import dataclasses
from collections.abc import Callable, Iterable

from biobench.report.site.subject import Subject

__all__ = ["File", "Kind", "Page"]


@dataclasses.dataclass(frozen=True)
class Page:
    """One HTML file."""

    path: str
    """relative to the site's first page, with slashes."""
    title: str
    template: str
    """a file of templates/, which finds the view under the name `view`."""
    view: object
    """a frozen dataclass: all that the template shows."""


@dataclasses.dataclass(frozen=True)
class File:
    """One file of data."""

    path: str
    """relative to the site's first page, with slashes."""
    content: str | bytes


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of page."""

    name: str
    """one word; pages carry it, so that a style or a test finds them."""
    label: str
    """what the site's menu calls its first page; empty where the menu does not lead there."""
    make: Callable[[Subject], Iterable[Page | File]]
    """its pages and files; none where there is nothing to show, and then the menu lacks it."""
