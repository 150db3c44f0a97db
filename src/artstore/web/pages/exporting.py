"""
Rows of a table as a file to keep: CSV, JSON, Parquet, or a page in one file.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.web.routing import Page, Visit
from artstore.web.tables.desk import VIEW_MAX_BYTES
from artstore.web.tables.question import Question, ask

if TYPE_CHECKING:
    from artstore.tables.exploring import Ticket
    from artstore.tables.rows import Rows

__all__ = ["PAGES", "export_rows"]

_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "json": "application/json",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "html": "text/html; charset=utf-8",
}
_SEEN_ROWS: Final = 100
_SEEN_MAX: Final = 10_000
_NAME_CHARS: Final = 120


def export_rows(visit: Visit) -> Response:
    """
    The rows of a view as a file.

    `format` is csv, json, jsonl, parquet or html; `what` is `all`, the whole selection, or
    `seen`: `count` rows from `start` on. `safe=1` keeps spreadsheets from running texts of a CSV.

    Raises:
        InvalidInputError: `request-invalid`, and what is wrong with the view, before anything
            is sent.
        LimitExceededError: `export-too-large`: of html.
    """
    from artstore.tables.exploring import Ticket

    question = ask(visit)
    asked = question.asked
    name = _one_of(asked, "format", tuple(_TYPES), "csv")
    window: tuple[int, int | None] = (0, None)
    if _one_of(asked, "what", ("all", "seen"), "all") == "seen":
        window = (question.state.start, question.number("count", _SEEN_ROWS, _SEEN_MAX))
    is_safe = _one_of(asked, "safe", ("0", "1"), "0") == "1"
    headers = {
        "Content-Disposition": _disposition(question, name),
        # Opened in the browser, the file would have the policy of its own element alone.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
        "Content-Type": _TYPES[name],
    }
    # A download may take as long as it does; it ends when the visitor goes.
    ticket = Ticket()
    names = _columns(question)
    if name == "html":
        return Response(_html(question, names, window), headers=headers)
    with visit.departure.calling(ticket.cancel):
        pieces = _written(question, name, names, _windows(question, names, window, ticket), is_safe)
        # What is wrong with the view is found here, where it still becomes an answer.
        first = next(pieces, b"")
    if visit.request.method == "HEAD":
        return Response(headers=headers)
    return _Download(chain((first,), pieces), headers, ticket)


def _html(question: Question, names: Sequence[str], window: tuple[int, int | None]) -> bytes:
    from artstore.tables.exploring import QueryLimits, Ticket, interruptible
    from artstore.web.tables.filepage import table_file

    visit = question.visit
    ticket = Ticket(QueryLimits(visit.site.settings.seconds))
    with visit.departure.calling(ticket.cancel), interruptible(ticket):
        return table_file(question, names, *window)


class _Download(StreamingResponse):
    """An answer whose queries end when nobody waits for it any more."""

    def __init__(self, pieces: Iterable[bytes], headers: Mapping[str, str], ticket: Ticket) -> None:
        super().__init__(pieces, headers=headers)
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        watcher = asyncio.create_task(self._watch(receive))
        try:
            await self.stream_response(send)
        except (ArtstoreError, OSError):
            # Half of a file must not look whole: the connection is broken off. Of a visitor
            # who has gone nobody is told.
            if not self._ticket.is_cancelled:
                raise
        finally:
            self._ticket.cancel()
            watcher.cancel()

    async def _watch(self, receive: Receive) -> None:
        await self.listen_for_disconnect(receive)
        self._ticket.cancel()


def _windows(
    question: Question, names: Sequence[str], window: tuple[int, int | None], ticket: Ticket
) -> Iterator[Rows]:
    from artstore.tables.exploring.wholerows import whole_windows

    return whole_windows(question.table.explored, question.selection(), names, window, ticket)


def _written(
    question: Question,
    name: str,
    names: Sequence[str],
    parts: Iterator[Rows],
    is_safe: bool,  # noqa: FBT001 - a private step of one function
) -> Iterator[bytes]:
    from artstore.tables.fragments import parquet_buffers
    from artstore.tables.rowtexts import csv_pieces, json_line_pieces, json_pieces
    from artstore.tables.schema import Schema

    first = next(parts, None)
    rows = parts if first is None else chain((first,), parts)
    infos = {one.name: one for one in question.table.explored.columns(question.selection())}
    schema = Schema(tuple(names), tuple(infos[one].type for one in names))
    if name == "parquet":
        return parquet_buffers(schema, rows)
    if name == "csv":
        return _bytes(csv_pieces(names, rows, is_safe=is_safe))
    if name == "jsonl":
        return _bytes(json_line_pieces(names, rows))
    pairs = zip(schema.names, schema.types, strict=True)
    head = {
        "version": question.version.qualified_name,
        "table": question.path,
        "columns": [{"name": one, "type": str(kind)} for one, kind in pairs],
    }
    return _bytes(json_pieces(head, names, rows))


def _bytes(pieces: Iterator[str]) -> Iterator[bytes]:
    return (piece.encode("utf-8", "replace") for piece in pieces)


def _columns(question: Question) -> list[str]:
    """Those of the view in its order, or all; Raises InvalidInputError."""
    state = question.state
    known = [one.name for one in question.table.explored.columns(question.selection())]
    names = known if state.columns is None else [one for one in state.columns if one in known]
    pins = [one for one in state.pins if one in names]
    return [*pins, *(one for one in names if one not in pins)]


def _one_of(asked: Mapping[str, str], name: str, known: Sequence[str], default: str) -> str:
    found = asked.get(name, default)
    if found not in known:
        raise InvalidInputError(
            f"{name} is one of {', '.join(known)}, not {found!r:.40}", code="request-invalid"
        )
    return found


def _disposition(question: Question, ending: str) -> str:
    params: Any = question.visit.params
    parts = (params["collection"], question.version.version, question.path)
    name = "-".join(part for part in parts if part).replace("/", "-")[:_NAME_CHARS]
    # Neither directories nor hidden files, nor what turns the order of letters around.
    name = "".join(sign if sign.isprintable() else "_" for sign in name).lstrip(".") or "rows"
    plain = re.sub(r"[^A-Za-z0-9 ._()+=,@~^-]", "_", name)
    encoded = quote(f"{name}.{ending}", safe="")
    return f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{encoded}"


PAGES: Final = (
    Page(
        "/p/{project}/c/{collection}/{version}/table-export/{path:path}",
        export_rows,
        "table-export",
        # A long filter fits into no address: it may be sent.
        methods=("GET", "POST"),
        api_only=True,
        is_write=False,
        body_max_bytes=VIEW_MAX_BYTES,
    ),
)
