"""
Small lines of metrics as SVG, for pages without scripts and their first paint.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from markupsafe import Markup

__all__ = ["spark_svg"]

_WIDTH: Final = 240
_HEIGHT: Final = 48
_MARGIN: Final = 3
_COLUMNS: Final = 120


def spark_svg(name: str, xs: Sequence[float], ys: Sequence[float]) -> Markup:
    """
    One line of finite numbers; its first, least, greatest and last value are told in words.

    Args:
        xs: as many as `ys`, in order.
    """
    if not ys:
        return Markup("")
    told = f"{name}: {len(ys):,} values, {min(ys):.6g} to {max(ys):.6g}, last {ys[-1]:.6g}"
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _placed(*_thinned(xs, ys)))
    clean = escape("".join(one if one.isprintable() else " " for one in told[:500]), quote=True)
    return Markup(  # noqa: S704 - numbers of ours, and a text that is escaped
        f'<svg class="spark" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'role="img" aria-label="{clean}"><title>{clean}</title>'
        f'<polyline points="{points}"/></svg>'
    )


def _thinned(xs: Sequence[float], ys: Sequence[float]) -> tuple[list[float], list[float]]:
    """Of many points the least and the greatest of each column of pixels: spikes stay."""
    if len(ys) <= 2 * _COLUMNS:
        return list(xs), list(ys)
    step = -(-len(ys) // _COLUMNS)
    kept: list[int] = []
    for start in range(0, len(ys), step):
        places = range(start, min(start + step, len(ys)))
        kept += sorted({min(places, key=ys.__getitem__), max(places, key=ys.__getitem__)})
    return [xs[place] for place in kept], [ys[place] for place in kept]


def _placed(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    wide, high = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    # Halves: the difference of two large numbers may be no number any more.
    width = max(xs) / 2 - min(xs) / 2 or 0.5
    height = max(ys) / 2 - min(ys) / 2 or 0.5
    return [
        (
            _MARGIN + (x / 2 - min_x) / width * wide,
            _MARGIN + (1 - (y / 2 - min_y) / height) * high,
        )
        for min_x, min_y in ((min(xs) / 2, min(ys) / 2),)
        for x, y in zip(xs, ys, strict=True)
    ]
