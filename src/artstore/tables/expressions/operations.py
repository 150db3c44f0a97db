"""
The closed table of all that an expression can do.

Both languages are read into calls of these, so what both can say means the same in
both. What is not here cannot be said: no other function of DuckDB is reached.
"""

from __future__ import annotations

from typing import Final

from artstore.tables.expressions.conditions import CONDITIONS
from artstore.tables.expressions.lists import LISTS
from artstore.tables.expressions.numbers import NUMBERS
from artstore.tables.expressions.operation import Operation
from artstore.tables.expressions.texts import TEXTS
from artstore.tables.expressions.times import TIMES

__all__ = ["OPERATIONS"]

OPERATIONS: Final[dict[str, Operation]] = {
    operation.name: operation for operation in (*CONDITIONS, *NUMBERS, *TEXTS, *LISTS, *TIMES)
}
"""By name."""
