"""
Whatever else: its first bytes, as a hex editor shows them.
"""

from __future__ import annotations

from typing import Final

from artstore.web.previews.preview import Preview, PreviewKind, PreviewSource, first_bytes
from artstore.web.visible import size_text

__all__ = ["PREVIEW"]

_SHOWN_BYTES: Final = 256
_LINE_BYTES: Final = 16


def _binary(source: PreviewSource) -> Preview:
    data = first_bytes(source, _SHOWN_BYTES)
    lines = [_line(at, data[at : at + _LINE_BYTES]) for at in range(0, len(data), _LINE_BYTES)]
    note = f"No preview for this kind of file; its first {size_text(len(data))} are shown."
    is_cut = source.size_bytes > len(data)
    return Preview("binary", text="\n".join(lines), note=note, is_cut=is_cut)


def _line(at: int, data: bytes) -> str:
    readable = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
    return f"{at:08x}  {data.hex(' '):<47}  {readable}"


PREVIEW = PreviewKind("binary", _binary, priority=99)
