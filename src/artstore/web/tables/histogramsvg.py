"""
Histograms and top values of columns as SVG: all rows in grey, the selected ones in colour.

Nothing in them has a style of its own: table.css gives classes their colours, for light
and dark. The numbers are told in a title, so that no meaning is in colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from markupsafe import Markup

from artstore.web.cells.celltext import cell_text

__all__ = ["facet_svg", "histogram_svg", "values_svg"]

WIDTH: Final = 120
HEIGHT: Final = 34
_VALUES_MAX: Final = 20
_TEXT_CHARS: Final = 60


def facet_svg(facet: dict[str, Any]) -> Markup:
    """The picture of a facet, as `tablejson.facet_json` tells it; empty if there is none."""
    if facet["kind"] == "histogram" and facet["all"]:
        return histogram_svg(facet["edges"], facet["all"], facet["selected"], facet["column"])
    if facet["kind"] == "values" and facet["values"]:
        return values_svg(facet["values"], facet["column"])
    return Markup("")


def histogram_svg(
    edges: Sequence[Any], every: Sequence[int], selected: Sequence[int], column: str
) -> Markup:
    """
    Bars for n bins.

    Args:
        edges: n + 1 values.
        every: rows of the table in each bin.
        selected: rows of the selection in each bin.
    """
    ends = f"{cell_text(edges[0])} to {cell_text(edges[-1])}"
    titles = [
        f"{cell_text(edges[at])} to {cell_text(edges[at + 1])}" for at in range(len(edges) - 1)
    ]
    return _bars(every, selected, titles, f"Histogram of {column}, {ends}")


def values_svg(values: Sequence[dict[str, Any]], column: str) -> Markup:
    """Bars for the most frequent values, as `tablejson.values_json` tells them."""
    most = values[:_VALUES_MAX]
    return _bars(
        [one["count"] for one in most],
        [one["selected"] for one in most],
        [cell_text(one["value"]) for one in most],
        f"Most frequent values of {column}",
    )


def _bars(
    every: Sequence[int], selected: Sequence[int], titles: Sequence[str], label: str
) -> Markup:
    highest = max(every, default=0) or 1
    step = WIDTH / max(len(every), 1)
    parts = []
    for at, (count, inside, title) in enumerate(zip(every, selected, titles, strict=True)):
        if not count:
            # A page of groups has some thousand bars: none is drawn of nothing, or below another.
            continue
        left, width = at * step, max(step - 1, 0.5)
        said = f"{title[:_TEXT_CHARS]}: {inside:,} of {count:,} rows"
        below = "" if inside == count else _bar("all", left, width, count / highest)
        above = _bar("selected", left, width, inside / highest) if inside else ""
        parts.append(f"<g><title>{_clean(said)}</title>{below}{above}</g>")
    return Markup(  # noqa: S704 - numbers of ours, and texts that are escaped
        f'<svg class="facet" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{_clean(label[:200])}">{"".join(parts)}</svg>'
    )


def _bar(name: str, left: float, width: float, share: float) -> str:
    # What is there at all can be seen.
    height = max(share * HEIGHT, 1) if share else 0
    return (
        f'<rect class="{name}" x="{left:.2f}" y="{HEIGHT - height:.2f}" '
        f'width="{width:.2f}" height="{height:.2f}"/>'
    )


def _clean(text: str) -> str:
    # A control character would end the page in an XML reader, and be odd in any other.
    return escape("".join(one if one.isprintable() else " " for one in text), quote=True)
