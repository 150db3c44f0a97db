"""
How patient gc is: ages below which nothing goes, and what is worth a plan.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from artstore import limits
from artstore.errors import InvalidInputError

__all__ = ["GarbageSettings", "grace_floor_seconds"]

_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_FLOOR_VARIABLE: Final = "ARTSTORE_TEST_GRACE_FLOOR"
"""For tests only: a floor in seconds other than an hour."""


def grace_floor_seconds() -> float:
    """The shortest grace that is taken: an hour, in which pulls end and listings settle."""
    stated = os.environ.get(_FLOOR_VARIABLE)
    return float(stated) if stated else _HOUR


@dataclass(frozen=True, slots=True)
class GarbageSettings:
    """
    Attributes:
        grace_seconds: content younger than this stays though nothing names it, and so long
            after a plan its deletes begin.
        restore_window_seconds: so long after its deletion a version can be restored.
        repack_above: a pack is repacked if more than this part of it is dead.
        bytes_per_second: what repacking may read and write together; None for no limit.
        is_forced: plan however little would go.
        honours_purges: what was purged may go before the restore window is over. Who may write
            may purge, and must not thereby delete: without this a purged version has the
            window that any deleted one has.
        waste_share: below this part of the store a plan is not worth its fences.
        waste_bytes_a_log: nor below so many bytes for each log that gets a fence.
    """

    grace_seconds: float = _DAY
    restore_window_seconds: float = 7 * _DAY
    repack_above: float = 0.5
    bytes_per_second: int | None = None
    is_forced: bool = False
    honours_purges: bool = False
    waste_share: float = 0.01
    waste_bytes_a_log: int = limits.MIB

    def __post_init__(self) -> None:
        floor = grace_floor_seconds()
        if self.grace_seconds < floor:
            raise InvalidInputError(
                f"a grace of {self.grace_seconds:g} s is below {floor:g} s, "
                "in which readers and writers that are under way may end",
                code="value-invalid",
                hint=f"--grace {floor / _HOUR:g}h" if floor >= _HOUR else None,
            )
        if self.restore_window_seconds < 0:
            raise InvalidInputError("a restore window is not negative", code="value-invalid")
        if self.bytes_per_second is not None and self.bytes_per_second < 1:
            raise InvalidInputError(
                f"repacking moves at least one byte a second, not {self.bytes_per_second}",
                code="value-invalid",
            )
        if not 0 < self.repack_above <= 1:
            raise InvalidInputError(
                f"a pack is repacked above a part of 0 to 1, not {self.repack_above:g}",
                code="value-invalid",
            )
