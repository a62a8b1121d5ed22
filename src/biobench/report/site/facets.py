"""What the rows of a table can be filtered by: the same few properties of models everywhere.

for facet in list_facets(backbones):
    facet.label, facet.values, facet.find(backbone)
"""

import dataclasses
from collections.abc import Callable, Sequence

from biobench import catalog
from biobench.report.site.backbones import Backbone

__all__ = ["Facet", "list_facets"]

UNKNOWN = "unknown"
_SIZES = ((5e6, "under 5 M"), (3e7, "5 to 30 M"), (1e8, "30 to 100 M"), (4e8, "100 to 400 M"))


@dataclasses.dataclass(frozen=True)
class Facet:
    """A property of models, by which a table can be filtered."""

    key: str
    """its name in the address, and behind "data-" in the page."""
    label: str
    find: Callable[[Backbone], str]
    values: tuple[str, ...] = ()
    """those that there are, in order."""


def _find_size(backbone: Backbone) -> str:
    n = backbone.n_parameters
    if n is None:
        return UNKNOWN
    return next((name for limit, name in _SIZES if n < limit), "over 400 M")


def _find_resolution(backbone: Backbone) -> str:
    return f"{backbone.image_size} px" if backbone.image_size else UNKNOWN


def _find_seen(backbone: Backbone) -> str:
    if not backbone.seen:
        return UNKNOWN
    return "some task" if {*backbone.seen.values()} & {*catalog.SEEN} else "none known"


_FACETS = (
    Facet("source", "Source", lambda backbone: backbone.organisation),
    Facet("family", "Family", lambda backbone: backbone.family or UNKNOWN),
    Facet("params", "Parameters", _find_size),
    Facet("size", "Input", _find_resolution),
    Facet("year", "Released", lambda backbone: backbone.year or UNKNOWN),
    Facet("seen", "Seen in pretraining", _find_seen),
)


def list_facets(backbones: Sequence[Backbone]) -> list[Facet]:
    """The facets that tell some of the models apart, each with the values that there are."""
    found = []
    for facet in _FACETS:
        values = {facet.find(backbone) for backbone in backbones}
        if len(values) > 1:
            found.append(dataclasses.replace(facet, values=tuple(sorted(values, key=_order))))
    return found


def _order(value: str) -> tuple:
    """Sizes by number, what is not known last."""
    names = [name for _, name in _SIZES] + ["over 400 M"]
    if value in names:
        return (0, names.index(value), value)
    digits = value.removesuffix(" px")
    return (value == UNKNOWN, int(digits) if digits.isascii() and digits.isdigit() else 0, value)
