"""Figures, drawn when the site is made: Vega-Lite layers become SVG in the page's colours.

    figure = draw(layers, id="cost-parameters", label="Score against parameters", caption="…")

Colours are names here (`INK`, `SERIES`, …), and in the page variables of its style sheet, so that
one figure is right in light and dark. Every mark's `description` is shown when it is pointed at.
"""

import dataclasses
import re
import typing
from collections.abc import Mapping, Sequence

from biobench import clean

__all__ = ["DIM", "INK", "LINE", "SERIES", "Figure", "draw", "name_axis", "points"]

INK, DIM, LINE = "#0a0b01", "#0a0b02", "#0a0b03"
SERIES = ("#0a0b11", "#0a0b12", "#0a0b13", "#0a0b14", "#0a0b15", "#0a0b16")
"""at most six, which are told apart in grey and by who sees few colours: by their order, too."""

_VARIABLES = {INK: "--text", DIM: "--dim", LINE: "--line"} | {
    color: f"--c{i}" for i, color in enumerate(SERIES, 1)
}
_CONFIG = {
    "font": "sans-serif",
    "background": None,
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "labelColor": DIM,
        "titleColor": INK,
        "gridColor": LINE,
        "domainColor": DIM,
        "tickColor": DIM,
        "labelFontSize": 12,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "gridWidth": 0.7,
    },
    "legend": {
        "aria": False,
        "labelColor": INK,
        "titleColor": INK,
        "labelFontSize": 12,
        "labelLimit": 320,
        "symbolOpacity": 1,
    },
    "header": {"labelColor": INK, "titleColor": INK},
    "text": {"color": INK},
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """One drawing with what is said of it."""

    id: str
    """its id on the page, and its name as a file."""
    svg: str
    caption: str


def draw(
    layers: Sequence[Mapping[str, object]],
    *,
    id: str,
    label: str,
    caption: str,
    width: int = 760,
    height: int = 380,
) -> Figure:
    """Draw layers of one Vega-Lite view; `label` is what a screen reader says of it."""
    # Loading it takes a second, and only a site needs it.
    import vl_convert

    spec = {
        "width": width,
        "height": height,
        "padding": 6,
        "config": _CONFIG,
        "layer": [_silence(layer) for layer in layers],
        "resolve": {"legend": {"color": "shared"}},
    }
    svg = vl_convert.vegalite_to_svg(_clean(spec))
    return Figure(id=id, svg=clean.lines(_adapt(svg, label)), caption=caption)


def _silence(layer: Mapping[str, typing.Any]) -> dict[str, object]:
    """A layer whose marks say nothing but their description: what Vega writes by itself reads a
    backslash in a title as the beginning of an escape."""
    has_own = "description" in layer["encoding"]
    return {**layer, "mark": {**layer["mark"], "aria": has_own}}


def _clean(value: object) -> object:
    """What is drawn cannot hide anything, either."""
    if isinstance(value, str):
        return clean.line(value)
    if isinstance(value, Mapping):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value


def _adapt(svg: str, label: str) -> str:
    """The page's colours; and one picture for a screen reader, to which the table beside it gives
    the numbers, instead of a thousand parts."""
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    svg = re.sub(r'<path class="(?:background|foreground)"[^>]*/>', "", svg)
    svg = re.sub(r"<[a-z][^>]*>", _adapt_tag, svg)
    box = re.search(r'viewBox="[^"]*"', svg)
    start = f'<svg {box[0] if box else ""} role="img" aria-label="{clean.html(label)}">'
    return re.sub(r"<svg [^>]*>", lambda _: start, svg, count=1)


def _adapt_tag(match: re.Match[str]) -> str:
    """A tag without what Vega says to screen readers; what a mark stands for is kept."""
    tag = match[0]
    if 'role="graphics-symbol"' in tag and 'aria-roledescription="axis"' not in tag:
        tag = tag.replace(" aria-label=", " data-tip=")
    tag = re.sub(r' (?:role|aria-[a-z]+|pointer-events|font-family)="[^"]*"| opacity="1"', "", tag)
    # A tenth of a pixel is as fine as anybody sees.
    place = r' (?:transform|d|x|y|[xy][12])="[^"]*"'
    return re.sub(place, lambda found: re.sub(r"-?\d+\.\d{2,}", _round, found[0]), tag)


def _round(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}".removesuffix(".0")


def name_axis(title: str, **more: object) -> dict[str, object]:
    """A quantitative channel's title, and what else is given."""
    return {"type": "quantitative", "title": title, **more}


def points(
    x: Mapping[str, object], y: Mapping[str, object], values: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    """Layers of points with upright intervals: each value has x, y, low, high and tip."""
    data = {"values": [dict(value) for value in values]}
    upright = {"x": {"field": "x", **x}, "y": {"field": "ci_low", **y}, "y2": {"field": "ci_high"}}
    dot = {"x": {"field": "x", **x}, "y": {"field": "y", **y}, "description": {"field": "tip"}}
    return [
        {"data": data, "mark": {"type": "rule", "color": DIM, "opacity": 0.7}, "encoding": upright},
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 70, "color": SERIES[0], "opacity": 1},
            "encoding": dot,
        },
    ]
