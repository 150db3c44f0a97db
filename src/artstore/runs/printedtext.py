"""
What a run printed, as text: its colours are the only escape sequences that it may have.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["COLOURS", "without_colours"]

COLOURS: Final = re.compile(r"\x1b\[[0-9;:]*m")
"""One sequence that says how what follows is printed (SGR of ECMA-48)."""


def without_colours(text: str) -> str:
    """The text alone."""
    return COLOURS.sub("", text) if "\x1b" in text else text
