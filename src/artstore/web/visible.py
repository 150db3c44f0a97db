"""
Text of others made fit to be shown: characters that hide or reorder others are spelled out.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["cut", "decoded", "size_text", "visible"]

_SPELLED: Final = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
_KEPT: Final = frozenset("\t\n\u200c\u200d")
"""Tabs and lines; joiners, without which Persian words and many emoji fall apart."""
_PLAIN: Final = re.compile(r"[\t\n\x20-\x7e]*")
_CONTROLS: Final = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27})
_CONTROL_SHARE: Final = 0.05
_UNITS: Final = ("B", "kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_ROUND_FROM: Final = 100


def visible(text: str, max_chars: int | None = None, *, lines: bool = True) -> str:
    r"""
    The text with control characters and marks of direction as `\u202e`.

    Args:
        max_chars: cut behind so many.
        lines: keep tabs and line ends.
    """
    if max_chars is not None:
        text = cut(text, max_chars)
    if _PLAIN.fullmatch(text) and (lines or not ("\n" in text or "\t" in text)):
        return text
    return "".join(_shown(character, lines=lines) for character in text)


def cut(text: str, max_chars: int) -> str:
    """The text, or its first characters and an ellipsis."""
    return text if len(text) <= max_chars else f"{text[:max_chars]}\u2026"


def decoded(data: bytes, *, is_whole: bool) -> tuple[str, str] | None:
    """
    (text, encoding) of bytes that read as a text; None for others.

    Args:
        is_whole: whether these are all bytes of a file: the last character may be cut else.
    """
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), "utf-16"
    # What none of the texts of any encoding has: a NUL, or many controls.
    if b"\0" in data:
        return None
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > _CONTROL_SHARE * len(data):
        return None
    body = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if not is_whole and error.start >= len(body) - 3 and error.reason != "invalid start byte":
            return body[: error.start].decode("utf-8"), "utf-8"
    return data.decode("latin-1"), "latin-1"


def size_text(size_bytes: int) -> str:
    """`1.4 MB`; powers of a thousand, as disks and `ls --si` have them."""
    value, unit = float(size_bytes), 0
    while value >= _THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / _THOUSAND, unit + 1
    if unit == 0:
        return f"{size_bytes} B"
    return f"{value:.0f} {_UNITS[unit]}" if value >= _ROUND_FROM else f"{value:.1f} {_UNITS[unit]}"


def _shown(character: str, *, lines: bool) -> str:
    if character in _KEPT and (lines or character not in "\t\n"):
        return character
    if unicodedata.category(character) not in _SPELLED:
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
