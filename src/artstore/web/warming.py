"""
What a server imports while nobody waits: else its first visitors would.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from artstore import clock, forks

__all__ = ["warm_for_filters", "warm_for_tables"]

_FOR_TABLES: Final = (
    "duckdb",
    "artstore.tables.exploring",
    "artstore.web.tables.page",
    "artstore.media.thumbnailfile",
    "PIL.PngImagePlugin",
)
_FOR_FILTERS: Final = ("artstore.tables.sharedbackend", "artstore.tables.expressions")
"""Ibis and what reads conditions: half a second, and 40 MB that a server at rest need not have."""
_AFTER_SECONDS: Final = 1.5

_warmed: set[tuple[str, ...]] = set()
_lock = forks.new_lock()


def warm_for_tables() -> None:
    """Begin to import what the first page of a table needs, in a thread. For `art serve` alone."""
    _begin(_FOR_TABLES, 0, is_ours=True)


def warm_for_filters() -> None:
    """The same for the first condition, when a page of a table was sent: a moment later."""
    _begin(_FOR_FILTERS, _AFTER_SECONDS)


def _begin(modules: tuple[str, ...], wait_seconds: float, *, is_ours: bool = False) -> None:
    with _lock:
        if modules in _warmed:
            return
        _warmed.add(modules)
    threading.Thread(
        target=_warm,
        args=(modules, wait_seconds, is_ours),
        name="artstore warming",
        daemon=True,
    ).start()


def _warm(modules: tuple[str, ...], wait_seconds: float, is_ours: bool) -> None:  # noqa: FBT001 - by position through a thread
    # The pictures of the page come first.
    clock.sleep(wait_seconds)
    if is_ours:
        # Arrow's own pool takes 4 MB before anything is asked, and gives back late.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        from artstore.tables.withoutpandas import leave_pandas_out

        leave_pandas_out()
    for module in modules:
        # One by one: who forks meanwhile waits for one import, not for all.
        forks.import_late((module,))
