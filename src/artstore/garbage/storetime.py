"""
What time it is by the clock of the storage, and when a log entry was written by it.

Ages are compared with the storage's own times alone: a machine whose clock is wrong by
a day must not collect a day too early (PROTOCOL G13).
"""

from __future__ import annotations

from typing import Final

from artstore import clock
from artstore.catalog.format import entry_key
from artstore.catalog.upkeeplog import UPKEEP_PREFIX, Plan
from artstore.garbage.settings import grace_floor_seconds
from artstore.storage.protocol import Storage

__all__ = ["CLOCK_PREFIX", "ripe_time", "store_now"]

CLOCK_PREFIX: Final = "upkeep/clock/"
"""Values of no bytes, written to learn their time; garbage at once."""


def store_now(storage: Storage) -> float:
    """
    Seconds since 1970 as the storage has them now.

    Cost: one create, one stat. Leaves a value behind that gc removes: its caller may have
    no right to delete.
    """
    key = f"{CLOCK_PREFIX}{clock.random_bytes(8).hex()}"
    storage.create(key, b"")
    return storage.stat(key).modified_seconds


def ripe_time(storage: Storage, plan: Plan, grace_seconds: float) -> float:
    """
    When the deletes of a plan may begin.

    Args:
        grace_seconds: of who carries it out; the plan's own counts if it is shorter.
    Cost: one stat.
    """
    made = storage.stat(entry_key(UPKEEP_PREFIX, plan.k)).modified_seconds
    if plan.grace_seconds is not None:
        grace_seconds = max(min(grace_seconds, plan.grace_seconds), grace_floor_seconds())
    return made + grace_seconds
