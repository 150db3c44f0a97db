"""
Figures of Plotly, as far as they are points, lines and bars: what is drawn of them.

Plotly's own viewer is four megabytes of scripts; nothing is fetched here, and nothing is run.
What has other traces is shown as the JSON that it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import struct
from html import escape
from typing import Any, Final

from markupsafe import Markup

from artstore import limits

__all__ = ["FIGURE_BYTES", "drawn_figure", "figure_svg"]

FIGURE_BYTES: Final = 8 * limits.MIB
_TRACES_MAX: Final = 24
_POINTS_MAX: Final = 5_000
_TEXT_CHARS: Final = 200
_DTYPES: Final = {
    "f8": "d",
    "f4": "f",
    "i1": "b",
    "i2": "h",
    "i4": "i",
    "i8": "q",
    "u1": "B",
    "u2": "H",
    "u4": "I",
    "u8": "Q",
}
"""By the names of Plotly, as `struct` has them."""
_WIDTH: Final = 640.0
_HEIGHT: Final = 300.0
_LEFT: Final = 64.0
_TOP: Final = 12.0
_BOTTOM: Final = 40.0
_SERIES_COUNT: Final = 6


def drawn_figure(data: bytes) -> dict[str, Any] | None:
    """
    `title`, `x_name`, `y_name` and `traces`: `kind` (`line`, `points`, `bar`), `name`, `x`, `y`.

    None if it has anything else than such traces of numbers, or none. `x` may be texts.
    """
    try:
        figure = json.loads(data)
        traces = figure["data"]
        layout = figure.get("layout") or {}
        if not 0 < len(traces) <= _TRACES_MAX:
            return None
        drawn = [_trace(trace) for trace in traces]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if any(trace is None for trace in drawn):
        return None
    return {
        "title": _told(layout.get("title")),
        "x_name": _told((layout.get("xaxis") or {}).get("title")),
        "y_name": _told((layout.get("yaxis") or {}).get("title")),
        "traces": drawn,
    }


def figure_svg(figure: dict[str, Any]) -> Markup:
    """
    The picture of what `drawn_figure` gave; run.css gives its classes their colours.

    Series differ by dash and by their names in the legend, not by colour alone.
    """
    traces = figure["traces"]
    names = _names(traces)
    points = [_placed(trace, names) for trace in traces]
    xs = [x for one in points for x, _ in one]
    ys = [y for one in points for _, y in one]
    if any(trace["kind"] == "bar" for trace in traces):
        ys.append(0.0)
    if not xs:
        return Markup("")
    low_x, high_x = _span(xs, 0.5 if names else 0.0)
    low_y, high_y = _span(ys, 0.0)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (x - low_x) / (high_x - low_x) * (_WIDTH - _LEFT - 8),
            _TOP + (1 - (y - low_y) / (high_y - low_y)) * (_HEIGHT - _TOP - _BOTTOM),
        )

    bars = sum(trace["kind"] == "bar" for trace in traces)
    parts = [_axes(at, (low_x, high_x), (low_y, high_y), figure)]
    number = 0
    for place, (trace, found) in enumerate(zip(traces, points, strict=True)):
        series = f"series-{place % _SERIES_COUNT}"
        if trace["kind"] == "bar":
            share = 0.8 / bars
            step = (high_x - low_x) / max(len(found), 1) if not names else 1.0
            offset = (-0.4 + share * number) * step
            parts += [_bar(at, x + offset, y, share * step, series) for x, y in found]
            number += 1
        elif trace["kind"] == "line":
            path = " ".join("{:.1f},{:.1f}".format(*at(x, y)) for x, y in found)
            parts.append(f'<polyline class="{series}" points="{path}"/>')
        else:
            dots = (at(x, y) for x, y in found)
            parts += [
                f'<circle class="{series}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in dots
            ]
    label = figure["title"] or "Figure"
    return Markup(  # noqa: S704 - numbers of ours, and texts that are escaped
        f'<svg class="figure" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-label="{_clean(label)}">{"".join(parts)}</svg>'
    )


def _trace(trace: Any) -> dict[str, Any] | None:
    kind, mode = trace.get("type", "scatter"), trace.get("mode", "lines")
    if kind in ("scatter", "scattergl"):
        shown = "line" if "lines" in str(mode) else "points" if "markers" in str(mode) else None
    else:
        shown = "bar" if kind == "bar" and trace.get("orientation", "v") == "v" else None
    y = _values(trace.get("y"))
    if shown is None or y is None:
        return None
    x = _values(trace.get("x")) if trace.get("x") is not None else list(range(len(y)))
    if x is None:
        return None
    count = min(len(x), len(y))
    step = max(1, -(-count // _POINTS_MAX))
    return {
        "kind": shown,
        "name": _told(trace.get("name")) or "",
        "x": [_number_or_text(value) for value in x[:count:step]],
        "y": [_number(value) for value in y[:count:step]],
    }


def _values(value: Any) -> list[Any] | None:
    if isinstance(value, list):
        return value
    # Since Plotly 6 arrays are bytes: {"dtype": "f8", "bdata": "AAAA..."}.
    if isinstance(value, dict) and value.get("dtype") in _DTYPES and "shape" not in value:
        code = _DTYPES[value["dtype"]]
        try:
            data = base64.b64decode(str(value.get("bdata")), validate=True)
            return list(struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data))
        except (ValueError, binascii.Error, struct.error):
            return None
    return None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = float(value) if is_number and abs(value) < 1e300 else math.nan
    return number if math.isfinite(number) else None


def _number_or_text(value: Any) -> float | str | None:
    return _number(value) if isinstance(value, (int, float)) else _told(value)


def _told(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("text")
    return value[:_TEXT_CHARS] if isinstance(value, str) else None


def _names(traces: list[dict[str, Any]]) -> dict[str, int]:
    """Places of texts on the axis; empty where all are numbers."""
    texts = (x for trace in traces for x in trace["x"] if isinstance(x, str))
    return {text: place for place, text in enumerate(dict.fromkeys(texts))}


def _placed(trace: dict[str, Any], names: dict[str, int]) -> list[tuple[float, float]]:
    pairs = zip(trace["x"], trace["y"], strict=True)
    placed = ((names.get(x) if isinstance(x, str) else x, y) for x, y in pairs)
    return [(float(x), y) for x, y in placed if x is not None and y is not None]


def _span(values: list[float], margin: float) -> tuple[float, float]:
    low, high = min(values) - margin, max(values) + margin
    if high > low:
        return low, high
    # Half of one is nothing beside a large number.
    pad = max(0.5, abs(low) * 1e-9)
    return low - pad, high + pad


def _bar(at: Any, x: float, y: float, width: float, series: str) -> str:
    (left, top), (right, ground) = at(x, max(y, 0.0)), at(x + width, min(y, 0.0))
    return (
        f'<rect class="{series}" x="{left:.1f}" y="{top:.1f}" '
        f'width="{max(right - left, 0.5):.1f}" height="{max(ground - top, 0.5):.1f}"/>'
    )


def _dot(place: tuple[float, float], series: str) -> str:
    return f'<circle class="{series}" cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="3"/>'


def _axes(
    at: Any, span_x: tuple[float, float], span_y: tuple[float, float], figure: dict[str, Any]
) -> str:
    left, top = at(span_x[0], span_y[1])
    right, ground = at(span_x[1], span_y[0])
    names = " · ".join(
        f"{word}: {name}"
        for word, name in (("x", figure["x_name"]), ("y", figure["y_name"]))
        if name
    )
    texts = [
        (left - 6, ground, "end", f"{span_y[0]:.4g}"),
        (left - 6, top + 10, "end", f"{span_y[1]:.4g}"),
        (left, ground + 16, "start", f"{span_x[0]:.4g}"),
        (right, ground + 16, "end", f"{span_x[1]:.4g}"),
        ((left + right) / 2, ground + 32, "middle", names),
    ]
    drawn = "".join(
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{_clean(text)}</text>'
        for x, y, anchor, text in texts
    )
    frame = f"M{left:.1f},{top:.1f}V{ground:.1f}H{right:.1f}"
    return f'<path class="axis" d="{frame}"/>{drawn}'


def _clean(text: str) -> str:
    # A control character would end the page in an XML reader, and be odd in any other.
    return escape("".join(one if one.isprintable() else " " for one in text), quote=True)
