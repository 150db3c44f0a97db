"""
HTML and SVG of users: never part of our page, but in a frame or picture that may do nothing.
"""

from __future__ import annotations

from typing import Final

from artstore import limits
from artstore.web.previews.preview import Preview, PreviewKind, PreviewSource
from artstore.web.visible import size_text

__all__ = ["FRAME_BYTES", "PREVIEW"]

FRAME_BYTES: Final = 32 * limits.MIB
"""Figures with their library inside have 5 to 10 MB."""


def _markup(source: PreviewSource) -> Preview | None:
    if source.size_bytes > FRAME_BYTES:
        return None
    if source.path.lower().endswith(".svg"):
        return Preview("svg", media="drawing")
    note = (
        "Shown in a frame of its own, without access to this page or to the network "
        f"({size_text(source.size_bytes)})."
    )
    return Preview("html", media="frame", note=note)


PREVIEW = PreviewKind("html", _markup, (".html", ".htm", ".svg"))
