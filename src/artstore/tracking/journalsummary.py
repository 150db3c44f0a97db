"""
The summary that rows and changes of a journal come to, for whoever reads one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from artstore.runs.nonfinite import encoded
from artstore.runs.rowblocks import decode_rows, values_of
from artstore.tracking.metrics import MetricRules
from artstore.tracking.summaryvalues import SummaryValues

__all__ = ["JournalSummary"]


class JournalSummary:
    """
    Fed with the blocks of a journal from its beginning: statistics know only what they were fed.

    Args:
        earlier: `SessionMeta.earlier`.
    """

    def __init__(self, earlier: Mapping[str, Any]) -> None:
        self._rules = MetricRules(known=earlier.get("metrics"))
        self._values = SummaryValues(self._rules, earlier.get("summary"))

    def learn_rows(self, payload: bytes) -> None:
        """
        Take a block of rows.

        Raises:
            DamagedDataError: `journal-damaged`.
        """
        rows = decode_rows(payload)
        calls = list(memoryview(rows.seq).cast("B").cast("Q"))
        self._values.feed(rows.keys, values_of(rows), calls, rows.types)

    def learn_changes(self, changes: Mapping[str, Any]) -> None:
        """Take a block of changes: what it says of metrics and of the summary."""
        if "metrics" in changes:
            self._rules.restore(changes["metrics"])
        if "summary" in changes or "summary_removed" in changes:
            self._values.apply(changes)

    def take_changes(self) -> dict[str, Any]:
        """What is new since the last call, as changes of a run have it."""
        changes: dict[str, Any] = encoded(self._values.take_changes())
        return changes
