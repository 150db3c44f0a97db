"""
A selection of rows as one HTML file that filters, sorts and groups without a server.

It is the page of a table itself: the same modules, but for the one that asks the server.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from artstore import clock, limits
from artstore.errors import ArtstoreError, LimitExceededError
from artstore.web.cells.celljson import CellLimits
from artstore.web.cells.medialinks import ColumnLinks
from artstore.web.onefile import FilePage, bundled, file_page, own_source
from artstore.web.tables.comparepage import example_condition
from artstore.web.tables.page import TELLING
from artstore.web.tables.state import query_of
from artstore.web.tables.tablejson import column_json, columns_cells

if TYPE_CHECKING:
    from artstore.tables.reading import RowReader
    from artstore.web.tables.question import Question

__all__ = ["FILE_MAX_BYTES", "FILE_ROWS", "table_file"]

FILE_ROWS: Final = 1_000
"""At most so many rows go into one file."""

FILE_MAX_BYTES: Final = 20_000_000

_SIDES: Final = (256, 128, 64)
"""Of pictures: the first that fits into the file."""
_ORIGINAL_BYTES: Final = 16 * 1024
_MASK_BYTES: Final = limits.MIB
_LIMITS: Final = CellLimits(text_chars=1_000, elements=100, numbers=1_024, depth=8, boxes=300)
_OWN_STYLE: Final = """
.file-told { margin: 0 0 0.4rem; font-size: 0.8125rem; overflow-wrap: anywhere; }
/* Browsers open no data: address in a window of its own. */
.row-panel figcaption a { display: none; }
"""
_TYPES: Final = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


def table_file(question: Question, names: Sequence[str], start: int, count: int | None) -> bytes:
    """
    The file.

    Args:
        names: columns that go into it.
        start, count: which rows of the selection; None for all.
    Raises:
        LimitExceededError: `export-too-large`: more than 1,000 rows, or 20 MB.
    Cost: decodes the pictures that have no thumbnail yet; the file is held in memory.
    """
    explored, selection = question.table.explored, question.selection()
    matching = explored.count(selection).matching
    wanted = max(min(matching - start, matching if count is None else count), 0)
    if wanted > FILE_ROWS:
        raise LimitExceededError(
            f"the selection has {wanted:,} rows, and one HTML file holds {FILE_ROWS:,} at most "
            f"and {FILE_MAX_BYTES:,} bytes",
            code="export-too-large",
            hint="filter the table, export what is seen, or take Parquet, which holds any number",
            row_count=wanted,
        )
    window = explored.window(selection, start, wanted, names)
    size = 0
    for side in _SIDES:
        pictures = _Pictures(question, side)
        cells = columns_cells(
            window.columns, window.cells, window.lengths, pictures.links_of, _LIMITS
        )
        pictures.number(cells)
        page = _page(question, window.columns, window.numbers, cells, pictures.data)
        size = len(page)
        if size <= FILE_MAX_BYTES:
            return page
    raise LimitExceededError(
        f"{wanted:,} rows make an HTML file of {size:,} bytes with the smallest pictures; "
        f"{FILE_MAX_BYTES:,} are the limit",
        code="export-too-large",
        hint="filter the table, hide columns, or take Parquet, which holds any number of rows",
        row_count=wanted,
        size_bytes=size,
    )


class _Pictures:
    """
    Pictures that cells name, as `data:` addresses, each once.

    Attributes:
        data: the addresses; cells tell places in it.
    """

    def __init__(self, question: Question, side: int) -> None:
        self._question, self._side = question, side
        self._names: dict[str, int] = {}
        self._paths: list[tuple[RowReader, str, str]] = []
        self.data: list[str] = []
        self._known: dict[tuple[int, bool], int | None] = {}

    def links_of(self, column: str) -> Any:
        table = self._question.table
        if column not in table.reader.columns:
            from artstore.web.cells.celljson import NO_LINKS

            return NO_LINKS
        return _FileLinks(self, self._question, column)

    def note(self, column: str, path: str, digest: str | None) -> str:
        """A name for a file, that stands in a cell until `number`."""
        key = f"{column}\n{digest or path}"
        place = self._names.setdefault(key, len(self._paths))
        if place == len(self._paths):
            self._paths.append((self._question.table.reader, column, path))
        return str(place)

    def number(self, columns: list[list[Any]]) -> None:
        """Put places of pictures into cells, and nothing where there is no picture."""
        for column in columns:
            for cell in _tagged(column):
                is_picture = cell["$"] == "image"
                if is_picture or cell["$"] == "media":
                    src = cell["src"] if is_picture else None
                    cell["src"] = None if src is None else self._place(int(src), is_mask=False)
                for mask in cell.get("masks", {}).values() if is_picture else ():
                    src = mask["src"]
                    mask["src"] = None if src is None else self._place(int(src), is_mask=True)

    def _place(self, at: int, *, is_mask: bool) -> int | None:
        key = (at, is_mask)
        if key not in self._known:
            reader, column, path = self._paths[at]
            try:
                address = _address(reader, column, path, None if is_mask else self._side)
            except ArtstoreError:
                # Damaged, or in a version that was deleted: the cell says so.
                address = None
            self._known[key] = None if address is None else len(self.data)
            if address is not None:
                self.data.append(address)
        return self._known[key]


class _FileLinks(ColumnLinks):
    """Links of a column that name the file itself; see `celljson.MediaLinks`."""

    def __init__(self, pictures: _Pictures, question: Question, column: str) -> None:
        table = question.table
        super().__init__(question.visit, table.reader, column, table.classes)
        self._pictures, self._column = pictures, column

    def content(self, path: str, digest: str | None) -> str | None:
        return self._pictures.note(self._column, path, digest)

    def frame(self, path: str, digest: str | None) -> str | None:
        del path, digest
        return None

    def thumbnail(self, path: str, digest: str | None) -> str | None:
        del path, digest
        return None


def _tagged(cell: Any) -> Iterator[dict[str, Any]]:
    """All cells in a cell that say what they are, itself included."""
    if isinstance(cell, list):
        for part in cell:
            yield from _tagged(part)
    elif isinstance(cell, dict) and "$" in cell:
        yield cell
        if cell["$"] in ("list", "dict"):
            yield from _tagged(cell["v"])


def _address(reader: RowReader, column: str, path: str, side: int | None) -> str | None:
    """A `data:` address of a file: a thumbnail of `side`, or as it is."""
    import io

    from artstore.media.thumbnailfile import make_thumbnail

    content: Any = reader.opener_of(column)(path)
    data = content.read() if hasattr(content, "read") else None
    if data is None:
        return None
    kind = next((name for begin, name in _TYPES.items() if data.startswith(begin)), None)
    if side is None:
        return _encoded(data, kind) if kind and len(data) <= _MASK_BYTES else None
    if kind is not None and len(data) <= _ORIGINAL_BYTES and side >= 256:
        return _encoded(data, kind)
    return _encoded(*make_thumbnail(io.BytesIO(data), path, side))


def _encoded(data: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


@cache
def _script() -> str:
    return bundled("offline/main.js", replaced={"static/api.js": "offline/api.js"})


@cache
def _style() -> str:
    own = own_source("static/page.css") + own_source("static/table.css")
    return own + _OWN_STYLE


def _page(
    question: Question, columns: Any, numbers: list[int], cells: Any, pictures: list[str]
) -> bytes:
    told = [{**column_json(column), "computed": False} for column in columns]
    name, table = question.version.qualified_name, question.path
    shown = replace(
        question.state,
        where=(),
        sort=(),
        compute=(),
        start=0,
        row=None,
        compared=(),
        keys=(),
        how=None,
        quick=None,
        view=None,
        among=None,
        chosen=(),
        judge=None,
    )
    count = len(numbers)
    # The rows are asked for by the script itself: they are in the file once.
    window = {
        "start": 0,
        "matching": count,
        "total": count,
        "rows": [],
        "columns": told,
        "cells": [[] for _ in told],
    }
    value = {
        "version": name,
        "table": table,
        "columns": told,
        "told": [],
        "window": window,
        "facets": [],
        "groups": None,
    }
    # Tables beside this one, and other versions, are not in the file.
    beside = {"version": name, "others": "", "project": "", "collection": ""}
    data = {
        "table": value,
        "error": None,
        "query": query_of(shown),
        "links": {"page": ""},
        "compare": beside,
        "example": example_condition(question, told),
        "telling": list(TELLING),
    }
    file = {"rows": numbers, "columns": told, "cells": cells, "pictures": pictures}
    page = FilePage(
        f"{table} · {name}",
        _main(question, count, cells),
        _script(),
        _style(),
        {"table-data": data, "file-data": file},
    )
    return file_page(page).encode("utf-8", "replace")


def _main(question: Question, count: int, cells: Any) -> str:
    name, table, state = question.version.qualified_name, question.path, question.state
    total = question.table.reader.row_count
    parts = [f"{count:,} of {total:,} rows of {name} / {table}"]
    if state.among is not None:
        parts.append("chosen one by one")
    if state.where:
        parts.append(f"where {' and '.join(state.where)}")
    if state.sort:
        keys = (f"{part.column}{' descending' if part.descending else ''}" for part in state.sort)
        parts.append(f"sorted by {', '.join(keys)}")
    parts.append(f"exported {clock.format_time(clock.now_seconds())}")
    cut = sum(cell.get("$") == "text" for cell in _tagged(cells))
    if cut:
        parts.append(f"texts cut at {_LIMITS.text_chars:,} characters: {cut:,}")
    project, _, artifact = name.partition("/")
    template = question.visit.site.templates.get_template("tables/file.html")
    return template.render(
        crumbs=(project, artifact, table), table=table, row_count=count, told="; ".join(parts)
    )
