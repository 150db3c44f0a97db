"""
Cells of columns as Python values.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from artstore.errors import NotFoundError
from artstore.media.content import MediaContent
from artstore.media.kinds import kind_named
from artstore.tables.types import Array, ColumnType, Decimal, List, Media, Struct, Union

__all__ = ["OpenContent", "content_of", "python_cells"]

OpenContent = Callable[[str], MediaContent]
"""Gives the content of the file at a path of the artifact that the table is in."""


def content_of(openers: Sequence[OpenContent], path: str) -> MediaContent:
    """
    The content of a file that one of several places has.

    Raises:
        NotFoundError: `entry-not-found`, if there is no place to look at.
    Cost: nothing is looked up if there is one place; else the file is, in one after the other.
    """
    for at, open_content in enumerate(openers):
        content = open_content(path)
        if at == len(openers) - 1 or _is_there(content):
            return content
    raise NotFoundError(f"no cell brought the file {path!r}", code="entry-not-found")


def _is_there(content: MediaContent) -> bool:
    try:
        return bool(content.digest)
    except NotFoundError:
        return False


def python_cells(kind: ColumnType, array: Any, open_content: OpenContent) -> list[Any]:
    """
    The cells of a column: what was added, in the types of the column.

    Media are values again, whose files are opened when they are looked at; arrays
    are numpy arrays of their shape; dictionaries have every member of their column.
    """
    if isinstance(kind, Decimal) and kind.is_wide:
        return [None if text is None else decimal.Decimal(text) for text in array.to_pylist()]
    if not isinstance(kind, (Array, List, Media, Struct, Union)):
        return list(array.to_pylist())
    if isinstance(kind, Array):
        return _arrays(kind, array)
    if isinstance(kind, List):
        return _lists(kind, array, open_content)
    if isinstance(kind, Media):
        load = kind_named(kind.kind).from_cell
        cells = _structs(kind.cell, array, open_content)
        return [None if cell is None else load(cell, open_content) for cell in cells]
    if isinstance(kind, Union):
        return _unions(kind, array, open_content)
    assert isinstance(kind, Struct)
    return _structs(kind, array, open_content)


def _lists(kind: List, array: Any, open_content: OpenContent) -> list[Any]:
    elements = python_cells(kind.element, array.flatten(), open_content)
    cells: list[Any] = []
    at = 0
    for length in array.value_lengths().to_pylist():
        if length is None:
            cells.append(None)
        else:
            cells.append(elements[at : at + length])
            at += length
    return cells


def _structs(kind: Struct, array: Any, open_content: OpenContent) -> list[Any]:
    names = [name for name, _ in kind.fields]
    parts = [
        python_cells(member, part, open_content)
        for (_, member), part in zip(kind.fields, array.flatten(), strict=False)
    ]
    valid = array.is_valid().to_pylist()
    rows = zip(*parts, strict=True) if parts else ((),) * len(array)
    return [
        dict(zip(names, row, strict=True)) if is_there else None
        for row, is_there in zip(rows, valid, strict=True)
    ]


def _unions(kind: Union, array: Any, open_content: OpenContent) -> list[Any]:
    cells: list[Any] = [None] * len(array)
    for (_, member), part in zip(kind.members, array.flatten(), strict=True):
        for at, cell in enumerate(python_cells(member, part, open_content)):
            if cell is not None:
                cells[at] = cell
    return cells


def _arrays(kind: Array, array: Any) -> list[Any]:
    if kind.shape is None:
        shapes, values = array.flatten()
        told = shapes.to_pylist()
    else:
        told, values = [kind.shape] * len(array), array
    numbers = values.flatten().to_numpy(zero_copy_only=False)
    numbers = numbers.astype("bool" if kind.dtype == "bool" else kind.dtype, copy=False)
    cells: list[Any] = []
    at = 0
    for shape, length in zip(told, values.value_lengths().to_pylist(), strict=True):
        if length is None:
            cells.append(None)
            continue
        cells.append(np.array(numbers[at : at + length]).reshape(shape))
        at += length
    return cells
