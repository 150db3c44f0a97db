"""
Columns brought to a type that was asked for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from artstore.errors import InvalidInputError
from artstore.tables.arrowtypes import arrow_type, narrowed
from artstore.tables.rows import Rows
from artstore.tables.schema import Schema
from artstore.tables.types import (
    BOOL,
    FLOAT64,
    INT,
    INT64,
    PLAIN,
    TEXT,
    ColumnType,
    Plain,
    Timestamp,
)

__all__ = ["WantedType", "cast_rows", "wanted_type"]

_BY_PYTHON: Final = {int: INT, float: FLOAT64, str: TEXT, bool: BOOL}
_EXACTLY: Final = {"bytes": bytes, "date": dt.date, "time": dt.time}
_MAKERS: Final[dict[ColumnType, Any]] = {kind: made for made, kind in _BY_PYTHON.items()}
_BY_NAME: Final[dict[str, ColumnType]] = {
    **{name: Plain(name) for name in PLAIN if name != "null"},
    "string": TEXT,
    "str": TEXT,
    "number": FLOAT64,
    "float": FLOAT64,
    "boolean": BOOL,
    "timestamp": Timestamp("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class WantedType:
    """A type that a column has to have; `classes` limits it to the ids of a class set."""

    kind: ColumnType
    optional: bool
    classes: frozenset[int] | None = None

    def cell(self, value: Any, column: str) -> Any:
        """
        `value` in this type.

        Raises:
            InvalidInputError: `cast-failed`, `class-unknown`.
        """
        if value is None:
            self._check_none(column, 1)
            return None
        try:
            cast = _made(self.kind, value)
        except (ArithmeticError, TypeError, ValueError) as error:
            raise self._failed(column, f"{value!r:.60} is none: {error}") from error
        if self.classes is not None and cast not in self.classes:
            raise _strange_class(column, cast)
        return cast

    def array(self, array: Any, column: str) -> Any:
        """As `cell`, for a whole column."""
        if array.null_count:
            self._check_none(column, array.null_count)
        if self.kind == TEXT and pa.types.is_floating(array.type):
            # As `cell` has it; Arrow writes 1.0 as 1.
            array = pa.array(
                [None if c is None else str(c) for c in array.to_pylist()], pa.string()
            )
        try:
            cast = array.cast(arrow_type(self.kind))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise self._failed(column, str(error)) from error
        if self.classes is not None:
            strange = next((c for c in cast.unique().to_pylist() if c not in self.classes), None)
            if strange is not None:
                raise _strange_class(column, strange)
        return cast

    def _check_none(self, column: str, count: int) -> None:
        if not self.optional:
            raise self._failed(column, f"{count} cells are None, and the column is not optional")

    def _failed(self, column: str, why: str) -> InvalidInputError:
        return InvalidInputError(
            f"the column {column!r} cannot be brought to {self.kind}: {why}",
            code="cast-failed",
            column=column,
        )


def _made(kind: ColumnType, value: Any) -> Any:
    """`value` as one of `kind`; raises what Python and numpy raise where it is none."""
    if isinstance(kind, Timestamp):
        if not isinstance(value, dt.datetime) or (kind.zone is None and value.tzinfo is not None):
            raise TypeError("it is no such time")
        return value if kind.zone is None or value.tzinfo else value.replace(tzinfo=dt.UTC)
    assert isinstance(kind, Plain)
    if kind.name in _EXACTLY:
        if type(value) is not _EXACTLY[kind.name]:
            raise TypeError("it is of another type")
        return value
    made = _MAKERS.get(kind)
    if made is str:
        return str(value)
    cast = made(value) if made is not None else np.dtype(kind.name).type(value)
    is_exact = made is not float and kind.name not in ("float16", "float32", "float64")
    is_number = made is bool or not isinstance(value, str)
    if is_number and (is_exact or isinstance(value, int)) and cast != value:
        raise ValueError("something of it would be lost")
    return cast


def wanted_type(dtype: Any, *, optional: bool) -> WantedType:
    """
    What a user calls a type.

    Raises:
        InvalidInputError: `value-invalid`.
    """
    names = getattr(dtype, "names", None)
    if getattr(type(dtype), "type_name", None) == "classes" and isinstance(names, Mapping):
        return WantedType(INT, optional, frozenset(names))
    if isinstance(dtype, str) and dtype in _BY_NAME:
        return WantedType(_BY_NAME[dtype], optional)
    if isinstance(dtype, type) and dtype in _BY_PYTHON:
        return WantedType(_BY_PYTHON[dtype], optional)
    if isinstance(dtype, (Plain, Timestamp)):
        return WantedType(dtype, optional)
    raise InvalidInputError(
        f"{dtype!r} is no type of a column",
        code="value-invalid",
        hint=f"int, float, str, bool, Classes(...), or one of {', '.join(sorted(_BY_NAME))}",
    )


def cast_rows(rows: Rows, wanted: Mapping[str, WantedType]) -> Rows:
    """
    Rows with the columns of `wanted` in these types.

    Raises:
        InvalidInputError: `cast-failed`, `class-unknown`.
    """
    kinds, arrays = [], []
    for name, kind, array in zip(rows.schema.names, rows.schema.types, rows.arrays, strict=True):
        to = wanted.get(name)
        held = array if to is None else to.array(array, name)
        wide = INT64 if to is not None and to.kind == INT else None
        kinds.append(kind if to is None else narrowed(wide or to.kind, held))
        arrays.append(held)
    return Rows(Schema(rows.schema.names, tuple(kinds)), tuple(arrays), rows.row_count)


def _strange_class(column: str, found: Any) -> InvalidInputError:
    return InvalidInputError(
        f"the column {column!r} has the class {found!r}, which the class set does not name",
        code="class-unknown",
        column=column,
    )
