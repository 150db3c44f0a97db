"""
The plans that this machine made: those it carries out without proving them again.

Whoever may write to a store may write an entry that looks like a plan. So the plan of another
machine is carried out only as far as it is seen to be right (`sweeping`), and which
plans are of this one stands in its cache, where nobody else writes. What is lost of it
costs time.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["OwnPlans"]


class OwnPlans:
    """
    Digests of plan entries, a line each, in one file a store.

    Args:
        file: made when it is first needed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def remember(self, digest: bytes) -> None:
        """This machine has made the plan with these bytes."""
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="ascii") as lines:
                lines.write(f"{digest.hex()}\n")

    def has(self, digest: bytes | None) -> bool:
        """Whether this machine made that plan, as far as it knows."""
        if digest is None:
            return False
        try:
            return digest.hex() in self._file.read_text("ascii").split()
        except (OSError, ValueError):
            return False
