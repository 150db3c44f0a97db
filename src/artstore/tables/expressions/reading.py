"""
What a user gives, in either language, to a value of Ibis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from artstore import forks
from artstore.tables.expressions import mongo, sql
from artstore.tables.expressions.compiler import compiled, compiled_condition
from artstore.tables.expressions.refusal import checked, told
from artstore.tables.expressions.relaxed import rendered
from artstore.tables.expressions.scope import Scope
from artstore.tables.expressions.tree import Node

__all__ = ["LATE_MODULES", "parse_condition", "parse_value"]

LATE_MODULES: Final = ("ibis", "ibis.expr.operations", "sqlglot.dialects.duckdb")
"""What is imported with the first expression; see `forks.import_late`."""


def parse_condition(text: str | Mapping[str, Any], scope: Scope) -> Any:
    """
    The condition that a filter takes: `scope`'s tables in, a boolean value of Ibis out.

    Args:
        text: SQL; or, if it begins with `{`, Mongo. A mapping is Mongo.
        scope: what the names stand for.
    Returns:
        A boolean value; a filter keeps the rows for which it is true. It may be null where
        `parse_value` of the same text is false.
    Raises:
        InvalidInputError: `expression-invalid`, `expression-type-invalid`, `column-unknown`,
            `column-ambiguous`, with `position` and the text in the message.
        LimitExceededError: `limit-exceeded`; too long, or nested too deeply.
    Cost: no row is read; about a millisecond for a line of text.
    """
    return _parsed(text, scope, compiled_condition)


def parse_value(text: str | Mapping[str, Any], scope: Scope) -> Any:
    """
    A computed column: likewise, with a value of any kind.

    Raises:
        InvalidInputError: as `parse_condition`.
        LimitExceededError: likewise.
    """
    return _parsed(text, scope, compiled)


def _parsed(
    text: str | Mapping[str, Any],
    scope: Scope,
    compile_tree: Callable[[Node, Scope], Any],
) -> Any:
    forks.import_late(LATE_MODULES)
    if isinstance(text, Mapping):
        text = rendered(text)
    given = checked(text)
    read = mongo.read if given.lstrip().startswith("{") else sql.read
    with told(given):
        return compile_tree(read(given), scope)
