"""
What is asked of a table: which one, the view of it, and what is no part of the view.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.web.routing import Visit
from artstore.web.tables.comparedesk import only_among, open_comparison, selection_of
from artstore.web.tables.desk import OpenedTable, desk_of, open_table
from artstore.web.tables.state import TableState, parse_state

if TYPE_CHECKING:
    from artstore.api import LoggedArtifact
    from artstore.tables.exploring import Selection

__all__ = ["Question", "ask", "failing_part", "place_error", "refused"]

_COLUMNS_MAX: Final = 500
_NUMBERS_MAX: Final = 500

_ASKED: Final = frozenset(
    (
        *("count", "only", "numbers", "at", "full", "column", "prefix", "number", "offset"),
        *("order", "format", "what", "safe", "thumbs"),
        *("x", "y", "colour"),
    )
)
"""Parts of a query that are no part of a view."""

_LEFT_OUT: Final = frozenset(
    ("where", "group", "with", "key", "how", "quick", "truth", "guess", "matrix")
)
"""Parts that say nothing when they are empty."""


@dataclass(frozen=True, slots=True)
class Question:
    """
    A request about a table.

    Attributes:
        told: what of the address was not understood.
        asked: parts that are no part of the view, by name.
    """

    visit: Visit
    version: LoggedArtifact
    path: str
    table: OpenedTable
    state: TableState
    told: tuple[str, ...]
    asked: dict[str, str]

    def selection(self) -> Selection:
        return selection_of(self.table, self.state)

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number that was asked. Raises InvalidInputError `request-invalid`."""
        text = self.asked.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > most:
            raise refused(f"{name} is a whole number up to {most:,}, not {text!r:.40}")
        return int(text)

    def names(self, name: str) -> list[str] | None:
        """A JSON list of names of columns. Raises InvalidInputError `request-invalid`."""
        return self._list(name, str, _COLUMNS_MAX)

    def numbers(self, name: str) -> list[int] | None:
        """A JSON list of numbers of rows. Raises InvalidInputError `request-invalid`."""
        found = self._list(name, int, _NUMBERS_MAX)
        total = self.table.reader.row_count
        for number in found or ():
            if not 0 <= number < total:
                raise refused(f"there is no row {number}, the table has {total:,}")
        return found

    def _list(self, name: str, kind: type, most: int) -> list[Any] | None:
        text = self.asked.get(name)
        if text is None:
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, list) or not all(type(item) is kind for item in value):
            raise refused(f"{name} is a JSON list, not {text!r:.40}")
        if len(value) > most:
            raise refused(f"{name} has at most {most:,} elements")
        return value


def ask(visit: Visit) -> Question:
    """What a request asks of which table. Raises NotFoundError, InvalidInputError."""
    version = visit.opened()
    table = open_table(visit, version, visit.params["path"])
    pairs = list(visit.query.multi_items())
    if visit.request.method == "POST":
        pairs += visit.form().multi_items()
    views = [text for name, text in pairs if name == "view"]
    if views:
        from urllib.parse import parse_qsl

        kept = parse_qsl(desk_of(visit.site).view(views[-1]), keep_blank_values=True)
        pairs = kept + [pair for pair in pairs if pair[0] != "view"]
    # A form without scripts sends its empty fields too.
    pairs = [(name, text) for name, text in pairs if text or name not in _LEFT_OUT]
    asked = {name: text for name, text in pairs if name in _ASKED}
    state, told = parse_state(pair for pair in pairs if pair[0] not in _ASKED)
    if state.compared:
        try:
            table = open_comparison(visit, version, visit.params["path"], table, state)
        except ArtstoreError as error:
            if visit.is_api:
                raise
            # The page of the table itself can be shown, and tells why.
            state = replace(state, compared=(), keys=(), how=None, quick=None, matrix=None)
            told = (*told, _told(visit, error))
    if state.judge is not None:
        count = 0 if table.comparison is None else len(table.comparison.sides)
        if max(state.judged()) >= count:
            told = (*told, f"judge={state.judge} was left out: {count} tables are compared")
            state = replace(state, judge=None)
    if state.among is not None:
        table = only_among(visit, version, table, state)
    return Question(visit, version, visit.params["path"], table, state, told, asked)


def _told(visit: Visit, error: ArtstoreError) -> str:
    from artstore.web.failures import failure_value

    return str(failure_value(error, visit.site)["error"]["message"])


def place_error(question: Question, told: dict[str, Any], error: ArtstoreError) -> None:
    """Tell the part of the address that an error speaks of, and the character there."""
    from artstore.tables.exploring import ComparedTables
    from artstore.tables.exploring.everyside import original_place

    told["part"] = part = failing_part(question, error)
    is_where = part is not None and part.startswith("where:")
    if is_where and "position" in told and isinstance(question.table.reader, ComparedTables):
        text = question.state.where[int(str(part)[6:])]
        told["position"] = original_place(text, told["position"])


def failing_part(question: Question, error: ArtstoreError) -> str | None:
    """Which part of the address an error with a position speaks of: `where:1`, `compute:0`."""
    state, explored = question.state, question.table.explored
    alone = [
        (f"compute:{at}", replace(state, where=(), sort=(), compute=state.compute[: at + 1]))
        for at in range(len(state.compute))
    ] + [
        (f"where:{at}", replace(state, where=(text,), sort=()))
        for at, text in enumerate(state.where)
    ]
    for name, part in alone:
        try:
            explored.window(part.selection(), 0, 1, columns=())
        except ArtstoreError as found:
            if found.message == error.message:
                return name
    return None


def refused(message: str) -> InvalidInputError:
    """The error of a question that cannot be answered: `request-invalid`."""
    return InvalidInputError(message, code="request-invalid")
