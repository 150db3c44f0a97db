"""
What an explored table answers, as JSON.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from artstore.tables.types import Array, Duration, List, Media, Plain, Struct, Union
from artstore.web.cells.celljson import SHOWN, CellLimits, MediaLinks, cells_json, number_json

if TYPE_CHECKING:
    from artstore.tables.exploring import ColumnInfo, Facet, Groups, Summary, ValueCount, Window

__all__ = [
    "LinksOf",
    "column_json",
    "columns_cells",
    "facet_json",
    "groups_json",
    "value_json",
    "values_json",
    "window_json",
]

LinksOf = Callable[[str], MediaLinks]
"""Gives the links of a column."""

_NESTED: Final = ((List, "list"), (Struct, "dict"), (Array, "array"), (Union, "mixed"))


def column_json(column: ColumnInfo) -> dict[str, Any]:
    """Name, type in words, role, the kind that decides how cells are drawn."""
    return {
        "name": column.name,
        "type": str(column.type),
        "role": column.role,
        "kind": _kind(column),
        "computed": column.is_computed,
    }


def _kind(column: ColumnInfo) -> str:
    kind = column.type
    if isinstance(kind, Media):
        return kind.kind.removesuffix("-file").lower()
    for cls, name in _NESTED:
        if isinstance(kind, cls):
            return name
    if isinstance(kind, Duration):
        return "time"
    if isinstance(kind, Plain) and kind.name == "bytes":
        return "binary"
    return column.role


def window_json(
    window: Window, matching: int, links_of: LinksOf, limits: CellLimits = SHOWN
) -> dict[str, Any]:
    """Rows of a selection, column by column."""
    return {
        "start": window.start,
        "matching": matching,
        "total": window.total,
        "rows": window.numbers,
        "columns": [column_json(column) for column in window.columns],
        "cells": columns_cells(window.columns, window.cells, window.lengths, links_of, limits),
    }


def columns_cells(
    columns: Sequence[ColumnInfo],
    cells: Any,
    lengths: Mapping[str, Sequence[int | None]],
    links_of: LinksOf,
    limits: CellLimits = SHOWN,
) -> list[list[Any]]:
    """The cells of each column of an Arrow table that was cut for display."""
    found = []
    for at, column in enumerate(columns):
        array = _whole(cells.column(at))
        told = cells_json(column.type, array, links_of(column.name), limits)
        for row, length in enumerate(lengths.get(column.name, ())):
            if length is not None:
                told[row] = _with_length(told[row], length)
        found.append(told)
    return found


def _whole(array: Any) -> Any:
    return array.combine_chunks() if hasattr(array, "combine_chunks") else array


def _with_length(cell: Any, length: int) -> Any:
    if isinstance(cell, str):
        return {"$": "text", "v": cell, "length": length}
    if isinstance(cell, dict):
        name = "size" if cell.get("$") == "binary" else "length"
        return {**cell, name: max(length, cell.get(name) or 0), "cut": True}
    return cell


def facet_json(facet: Facet) -> dict[str, Any]:
    """How the cells of a column are distributed."""
    return {
        "column": facet.column,
        "kind": facet.kind,
        "edges": [value_json(edge) for edge in facet.edges],
        "all": list(facet.all_counts),
        "selected": list(facet.selected_counts),
        "values": values_json(facet.values),
        "rest": {"all": facet.rest_all, "selected": facet.rest_selected},
        "nulls": {"all": facet.nulls_all, "selected": facet.nulls_selected},
        "special": {"all": dict(facet.special_all), "selected": dict(facet.special_selected)},
        "distinct": facet.distinct,
        "sampled": facet.sample_size if facet.is_sampled else None,
    }


def values_json(values: Sequence[ValueCount]) -> list[dict[str, Any]]:
    """Values with their counts."""
    return [
        {
            "value": _with_length(value_json(one.value), one.length)
            if one.length is not None
            else value_json(one.value),
            "count": one.count,
            "selected": one.selected,
        }
        for one in values
    ]


def groups_json(
    groups: Groups, links_of: LinksOf, examples: Mapping[str, Mapping[int, Any]]
) -> dict[str, Any]:
    """
    Groups of a selection.

    Args:
        examples: cells of columns of media, by column and number of the row.
    """
    keys = columns_cells(groups.by, groups.keys, groups.lengths, links_of)
    return {
        "start": groups.start,
        "total": groups.total,
        "matching": groups.matching,
        "by": [column_json(column) for column in groups.by],
        "edges": {
            name: [value_json(edge) for edge in edges] for name, edges in groups.edges.items()
        },
        "approximate": groups.is_approximate,
        "groups": [
            {
                "key": [column[at] for column in keys],
                "count": group.count,
                "rows": list(group.examples),
                "summaries": [_summary_json(summary) for summary in group.summaries],
                "examples": {
                    column: [cells[number] for number in group.examples if number in cells]
                    for column, cells in examples.items()
                },
            }
            for at, group in enumerate(groups.groups)
        ],
    }


def _summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "column": summary.column,
        "kind": summary.kind,
        "count": summary.count,
        "nulls": summary.nulls,
        "sum": value_json(summary.total),
        "mean": value_json(summary.mean),
        "stddev": value_json(summary.stddev),
        "min": value_json(summary.minimum),
        "max": value_json(summary.maximum),
        "quantiles": [value_json(quantile) for quantile in summary.quantiles],
        "histogram": list(summary.histogram),
        "sampled": summary.sample_size,
        "values": values_json(summary.values),
    }


def value_json(value: Any) -> Any:
    """A single value as a cell is told."""
    if isinstance(value, decimal.Decimal):
        return {"$": "number", "v": str(value)}
    if isinstance(value, (dt.date, dt.time)):
        return {"$": "time", "v": _iso(value)}
    if isinstance(value, dt.timedelta):
        return {"$": "time", "v": value.total_seconds(), "unit": "s"}
    if value is None or isinstance(value, (str, bool)):
        return value
    return number_json(value)


def _iso(value: dt.date | dt.time) -> str:
    text = value.isoformat()
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text
