"""
Where a row of a table comes from: the tables and the files that its cells are of, and their graphs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from artstore.errors import ArtstoreError, InvalidInputError
from artstore.lineage.captions import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from artstore.tables.origins import RowTraced
    from artstore.tables.reading import RowReader
    from artstore.web.routing import Visit
    from artstore.web.tables.question import Question

__all__ = ["origin_json"]


def origin_json(question: Question) -> dict[str, Any]:
    """
    The rows of stored tables that row `row` is made of, and the versions its files lie in.

    Raises:
        InvalidInputError: `request-invalid`: there is no such row, or several tables are compared.
    """
    from artstore.tables.origins import trace_row

    number = question.state.row
    if number is None or question.state.compared:
        raise InvalidInputError(
            "where a row comes from is asked with row=N, of one table",
            code="request-invalid",
            hint="leave out with=",
        )
    reader = question.table.reader
    traced = trace_row(reader, number)
    return {
        "row": number,
        "tables": [_table_json(question.visit, one) for one in traced],
        "files": list(_files(question.visit, reader, number)),
    }


def _table_json(visit: Visit, one: RowTraced) -> dict[str, Any]:
    home, path = _parted(one.place_name)
    project, collection, version = _named(home)
    return {
        "version": home,
        "table": path,
        "told": visible(f"{path} of {home}"),
        "row": one.number,
        "columns": [{"name": here, "there": there} for here, there in one.columns],
        "address": visit.link(
            "table",
            {"row": one.number},
            project=project,
            collection=collection,
            version=version,
            path=path,
        ),
        "lineage": visit.link("lineage", {"node": home, "path": path, "row": one.number}),
    }


def _files(visit: Visit, reader: RowReader, number: int) -> Iterator[dict[str, Any]]:
    """Files that cells of the row name, each with the version that it is read from."""
    from artstore.tables.types import Media

    media = [name for name, kind in reader.column_types.items() if isinstance(kind, Media)]
    if not media:
        return
    rows = reader.read_rows(number, number + 1, media)
    for name, array in zip(rows.schema.names, rows.arrays, strict=True):
        cell = array[0].as_py()
        path = cell.get("path") if isinstance(cell, dict) else None
        if not isinstance(path, str):
            continue
        try:
            home: str = reader.opener_of(name)(path).version.qualified_name  # type: ignore[attr-defined]
        except (ArtstoreError, AttributeError):
            # Of a draft, or of a version that was deleted.
            continue
        query: dict[str, str | int] = {"node": home, "path": path, "row": number, "column": name}
        yield {
            "column": name,
            "version": home,
            "path": path,
            "told": visible(f"{path} of {home}"),
            "lineage": visit.link("lineage", query),
        }


def _parted(place_name: str) -> tuple[str, str]:
    """`project/name:v3` and the path of a table in it."""
    project, name, path = place_name.split("/", 2)
    return f"{project}/{name}", path


def _named(home: str) -> tuple[str, str, str]:
    name, _, version = home.rpartition(":")
    project, _, collection = name.partition("/")
    return project, collection, version
