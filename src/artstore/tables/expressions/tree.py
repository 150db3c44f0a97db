"""
An expression as both languages mean it: a small tree, before any table is known.

Every node has the offset in the text at which it is told when it does not fit.
The tree names operations of `operations.py` and nothing else can be said in it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

__all__ = ["Call", "Constant", "Field", "Loop", "Node", "Path", "Scalar", "Variable"]

Scalar = None | bool | int | float | str | dt.date
"""What can be written outright; a datetime is a date too."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that is written in the text."""

    value: Scalar
    position: int


@dataclass(frozen=True, slots=True)
class Path:
    """
    A column, and fields of it: `image.width`.

    `positions` has the offset of each part. Only the tables decide how many of the
    parts name the table and the column.
    """

    parts: tuple[str, ...]
    positions: tuple[int, ...]

    @property
    def position(self) -> int:
        """Where it begins."""
        return self.positions[0]


@dataclass(frozen=True, slots=True)
class Variable:
    """The element that a loop is at."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a value that is not a column's: `boxes[1].class_id`."""

    of: Node
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operation on values; `position` is that of its name or sign."""

    operation: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Loop:
    """Every element of a list through `body`: those kept for which it is true, or its values."""

    keeps: bool
    over: Node
    variable: str
    body: Node
    position: int


Node = Constant | Path | Variable | Field | Call | Loop
