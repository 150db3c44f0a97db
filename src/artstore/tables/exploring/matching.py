"""
Which rows match: found block by block, as far as somebody has asked.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from artstore.tables.engine import ROW
from artstore.tables.enginelimits import check_memory
from artstore.tables.exploring.plans import Plan
from artstore.tables.exploring.rowsets import RowSet
from artstore.tables.exploring.tickets import current_ticket

__all__ = ["Matches"]

_TURN_SECONDS: Final = 0.05
"""How often who waits for another thread looks whether it has been cancelled itself."""


class Matches:
    """
    The rows for which the conditions of a plan are true, in order. Safe for threads.

    Blocks of rows are scanned one after the other, and only until what is asked for is known.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._blocks = plan.source.blocks()
        self._lock = threading.Lock()
        self._found: list[RowSet] = []
        self._known: int = 0

    @property
    def nbytes(self) -> int:
        """Of what is kept."""
        return sum((int(part.nbytes) for part in self._found), 1000)

    @property
    def is_complete(self) -> bool:
        """Whether all rows were looked at."""
        return len(self._found) == len(self._blocks)

    @property
    def known(self) -> int:
        """Matching rows that were found so far."""
        return self._known

    def count(self) -> int:
        """How many rows match. Cost: looks at all rows."""
        while not self.is_complete:
            self._go_on()
        return self._known

    def numbers(self, start: int, stop: int) -> Any:
        """The matching rows at the places [start, stop): int64 [n], fewer at the end."""
        while self._known < stop and not self.is_complete:
            self._go_on()
        parts, at = [np.zeros(0, np.int64)], 0
        for part in list(self._found):
            parts.append(part.numbers(start - at, stop - at))
            at += part.count
            if at >= stop:
                break
        return np.concatenate(parts)

    def rank(self, number: int) -> int | None:
        """How many matching rows are before one; None if it does not match itself."""
        at, place = 0, 0
        while True:
            while place >= len(self._found):
                if self.is_complete:
                    return None
                self._go_on()
            part = self._found[place]
            if number < part.first + part.row_count:
                found = part.rank(number)
                return None if found is None else at + found
            at, place = at + part.count, place + 1

    def _go_on(self) -> None:
        """Look at one more block, or wait until another thread has."""
        seen = len(self._found)
        with self._turn():
            if len(self._found) > seen:
                return
            block = self._blocks[seen]
            check_memory(2 * block.row_count)
            source = self._plan.source
            with self._plan.running(f"SELECT {ROW} FROM s WHERE w", block) as parts:
                numbers = (source.numbers(part.column(0).to_numpy(), block) for part in parts)
                part = RowSet(numbers, block.first, block.row_count)
            self._found.append(part)
            self._known += part.count

    @contextmanager
    def _turn(self) -> Iterator[None]:
        ticket = current_ticket()
        while not self._lock.acquire(timeout=_TURN_SECONDS):
            ticket.check()
        try:
            yield
        finally:
            self._lock.release()
