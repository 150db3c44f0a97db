"""
Texts: the beginning of a file, in the encoding that it seems to have.
"""

from __future__ import annotations

from artstore.web.previews.preview import (
    TEXT_BYTES,
    Preview,
    PreviewKind,
    PreviewSource,
    first_bytes,
)
from artstore.web.visible import decoded, size_text, visible

__all__ = ["PREVIEW", "text_preview"]


def text_preview(source: PreviewSource) -> Preview | None:
    """The first 64 kB of a text; None for what is no text."""
    data = first_bytes(source, TEXT_BYTES)
    is_cut = source.size_bytes > len(data)
    found = decoded(data, is_whole=not is_cut)
    if found is None:
        return None
    text, encoding = found
    note = f"The first {size_text(len(data))} are shown." if is_cut else ""
    facts = (("encoding", encoding),)
    shown = visible(text.replace("\r\n", "\n"))
    return Preview("text", facts, text=shown, note=note, is_cut=is_cut)


PREVIEW = PreviewKind("text", text_preview, priority=90)
