"""
Sentences for the user, on stderr: `art: ...`, past the console that a run keeps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

__all__ = ["past", "tell_user", "warn_user"]

past: Final[list[Callable[[str], Any]]] = []
"""Ways to stderr that no run listens to; the first one leads past all of them."""


def tell_user(sentence: str) -> None:
    """One line on stderr; a stream that is closed, missing or strange is no reason to fail."""
    with suppress(Exception):
        write = past[0] if past else sys.stderr.write
        write(f"art: {sentence}\n")
        sys.stderr.flush()


def warn_user(sentence: str) -> None:
    """Likewise, of what went wrong: `art: warning: ...`."""
    tell_user(f"warning: {sentence}")
